package dev.ambit.operator.ca;

import java.util.Optional;

/**
 * Who is at the other end of a call, once proven.
 *
 * @param pod the pod that the caller's token is bound to; absent for client certificates
 */
public record Caller(SpiffeId identity, Optional<BoundPod> pod) {

  /** The pod that a projected token is bound to, as the API server says. */
  public record BoundPod(String name, String uid) {}

  /** "namespace/service account". */
  public String account() {
    return identity.namespace() + "/" + identity.serviceAccount();
  }
}
