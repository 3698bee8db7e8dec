package dev.ambit.operator.ca;

import java.io.IOException;
import java.security.GeneralSecurityException;
import java.security.PrivateKey;
import java.security.PublicKey;
import java.security.SecureRandom;
import java.security.Signature;
import java.security.cert.CertificateException;
import java.security.cert.X509Certificate;
import java.security.interfaces.ECPublicKey;
import java.security.interfaces.RSAPublicKey;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Base64;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/**
 * A checked certificate authority: the key and certificate that sign, what leads from it to the
 * roots, and the roots.
 *
 * @param intermediates what a leaf has to be presented with, signer first; empty where the signer
 *     is a root
 */
public record SigningMaterial(
    PrivateKey key,
    X509Certificate certificate,
    List<X509Certificate> intermediates,
    List<X509Certificate> roots) {

  /** Keys of a Secret in the form of Istio's {@code cacerts}. */
  public static final String CA_CERT = "ca-cert.pem";

  public static final String CA_KEY = "ca-key.pem";
  public static final String CERT_CHAIN = "cert-chain.pem";
  public static final String ROOT_CERT = "root-cert.pem";

  /** Keys of a Secret of type kubernetes.io/tls, as cert-manager writes it. */
  static final String TLS_CERT = "tls.crt";

  static final String TLS_KEY = "tls.key";
  static final String TLS_ROOT = "ca.crt";

  private static final int KEY_CERT_SIGN = 5;

  /** The key never shows. */
  @Override
  public String toString() {
    return "SigningMaterial[" + certificate.getSubjectX500Principal() + "]";
  }

  /**
   * Reads a Secret's data (values in base64) and checks that it can sign.
   *
   * @param name the Secret's "namespace/name", for messages
   * @throws InvalidAuthorityException saying which key of the Secret is missing or wrong
   */
  public static SigningMaterial fromSecret(
      String name, @Nullable Map<String, String> data, Instant now)
      throws InvalidAuthorityException {
    Map<String, String> values = data == null ? Map.of() : data;
    if (values.containsKey(CA_CERT) || values.containsKey(CA_KEY)) {
      return read(name, values, new Keys(CA_CERT, CA_KEY, CERT_CHAIN, ROOT_CERT), now);
    }
    if (values.containsKey(TLS_CERT) || values.containsKey(TLS_KEY)) {
      return read(name, values, new Keys(TLS_CERT, TLS_KEY, null, TLS_ROOT), now);
    }
    throw new InvalidAuthorityException(
        "Secret "
            + name
            + " holds no certificate authority: it needs the keys ca-cert.pem, ca-key.pem and root-cert.pem"
            + " (and cert-chain.pem for an intermediate), or tls.crt, tls.key and ca.crt");
  }

  private record Keys(String certificate, String key, @Nullable String chain, String root) {}

  private static SigningMaterial read(String name, Map<String, String> data, Keys keys, Instant now)
      throws InvalidAuthorityException {
    List<X509Certificate> own = certificates(name, data, keys.certificate());
    if (own.isEmpty()) {
      throw missing(name, keys.certificate(), "a certificate");
    }
    X509Certificate signer = own.getFirst();
    PrivateKey key = key(name, data, keys.key());
    List<X509Certificate> presented = new ArrayList<>(own);
    if (keys.chain() != null) {
      presented.addAll(certificates(name, data, keys.chain()));
    }
    List<X509Certificate> roots = certificates(name, data, keys.root());
    if (roots.isEmpty() && selfSigned(signer)) {
      roots = List.of(signer);
    }
    if (roots.isEmpty()) {
      throw missing(name, keys.root(), "the root certificates");
    }
    checkSigner(name, keys.certificate(), signer, now);
    checkPair(name, keys, signer.getPublicKey(), key);
    return new SigningMaterial(
        key, signer, chain(name, keys, signer, presented, roots, now), List.copyOf(roots));
  }

  private static List<X509Certificate> certificates(
      String name, Map<String, String> data, String key) throws InvalidAuthorityException {
    Optional<byte[]> pem = decode(name, data, key);
    if (pem.isEmpty()) {
      return List.of();
    }
    try {
      return Pem.certificates(pem.get());
    } catch (IOException | CertificateException e) {
      throw new InvalidAuthorityException(
          "Secret " + name + ", key " + key + ": not certificates in PEM: " + e.getMessage(), e);
    }
  }

  private static PrivateKey key(String name, Map<String, String> data, String key)
      throws InvalidAuthorityException {
    try {
      return Pem.privateKey(
              decode(name, data, key).orElseThrow(() -> missing(name, key, "the private key")))
          .orElseThrow(() -> missing(name, key, "an unencrypted private key in PEM"));
    } catch (IOException e) {
      // The cause's message could quote the key.
      throw new InvalidAuthorityException(
          "Secret " + name + ", key " + key + ": not a private key in PEM");
    }
  }

  private static Optional<byte[]> decode(String name, Map<String, String> data, String key)
      throws InvalidAuthorityException {
    String value = data.get(key);
    if (value == null || value.isBlank()) {
      return Optional.empty();
    }
    try {
      return Optional.of(Base64.getMimeDecoder().decode(value));
    } catch (IllegalArgumentException e) {
      throw new InvalidAuthorityException("Secret " + name + ", key " + key + ": not base64");
    }
  }

  private static InvalidAuthorityException missing(String name, String key, String what) {
    return new InvalidAuthorityException(
        "Secret " + name + ", key " + key + ": missing or empty; put " + what + " there");
  }

  private static void checkSigner(String name, String key, X509Certificate signer, Instant now)
      throws InvalidAuthorityException {
    String where = "Secret " + name + ", key " + key + ": ";
    if (signer.getBasicConstraints() < 0) {
      throw new InvalidAuthorityException(
          where + "the certificate is not a CA (basic constraints CA:TRUE is not set)");
    }
    boolean[] usage = signer.getKeyUsage();
    if (usage != null && !usage[KEY_CERT_SIGN]) {
      throw new InvalidAuthorityException(
          where + "the certificate's key usage does not allow it to sign certificates");
    }
    if (!signer.getNotAfter().toInstant().isAfter(now)) {
      throw new InvalidAuthorityException(
          where + "the certificate expired at " + signer.getNotAfter().toInstant() + "; renew it");
    }
    if (signer.getNotBefore().toInstant().isAfter(now)) {
      throw new InvalidAuthorityException(
          where + "the certificate is not valid before " + signer.getNotBefore().toInstant());
    }
  }

  private static void checkPair(String name, Keys keys, PublicKey publicKey, PrivateKey key)
      throws InvalidAuthorityException {
    byte[] probe = new byte[32];
    new SecureRandom().nextBytes(probe);
    try {
      Signature signer = Signature.getInstance(signatureAlgorithm(publicKey));
      signer.initSign(key);
      signer.update(probe);
      byte[] signed = signer.sign();
      Signature verifier = Signature.getInstance(signatureAlgorithm(publicKey));
      verifier.initVerify(publicKey);
      verifier.update(probe);
      if (verifier.verify(signed)) {
        return;
      }
    } catch (GeneralSecurityException e) {
      throw new InvalidAuthorityException(mismatch(name, keys), e);
    }
    throw new InvalidAuthorityException(mismatch(name, keys));
  }

  private static String mismatch(String name, Keys keys) {
    return "Secret "
        + name
        + ": the private key in "
        + keys.key()
        + " does not belong to the certificate in "
        + keys.certificate();
  }

  /** From the signer up to, and without, a root: each link's signature checked. */
  private static List<X509Certificate> chain(
      String name,
      Keys keys,
      X509Certificate signer,
      List<X509Certificate> presented,
      List<X509Certificate> roots,
      Instant now)
      throws InvalidAuthorityException {
    Map<X509Certificate, X509Certificate> unused = new LinkedHashMap<>();
    presented.forEach(certificate -> unused.put(certificate, certificate));
    List<X509Certificate> chain = new ArrayList<>();
    X509Certificate link = signer;
    while (!roots.contains(link)) {
      chain.add(link);
      unused.remove(link);
      X509Certificate child = link;
      if (roots.stream().anyMatch(root -> signed(root, child))) {
        return List.copyOf(chain);
      }
      link =
          unused.keySet().stream()
              .filter(candidate -> signed(candidate, child))
              .findFirst()
              .orElseThrow(
                  () ->
                      new InvalidAuthorityException(
                          "Secret "
                              + name
                              + ": no certificate in "
                              + keys.root()
                              + " or the chain signed \""
                              + child.getSubjectX500Principal()
                              + "\"; add the missing intermediate or root"));
      if (!link.getNotAfter().toInstant().isAfter(now)) {
        throw new InvalidAuthorityException(
            "Secret "
                + name
                + ": the intermediate \""
                + link.getSubjectX500Principal()
                + "\" expired at "
                + link.getNotAfter().toInstant());
      }
    }
    return List.copyOf(chain);
  }

  private static boolean signed(X509Certificate issuer, X509Certificate certificate) {
    if (!issuer.getSubjectX500Principal().equals(certificate.getIssuerX500Principal())) {
      return false;
    }
    try {
      certificate.verify(issuer.getPublicKey());
      return true;
    } catch (GeneralSecurityException e) {
      return false;
    }
  }

  private static boolean selfSigned(X509Certificate certificate) {
    return signed(certificate, certificate);
  }

  /** The JCA name of the signature that a key of this kind makes. */
  static String signatureAlgorithm(PublicKey key) throws InvalidAuthorityException {
    return switch (key) {
      case RSAPublicKey _ -> "SHA256withRSA";
      case ECPublicKey ec when ec.getParams().getOrder().bitLength() <= 256 -> "SHA256withECDSA";
      case ECPublicKey _ -> "SHA384withECDSA";
      default ->
          throw new InvalidAuthorityException(
              "a certificate authority's key has to be RSA or ECDSA, not " + key.getAlgorithm());
    };
  }
}
