package dev.ambit.cli.model;

import com.fasterxml.jackson.annotation.JsonInclude;
import com.fasterxml.jackson.databind.JsonNode;
import dev.ambit.api.WellKnown;
import dev.ambit.capture.CaptureDecision;
import dev.ambit.capture.ControlPlaneRevision;
import dev.ambit.capture.DataplaneMode;
import dev.ambit.capture.ExclusionReason;
import dev.ambit.capture.NamespaceFacts;
import dev.ambit.capture.PodFacts;
import dev.ambit.capture.PodNumber;
import dev.ambit.capture.Redirection;
import io.fabric8.kubernetes.api.model.PodBuilder;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * Why a pod is captured or not: each rule in the order in which they count, which one decided, and
 * what the pod's node says of it.
 *
 * @param decision Captured, Excluded, Held or NotEnrolled
 * @param asDecided whether the node's agent has done what was decided
 * @param advice what to do, where something is to be done
 */
@JsonInclude(JsonInclude.Include.NON_NULL)
public record PodExplanation(
    String namespace,
    String pod,
    String node,
    String decision,
    @Nullable String reason,
    String redirection,
    boolean asDecided,
    String verdict,
    @Nullable String advice,
    List<Rule> rules,
    @Nullable NodeStatus nodeStatus,
    List<EventLine> events) {

  /**
   * A rule and what it says of this pod.
   *
   * @param decides whether it decided
   */
  public record Rule(String rule, String says, boolean decides) {}

  /** What was reported of the pod. */
  public record EventLine(String time, String type, String reason, String message) {}

  /**
   * What is known of the pod's namespace.
   *
   * @param effective the user's MeshEnrollment that counts there
   * @param cut what the operator has released of it, and pods are captured by; null where the
   *     namespace's labels decide
   */
  public record Surroundings(
      JsonNode namespace,
      Set<String> excluded,
      Optional<JsonNode> effective,
      @Nullable Integer cut) {

    /** From all of the namespace's MeshEnrollments. */
    public static Surroundings of(
        JsonNode namespace, Set<String> excluded, List<JsonNode> enrollments) {
      OptionalInt cut = Enrollments.cut(enrollments);
      return new Surroundings(
          namespace,
          excluded,
          Enrollments.effective(enrollments),
          cut.isPresent() ? cut.getAsInt() : null);
    }

    /** The same, had all pods been released, or none. */
    public Surroundings withAll(boolean released) {
      return new Surroundings(namespace, excluded, effective, released ? PodNumber.ALL : 0);
    }
  }

  /** Explains. */
  public static PodExplanation of(
      JsonNode pod, Surroundings surroundings, List<NodeStatus> nodes, List<JsonNode> events) {
    PodFacts facts = facts(pod);
    CaptureDecision decision = decision(pod, surroundings);
    List<Rule> rules = rules(facts, surroundings, decision);
    Redirection redirection = Redirection.of(facts.annotations());
    String node = Objects.text(pod, "/spec/nodeName");
    NodeStatus nodeStatus =
        nodes.stream().filter(each -> each.node().equals(node)).findFirst().orElse(null);
    boolean asDecided = asDecided(decision, redirection, facts);
    return new PodExplanation(
        Objects.namespace(pod),
        Objects.name(pod),
        node,
        decision.getClass().getSimpleName(),
        decision instanceof CaptureDecision.Excluded(ExclusionReason why) ? why.text() : null,
        redirection.name().toLowerCase(java.util.Locale.ROOT),
        asDecided,
        verdict(decision, redirection, asDecided),
        advice(pod, decision, asDecided, nodeStatus),
        rules,
        nodeStatus,
        events.stream().map(PodExplanation::event).toList());
  }

  private static EventLine event(JsonNode event) {
    String last = Objects.text(event, "/lastTimestamp");
    return new EventLine(
        last.isEmpty() ? Objects.text(event, "/eventTime") : last,
        Objects.text(event, "/type"),
        Objects.text(event, "/reason"),
        Objects.text(event, "/message"));
  }

  /** What the shared rules decide of a pod. */
  public static CaptureDecision decision(JsonNode pod, Surroundings surroundings) {
    return CaptureDecision.of(
        facts(pod),
        new NamespaceFacts(
            Objects.name(surroundings.namespace()),
            Objects.labels(surroundings.namespace()),
            surroundings.excluded(),
            surroundings.cut()));
  }

  private static PodFacts facts(JsonNode pod) {
    return PodFacts.of(
        new PodBuilder()
            .withNewMetadata()
            .withNamespace(Objects.namespace(pod))
            .withName(Objects.name(pod))
            .withLabels(Objects.labels(pod))
            .withAnnotations(Objects.annotations(pod))
            .endMetadata()
            .withNewSpec()
            .withHostNetwork(pod.at("/spec/hostNetwork").asBoolean())
            .endSpec()
            .withNewStatus()
            .withPhase(Objects.text(pod, "/status/phase"))
            .endStatus()
            .build());
  }

  private static List<Rule> rules(
      PodFacts pod, Surroundings surroundings, CaptureDecision decision) {
    String name = Objects.name(surroundings.namespace());
    Map<String, String> labels = Objects.labels(surroundings.namespace());
    boolean reached = !(decision instanceof CaptureDecision.NotEnrolled);
    Decider decider = new Decider();
    decider.add(
        "namespace excluded",
        surroundings.excluded().contains(name)
            ? "yes: Ambit's own, or in spec.excludedNamespaces of the AmbientMesh"
            : "no",
        reached && surroundings.excluded().contains(name));
    boolean others =
        decision instanceof CaptureDecision.Excluded(ExclusionReason why)
            && why == ExclusionReason.OTHER_REVISION;
    decider.add(
        "other revision",
        others ? "yes: label " + ControlPlaneRevision.LABEL + " of the pod or its namespace" : "no",
        others);
    decider.add("pod completed", pod.completed() ? "yes" : "no", reached && pod.completed());
    decider.add(
        "host network",
        pod.hostNetwork() ? "yes: the node's network is never redirected" : "no",
        reached && pod.hostNetwork());
    boolean sidecar = pod.annotations().containsKey(WellKnown.SIDECAR_STATUS);
    decider.add(
        "sidecar",
        sidecar ? "yes: annotation " + WellKnown.SIDECAR_STATUS : "no",
        reached && sidecar);
    decider.add(
        "label of the pod",
        label(pod.labels()),
        DataplaneMode.of(pod.labels()) != DataplaneMode.ABSENT);
    decider.add("MeshEnrollment", enrollment(surroundings, decision), surroundings.cut() != null);
    decider.add("label of the namespace", label(labels), true);
    return List.copyOf(decider.rules);
  }

  private static String enrollment(Surroundings surroundings, CaptureDecision decision) {
    String asks =
        surroundings
            .effective()
            .map(each -> Objects.name(each) + " asks for stage " + EnrollmentStatus.asked(each))
            .orElse("none of a user's");
    Integer cut = surroundings.cut();
    if (cut == null) {
      return asks + (surroundings.effective().isPresent() ? ", not released yet" : "");
    }
    if (decision instanceof CaptureDecision.Held) {
      return asks + ", step by step, and this pod's step has not come";
    }
    return cut > 0 && cut < PodNumber.ALL
        ? asks + ", step by step, and this pod's step has come"
        : asks;
  }

  /** The first rule that has something to say decides. */
  private static final class Decider {
    private final List<Rule> rules = new ArrayList<>();
    private boolean decided;

    void add(String rule, String says, boolean speaks) {
      rules.add(new Rule(rule, says, speaks && !decided));
      decided |= speaks;
    }
  }

  private static String label(Map<String, String> labels) {
    String value = labels.getOrDefault(WellKnown.DATAPLANE_MODE, "");
    return switch (DataplaneMode.of(labels)) {
      case ABSENT -> "no " + WellKnown.DATAPLANE_MODE;
      case AMBIENT, NONE -> WellKnown.DATAPLANE_MODE + "=" + value;
      case UNKNOWN -> WellKnown.DATAPLANE_MODE + "=" + value + ", which has no meaning";
    };
  }

  private static boolean asDecided(
      CaptureDecision decision, Redirection redirection, PodFacts facts) {
    return decision instanceof CaptureDecision.Captured
        ? redirection == Redirection.ENABLED
        : redirection == Redirection.ABSENT || facts.completed();
  }

  private static String verdict(
      CaptureDecision decision, Redirection redirection, boolean asDecided) {
    if (decision instanceof CaptureDecision.Captured) {
      if (asDecided) {
        return "The pod is captured, as it should be.";
      }
      return redirection == Redirection.PENDING
          ? "The pod should be captured: its rules are in, and the ztunnel has not taken it yet."
          : "The pod should be captured, and its node's agent has not captured it.";
    }
    if (decision instanceof CaptureDecision.Excluded(ExclusionReason why)) {
      return "The pod is left out: "
          + why.explanation()
          + (asDecided ? "." : "; but its node's agent has not released it yet.");
    }
    if (decision instanceof CaptureDecision.Held) {
      return "The pod is captured once its step of the rollout has come"
          + (asDecided ? "." : "; its node's agent has yet to release it.");
    }
    if (asDecided) {
      return "The pod is not in the mesh: nothing asks for it.";
    }
    return redirection == Redirection.DRAINING
        ? "The pod has left the mesh; connections that were in the tunnel still end there."
        : "The pod should not be in the mesh, and its node's agent has not released it yet.";
  }

  private static @Nullable String advice(
      JsonNode pod, CaptureDecision decision, boolean asDecided, @Nullable NodeStatus node) {
    if (asDecided) {
      return null;
    }
    if (Objects.text(pod, "/status/podIP").isEmpty()) {
      return "The pod has no address yet: wait until it has started.";
    }
    if (node == null || node.agent().isEmpty()) {
      return "No node agent runs on the pod's node: see `ambit check`.";
    }
    if (!node.agentReady()) {
      return "The node's agent is not ready: see its log, kubectl logs of " + node.agent() + ".";
    }
    if (decision instanceof CaptureDecision.Captured && !node.ztunnelReady()) {
      return "The node's ztunnel is not ready: see its log, kubectl logs of "
          + node.ztunnel()
          + ".";
    }
    return "See the events below, and the log of " + node.agent() + ".";
  }
}
