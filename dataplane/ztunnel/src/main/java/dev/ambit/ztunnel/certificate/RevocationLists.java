package dev.ambit.ztunnel.certificate;

import java.security.GeneralSecurityException;
import java.security.PublicKey;
import java.security.cert.CRLReason;
import java.security.cert.Certificate;
import java.security.cert.X509CRL;
import java.security.cert.X509CRLEntry;
import java.security.cert.X509Certificate;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicBoolean;
import javax.security.auth.x500.X500Principal;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The certificates that their issuers have taken back, as one set of revocation lists says. A list
 * can only take trust away: what no list names is not revoked. Immutable; any thread may ask.
 */
public final class RevocationLists {
  private static final Logger log = LoggerFactory.getLogger(RevocationLists.class);

  /** Nothing is revoked. */
  public static final RevocationLists NONE = new RevocationLists(List.of());

  private final Map<X500Principal, List<SignedList>> byIssuer = new HashMap<>();
  private final List<X509CRL> all;

  /** A list, and under which keys its signature was found right. */
  private record SignedList(X509CRL list, Set<PublicKey> signers, AtomicBoolean complained) {
    boolean isSignedBy(PublicKey key) {
      if (signers.contains(key)) {
        return true;
      }
      try {
        list.verify(key);
      } catch (GeneralSecurityException | RuntimeException e) {
        return false;
      }
      signers.add(key);
      return true;
    }
  }

  RevocationLists(Collection<X509CRL> lists) {
    all = List.copyOf(lists);
    for (X509CRL list : all) {
      byIssuer
          .computeIfAbsent(list.getIssuerX500Principal(), issuer -> new ArrayList<>(1))
          .add(new SignedList(list, ConcurrentHashMap.newKeySet(), new AtomicBoolean()));
    }
  }

  /** How many lists there are. */
  public int size() {
    return all.size();
  }

  /** Lists whose successor is overdue at {@code now}. They are enforced all the same. */
  List<X509CRL> overdue(Instant now) {
    return all.stream()
        .filter(
            list -> list.getNextUpdate() != null && list.getNextUpdate().toInstant().isBefore(now))
        .toList();
  }

  /**
   * Says why a peer is not to be trusted any more: one of the certificates that it showed was
   * revoked by who issued it. All that it showed are looked at, in whatever order, so that the ones
   * its chain was verified by are always among them.
   *
   * @param shown the peer's certificates
   * @param roots whom chains lead to; they sign the lists of what they issued
   * @return for the log; null where nothing is revoked
   */
  public @Nullable String revocation(Certificate[] shown, List<X509Certificate> roots) {
    if (byIssuer.isEmpty()) {
      return null;
    }
    for (Certificate certificate : shown) {
      if (certificate instanceof X509Certificate x509) {
        for (SignedList list : byIssuer.getOrDefault(x509.getIssuerX500Principal(), List.of())) {
          X509CRLEntry entry = list.list().getRevokedCertificate(x509);
          if (entry != null
              && entry.getRevocationReason() != CRLReason.REMOVE_FROM_CRL
              && isAuthentic(list, x509.getIssuerX500Principal(), shown, roots)) {
            return describe(x509, entry);
          }
        }
      }
    }
    return null;
  }

  /**
   * Whether the one that signed the list is an issuer of the peer's chain, not just of its name.
   */
  private static boolean isAuthentic(
      SignedList list, X500Principal issuer, Certificate[] shown, List<X509Certificate> roots) {
    for (X509Certificate root : roots) {
      if (root.getSubjectX500Principal().equals(issuer) && list.isSignedBy(root.getPublicKey())) {
        return true;
      }
    }
    for (Certificate certificate : shown) {
      if (certificate instanceof X509Certificate x509
          && x509.getSubjectX500Principal().equals(issuer)
          && list.isSignedBy(x509.getPublicKey())) {
        return true;
      }
    }
    if (list.complained().compareAndSet(false, true)) {
      log.atWarn()
          .addKeyValue("issuer", issuer)
          .log("a revocation list names a peer's certificate, but its issuer has not signed it");
    }
    return false;
  }

  private static String describe(X509Certificate certificate, X509CRLEntry entry) {
    CRLReason reason = entry.getRevocationReason();
    return "certificate "
        + certificate.getSerialNumber().toString(16)
        + " of "
        + certificate.getIssuerX500Principal()
        + " is revoked since "
        + entry.getRevocationDate().toInstant()
        + (reason == null ? "" : " (" + reason + ")");
  }
}
