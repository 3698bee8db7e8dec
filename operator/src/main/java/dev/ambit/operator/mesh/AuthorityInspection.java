package dev.ambit.operator.mesh;

import dev.ambit.api.AmbientMeshSpec;
import dev.ambit.api.CertificateAuthorityStatus;
import dev.ambit.operator.mesh.model.AuthorityVerdict;
import io.fabric8.kubernetes.api.model.Secret;
import java.util.Optional;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;

/** Looks at the Secret of the certificate authority, and makes it where the mesh is given none. */
public interface AuthorityInspection {
  /** What is wrong with a trust domain's syntax, if something is. */
  Optional<String> trustDomainProblem(String trustDomain);

  /**
   * Whether the authority can be used.
   *
   * @param before the authority that the mesh had when last looked at, if it had one
   * @param secrets the Secrets of the root namespace, by name
   */
  AuthorityVerdict inspect(
      AmbientMeshSpec spec,
      @Nullable CertificateAuthorityStatus before,
      Function<String, Optional<Secret>> secrets);
}
