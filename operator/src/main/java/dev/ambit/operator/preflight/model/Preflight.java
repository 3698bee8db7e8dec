package dev.ambit.operator.preflight.model;

import dev.ambit.api.Finding;
import dev.ambit.api.Severity;
import dev.ambit.api.WellKnown;
import dev.ambit.operator.model.Names;
import dev.ambit.operator.model.StrictCause;
import dev.ambit.operator.preflight.model.PreflightFacts.NodeReadiness;
import io.fabric8.istio.api.security.v1.PeerAuthentication;
import io.fabric8.kubernetes.api.model.Container;
import io.fabric8.kubernetes.api.model.ContainerPort;
import io.fabric8.kubernetes.api.model.HasMetadata;
import io.fabric8.kubernetes.api.model.Pod;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.SortedSet;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/** Finds what speaks against taking a namespace's pods into the mesh. */
public final class Preflight {
  private static final int DNS = 15053;

  /** What the ztunnel listens at in captured pods. */
  static final Map<Integer, String> TAKEN =
      Map.of(
          15001,
          "connections that the pod opens",
          15006,
          "connections to the pod that are in no tunnel",
          15008,
          "tunnels (HBONE)",
          DNS,
          "DNS");

  /** The same for UDP, where the mesh carries it. */
  private static final Map<Integer, String> TAKEN_BY_DATAGRAMS =
      Map.of(
          15009, "datagrams that the pod sends",
          15010, "datagrams to the pod that are in no tunnel",
          15011, "such datagrams to sockets that are connected");

  private static final String PRIMARY_NETWORK = "v1.multus-cni.io/default-network";
  private static final String SECOND_NETWORKS = "k8s.v1.cni.cncf.io/networks";

  private static final String ENROLLMENT_DECIDES =
      "Set spec.mtls of the MeshEnrollment: to Permissive, or to Strict, which lets plaintext in"
          + " until all pods are in the mesh.";

  private static final Comparator<Finding> ORDER =
      Comparator.comparing(Finding::severity)
          .thenComparing(Finding::reason)
          .thenComparing(Finding::object)
          .thenComparing(Finding::message);

  private final PreflightFacts facts;
  private final List<Finding> findings = new ArrayList<>();

  private Preflight(PreflightFacts facts) {
    this.facts = facts;
  }

  /** All findings, errors first, in an order that depends on nothing else. */
  public static List<Finding> of(PreflightFacts facts) {
    Preflight preflight = new Preflight(facts);
    preflight.nodes();
    preflight.leftOut();
    preflight.ports();
    preflight.networks();
    preflight.definitions();
    preflight.mtls();
    preflight.findings.addAll(ProtocolFindings.of(facts));
    preflight.findings.addAll(NetworkPolicies.findings(facts));
    preflight.findings.addAll(PolicyChanges.findings(facts));
    return preflight.findings.stream().distinct().sorted(ORDER).toList();
  }

  static Finding finding(Severity severity, String reason, HasMetadata object, String message) {
    return new Finding(severity, reason, name(object), message);
  }

  private static String name(HasMetadata object) {
    String namespace = object.getMetadata().getNamespace();
    String name = object.getMetadata().getName();
    return object.getKind() + " " + (namespace == null ? name : namespace + "/" + name);
  }

  static Map<String, String> labels(Pod pod) {
    return Objects.requireNonNullElse(pod.getMetadata().getLabels(), Map.of());
  }

  static String names(List<Pod> pods) {
    return Names.some(pods.stream().map(pod -> pod.getMetadata().getName()).sorted().toList());
  }

  private void nodes() {
    switch (facts.nodes()) {
      case NodeReadiness.Unknown ignored -> {}
      case NodeReadiness.Known(Set<String> ztunnels, Set<String> agents) -> {
        Map<String, List<Pod>> byNode = new TreeMap<>();
        for (Pod pod : facts.capturable()) {
          String node = pod.getSpec() == null ? null : pod.getSpec().getNodeName();
          if (node != null && !node.isEmpty()) {
            byNode.computeIfAbsent(node, any -> new ArrayList<>()).add(pod);
          }
        }
        byNode.forEach(
            (node, pods) -> {
              if (!ztunnels.contains(node)) {
                findings.add(
                    notReady(PreflightReasons.ZTUNNEL_NOT_READY, "ambit-ztunnel", node, pods));
              }
              if (!agents.contains(node)) {
                findings.add(notReady(PreflightReasons.AGENT_NOT_READY, "ambit-agent", node, pods));
              }
            });
      }
    }
  }

  private static Finding notReady(String reason, String component, String node, List<Pod> pods) {
    return new Finding(
        Severity.ERROR,
        reason,
        "Node " + node,
        "No pod of DaemonSet "
            + component
            + " is ready on the node, so that "
            + names(pods)
            + " there cannot be captured. Look at that pod; the DaemonSet runs on Linux nodes"
            + " only.");
  }

  private void leftOut() {
    for (Pod pod : facts.otherPods()) {
      if (pod.getSpec() != null && Boolean.TRUE.equals(pod.getSpec().getHostNetwork())) {
        findings.add(
            finding(
                Severity.WARNING,
                PreflightReasons.HOST_NETWORK,
                pod,
                "The pod uses its node's network and stays outside the mesh: it talks plaintext,"
                    + " and no policy of the mesh holds for what it receives."));
      } else if (pod.getMetadata().getAnnotations() != null
          && pod.getMetadata().getAnnotations().containsKey(WellKnown.SIDECAR_STATUS)) {
        findings.add(
            finding(
                Severity.WARNING,
                PreflightReasons.SIDECAR,
                pod,
                "The pod has a sidecar proxy and stays outside the mesh. To take it in, stop the"
                    + " injection for it and restart it."));
      }
    }
  }

  /** What something in a pod listens at. */
  private record Port(int number, boolean udp) {
    static Stream<Port> of(ContainerPort declared) {
      return Stream.ofNullable(declared.getContainerPort())
          .map(number -> new Port(number, "UDP".equals(declared.getProtocol())));
    }

    static Stream<Port> of(PodSockets sockets) {
      return Stream.concat(
          sockets.tcp().stream().map(number -> new Port(number, false)),
          sockets.udp().stream().map(number -> new Port(number, true)));
    }
  }

  private void ports() {
    for (Pod pod : facts.capturable()) {
      Set<Port> declared = new HashSet<>();
      containers(pod)
          .forEach(
              container ->
                  Objects.requireNonNullElse(container.getPorts(), List.<ContainerPort>of())
                      .stream()
                      .flatMap(Port::of)
                      .filter(declared::add)
                      .forEach(
                          port -> taken(pod, "Container " + container.getName() + " uses", port)));
      if (!Plans.isInMesh(pod)) {
        // Then it is no ztunnel's.
        Port.of(facts.sockets(pod))
            .filter(port -> !declared.contains(port))
            .forEach(port -> taken(pod, "Something in the pod, undeclared, listens on", port));
      }
    }
  }

  private void taken(Pod pod, String who, Port port) {
    String purpose = purpose(port);
    if (purpose == null) {
      return;
    }
    findings.add(
        finding(
            Severity.ERROR,
            PreflightReasons.PORT_TAKEN,
            pod,
            who
                + (port.udp() ? " UDP port " : " port ")
                + port.number()
                + ", where the ztunnel listens in the pod for "
                + purpose
                + ": one of the two would get what is the other's. Use another port, or label the"
                + " pod "
                + WellKnown.DATAPLANE_MODE
                + "=none."));
  }

  /** What the ztunnel has a port for; null where it leaves it to the pod. */
  private @Nullable String purpose(Port port) {
    if (!port.udp() || port.number() == DNS) {
      return TAKEN.get(port.number());
    }
    return switch (facts.target().datagrams()) {
      case CARRIED, CARRIED_AGAIN -> TAKEN_BY_DATAGRAMS.get(port.number());
      case NOT_IN_MESH, ASKED_IN_VAIN, LEFT_ALONE -> null;
    };
  }

  private static Stream<Container> containers(Pod pod) {
    if (pod.getSpec() == null) {
      return Stream.of();
    }
    return Stream.concat(
        Objects.requireNonNullElse(pod.getSpec().getContainers(), List.<Container>of()).stream(),
        Objects.requireNonNullElse(pod.getSpec().getInitContainers(), List.<Container>of())
            .stream());
  }

  private void networks() {
    for (Pod pod : facts.capturable()) {
      String system =
          pod.getSpec() == null || pod.getSpec().getOs() == null
              ? "linux"
              : String.valueOf(pod.getSpec().getOs().getName());
      if (!system.equals("linux")) {
        findings.add(
            finding(
                Severity.ERROR,
                PreflightReasons.NOT_LINUX,
                pod,
                "The pod runs on "
                    + system
                    + ", where its connections cannot be redirected. Label it "
                    + WellKnown.DATAPLANE_MODE
                    + "=none; it stays outside the mesh and talks plaintext."));
      }
      String primary =
          Objects.requireNonNullElse(pod.getMetadata().getAnnotations(), Map.<String, String>of())
              .get(PRIMARY_NETWORK);
      if (primary != null && !primary.isBlank()) {
        findings.add(
            finding(
                Severity.WARNING,
                PreflightReasons.OTHER_CNI,
                pod,
                "The pod's first network is "
                    + primary.strip()
                    + ", which the CNI configuration that Ambit's plugin is chained to does not"
                    + " make: a pod like it is captured only after it has started, and what it"
                    + " sends before is plain. Chain ambit-cni into that network too, or label the"
                    + " pod "
                    + WellKnown.DATAPLANE_MODE
                    + "=none."));
      }
      String runtime = pod.getSpec() == null ? null : pod.getSpec().getRuntimeClassName();
      if (runtime != null && !runtime.isEmpty()) {
        findings.add(
            finding(
                Severity.WARNING,
                PreflightReasons.SANDBOXED,
                pod,
                "RuntimeClass "
                    + runtime
                    + ": a sandbox with a network stack of its own, such as gVisor's, sends past"
                    + " the rules in the pod's network namespace, so that its traffic would stay"
                    + " plain. Try one such pod first."));
      }
      String second =
          Objects.requireNonNullElse(pod.getMetadata().getAnnotations(), Map.<String, String>of())
              .get(SECOND_NETWORKS);
      if (second != null && !second.isBlank()) {
        findings.add(
            finding(
                Severity.WARNING,
                PreflightReasons.SECOND_NETWORK,
                pod,
                "The pod has more networks ("
                    + second.strip()
                    + "). What it receives there would be judged as plaintext by the ztunnel, which"
                    + " knows its address in the cluster's network alone."));
      }
    }
  }

  private void definitions() {
    for (String definition : new TreeSet<>(facts.missingDefinitions())) {
      if (definition.equals(PreflightReasons.GATEWAYS)) {
        findings.add(
            new Finding(
                Severity.ERROR,
                PreflightReasons.DEFINITION_MISSING,
                "CustomResourceDefinition " + definition,
                "Stage L7 needs a Gateway, which the cluster does not know. Install the CRDs of the"
                    + " Gateway API, or ask for stage L4."));
        continue;
      }
      findings.add(
          new Finding(
              Severity.WARNING,
              PreflightReasons.DEFINITION_MISSING,
              "CustomResourceDefinition " + definition,
              "The cluster does not have it, so that no such policy can be written. Ambit's chart"
                  + " brings it (helm/ambit/crds)."));
    }
  }

  private void mtls() {
    for (StrictCause cause : PolicyChanges.strict(facts)) {
      findings.add(
          switch (cause) {
            case StrictCause.Mesh ignored ->
                strict("AmbientMesh default", "spec.mtls is Strict", ENROLLMENT_DECIDES);
            case StrictCause.Policy(PeerAuthentication policy) ->
                strict(
                    name(policy),
                    "the mode is STRICT",
                    facts.namespace().equals(policy.getMetadata().getNamespace())
                        ? "Set it to PERMISSIVE until then."
                        : ENROLLMENT_DECIDES);
            case StrictCause.Ports(PeerAuthentication policy, SortedSet<Integer> ports) ->
                strict(
                    name(policy),
                    "the mode of ports "
                        + String.join(", ", ports.stream().map(String::valueOf).toList())
                        + " is STRICT",
                    "Set it to PERMISSIVE until then.");
          });
    }
  }

  private Finding strict(String object, String cause, String remedy) {
    boolean steps = facts.target().steps() > 1;
    return new Finding(
        steps ? Severity.ERROR : Severity.WARNING,
        steps ? PreflightReasons.STRICT_MTLS_IN_STEPS : PreflightReasons.STRICT_MTLS,
        object,
        "Captured pods refuse plaintext, since "
            + cause
            + ": also that of clients outside the mesh"
            + (steps ? ", and that of this namespace's own pods whose step has not come. " : ". ")
            + remedy);
  }
}
