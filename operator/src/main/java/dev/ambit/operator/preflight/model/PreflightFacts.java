package dev.ambit.operator.preflight.model;

import dev.ambit.api.EnrollmentMtls;
import dev.ambit.api.EnrollmentWaypoint;
import dev.ambit.api.MtlsMode;
import dev.ambit.api.Stage;
import dev.ambit.api.WellKnown;
import dev.ambit.operator.waypoint.life.model.WaypointClass;
import dev.ambit.operator.waypoint.life.model.WaypointLabels;
import io.fabric8.istio.api.security.v1.AuthorizationPolicy;
import io.fabric8.istio.api.security.v1.PeerAuthentication;
import io.fabric8.istio.api.security.v1.RequestAuthentication;
import io.fabric8.kubernetes.api.model.Pod;
import io.fabric8.kubernetes.api.model.PodBuilder;
import io.fabric8.kubernetes.api.model.PodIP;
import io.fabric8.kubernetes.api.model.Service;
import io.fabric8.kubernetes.api.model.networking.v1.NetworkPolicy;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/**
 * What preflight looks at.
 *
 * @param target what the namespace is to come to
 * @param capturable pods that the enrollment would capture
 * @param otherPods pods of the namespace that it would not
 * @param services of the namespace
 * @param networkPolicies of the namespace
 * @param authorizationPolicies of the namespace and the root namespace
 * @param peerAuthentications of the namespace and the root namespace
 * @param requestAuthentications of the namespace
 * @param missingDefinitions CRDs that the cluster lacks
 * @param nodes which nodes are ready
 * @param sockets of pods by name, as far as their nodes say
 */
public record PreflightFacts(
    Target target,
    String rootNamespace,
    List<Pod> capturable,
    List<Pod> otherPods,
    List<Service> services,
    List<NetworkPolicy> networkPolicies,
    List<AuthorizationPolicy> authorizationPolicies,
    List<PeerAuthentication> peerAuthentications,
    List<RequestAuthentication> requestAuthentications,
    Set<String> missingDefinitions,
    NodeReadiness nodes,
    Map<String, PodSockets> sockets) {

  public PreflightFacts {
    capturable = List.copyOf(capturable);
    otherPods = List.copyOf(otherPods);
    services = List.copyOf(services);
    networkPolicies = List.copyOf(networkPolicies);
    authorizationPolicies = List.copyOf(authorizationPolicies);
    peerAuthentications = List.copyOf(peerAuthentications);
    requestAuthentications = List.copyOf(requestAuthentications);
    missingDefinitions = Set.copyOf(missingDefinitions);
    sockets = Map.copyOf(sockets);
  }

  /** The same where nodes are still to get their part of the mesh. */
  public PreflightFacts withUnknownNodes() {
    return new PreflightFacts(
        target,
        rootNamespace,
        capturable,
        otherPods,
        services,
        networkPolicies,
        authorizationPolicies,
        peerAuthentications,
        requestAuthentications,
        missingDefinitions,
        new NodeReadiness.Unknown(),
        sockets);
  }

  String namespace() {
    return target.namespace();
  }

  Stage stage() {
    return target.stage();
  }

  /** With the one that each namespace has. */
  Map<String, String> namespaceLabels() {
    Map<String, String> labels = new HashMap<>(target.namespaceLabels());
    labels.put("kubernetes.io/metadata.name", namespace());
    return labels;
  }

  /** A pod of the waypoint, as it is or would be. */
  Pod waypoint() {
    String name = target.waypoint().name();
    Map<String, String> labels =
        otherPods.stream()
            .map(Preflight::labels)
            .filter(each -> name.equals(each.get(WaypointLabels.GATEWAY_NAME)))
            .findFirst()
            .orElseGet(() -> WaypointLabels.ofPods(name, WaypointClass.NAME));
    return new PodBuilder()
        .withNewMetadata()
        .withNamespace(namespace())
        .withName("the pods of waypoint " + name)
        .withLabels(labels)
        .endMetadata()
        .build();
  }

  /** Those of the pods whose traffic would go through the waypoint. */
  List<Pod> behindWaypoint() {
    return switch (target.waypoint().traffic()) {
      case WORKLOAD, ALL -> capturable;
      case SERVICE ->
          capturable.stream()
              .filter(
                  pod ->
                      services.stream().anyMatch(service -> ProtocolFindings.selects(service, pod)))
              .toList();
    };
  }

  /** Pods that have a sidecar, and are captured once they are restarted without. */
  List<Pod> sidecars() {
    return otherPods.stream()
        .filter(pod -> pod.getMetadata().getAnnotations() != null)
        .filter(pod -> pod.getMetadata().getAnnotations().containsKey(WellKnown.SIDECAR_STATUS))
        .toList();
  }

  /** Those of the pods that would be captured, as far as they have any yet. */
  Set<String> addresses() {
    return capturable.stream()
        .filter(pod -> pod.getStatus() != null)
        .flatMap(
            pod ->
                Stream.concat(
                    Stream.ofNullable(pod.getStatus().getPodIP()),
                    Stream.ofNullable(pod.getStatus().getPodIPs())
                        .flatMap(List::stream)
                        .map(PodIP::getIp)))
        .collect(Collectors.toSet());
  }

  /** Those of one pod; none where its node does not say. */
  public PodSockets sockets(Pod pod) {
    return sockets.getOrDefault(pod.getMetadata().getName(), PodSockets.NONE);
  }

  /**
   * What a namespace is to come to.
   *
   * @param namespaceLabels labels of the namespace
   * @param stage that it is to come to
   * @param waypoint that stage L7 would take
   * @param steps how many steps the rollout has
   * @param mtls what the enrollment says of plaintext; null where that is the mesh's to say
   * @param meshMtls what the AmbientMesh says of it
   * @param datagrams what is to become of the pods' UDP
   */
  public record Target(
      String namespace,
      Map<String, String> namespaceLabels,
      Stage stage,
      EnrollmentWaypoint waypoint,
      int steps,
      @Nullable EnrollmentMtls mtls,
      MtlsMode meshMtls,
      Datagrams datagrams) {

    public Target {
      namespaceLabels = Map.copyOf(namespaceLabels);
    }
  }

  /** What is to become of the pods' UDP. */
  public enum Datagrams {
    /** The mesh carries none. */
    NOT_IN_MESH,
    /** The mesh carries it, as soon as the pods are in it. */
    CARRIED,
    /** The mesh is to carry it, and has left it as it is although the pods are in it. */
    CARRIED_AGAIN,
    /** The mesh carries none, and the enrollment asks for it. */
    ASKED_IN_VAIN,
    /** The mesh carries it, and the enrollment has it left as it is. */
    LEFT_ALONE;

    /**
     * As the mesh and an enrollment have it.
     *
     * @param asked what the enrollment says; null for nothing
     * @param before what is in force of it
     */
    public static Datagrams of(boolean mesh, @Nullable Boolean asked, @Nullable Boolean before) {
      if (!mesh) {
        return Boolean.TRUE.equals(asked) ? ASKED_IN_VAIN : NOT_IN_MESH;
      }
      if (Boolean.FALSE.equals(asked)) {
        return LEFT_ALONE;
      }
      return Boolean.FALSE.equals(before) ? CARRIED_AGAIN : CARRIED;
    }
  }

  /** Which nodes have their part of the mesh, as far as that is known. */
  public sealed interface NodeReadiness {
    /** Names of nodes whose ztunnel and whose agent are ready. */
    record Known(Set<String> ztunnels, Set<String> agents) implements NodeReadiness {
      public Known {
        ztunnels = Set.copyOf(ztunnels);
        agents = Set.copyOf(agents);
      }
    }

    /** There is no mesh yet, or no cluster was asked, as where manifests are checked. */
    record Unknown() implements NodeReadiness {}
  }
}
