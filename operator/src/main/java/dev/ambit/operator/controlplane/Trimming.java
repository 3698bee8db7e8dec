package dev.ambit.operator.controlplane;

import dev.ambit.api.WellKnown;
import io.fabric8.kubernetes.api.model.Container;
import io.fabric8.kubernetes.api.model.ContainerBuilder;
import io.fabric8.kubernetes.api.model.HasMetadata;
import io.fabric8.kubernetes.api.model.Namespace;
import io.fabric8.kubernetes.api.model.Node;
import io.fabric8.kubernetes.api.model.Pod;
import io.fabric8.kubernetes.api.model.PodSpecBuilder;
import io.fabric8.kubernetes.api.model.PodStatusBuilder;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;

/** Takes from objects, in place, what the mesh does not turn on. */
final class Trimming {
  private static final Set<String> ANNOTATIONS =
      Set.of(
          "ambient.istio.io/redirection",
          "networking.istio.io/traffic-distribution",
          "ambient.istio.io/waypoint-inbound-binding",
          "istio.io/use-waypoint-canary-weight",
          WellKnown.WAYPOINT_WHEN_MISSING,
          "istio.io/autoRegistrationGroup",
          "istio.io/dry-run");

  private Trimming() {}

  static void annotations(HasMetadata object) {
    Map<String, String> annotations = object.getMetadata().getAnnotations();
    if (annotations != null) {
      object
          .getMetadata()
          .setAnnotations(
              annotations.entrySet().stream()
                  .filter(annotation -> ANNOTATIONS.contains(annotation.getKey()))
                  .collect(Collectors.toMap(Map.Entry::getKey, Map.Entry::getValue)));
    }
  }

  static void pod(Pod pod) {
    annotations(pod);
    if (pod.getSpec() != null) {
      pod.setSpec(
          new PodSpecBuilder()
              .withNodeName(pod.getSpec().getNodeName())
              .withServiceAccountName(pod.getSpec().getServiceAccountName())
              .withHostNetwork(pod.getSpec().getHostNetwork())
              .withContainers(containers(pod.getSpec().getContainers()))
              .withInitContainers(containers(pod.getSpec().getInitContainers()))
              .build());
    }
    if (pod.getStatus() != null) {
      pod.setStatus(
          new PodStatusBuilder()
              .withPhase(pod.getStatus().getPhase())
              .withPodIP(pod.getStatus().getPodIP())
              .withPodIPs(pod.getStatus().getPodIPs())
              .withConditions(
                  pod.getStatus().getConditions() == null
                      ? List.of()
                      : pod.getStatus().getConditions().stream()
                          .filter(condition -> "Ready".equals(condition.getType()))
                          .toList())
              .build());
    }
  }

  private static List<Container> containers(@Nullable List<Container> containers) {
    return containers == null
        ? List.of()
        : containers.stream()
            .filter(container -> container.getPorts() != null && !container.getPorts().isEmpty())
            .map(
                container ->
                    new ContainerBuilder()
                        .withName(container.getName())
                        .withRestartPolicy(container.getRestartPolicy())
                        .withPorts(container.getPorts())
                        .build())
            .toList();
  }

  static void node(Node node) {
    node.getMetadata().setAnnotations(null);
    node.setSpec(null);
    node.setStatus(null);
  }

  static void namespace(Namespace namespace) {
    annotations(namespace);
    namespace.setSpec(null);
    namespace.setStatus(null);
  }
}
