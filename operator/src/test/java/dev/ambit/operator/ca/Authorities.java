package dev.ambit.operator.ca;

import java.math.BigInteger;
import java.nio.charset.StandardCharsets;
import java.security.KeyPair;
import java.security.PrivateKey;
import java.security.cert.X509Certificate;
import java.time.Duration;
import java.time.Instant;
import java.util.Base64;
import java.util.Date;
import org.bouncycastle.asn1.x500.X500Name;
import org.bouncycastle.asn1.x509.BasicConstraints;
import org.bouncycastle.asn1.x509.Extension;
import org.bouncycastle.cert.jcajce.JcaX509CertificateConverter;
import org.bouncycastle.cert.jcajce.JcaX509v3CertificateBuilder;
import org.bouncycastle.operator.jcajce.JcaContentSignerBuilder;
import org.jspecify.annotations.Nullable;

/** Certificate authorities as a person may bring them. */
final class Authorities {
  private Authorities() {}

  record Authority(KeyPair pair, X509Certificate certificate) {}

  static Authority root(String name, Instant now, Duration life) throws Exception {
    return make(name, null, true, now, life);
  }

  static Authority make(
      String name, @Nullable Authority issuer, boolean ca, Instant now, Duration life)
      throws Exception {
    KeyPair pair = Csr.ec("secp256r1");
    JcaX509v3CertificateBuilder builder =
        new JcaX509v3CertificateBuilder(
            new X500Name(
                issuer == null
                    ? "CN=" + name
                    : issuer.certificate().getSubjectX500Principal().getName()),
            BigInteger.valueOf(now.toEpochMilli()),
            Date.from(now.minusSeconds(60)),
            Date.from(now.plus(life)),
            new X500Name("CN=" + name),
            pair.getPublic());
    builder.addExtension(Extension.basicConstraints, true, new BasicConstraints(ca));
    PrivateKey signer = issuer == null ? pair.getPrivate() : issuer.pair().getPrivate();
    return new Authority(
        pair,
        new JcaX509CertificateConverter()
            .getCertificate(
                builder.build(new JcaContentSignerBuilder("SHA256withECDSA").build(signer))));
  }

  static String base64(String pem) {
    return Base64.getEncoder().encodeToString(pem.getBytes(StandardCharsets.UTF_8));
  }

  static String certificate(Authority authority) {
    return base64(Pem.encode(authority.certificate()));
  }

  static String key(Authority authority) {
    return base64(Pem.encode(authority.pair().getPrivate()));
  }
}
