package dev.ambit.operator.ca;

import io.fabric8.kubernetes.api.model.Secret;
import io.fabric8.kubernetes.api.model.SecretBuilder;
import io.fabric8.kubernetes.client.KubernetesClient;
import io.fabric8.kubernetes.client.KubernetesClientException;
import java.net.HttpURLConnection;
import java.nio.charset.StandardCharsets;
import java.security.GeneralSecurityException;
import java.security.KeyPair;
import java.security.KeyPairGenerator;
import java.security.SecureRandom;
import java.security.cert.X509Certificate;
import java.security.spec.ECGenParameterSpec;
import java.time.Duration;
import java.time.Instant;
import java.util.Base64;
import java.util.Map;
import org.bouncycastle.asn1.x500.X500Name;
import org.bouncycastle.asn1.x500.X500NameBuilder;
import org.bouncycastle.asn1.x500.style.BCStyle;
import org.bouncycastle.asn1.x509.BasicConstraints;
import org.bouncycastle.asn1.x509.Extension;
import org.bouncycastle.asn1.x509.KeyUsage;
import org.bouncycastle.cert.CertIOException;
import org.bouncycastle.cert.jcajce.JcaX509CertificateConverter;
import org.bouncycastle.cert.jcajce.JcaX509ExtensionUtils;
import org.bouncycastle.cert.jcajce.JcaX509v3CertificateBuilder;
import org.bouncycastle.operator.OperatorCreationException;
import org.bouncycastle.operator.jcajce.JcaContentSignerBuilder;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** The root that the mesh makes for itself, once, where it is given none. */
public final class SelfSignedRoot {
  /** The Secret that holds it, in the root namespace. */
  public static final String SECRET = "ambit-ca";

  static final Duration LIFETIME = Duration.ofDays(3650);

  private static final Logger LOG = LoggerFactory.getLogger(SelfSignedRoot.class);

  private SelfSignedRoot() {}

  /**
   * Makes the root's Secret where there is none, and reads the one that is there otherwise. Safe to
   * be called by several at once: the API server lets one of them create it, and the others take
   * that one.
   *
   * @throws InvalidAuthorityException where a Secret of that name exists and cannot be used: it is
   *     never overwritten
   */
  public static SigningMaterial ensure(
      KubernetesClient client, String namespace, TrustDomain trustDomain)
      throws InvalidAuthorityException {
    String name = namespace + "/" + SECRET;
    Secret existing = client.secrets().inNamespace(namespace).withName(SECRET).get();
    if (existing != null) {
      return SigningMaterial.fromSecret(name, existing.getData(), Instant.now());
    }
    SigningMaterial made = generate(trustDomain, Instant.now());
    try {
      client.resource(secret(namespace, made)).create();
    } catch (KubernetesClientException e) {
      if (e.getCode() != HttpURLConnection.HTTP_CONFLICT) {
        throw e;
      }
      Secret other = client.secrets().inNamespace(namespace).withName(SECRET).require();
      return SigningMaterial.fromSecret(name, other.getData(), Instant.now());
    }
    LOG.atInfo()
        .addKeyValue("secret", name)
        .addKeyValue("trustDomain", trustDomain)
        .addKeyValue("notAfter", made.certificate().getNotAfter().toInstant())
        .log("created the mesh's self-signed root");
    return made;
  }

  /** A new root: ECDSA P-256, ten years. */
  public static SigningMaterial generate(TrustDomain trustDomain, Instant now) {
    try {
      KeyPair pair = generateKeyPair();
      X500Name subject =
          new X500NameBuilder(BCStyle.INSTANCE)
              .addRDN(BCStyle.O, trustDomain.name())
              .addRDN(BCStyle.CN, "Ambit root")
              .build();
      JcaX509ExtensionUtils identifiers = new JcaX509ExtensionUtils();
      JcaX509v3CertificateBuilder builder =
          new JcaX509v3CertificateBuilder(
              subject,
              SerialNumber.next(),
              java.util.Date.from(now.minus(CertificateAuthority.BACKDATE)),
              java.util.Date.from(now.plus(LIFETIME)),
              subject,
              pair.getPublic());
      builder
          .addExtension(Extension.basicConstraints, true, new BasicConstraints(true))
          .addExtension(
              Extension.keyUsage, true, new KeyUsage(KeyUsage.keyCertSign | KeyUsage.cRLSign))
          .addExtension(
              Extension.subjectKeyIdentifier,
              false,
              identifiers.createSubjectKeyIdentifier(pair.getPublic()));
      X509Certificate certificate =
          new JcaX509CertificateConverter()
              .getCertificate(
                  builder.build(
                      new JcaContentSignerBuilder("SHA256withECDSA").build(pair.getPrivate())));
      return new SigningMaterial(
          pair.getPrivate(), certificate, java.util.List.of(), java.util.List.of(certificate));
    } catch (GeneralSecurityException | OperatorCreationException | CertIOException e) {
      throw new IllegalStateException("this Java runtime cannot make a P-256 root", e);
    }
  }

  static KeyPair generateKeyPair() throws GeneralSecurityException {
    KeyPairGenerator generator = KeyPairGenerator.getInstance("EC");
    generator.initialize(new ECGenParameterSpec("secp256r1"), new SecureRandom());
    return generator.generateKeyPair();
  }

  private static Secret secret(String namespace, SigningMaterial material) {
    String certificate = Pem.encode(material.certificate());
    return new SecretBuilder()
        .withNewMetadata()
        .withNamespace(namespace)
        .withName(SECRET)
        .withLabels(
            Map.of(
                "app.kubernetes.io/name",
                SECRET,
                "app.kubernetes.io/part-of",
                "ambit",
                "app.kubernetes.io/managed-by",
                "ambit"))
        .endMetadata()
        .withType("Opaque")
        .withData(
            Map.of(
                SigningMaterial.CA_CERT, base64(certificate),
                SigningMaterial.CA_KEY, base64(Pem.encode(material.key())),
                SigningMaterial.CERT_CHAIN, "",
                SigningMaterial.ROOT_CERT, base64(certificate)))
        .build();
  }

  private static String base64(String text) {
    return Base64.getEncoder().encodeToString(text.getBytes(StandardCharsets.UTF_8));
  }
}
