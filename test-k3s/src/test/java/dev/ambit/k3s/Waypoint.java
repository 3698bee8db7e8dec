package dev.ambit.k3s;

import static org.awaitility.Awaitility.await;

import io.fabric8.kubernetes.api.model.Condition;
import io.fabric8.kubernetes.api.model.GenericKubernetesResource;
import io.fabric8.kubernetes.api.model.Pod;
import io.fabric8.kubernetes.api.model.gatewayapi.v1.Gateway;
import io.fabric8.kubernetes.client.readiness.Readiness;
import io.fabric8.kubernetes.client.utils.Serialization;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.Collectors;

/** A Gateway of Ambit's class, and what is seen of the waypoint that it becomes. */
record Waypoint(InstalledAmbit ambit, Sample sample, String namespace, String name) {
  static final String USE = "istio.io/use-waypoint";

  /** How long pods with Envoy may take to be made or replaced on a loaded machine. */
  static final Duration PATIENCE = Duration.ofSeconds(180);

  /** Makes the Gateway and waits until it is programmed. */
  static Waypoint create(InstalledAmbit ambit, Sample sample, String namespace, String name) {
    return create(ambit, sample, namespace, name, "Same", "");
  }

  /**
   * The same, for objects of the namespaces that {@code from} says, and with more lines for its
   * spec at the top level of its YAML.
   */
  static Waypoint create(
      InstalledAmbit ambit,
      Sample sample,
      String namespace,
      String name,
      String from,
      String spec) {
    var waypoint = new Waypoint(ambit, sample, namespace, name);
    waypoint.apply(from, spec);
    waypoint.awaitProgrammed();
    return waypoint;
  }

  void apply(String from, String spec) {
    sample.apply(
        """
        apiVersion: gateway.networking.k8s.io/v1
        kind: Gateway
        metadata: {namespace: %s, name: %s}
        spec:
          gatewayClassName: ambit-waypoint
          listeners:
          - {name: mesh, port: 15008, protocol: HBONE, allowedRoutes: {namespaces: {from: %s}}}
        %s
        """
            .formatted(namespace, name, from, spec.indent(2).stripTrailing()));
  }

  void awaitProgrammed() {
    await("Gateway " + namespace + "/" + name + " programmed")
        .atMost(PATIENCE)
        .pollInterval(Duration.ofMillis(500))
        .untilAsserted(
            () -> {
              var gateway = gateway();
              var status = gateway.getStatus();
              var conditions = status == null ? List.<Condition>of() : status.getConditions();
              if (!InstalledAmbit.isTrue(conditions, "Programmed")) {
                throw new AssertionError("its conditions are " + conditions + ", pods " + states());
              }
            });
  }

  Gateway gateway() {
    return ambit.client().resources(Gateway.class).inNamespace(namespace).withName(name).require();
  }

  void delete() {
    ambit.client().resources(Gateway.class).inNamespace(namespace).withName(name).delete();
  }

  /** Its instances, those that end among them. */
  List<Pod> pods() {
    return ambit
        .client()
        .pods()
        .inNamespace(namespace)
        .withLabel("gateway.networking.k8s.io/gateway-name", name)
        .list()
        .getItems();
  }

  Set<String> names() {
    return pods().stream().map(pod -> pod.getMetadata().getName()).collect(Collectors.toSet());
  }

  private List<String> states() {
    return pods().stream()
        .map(
            pod ->
                pod.getMetadata().getName()
                    + " "
                    + pod.getStatus().getPhase()
                    + (Readiness.isPodReady(pod) ? " ready" : ""))
        .toList();
  }

  /** Waits until just so many instances are there and ready, and none ends. */
  void awaitInstances(int count) {
    await(count + " instances of waypoint " + name)
        .atMost(PATIENCE)
        .pollInterval(Duration.ofMillis(500))
        .untilAsserted(
            () -> {
              if (pods().size() != count || !pods().stream().allMatch(Readiness::isPodReady)) {
                throw new AssertionError("there are " + states());
              }
            });
  }

  /** Whether an answer of the sample's server came from a request that passed this waypoint. */
  boolean passed(CommandResult answer) {
    return answer.succeeded()
        && pods().stream()
            .map(pod -> pod.getStatus().getPodIP())
            .anyMatch(address -> answer.output().contains("client=" + address + "\n"));
  }

  /** Waits until requests of a pod to an address pass this waypoint, or no longer do. */
  void awaitPassed(String pod, String address, boolean passed) {
    await("requests of " + pod + " to " + address + (passed ? " pass " : " no longer pass ") + name)
        .atMost(InstalledAmbit.SOON)
        .pollInterval(Duration.ofMillis(300))
        .untilAsserted(
            () -> {
              var answer = sample.request(namespace, pod, address, 8080, "path");
              if (!answer.succeeded() || passed(answer) != passed) {
                throw new AssertionError("the answer is " + answer);
              }
            });
  }

  /** The conditions of any object's status. */
  static List<Condition> conditions(GenericKubernetesResource object) {
    var status = object.getAdditionalProperties().get("status");
    return status instanceof Map<?, ?> map && map.get("conditions") instanceof List<?> conditions
        ? conditions.stream()
            .map(
                condition ->
                    Serialization.unmarshal(Serialization.asJson(condition), Condition.class))
            .toList()
        : List.of();
  }
}
