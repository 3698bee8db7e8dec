package dev.ambit.ztunnel.certificate;

import java.io.ByteArrayInputStream;
import java.math.BigInteger;
import java.security.GeneralSecurityException;
import java.security.KeyPair;
import java.security.KeyPairGenerator;
import java.security.cert.CRLException;
import java.security.cert.Certificate;
import java.security.cert.CertificateFactory;
import java.security.cert.X509CRL;
import java.security.cert.X509Certificate;
import java.security.spec.ECGenParameterSpec;
import java.time.Instant;
import java.util.Base64;
import java.util.Date;
import java.util.List;
import org.bouncycastle.asn1.x500.X500Name;
import org.bouncycastle.asn1.x509.CRLReason;
import org.bouncycastle.cert.X509v2CRLBuilder;
import org.bouncycastle.cert.jcajce.JcaX509CertificateConverter;
import org.bouncycastle.cert.jcajce.JcaX509v3CertificateBuilder;
import org.bouncycastle.operator.OperatorCreationException;
import org.bouncycastle.operator.jcajce.JcaContentSignerBuilder;

/** A root, an intermediate and a leaf, and lists that take them back. */
final class RevocationFixture {
  private static final X500Name ROOT = new X500Name("CN=root");
  private static final X500Name INTERMEDIATE = new X500Name("CN=intermediate");

  private final KeyPair rootKey = key();
  private final KeyPair intermediateKey = key();
  private final X509Certificate root = certificate(ROOT, 1, ROOT, rootKey, rootKey);
  private final X509Certificate intermediate =
      certificate(INTERMEDIATE, 2, ROOT, intermediateKey, rootKey);
  private final X509Certificate leaf =
      certificate(new X500Name("CN=leaf"), 3, INTERMEDIATE, key(), intermediateKey);

  static KeyPair key() {
    try {
      KeyPairGenerator generator = KeyPairGenerator.getInstance("EC");
      generator.initialize(new ECGenParameterSpec("secp256r1"));
      return generator.generateKeyPair();
    } catch (GeneralSecurityException e) {
      throw new IllegalStateException(e);
    }
  }

  private static X509Certificate certificate(
      X500Name subject, int serial, X500Name issuer, KeyPair key, KeyPair issuerKey) {
    Instant now = Instant.now();
    try {
      return new JcaX509CertificateConverter()
          .getCertificate(
              new JcaX509v3CertificateBuilder(
                      issuer,
                      BigInteger.valueOf(serial),
                      Date.from(now.minusSeconds(60)),
                      Date.from(now.plusSeconds(3600)),
                      subject,
                      key.getPublic())
                  .build(
                      new JcaContentSignerBuilder("SHA256withECDSA")
                          .build(issuerKey.getPrivate())));
    } catch (GeneralSecurityException | OperatorCreationException e) {
      throw new IllegalStateException(e);
    }
  }

  /** What a peer shows. */
  Certificate[] chain() {
    return new Certificate[] {leaf, intermediate};
  }

  List<X509Certificate> roots() {
    return List.of(root);
  }

  KeyPair intermediateKey() {
    return intermediateKey;
  }

  /** Takes the intermediate back. */
  X509CRL list() {
    return list(ROOT, rootKey, Instant.now().plusSeconds(3600), CRLReason.cACompromise, 2);
  }

  /** Of the intermediate, that takes {@code serials} back: the leaf's is 3. */
  X509CRL ofIntermediate(int... serials) {
    return list(
        INTERMEDIATE,
        intermediateKey,
        Instant.now().plusSeconds(3600),
        CRLReason.keyCompromise,
        serials);
  }

  /** In the intermediate's name, signed by {@code key}. */
  static X509CRL inTheNameOfIntermediate(KeyPair key, Instant nextUpdate, int reason) {
    return list(INTERMEDIATE, key, nextUpdate, reason, 3);
  }

  private static X509CRL list(
      X500Name issuer, KeyPair key, Instant nextUpdate, int reason, int... serials) {
    Date begin = Date.from(Instant.now().minusSeconds(7200));
    X509v2CRLBuilder builder = new X509v2CRLBuilder(issuer, begin);
    builder.setNextUpdate(Date.from(nextUpdate));
    for (int serial : serials) {
      builder.addCRLEntry(BigInteger.valueOf(serial), begin, reason);
    }
    try {
      byte[] der =
          builder
              .build(new JcaContentSignerBuilder("SHA256withECDSA").build(key.getPrivate()))
              .getEncoded();
      return (X509CRL)
          CertificateFactory.getInstance("X.509").generateCRL(new ByteArrayInputStream(der));
    } catch (GeneralSecurityException | java.io.IOException | OperatorCreationException e) {
      throw new IllegalStateException(e);
    }
  }

  static String pem(X509CRL list) {
    try {
      return pem(list.getEncoded());
    } catch (CRLException e) {
      throw new IllegalStateException(e);
    }
  }

  static String pem(byte[] der) {
    return "-----BEGIN X509 CRL-----\n"
        + Base64.getMimeEncoder(64, new byte[] {'\n'}).encodeToString(der)
        + "\n-----END X509 CRL-----\n";
  }
}
