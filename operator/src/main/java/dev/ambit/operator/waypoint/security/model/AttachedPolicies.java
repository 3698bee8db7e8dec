package dev.ambit.operator.waypoint.security.model;

import io.fabric8.istio.api.security.v1.AuthorizationPolicy;
import io.fabric8.istio.api.security.v1.RequestAuthentication;
import java.util.List;

/** The policies that hold for a service at a waypoint, each once, in the order of their names. */
public record AttachedPolicies(
    List<AuthorizationPolicy> authorizations, List<RequestAuthentication> authentications) {
  /** Copies both. */
  public AttachedPolicies {
    authorizations = List.copyOf(authorizations);
    authentications = List.copyOf(authentications);
  }

  /** Whether there is none. */
  public boolean isEmpty() {
    return authorizations.isEmpty() && authentications.isEmpty();
  }
}
