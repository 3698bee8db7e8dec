package dev.ambit.operator.ca;

import java.io.IOException;
import java.security.AlgorithmParameters;
import java.security.GeneralSecurityException;
import java.security.KeyPair;
import java.security.MessageDigest;
import java.security.PublicKey;
import java.security.cert.X509Certificate;
import java.security.interfaces.ECPublicKey;
import java.security.interfaces.RSAPublicKey;
import java.security.spec.ECGenParameterSpec;
import java.security.spec.ECParameterSpec;
import java.time.Duration;
import java.time.Instant;
import java.time.InstantSource;
import java.util.ArrayList;
import java.util.Date;
import java.util.HexFormat;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CopyOnWriteArrayList;
import org.bouncycastle.asn1.x500.X500Name;
import org.bouncycastle.asn1.x509.BasicConstraints;
import org.bouncycastle.asn1.x509.ExtendedKeyUsage;
import org.bouncycastle.asn1.x509.Extension;
import org.bouncycastle.asn1.x509.GeneralName;
import org.bouncycastle.asn1.x509.GeneralNames;
import org.bouncycastle.asn1.x509.KeyPurposeId;
import org.bouncycastle.asn1.x509.KeyUsage;
import org.bouncycastle.cert.CertIOException;
import org.bouncycastle.cert.jcajce.JcaX509CertificateConverter;
import org.bouncycastle.cert.jcajce.JcaX509CertificateHolder;
import org.bouncycastle.cert.jcajce.JcaX509ExtensionUtils;
import org.bouncycastle.cert.jcajce.JcaX509v3CertificateBuilder;
import org.bouncycastle.openssl.PEMParser;
import org.bouncycastle.operator.OperatorCreationException;
import org.bouncycastle.operator.jcajce.JcaContentSignerBuilder;
import org.bouncycastle.operator.jcajce.JcaContentVerifierProviderBuilder;
import org.bouncycastle.pkcs.PKCSException;
import org.bouncycastle.pkcs.jcajce.JcaPKCS10CertificationRequest;
import org.jspecify.annotations.Nullable;

/**
 * Signs workload certificates. Of a request only the public key is used, once its possession is
 * proven; who the certificate is for is what the caller was found to be. Thread-safe; what signs
 * can be replaced while it works.
 */
public final class CertificateAuthority {
  /** What a request gets that asks for no time. */
  public static final Duration DEFAULT_LIFETIME = Duration.ofHours(24);

  /** The longest that may be asked for. */
  public static final Duration LONGEST_LIFETIME = Duration.ofDays(90);

  /** How far before its signing a certificate begins, for clocks that are behind. */
  static final Duration BACKDATE = Duration.ofMinutes(2);

  private static final int LONGEST_CSR = 64 * 1024;
  private static final ECParameterSpec P_256 = p256();

  private final InstantSource clock;
  private final List<Runnable> listeners = new CopyOnWriteArrayList<>();
  private volatile @Nullable SigningMaterial material;
  private volatile Duration defaultLifetime = DEFAULT_LIFETIME;

  /** An authority that has yet to be loaded. */
  public CertificateAuthority(InstantSource clock) {
    this.clock = clock;
  }

  /** Signs with this from now on. */
  public void load(SigningMaterial next) {
    SigningMaterial before = material;
    material = next;
    if (!next.equals(before)) {
      listeners.forEach(Runnable::run);
    }
  }

  /** What a request gets that asks for no time, from now on; at most {@link #LONGEST_LIFETIME}. */
  public void defaultLifetime(Duration lifetime) {
    defaultLifetime =
        lifetime.isPositive() && lifetime.compareTo(LONGEST_LIFETIME) <= 0
            ? lifetime
            : DEFAULT_LIFETIME;
  }

  /** Whether there is something to sign with. */
  public boolean loaded() {
    return material != null;
  }

  /** The authority in use; nothing before it is loaded. */
  public Optional<AuthorityStatus> status() {
    SigningMaterial current = material;
    return current == null
        ? Optional.empty()
        : Optional.of(
            new AuthorityStatus(
                current.certificate().getSubjectX500Principal().getName(),
                fingerprint(current.certificate()),
                current.certificate().getNotAfter().toInstant(),
                current.roots().size()));
  }

  /** The roots that workloads and clients have to trust; empty before the authority is loaded. */
  public List<X509Certificate> roots() {
    SigningMaterial current = material;
    return current == null ? List.of() : current.roots();
  }

  /**
   * The same roots as one PEM bundle, for the ConfigMap; nothing before the authority is loaded.
   */
  public Optional<String> rootBundle() {
    SigningMaterial current = material;
    return current == null ? Optional.empty() : Optional.of(Pem.encode(current.roots()));
  }

  /** Calls back, on the thread that loads, each time another authority was loaded. */
  public AutoCloseable onChange(Runnable listener) {
    listeners.add(listener);
    return () -> listeners.remove(listener);
  }

  /**
   * Signs a request for an identity that the caller was found to have.
   *
   * @param csr PEM; its subject and extensions are ignored
   * @param lifetime zero or less asks for the default; never beyond the signer's own
   * @throws InvalidCsrException where the request is malformed, unproven, of a weak key, or for too
   *     long
   * @throws AuthorityUnavailableException where nothing can be signed at the moment
   */
  public IssuedCertificate sign(String csr, SpiffeId identity, Duration lifetime)
      throws InvalidCsrException, AuthorityUnavailableException {
    if (lifetime.compareTo(LONGEST_LIFETIME) > 0) {
      throw new InvalidCsrException(
          "a lifetime of " + lifetime + " was asked for; the longest is " + LONGEST_LIFETIME);
    }
    PublicKey key = provenKey(csr);
    return issue(
        key,
        List.of(new GeneralName(GeneralName.uniformResourceIdentifier, identity.uri())),
        lifetime.isPositive() ? lifetime : defaultLifetime);
  }

  /**
   * Makes a key and signs for it, for a caller that has no way to do so itself.
   *
   * @throws AuthorityUnavailableException where nothing can be signed at the moment
   */
  KeyedCertificate generate(SpiffeId identity) throws AuthorityUnavailableException {
    KeyPair pair;
    try {
      pair = SelfSignedRoot.generateKeyPair();
    } catch (GeneralSecurityException e) {
      throw new AuthorityUnavailableException("this Java runtime cannot make a P-256 key", e);
    }
    return new KeyedCertificate(
        issue(
            pair.getPublic(),
            List.of(new GeneralName(GeneralName.uniformResourceIdentifier, identity.uri())),
            defaultLifetime),
        pair.getPrivate());
  }

  /** Signs a certificate for a server of the control plane itself. */
  IssuedCertificate signServer(KeyPair pair, List<String> dnsNames, SpiffeId identity)
      throws AuthorityUnavailableException {
    List<GeneralName> names = new ArrayList<>();
    names.add(new GeneralName(GeneralName.uniformResourceIdentifier, identity.uri()));
    dnsNames.forEach(name -> names.add(new GeneralName(GeneralName.dNSName, name)));
    return issue(pair.getPublic(), names, DEFAULT_LIFETIME);
  }

  private IssuedCertificate issue(PublicKey key, List<GeneralName> names, Duration lifetime)
      throws AuthorityUnavailableException {
    SigningMaterial signer = material;
    if (signer == null) {
      throw new AuthorityUnavailableException("the certificate authority has not been loaded yet");
    }
    Instant now = clock.instant();
    Instant signerEnd = signer.certificate().getNotAfter().toInstant();
    if (!signerEnd.isAfter(now)) {
      throw new AuthorityUnavailableException(
          "the certificate authority's own certificate expired at " + signerEnd + "; renew it");
    }
    Instant end = now.plus(lifetime);
    return new IssuedCertificate(
        certificate(signer, key, names, now, end.isAfter(signerEnd) ? signerEnd : end),
        signer.intermediates(),
        signer.roots());
  }

  private static X509Certificate certificate(
      SigningMaterial signer, PublicKey key, List<GeneralName> names, Instant now, Instant end)
      throws AuthorityUnavailableException {
    try {
      JcaX509ExtensionUtils identifiers = new JcaX509ExtensionUtils();
      JcaX509v3CertificateBuilder builder =
          new JcaX509v3CertificateBuilder(
              new JcaX509CertificateHolder(signer.certificate()).getSubject(),
              SerialNumber.next(),
              Date.from(now.minus(BACKDATE)),
              Date.from(end),
              new X500Name(new org.bouncycastle.asn1.x500.RDN[0]),
              key);
      builder
          .addExtension(Extension.basicConstraints, true, new BasicConstraints(false))
          .addExtension(
              Extension.keyUsage,
              true,
              new KeyUsage(KeyUsage.digitalSignature | KeyUsage.keyEncipherment))
          .addExtension(
              Extension.extendedKeyUsage,
              false,
              new ExtendedKeyUsage(
                  new KeyPurposeId[] {
                    KeyPurposeId.id_kp_serverAuth, KeyPurposeId.id_kp_clientAuth
                  }))
          .addExtension(
              Extension.authorityKeyIdentifier,
              false,
              identifiers.createAuthorityKeyIdentifier(signer.certificate()))
          // Critical, as RFC 5280 asks where the subject is empty.
          .addExtension(
              Extension.subjectAlternativeName,
              true,
              new GeneralNames(names.toArray(new GeneralName[0])));
      return new JcaX509CertificateConverter()
          .getCertificate(
              builder.build(
                  new JcaContentSignerBuilder(
                          SigningMaterial.signatureAlgorithm(signer.certificate().getPublicKey()))
                      .build(signer.key())));
    } catch (GeneralSecurityException
        | OperatorCreationException
        | CertIOException
        | InvalidAuthorityException e) {
      throw new AuthorityUnavailableException("signing failed: " + e.getMessage(), e);
    }
  }

  private static PublicKey provenKey(String csr) throws InvalidCsrException {
    if (csr.length() > LONGEST_CSR) {
      throw new InvalidCsrException("the request is longer than " + LONGEST_CSR + " characters");
    }
    try (PEMParser parser = new PEMParser(new java.io.StringReader(csr))) {
      if (!(parser.readObject()
          instanceof org.bouncycastle.pkcs.PKCS10CertificationRequest holder)) {
        throw new InvalidCsrException("not a certificate request in PEM");
      }
      JcaPKCS10CertificationRequest request = new JcaPKCS10CertificationRequest(holder);
      PublicKey key = request.getPublicKey();
      checkStrength(key);
      if (!request.isSignatureValid(new JcaContentVerifierProviderBuilder().build(key))) {
        throw new InvalidCsrException(
            "the request's signature does not prove possession of its key");
      }
      return key;
    } catch (IOException
        | GeneralSecurityException
        | OperatorCreationException
        | PKCSException
        | RuntimeException e) {
      // Bouncy Castle reports some malformed input by runtime exceptions.
      throw new InvalidCsrException("the request cannot be read: " + e.getMessage(), e);
    }
  }

  private static void checkStrength(PublicKey key) throws InvalidCsrException {
    boolean strong =
        switch (key) {
          case RSAPublicKey rsa -> {
            int bits = rsa.getModulus().bitLength();
            // Verification of larger ones costs enough to be an attack.
            yield bits >= 2048 && bits <= 8192;
          }
          case ECPublicKey ec ->
              ec.getParams().getCurve().equals(P_256.getCurve())
                  && ec.getParams().getGenerator().equals(P_256.getGenerator());
          default -> false;
        };
    if (!strong) {
      throw new InvalidCsrException(
          "the request's key has to be ECDSA P-256, or RSA of 2048 to 8192 bits");
    }
  }

  private static ECParameterSpec p256() {
    try {
      AlgorithmParameters parameters = AlgorithmParameters.getInstance("EC");
      parameters.init(new ECGenParameterSpec("secp256r1"));
      return parameters.getParameterSpec(ECParameterSpec.class);
    } catch (GeneralSecurityException e) {
      throw new IllegalStateException("this Java runtime lacks P-256", e);
    }
  }

  private static String fingerprint(X509Certificate certificate) {
    try {
      return HexFormat.of()
          .formatHex(MessageDigest.getInstance("SHA-256").digest(certificate.getEncoded()));
    } catch (GeneralSecurityException e) {
      throw new IllegalStateException("a certificate in use cannot be encoded", e);
    }
  }
}
