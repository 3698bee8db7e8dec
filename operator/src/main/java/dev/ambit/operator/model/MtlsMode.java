package dev.ambit.operator.model;

import io.fabric8.istio.api.api.security.v1beta1.PeerAuthenticationMutualTLS;
import org.jspecify.annotations.Nullable;

/** What a level (mesh, namespace, workload, port) says of plaintext, the strictest last. */
public enum MtlsMode {
  /** Nothing: the level above decides. */
  UNSET,
  /** Plaintext is let in. */
  PERMISSIVE,
  /** Plaintext is refused. */
  STRICT;

  /**
   * Istio's DISABLE is PERMISSIVE in an ambient mesh: nothing at the receiver can stop a peer from
   * encrypting.
   */
  static MtlsMode of(@Nullable PeerAuthenticationMutualTLS mtls) {
    if (mtls == null || mtls.getMode() == null) {
      return UNSET;
    }
    return switch (mtls.getMode()) {
      case UNSET -> UNSET;
      case STRICT -> STRICT;
      case PERMISSIVE, DISABLE -> PERMISSIVE;
    };
  }

  /** Of two that are said of the same, the one that lets in less. */
  MtlsMode stricter(MtlsMode other) {
    return compareTo(other) >= 0 ? this : other;
  }

  MtlsMode or(MtlsMode above) {
    return this == UNSET ? above : this;
  }
}
