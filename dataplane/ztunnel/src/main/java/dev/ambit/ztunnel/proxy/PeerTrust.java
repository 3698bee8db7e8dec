package dev.ambit.ztunnel.proxy;

import dev.ambit.ztunnel.certificate.Revocations;
import dev.ambit.ztunnel.certificate.TlsIdentity;
import dev.ambit.ztunnel.identity.Identity;
import dev.ambit.ztunnel.identity.TrustDomains;
import dev.ambit.ztunnel.telemetry.Reporter;
import dev.ambit.ztunnel.telemetry.RevocationObserver;
import java.security.cert.Certificate;
import java.util.function.Predicate;
import javax.net.ssl.SSLException;
import javax.net.ssl.SSLPeerUnverifiedException;
import javax.net.ssl.SSLSession;
import org.jspecify.annotations.Nullable;

/**
 * Decides which TLS peers, of those whose certificates lead to the mesh's roots, are talked to.
 *
 * @param domains which trust domains are one
 * @param revocations which certificates do not count any more
 * @param observer hears of those
 */
public record PeerTrust(
    TrustDomains domains, Revocations revocations, RevocationObserver observer) {

  /** Every trust domain for itself, and nothing revoked. */
  public static PeerTrust plain() {
    return new PeerTrust(TrustDomains.NO_ALIASES, Revocations.disabled(), RevocationObserver.NONE);
  }

  /**
   * Who a client has proven to be: its first SPIFFE name, which must be of the trust domain {@code
   * own} or an alias of it.
   *
   * @throws SSLException where it is not, or a certificate of it is revoked
   */
  Identity requireClient(SSLSession session, TlsIdentity credentials, String own)
      throws SSLException {
    Identity shown =
        PeerIdentities.requireTrustDomain(session, own, domain -> domains.contains(own, domain));
    requireNotRevoked(session, credentials, Reporter.DESTINATION);
    return shown;
  }

  /**
   * Which identity a server has proven to be: any of its names that is one of {@code expected}.
   *
   * @throws SSLException where none is, or a certificate of it is revoked
   */
  Identity requireServer(SSLSession session, TlsIdentity credentials, PoolKey key)
      throws SSLException {
    String own = key.source().trustDomain();
    Predicate<Identity> wanted =
        shown -> {
          for (Identity expected : key.expected()) {
            if (domains.isSame(own, expected, shown)) {
              return true;
            }
          }
          return false;
        };
    Identity shown = PeerIdentities.requireAnyOf(session, key.expected(), wanted);
    requireNotRevoked(session, credentials, Reporter.SOURCE);
    return shown;
  }

  private void requireNotRevoked(SSLSession session, TlsIdentity credentials, Reporter reporter)
      throws RevokedCertificateException {
    String revocation = revocation(session, credentials, reporter);
    if (revocation != null) {
      throw new RevokedCertificateException("the peer's " + revocation);
    }
  }

  /** Judges a peer as it stands now; says why it is not trusted, or null. */
  @Nullable String revocation(SSLSession session, TlsIdentity credentials, Reporter reporter) {
    if (!revocations.isEnabled()) {
      return null;
    }
    Certificate[] shown;
    try {
      shown = session.getPeerCertificates();
    } catch (SSLPeerUnverifiedException e) {
      observer.untracked(reporter);
      return "certificates are not known any more, and cannot be judged";
    }

    String revocation = revocations.current().revocation(shown, credentials.roots());
    if (revocation != null) {
      observer.rejected(reporter);
    }
    return revocation;
  }
}
