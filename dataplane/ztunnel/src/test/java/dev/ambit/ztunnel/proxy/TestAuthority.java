package dev.ambit.ztunnel.proxy;

import dev.ambit.ztunnel.certificate.TlsIdentity;
import dev.ambit.ztunnel.identity.Identity;
import io.netty.handler.ssl.ApplicationProtocolConfig;
import io.netty.handler.ssl.ClientAuth;
import io.netty.handler.ssl.SslContextBuilder;
import io.netty.handler.ssl.SslProvider;
import java.math.BigInteger;
import java.security.KeyPair;
import java.security.KeyPairGenerator;
import java.security.PrivateKey;
import java.security.SecureRandom;
import java.security.cert.X509Certificate;
import java.security.spec.ECGenParameterSpec;
import java.time.Duration;
import java.time.Instant;
import java.util.Date;
import java.util.List;
import org.bouncycastle.asn1.x500.X500Name;
import org.bouncycastle.asn1.x509.BasicConstraints;
import org.bouncycastle.asn1.x509.Extension;
import org.bouncycastle.asn1.x509.GeneralName;
import org.bouncycastle.asn1.x509.GeneralNames;
import org.bouncycastle.cert.jcajce.JcaX509CertificateConverter;
import org.bouncycastle.cert.jcajce.JcaX509v3CertificateBuilder;
import org.bouncycastle.operator.jcajce.JcaContentSignerBuilder;

/** A certificate authority for one test. */
public final class TestAuthority {
  private static final ApplicationProtocolConfig H2 =
      new ApplicationProtocolConfig(
          ApplicationProtocolConfig.Protocol.ALPN,
          ApplicationProtocolConfig.SelectorFailureBehavior.NO_ADVERTISE,
          ApplicationProtocolConfig.SelectedListenerFailureBehavior.ACCEPT,
          "h2");
  private static final X500Name ROOT = new X500Name("CN=test root");

  private final KeyPair rootKey;
  private final X509Certificate root;

  public TestAuthority() {
    try {
      rootKey = key();
      JcaX509v3CertificateBuilder builder = certificate(ROOT, rootKey);
      builder.addExtension(Extension.basicConstraints, true, new BasicConstraints(true));
      root = sign(builder);
    } catch (Exception e) {
      throw new IllegalStateException(e);
    }
  }

  private static KeyPair key() throws Exception {
    KeyPairGenerator generator = KeyPairGenerator.getInstance("EC");
    generator.initialize(new ECGenParameterSpec("secp256r1"));
    return generator.generateKeyPair();
  }

  private static JcaX509v3CertificateBuilder certificate(X500Name subject, KeyPair key) {
    Instant now = Instant.now();
    return new JcaX509v3CertificateBuilder(
        ROOT,
        new BigInteger(64, new SecureRandom()),
        Date.from(now.minusSeconds(60)),
        Date.from(now.plus(Duration.ofHours(1))),
        subject,
        key.getPublic());
  }

  private X509Certificate sign(JcaX509v3CertificateBuilder builder) throws Exception {
    return new JcaX509CertificateConverter()
        .getCertificate(
            builder.build(
                new JcaContentSignerBuilder("SHA256withECDSA").build(rootKey.getPrivate())));
  }

  /** A certificate for {@code identity}. */
  public TlsIdentity issue(Identity identity) {
    try {
      KeyPair key = key();
      JcaX509v3CertificateBuilder builder = certificate(new X500Name("CN="), key);
      builder.addExtension(
          Extension.subjectAlternativeName,
          true,
          new GeneralNames(new GeneralName(GeneralName.uniformResourceIdentifier, identity.uri())));
      X509Certificate leaf = sign(builder);
      PrivateKey secret = key.getPrivate();
      return new TlsIdentity(
          common(SslContextBuilder.forClient().keyManager(secret, leaf))
              .endpointIdentificationAlgorithm(null)
              .build(),
          common(SslContextBuilder.forServer(secret, leaf).clientAuth(ClientAuth.REQUIRE)).build(),
          identity,
          leaf.getNotAfter().toInstant(),
          List.of(root));
    } catch (Exception e) {
      throw new IllegalStateException(e);
    }
  }

  private SslContextBuilder common(SslContextBuilder builder) {
    return builder
        .sslProvider(SslProvider.OPENSSL)
        .protocols("TLSv1.3")
        .applicationProtocolConfig(H2)
        .trustManager(root);
  }
}
