package dev.ambit.operator.model;

import dev.ambit.api.WhenMissing;
import io.fabric8.istio.api.networking.v1.ServiceEntry;
import io.fabric8.istio.api.networking.v1.WorkloadEntry;
import io.fabric8.istio.api.security.v1.AuthorizationPolicy;
import io.fabric8.istio.api.security.v1.PeerAuthentication;
import io.fabric8.kubernetes.api.model.Pod;
import io.fabric8.kubernetes.api.model.Service;
import io.fabric8.kubernetes.api.model.discovery.v1.EndpointSlice;
import java.util.HashMap;
import java.util.HashSet;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/** All that {@link MeshIndex} knows of one namespace, by name. */
final class NamespaceObjects {
  final Map<String, Pod> pods = new HashMap<>();
  final Map<String, Service> services = new HashMap<>();
  final Map<String, ServiceEntry> serviceEntries = new HashMap<>();
  final Map<String, WorkloadEntry> workloadEntries = new HashMap<>();
  final Map<String, EndpointSlice> slices = new HashMap<>();
  final Map<String, AuthorizationPolicy> policies = new HashMap<>();
  final Map<String, PeerAuthentication> peerAuthentications = new HashMap<>();

  final Map<String, Set<String>> slicesByService = new HashMap<>();
  final Map<String, Set<String>> slicesByPod = new HashMap<>();

  /** UIDs of the workloads that each slice has put out. */
  final Map<String, Set<String>> workloadsBySlice = new HashMap<>();

  /** UIDs of the workloads that each ServiceEntry has put out. */
  final Map<String, Set<String>> workloadsByEntry = new HashMap<>();

  /** The Namespace's own. */
  Map<String, String> labels = Map.of();

  /** The Namespace's own, those that matter. */
  Map<String, String> annotations = Map.of();

  @Nullable String trafficDistribution() {
    return annotations.get(ServiceAddress.TRAFFIC_DISTRIBUTION);
  }

  Waypoints.Surroundings surroundings() {
    return new Waypoints.Surroundings(bindingLabels(), annotations, whenMissing);
  }

  /** The same as they will be with the next waypoint; empty where none is to come. */
  Optional<Waypoints.Surroundings> next() {
    return nextWaypoint.map(
        name -> new Waypoints.Surroundings(labelsWith(name), annotations, whenMissing));
  }

  /** The Namespace's labels, with the waypoint that its MeshEnrollment binds it to, which wins. */
  Map<String, String> bindingLabels() {
    return waypoint.map(this::labelsWith).orElse(labels);
  }

  private Map<String, String> labelsWith(String name) {
    Map<String, String> bound = new HashMap<>(labels);
    bound.put(Waypoints.USE, name);
    bound.remove(Waypoints.USE_NAMESPACE);
    return Map.copyOf(bound);
  }

  /** The waypoint that the namespace's effective MeshEnrollment binds it to. */
  Optional<String> waypoint = Optional.empty();

  /** The one that it will bind it to once that knows what is to go through it. */
  Optional<String> nextWaypoint = Optional.empty();

  /** What the namespace's effective MeshEnrollment says. */
  MtlsMode enrollmentMode = MtlsMode.UNSET;

  /** Likewise, of traffic whose waypoint cannot be used. */
  Optional<WhenMissing> whenMissing = Optional.empty();

  /** The mode of the policies without selector, kept so that a change of it can be told. */
  MtlsMode levelMode = MtlsMode.UNSET;

  /** Whether the plaintext that its pods accept is to be seen by ztunnels. */
  boolean plaintextWatched;

  /** Whether its pods' UDP is left as it is, though the mesh carries it. */
  boolean datagramsLeftAlone;

  boolean isEmpty() {
    return pods.isEmpty()
        && services.isEmpty()
        && serviceEntries.isEmpty()
        && workloadEntries.isEmpty()
        && workloadsByEntry.isEmpty()
        && slices.isEmpty()
        && policies.isEmpty()
        && peerAuthentications.isEmpty()
        && workloadsBySlice.isEmpty()
        && labels.isEmpty()
        && annotations.isEmpty()
        && enrollmentMode == MtlsMode.UNSET
        && !plaintextWatched
        && !datagramsLeftAlone
        && whenMissing.isEmpty()
        && waypoint.isEmpty()
        && nextWaypoint.isEmpty();
  }

  static <K, V> void link(Map<K, Set<V>> links, K from, V to) {
    links.computeIfAbsent(from, _ -> new HashSet<>()).add(to);
  }

  static <K, V> void unlink(Map<K, Set<V>> links, K from, V to) {
    Set<V> present = links.get(from);
    if (present != null && present.remove(to) && present.isEmpty()) {
      links.remove(from);
    }
  }
}
