package dev.ambit.ztunnel.netns;

import java.io.IOException;
import java.io.StringReader;
import java.io.StringWriter;
import java.math.BigInteger;
import java.security.GeneralSecurityException;
import java.security.KeyPair;
import java.security.KeyPairGenerator;
import java.security.PublicKey;
import java.security.SecureRandom;
import java.security.cert.X509Certificate;
import java.security.spec.ECGenParameterSpec;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Date;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CopyOnWriteArrayList;
import org.bouncycastle.asn1.pkcs.PKCSObjectIdentifiers;
import org.bouncycastle.asn1.x500.X500Name;
import org.bouncycastle.asn1.x509.BasicConstraints;
import org.bouncycastle.asn1.x509.CRLReason;
import org.bouncycastle.asn1.x509.ExtendedKeyUsage;
import org.bouncycastle.asn1.x509.Extension;
import org.bouncycastle.asn1.x509.Extensions;
import org.bouncycastle.asn1.x509.GeneralName;
import org.bouncycastle.asn1.x509.GeneralNames;
import org.bouncycastle.asn1.x509.KeyPurposeId;
import org.bouncycastle.asn1.x509.KeyUsage;
import org.bouncycastle.cert.X509v2CRLBuilder;
import org.bouncycastle.cert.jcajce.JcaX509CertificateConverter;
import org.bouncycastle.cert.jcajce.JcaX509v3CertificateBuilder;
import org.bouncycastle.openssl.PEMParser;
import org.bouncycastle.openssl.jcajce.JcaPEMWriter;
import org.bouncycastle.operator.OperatorCreationException;
import org.bouncycastle.operator.jcajce.JcaContentSignerBuilder;
import org.bouncycastle.operator.jcajce.JcaContentVerifierProviderBuilder;
import org.bouncycastle.pkcs.PKCSException;
import org.bouncycastle.pkcs.jcajce.JcaPKCS10CertificationRequest;

/**
 * A certificate authority with a root and an intermediate, so that whole chains have to be sent.
 */
final class TestAuthority {
  private static final Duration CLOCK_SKEW = Duration.ofSeconds(1);
  private static final Duration LIFETIME = Duration.ofHours(1);
  private static final X500Name ROOT = new X500Name("O=Ambit tests,CN=root");

  private final X509Certificate root;
  private final KeyPair rootKey;
  private final X509Certificate intermediate;
  private final KeyPair intermediateKey;
  private final Map<String, List<X509Certificate>> issued = new ConcurrentHashMap<>();

  TestAuthority() {
    try {
      rootKey = keyPair();
      root = authority(ROOT, rootKey, ROOT, rootKey);
      intermediateKey = keyPair();
      intermediate =
          authority(new X500Name("O=Ambit tests,CN=intermediate"), intermediateKey, ROOT, rootKey);
    } catch (GeneralSecurityException | IOException | OperatorCreationException e) {
      throw new IllegalStateException("cannot make a certificate authority", e);
    }
  }

  private TestAuthority(TestAuthority other) {
    try {
      rootKey = other.rootKey;
      root = other.root;
      intermediateKey = keyPair();
      intermediate =
          authority(new X500Name("O=Another mesh,CN=intermediate"), intermediateKey, ROOT, rootKey);
    } catch (GeneralSecurityException | IOException | OperatorCreationException e) {
      throw new IllegalStateException("cannot make a certificate authority", e);
    }
  }

  /** Another mesh's authority: the same root, and an intermediate of its own. */
  TestAuthority ofAnotherMesh() {
    return new TestAuthority(this);
  }

  static KeyPair keyPair() throws GeneralSecurityException {
    var generator = KeyPairGenerator.getInstance("EC");
    generator.initialize(new ECGenParameterSpec("secp256r1"));
    return generator.generateKeyPair();
  }

  private static X509Certificate authority(
      X500Name name, KeyPair key, X500Name issuer, KeyPair issuerKey)
      throws IOException, OperatorCreationException, GeneralSecurityException {
    var builder = builder(issuer, name, key.getPublic(), LIFETIME);
    builder.addExtension(Extension.basicConstraints, true, new BasicConstraints(true));
    builder.addExtension(
        Extension.keyUsage, true, new KeyUsage(KeyUsage.keyCertSign | KeyUsage.cRLSign));
    return sign(builder, issuerKey);
  }

  private static JcaX509v3CertificateBuilder builder(
      X500Name issuer, X500Name subject, PublicKey key, Duration lifetime) {
    var now = Instant.now();
    return new JcaX509v3CertificateBuilder(
        issuer,
        new BigInteger(120, new SecureRandom()),
        Date.from(now.minus(CLOCK_SKEW)),
        Date.from(now.plus(lifetime)),
        subject,
        key);
  }

  private static X509Certificate sign(JcaX509v3CertificateBuilder builder, KeyPair issuerKey)
      throws OperatorCreationException, GeneralSecurityException {
    var signer = new JcaContentSignerBuilder("SHA256withECDSA").build(issuerKey.getPrivate());
    return new JcaX509CertificateConverter().getCertificate(builder.build(signer));
  }

  X509Certificate root() {
    return root;
  }

  String rootPem() {
    return pem(root);
  }

  /** A workload's certificate and key, for the SPIFFE identity {@code identity}. */
  Credentials workload(String identity) {
    try {
      var key = keyPair();
      return new Credentials(
          key.getPrivate(),
          List.of(
              leaf(
                  key.getPublic(),
                  new GeneralNames(
                      new GeneralName(GeneralName.uniformResourceIdentifier, identity)),
                  LIFETIME),
              intermediate));
    } catch (GeneralSecurityException e) {
      throw new IllegalStateException("cannot issue a certificate for " + identity, e);
    }
  }

  /** A server's certificate and key, for an IP address. */
  Credentials server(String address) {
    return server(new GeneralName(GeneralName.iPAddress, address));
  }

  /** A server's certificate and key, for a host name. */
  Credentials serverNamed(String name) {
    return server(new GeneralName(GeneralName.dNSName, name));
  }

  private Credentials server(GeneralName name) {
    try {
      var key = keyPair();
      return new Credentials(
          key.getPrivate(),
          List.of(leaf(key.getPublic(), new GeneralNames(name), LIFETIME), intermediate));
    } catch (GeneralSecurityException e) {
      throw new IllegalStateException("cannot issue a certificate for " + name, e);
    }
  }

  private X509Certificate leaf(PublicKey key, GeneralNames names, Duration lifetime) {
    try {
      var builder =
          builder(
              X500Name.getInstance(intermediate.getSubjectX500Principal().getEncoded()),
              new X500Name(new org.bouncycastle.asn1.x500.RDN[0]),
              key,
              lifetime);
      builder.addExtension(Extension.subjectAlternativeName, true, names);
      builder.addExtension(Extension.keyUsage, true, new KeyUsage(KeyUsage.digitalSignature));
      builder.addExtension(
          Extension.extendedKeyUsage,
          false,
          new ExtendedKeyUsage(
              new KeyPurposeId[] {KeyPurposeId.id_kp_serverAuth, KeyPurposeId.id_kp_clientAuth}));
      var certificate = sign(builder, intermediateKey);
      for (var name : names.getNames()) {
        issued
            .computeIfAbsent(name.getName().toString(), any -> new CopyOnWriteArrayList<>())
            .add(certificate);
      }
      return certificate;
    } catch (GeneralSecurityException | IOException | OperatorCreationException e) {
      throw new IllegalStateException("cannot sign a certificate for " + names, e);
    }
  }

  /** A certificate request whose own signature was found right. */
  record SigningRequest(PublicKey key, List<String> uris, GeneralNames names) {}

  static SigningRequest parse(String pem) throws IOException {
    try (var parser = new PEMParser(new StringReader(pem))) {
      if (!(parser.readObject()
          instanceof org.bouncycastle.pkcs.PKCS10CertificationRequest parsed)) {
        throw new IOException("not a certificate request");
      }
      var request = new JcaPKCS10CertificationRequest(parsed);
      if (!request.isSignatureValid(
          new JcaContentVerifierProviderBuilder().build(request.getPublicKey()))) {
        throw new IOException("the request's signature is wrong");
      }
      var names =
          Arrays.stream(request.getAttributes(PKCSObjectIdentifiers.pkcs_9_at_extensionRequest))
              .map(attribute -> Extensions.getInstance(attribute.getAttrValues().getObjectAt(0)))
              .map(
                  extensions ->
                      GeneralNames.fromExtensions(extensions, Extension.subjectAlternativeName))
              .findFirst()
              .orElseThrow(() -> new IOException("the request names no identity"));
      var uris =
          Arrays.stream(names.getNames())
              .filter(name -> name.getTagNo() == GeneralName.uniformResourceIdentifier)
              .map(name -> name.getName().toString())
              .toList();
      return new SigningRequest(request.getPublicKey(), uris, names);
    } catch (GeneralSecurityException | OperatorCreationException | PKCSException e) {
      throw new IOException("unreadable certificate request", e);
    }
  }

  /** Signs a request: the leaf, the intermediate and the root, as PEM. */
  List<String> sign(SigningRequest request, Duration lifetime) {
    var chain = new ArrayList<String>();
    chain.add(pem(leaf(request.key(), request.names(), lifetime)));
    chain.add(pem(intermediate));
    chain.add(pem(root));
    return chain;
  }

  /** A list, as PEM, that takes back every certificate of {@code identities} issued so far. */
  String revoking(String... identities) {
    var now = Instant.now();
    var builder =
        new X509v2CRLBuilder(
            X500Name.getInstance(intermediate.getSubjectX500Principal().getEncoded()),
            Date.from(now.minus(CLOCK_SKEW)));
    builder.setNextUpdate(Date.from(now.plus(LIFETIME)));
    for (var identity : identities) {
      for (var certificate : issued.getOrDefault(identity, List.of())) {
        builder.addCRLEntry(certificate.getSerialNumber(), Date.from(now), CRLReason.keyCompromise);
      }
    }
    try {
      return pem(
          builder.build(
              new JcaContentSignerBuilder("SHA256withECDSA").build(intermediateKey.getPrivate())));
    } catch (OperatorCreationException e) {
      throw new IllegalStateException("cannot sign a revocation list", e);
    }
  }

  static String pem(Object certificateOrList) {
    var text = new StringWriter();
    try (var writer = new JcaPEMWriter(text)) {
      writer.writeObject(certificateOrList);
    } catch (IOException e) {
      throw new IllegalStateException("cannot write PEM", e);
    }
    return text.toString();
  }
}
