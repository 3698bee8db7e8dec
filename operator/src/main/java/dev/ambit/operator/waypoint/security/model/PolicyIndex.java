package dev.ambit.operator.waypoint.security.model;

import dev.ambit.operator.model.Revision;
import dev.ambit.operator.waypoint.model.MeshService;
import dev.ambit.operator.waypoint.model.WaypointGateway;
import io.fabric8.istio.api.security.v1.AuthorizationPolicy;
import io.fabric8.istio.api.security.v1.RequestAuthentication;
import io.fabric8.kubernetes.api.model.HasMetadata;
import java.util.ArrayList;
import java.util.Collection;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.Function;

/** All policies that are attached to something, to be looked up by what they are attached to. */
public final class PolicyIndex {
  private static final Comparator<HasMetadata> BY_NAME =
      Comparator.<HasMetadata, String>comparing(policy -> policy.getMetadata().getNamespace())
          .thenComparing(policy -> policy.getMetadata().getName());

  private final Map<Target, List<AuthorizationPolicy>> authorizations;
  private final Map<Target, List<RequestAuthentication>> authentications;

  private PolicyIndex(
      Map<Target, List<AuthorizationPolicy>> authorizations,
      Map<Target, List<RequestAuthentication>> authentications) {
    this.authorizations = authorizations;
    this.authentications = authentications;
  }

  /** An index of those; what is another control plane's is left out. */
  public static PolicyIndex of(
      Collection<AuthorizationPolicy> authorizations,
      Collection<RequestAuthentication> authentications,
      String rootNamespace) {
    return new PolicyIndex(
        index(authorizations, policy -> Target.of(policy, rootNamespace)),
        index(authentications, policy -> Target.of(policy, rootNamespace)));
  }

  private static <T extends HasMetadata> Map<Target, List<T>> index(
      Collection<T> policies, Function<T, List<Target>> targets) {
    Map<Target, List<T>> index = new HashMap<>();
    policies.stream()
        .filter(Revision::isOurs)
        .sorted(BY_NAME)
        .forEach(
            policy ->
                targets
                    .apply(policy)
                    .forEach(
                        target ->
                            index.computeIfAbsent(target, _ -> new ArrayList<>()).add(policy)));
    return index;
  }

  /**
   * What holds for a service at a waypoint, or, without one, for traffic through the waypoint that
   * is addressed to pods.
   */
  public AttachedPolicies at(WaypointGateway waypoint, Optional<MeshService> service) {
    List<Target> targets = new ArrayList<>();
    service.ifPresent(
        present ->
            targets.add(new Target.OfService(present.kind(), present.namespace(), present.name())));
    targets.add(new Target.OfGateway(waypoint.namespace(), waypoint.name()));
    targets.add(new Target.OfClass(waypoint.className()));
    return new AttachedPolicies(of(authorizations, targets), of(authentications, targets));
  }

  private static <T extends HasMetadata> List<T> of(
      Map<Target, List<T>> index, List<Target> targets) {
    return targets.stream()
        .flatMap(target -> index.getOrDefault(target, List.of()).stream())
        .distinct()
        .sorted(BY_NAME)
        .toList();
  }
}
