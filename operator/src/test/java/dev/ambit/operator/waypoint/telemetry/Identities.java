package dev.ambit.operator.waypoint.telemetry;

import io.envoyproxy.envoy.config.core.v3.DataSource;
import io.envoyproxy.envoy.extensions.transport_sockets.tls.v3.CertificateValidationContext;
import io.envoyproxy.envoy.extensions.transport_sockets.tls.v3.CommonTlsContext;
import io.envoyproxy.envoy.extensions.transport_sockets.tls.v3.TlsCertificate;
import io.envoyproxy.envoy.extensions.transport_sockets.tls.v3.TlsParameters;
import java.io.IOException;
import java.io.StringWriter;
import java.math.BigInteger;
import java.security.GeneralSecurityException;
import java.security.KeyPair;
import java.security.KeyPairGenerator;
import java.security.spec.ECGenParameterSpec;
import java.time.Instant;
import java.util.Date;
import org.bouncycastle.asn1.x500.X500Name;
import org.bouncycastle.asn1.x509.BasicConstraints;
import org.bouncycastle.asn1.x509.Extension;
import org.bouncycastle.asn1.x509.GeneralName;
import org.bouncycastle.asn1.x509.GeneralNames;
import org.bouncycastle.cert.X509CertificateHolder;
import org.bouncycastle.cert.jcajce.JcaX509v3CertificateBuilder;
import org.bouncycastle.openssl.jcajce.JcaPEMWriter;
import org.bouncycastle.openssl.jcajce.JcaPKCS8Generator;
import org.bouncycastle.operator.OperatorCreationException;
import org.bouncycastle.operator.jcajce.JcaContentSignerBuilder;

/** Certificates of a mesh's workloads. */
final class Identities {
  private static final X500Name ISSUER = new X500Name("CN=root");

  private final KeyPair root;
  private final String rootPem;
  private long serial = 1;

  Identities() throws Exception {
    root = pair();
    rootPem = pem(sign(ISSUER, root, Extension.basicConstraints, new BasicConstraints(true)));
  }

  /** What proves an identity in TLS, and checks the peer's. */
  CommonTlsContext context(String principal) throws Exception {
    KeyPair pair = pair();
    X509CertificateHolder certificate =
        sign(
            new X500Name("CN=workload"),
            pair,
            Extension.subjectAlternativeName,
            new GeneralNames(new GeneralName(GeneralName.uniformResourceIdentifier, principal)));
    return CommonTlsContext.newBuilder()
        .addAlpnProtocols("h2")
        .setTlsParams(
            TlsParameters.newBuilder()
                .setTlsMinimumProtocolVersion(TlsParameters.TlsProtocol.TLSv1_3)
                .setTlsMaximumProtocolVersion(TlsParameters.TlsProtocol.TLSv1_3))
        .addTlsCertificates(
            TlsCertificate.newBuilder()
                .setCertificateChain(inline(pem(certificate)))
                .setPrivateKey(inline(pem(new JcaPKCS8Generator(pair.getPrivate(), null)))))
        .setValidationContext(
            CertificateValidationContext.newBuilder().setTrustedCa(inline(rootPem)))
        .build();
  }

  private static DataSource inline(String text) {
    return DataSource.newBuilder().setInlineString(text).build();
  }

  private X509CertificateHolder sign(
      X500Name subject,
      KeyPair pair,
      org.bouncycastle.asn1.ASN1ObjectIdentifier extension,
      org.bouncycastle.asn1.ASN1Object value)
      throws IOException, OperatorCreationException {
    Instant now = Instant.now();
    return new JcaX509v3CertificateBuilder(
            ISSUER,
            BigInteger.valueOf(serial++),
            Date.from(now.minusSeconds(60)),
            Date.from(now.plusSeconds(3600)),
            subject,
            pair.getPublic())
        .addExtension(extension, true, value)
        .build(new JcaContentSignerBuilder("SHA256withECDSA").build(root.getPrivate()));
  }

  private static KeyPair pair() throws GeneralSecurityException {
    KeyPairGenerator generator = KeyPairGenerator.getInstance("EC");
    generator.initialize(new ECGenParameterSpec("secp256r1"));
    return generator.generateKeyPair();
  }

  private static String pem(Object object) throws IOException {
    StringWriter text = new StringWriter();
    try (JcaPEMWriter writer = new JcaPEMWriter(text)) {
      writer.writeObject(object);
    }
    return text.toString();
  }
}
