package dev.ambit.operator.ca;

import java.io.ByteArrayInputStream;
import java.nio.charset.StandardCharsets;
import java.security.GeneralSecurityException;
import java.security.cert.CRL;
import java.security.cert.CRLException;
import java.security.cert.CertificateException;
import java.security.cert.CertificateFactory;
import java.security.cert.X509CRL;
import java.security.cert.X509Certificate;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Base64;
import java.util.List;
import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * Checked revocation lists of an authority and of those above it.
 *
 * @param pem all of them, as ztunnels read them
 * @param revoked how many certificates they revoke
 * @param nextUpdate when the first of them should have been replaced
 */
public record RevocationLists(String pem, int revoked, Optional<Instant> nextUpdate) {
  private static final String BEGIN = "-----BEGIN ";
  private static final Pattern BLOCK =
      Pattern.compile("-----BEGIN X509 CRL-----([A-Za-z0-9+/=\\s]*)-----END X509 CRL-----");

  /**
   * Reads lists in PEM and checks that each is signed by the authority, or by one that its
   * certificates lead to.
   *
   * @param where they stand, for messages
   * @throws InvalidAuthorityException saying what is wrong with them
   */
  public static RevocationLists read(String where, byte[] text, SigningMaterial authority)
      throws InvalidAuthorityException {
    String pem = new String(text, StandardCharsets.US_ASCII);
    StringBuilder checked = new StringBuilder();
    int revoked = 0;
    Optional<Instant> nextUpdate = Optional.empty();
    Matcher block = BLOCK.matcher(pem);
    int lists = 0;
    while (block.find()) {
      lists++;
      X509CRL list = parse(where, lists, block.group(1));
      checkSigner(where, lists, list, authority);
      revoked += list.getRevokedCertificates() == null ? 0 : list.getRevokedCertificates().size();
      if (list.getNextUpdate() != null) {
        Instant next = list.getNextUpdate().toInstant();
        nextUpdate = Optional.of(nextUpdate.filter(next::isAfter).orElse(next));
      }
      checked.append(encode(where, list));
    }
    if (lists == 0 || pem.split(BEGIN, -1).length - 1 != lists) {
      // One block that is passed over would let in whom it revokes.
      throw invalid(where, "it does not consist of blocks \"X509 CRL\" in PEM");
    }
    return new RevocationLists(checked.toString(), revoked, nextUpdate);
  }

  private static X509CRL parse(String where, int number, String base64)
      throws InvalidAuthorityException {
    try {
      byte[] der = Base64.getMimeDecoder().decode(base64);
      CRL list = CertificateFactory.getInstance("X.509").generateCRL(new ByteArrayInputStream(der));
      if (list instanceof X509CRL x509) {
        return x509;
      }
    } catch (CertificateException | CRLException | IllegalArgumentException e) {
      throw new InvalidAuthorityException(
          message(where, "list " + number + " cannot be read: " + e.getMessage()), e);
    }
    throw invalid(where, "list " + number + " is not one of X.509");
  }

  private static void checkSigner(String where, int number, X509CRL list, SigningMaterial authority)
      throws InvalidAuthorityException {
    List<X509Certificate> signers = new ArrayList<>();
    signers.add(authority.certificate());
    signers.addAll(authority.intermediates());
    signers.addAll(authority.roots());
    for (X509Certificate signer : signers) {
      if (signer.getSubjectX500Principal().equals(list.getIssuerX500Principal())) {
        try {
          list.verify(signer.getPublicKey());
          return;
        } catch (GeneralSecurityException e) {
          // Another certificate of the same name may have signed it.
          continue;
        }
      }
    }
    throw invalid(
        where,
        "list "
            + number
            + " of issuer \""
            + list.getIssuerX500Principal()
            + "\" is signed by none of the authority's certificates");
  }

  private static String encode(String where, X509CRL list) throws InvalidAuthorityException {
    try {
      return "-----BEGIN X509 CRL-----\n"
          + Base64.getMimeEncoder(64, new byte[] {'\n'}).encodeToString(list.getEncoded())
          + "\n-----END X509 CRL-----\n";
    } catch (CRLException e) {
      throw new InvalidAuthorityException(message(where, "it cannot be encoded"), e);
    }
  }

  private static InvalidAuthorityException invalid(String where, String what) {
    return new InvalidAuthorityException(message(where, what));
  }

  private static String message(String where, String what) {
    return where + ": " + what + "; what was distributed before stays in use";
  }
}
