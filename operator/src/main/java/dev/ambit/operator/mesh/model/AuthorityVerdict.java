package dev.ambit.operator.mesh.model;

import dev.ambit.api.CertificateAuthorityStatus;

/** Whether the certificate authority that an AmbientMesh names can be used. */
public sealed interface AuthorityVerdict {
  /** It can. */
  record Usable(CertificateAuthorityStatus status) implements AuthorityVerdict {}

  /** It cannot, and a person has to change something. */
  record Unusable(String reason, String message) implements AuthorityVerdict {}
}
