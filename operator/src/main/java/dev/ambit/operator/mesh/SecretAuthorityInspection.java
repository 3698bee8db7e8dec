package dev.ambit.operator.mesh;

import dev.ambit.api.AmbientMeshSpec;
import dev.ambit.api.CertificateAuthorityStatus;
import dev.ambit.operator.ca.InvalidAuthorityException;
import dev.ambit.operator.ca.InvalidTrustDomainException;
import dev.ambit.operator.ca.SelfSignedRoot;
import dev.ambit.operator.ca.SigningMaterial;
import dev.ambit.operator.ca.TrustDomain;
import dev.ambit.operator.mesh.model.AuthorityVerdict;
import io.fabric8.kubernetes.api.model.Secret;
import io.fabric8.kubernetes.client.KubernetesClient;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.security.cert.CertificateEncodingException;
import java.security.cert.X509Certificate;
import java.time.InstantSource;
import java.util.HexFormat;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;

/** Reads the authority's Secret the way the authority itself does. */
public final class SecretAuthorityInspection implements AuthorityInspection {
  private final KubernetesClient client;
  private final String rootNamespace;
  private final InstantSource clock;

  public SecretAuthorityInspection(
      KubernetesClient client, String rootNamespace, InstantSource clock) {
    this.client = client;
    this.rootNamespace = rootNamespace;
    this.clock = clock;
  }

  @Override
  public Optional<String> trustDomainProblem(String trustDomain) {
    try {
      var unused = new TrustDomain(trustDomain);
      return Optional.empty();
    } catch (InvalidTrustDomainException e) {
      return Optional.of(Objects.requireNonNullElse(e.getMessage(), e.toString()));
    }
  }

  @Override
  public AuthorityVerdict inspect(
      AmbientMeshSpec spec,
      @Nullable CertificateAuthorityStatus before,
      Function<String, Optional<Secret>> secrets) {
    String given = spec.ca().secretName();
    try {
      if (given == null || given.isEmpty()) {
        Optional<Secret> own = secrets.apply(SelfSignedRoot.SECRET);
        if (own.isPresent()) {
          return usable(read(own.get()));
        }
        return before == null
            ? usable(
                SelfSignedRoot.ensure(client, rootNamespace, new TrustDomain(spec.trustDomain())))
            : lost(before);
      }
      Optional<Secret> secret = secrets.apply(given);
      return secret.isPresent()
          ? usable(read(secret.get()))
          : new AuthorityVerdict.Unusable(
              "CertificateAuthorityMissing",
              "Secret "
                  + rootNamespace
                  + "/"
                  + given
                  + ", which spec.ca.secretName names, does not exist. Create it, or leave the field"
                  + " out.");
    } catch (InvalidAuthorityException e) {
      return new AuthorityVerdict.Unusable(
          "InvalidCertificateAuthority", Objects.requireNonNullElse(e.getMessage(), e.toString()));
    }
  }

  /** A mesh that has had an authority gets no other behind its back. */
  private AuthorityVerdict lost(CertificateAuthorityStatus before)
      throws InvalidAuthorityException {
    // Just made, perhaps, and not yet in the cache.
    Secret own = client.secrets().inNamespace(rootNamespace).withName(SelfSignedRoot.SECRET).get();
    return own != null
        ? usable(read(own))
        : new AuthorityVerdict.Unusable(
            "CertificateAuthorityMissing",
            "Secret "
                + rootNamespace
                + "/"
                + SelfSignedRoot.SECRET
                + " is gone. It held the authority with the fingerprint "
                + before.fingerprint()
                + ", which the mesh's certificates come from; what the operator has loaded stays in"
                + " use until it restarts. Restore the Secret. If it is lost, delete the"
                + " AmbientMesh, wait until its nodes are clean, and create it anew: no certificate"
                + " of the old root is trusted after that.");
  }

  private SigningMaterial read(Secret secret) throws InvalidAuthorityException {
    return SigningMaterial.fromSecret(
        rootNamespace + "/" + secret.getMetadata().getName(),
        Objects.requireNonNullElse(secret.getData(), Map.of()),
        clock.instant());
  }

  private static AuthorityVerdict usable(SigningMaterial material) {
    X509Certificate certificate = material.certificate();
    return new AuthorityVerdict.Usable(
        new CertificateAuthorityStatus(
            fingerprint(certificate), certificate.getNotAfter().toInstant().toString()));
  }

  private static String fingerprint(X509Certificate certificate) {
    try {
      return HexFormat.of()
          .formatHex(MessageDigest.getInstance("SHA-256").digest(certificate.getEncoded()));
    } catch (NoSuchAlgorithmException | CertificateEncodingException e) {
      throw new IllegalStateException("this Java runtime cannot fingerprint a certificate", e);
    }
  }
}
