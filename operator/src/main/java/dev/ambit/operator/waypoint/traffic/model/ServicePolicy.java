package dev.ambit.operator.waypoint.traffic.model;

import dev.ambit.operator.waypoint.model.Backend;
import dev.ambit.operator.waypoint.model.ObjectReference;
import io.fabric8.istio.api.api.networking.v1alpha3.Subset;
import io.fabric8.istio.api.api.networking.v1alpha3.TrafficPolicy;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * What DestinationRules say of one service at a waypoint. Equal ones lead to equal clusters.
 *
 * @param rules the DestinationRules that it is made of, the oldest first
 */
public record ServicePolicy(
    List<ObjectReference> rules, Optional<TrafficPolicy> policy, List<Subset> subsets) {
  /** No DestinationRule is for the service. */
  public static final ServicePolicy NONE =
      new ServicePolicy(List.of(), Optional.empty(), List.of());

  /** Copies the lists. */
  public ServicePolicy {
    rules = List.copyOf(rules);
    subsets = List.copyOf(subsets);
  }

  /** How a backend's endpoints are used. */
  public ClusterPolicy of(Backend backend) {
    TrafficPolicy own =
        backend.subset().flatMap(this::subset).map(Subset::getTrafficPolicy).orElse(null);
    return ClusterPolicies.translate(
        PortPolicy.of(policy.orElse(null), own, backend.port()),
        backend.service().hostname(),
        backend.protocol());
  }

  /**
   * The labels that endpoints of a subset have; none where it takes all of them. Empty where there
   * is no such subset.
   */
  public Optional<Map<String, String>> labels(String subset) {
    return subset(subset)
        .map(found -> found.getLabels() == null ? Map.of() : Map.copyOf(found.getLabels()));
  }

  /** Whether a pod, or a workload entry, with these labels is an endpoint of a backend. */
  public boolean selects(Backend backend, Map<String, String> labels) {
    return backend.subset().isEmpty()
        || labels(backend.subset().get())
            .filter(wanted -> labels.entrySet().containsAll(wanted.entrySet()))
            .isPresent();
  }

  private Optional<Subset> subset(String name) {
    return subsets.stream().filter(subset -> name.equals(subset.getName())).findFirst();
  }
}
