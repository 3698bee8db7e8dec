package dev.ambit.cli.model;

import com.fasterxml.jackson.databind.JsonNode;
import dev.ambit.api.WellKnown;
import dev.ambit.capture.CaptureDecision;
import dev.ambit.capture.ExclusionReason;
import dev.ambit.capture.Redirection;
import dev.ambit.operator.model.PolicyReport;
import dev.ambit.operator.model.PolicyTranslator;
import io.fabric8.istio.api.security.v1.AuthorizationPolicy;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * What would change were a namespace at another stage.
 *
 * @param join pods that would be taken into the mesh
 * @param leave pods that would leave it
 * @param stay how many would stay as they are
 * @param problems what keeps it from happening, or what a person should know
 */
public record PlanView(
    String namespace,
    String now,
    String stage,
    List<String> join,
    List<String> leave,
    int stay,
    List<EnrollmentStatus.Excluded> excluded,
    List<PolicyLine> policies,
    List<WaypointLine> waypoints,
    List<String> problems) {

  /** Who enforces a policy, before and after. */
  public record PolicyLine(String policy, String before, String after, String effect) {}

  /** A waypoint that traffic to the namespace goes through, or would. */
  public record WaypointLine(String waypoint, String boundBy, String effect) {}

  private static final String NOBODY = "nobody";
  private static final String ZTUNNELS = "ztunnels";
  private static final String WAYPOINT = "the waypoint";

  /**
   * What was read.
   *
   * @param policies of the namespace and the root namespace
   * @param peerAuthentications of the namespace
   * @param waypoints of all namespaces
   */
  public record Facts(
      PodExplanation.Surroundings surroundings,
      EnrollmentChange change,
      List<JsonNode> pods,
      List<AuthorizationPolicy> policies,
      List<JsonNode> peerAuthentications,
      List<WaypointStatus> waypoints,
      String rootNamespace) {}

  /** Plans. */
  public static PlanView of(Facts facts, String stage) {
    List<String> join = new ArrayList<>();
    List<String> leave = new ArrayList<>();
    List<EnrollmentStatus.Excluded> excluded = new ArrayList<>();
    int stay = 0;
    boolean anyNow = false;
    boolean anyThen = false;
    PodExplanation.Surroundings then =
        new PodExplanation.Surroundings(
            facts.surroundings().namespace(),
            facts.surroundings().excluded(),
            Optional.of(asking(facts.surroundings().namespace(), stage)));
    for (JsonNode pod : facts.pods()) {
      String phase = Objects.text(pod, "/status/phase");
      if (phase.equals("Succeeded") || phase.equals("Failed")) {
        continue;
      }
      boolean inside = Redirection.of(Objects.annotations(pod)) == Redirection.ENABLED;
      CaptureDecision decision = PodExplanation.decision(pod, then);
      boolean wanted = decision instanceof CaptureDecision.Captured;
      anyNow |= inside;
      anyThen |= wanted;
      if (wanted && !inside) {
        join.add(Objects.name(pod));
      } else if (!wanted && inside) {
        leave.add(Objects.name(pod));
      } else {
        stay++;
      }
      if (decision instanceof CaptureDecision.Excluded(ExclusionReason reason)) {
        excluded.add(new EnrollmentStatus.Excluded(Objects.name(pod), reason.text()));
      }
    }
    List<WaypointLine> waypoints = waypoints(facts, anyThen);
    return new PlanView(
        Objects.name(facts.surroundings().namespace()),
        anyNow ? "L4" : EnrollmentChange.NONE,
        stage,
        join,
        leave,
        stay,
        excluded,
        policies(facts, anyNow, anyThen, !waypoints.isEmpty()),
        waypoints,
        problems(facts, anyThen));
  }

  /** An enrollment that asks for the stage. */
  private static JsonNode asking(JsonNode namespace, String stage) {
    return dev.ambit.cli.output.Json.tree(
        Map.of(
            "metadata",
            Map.of("name", WellKnown.DEFAULT_NAME, "namespace", Objects.name(namespace)),
            "spec",
            Map.of("stage", stage)));
  }

  private static List<PolicyLine> policies(
      Facts facts, boolean anyNow, boolean anyThen, boolean bound) {
    List<PolicyLine> lines = new ArrayList<>();
    for (AuthorizationPolicy policy : facts.policies()) {
      String name = policy.getMetadata().getNamespace() + "/" + policy.getMetadata().getName();
      if (PolicyTranslator.isForWaypoints(policy)) {
        lines.add(
            new PolicyLine(
                name,
                bound && anyNow ? WAYPOINT : NOBODY,
                bound && anyThen ? WAYPOINT : NOBODY,
                bound
                    ? "judges requests that go through the waypoint"
                    : "it is attached to what no waypoint serves"));
        continue;
      }
      PolicyReport report = PolicyTranslator.translate(policy, facts.rootNamespace()).report();
      boolean enforced = report.verdict() != PolicyReport.Verdict.REJECTED;
      lines.add(
          new PolicyLine(
              name,
              anyNow && enforced ? ZTUNNELS : NOBODY,
              anyThen && enforced ? ZTUNNELS : NOBODY,
              anyThen
                  ? report.message()
                  : anyNow ? "would not be enforced any more" : "is not enforced"));
    }
    return lines;
  }

  private static List<WaypointLine> waypoints(Facts facts, boolean anyThen) {
    Map<String, String> labels = new HashMap<>(Objects.labels(facts.surroundings().namespace()));
    String name = labels.getOrDefault("istio.io/use-waypoint", "");
    if (name.isEmpty() || name.equals("none")) {
      return List.of();
    }
    String namespace =
        labels.getOrDefault(
            "istio.io/use-waypoint-namespace", Objects.name(facts.surroundings().namespace()));
    Optional<WaypointStatus> waypoint =
        facts.waypoints().stream()
            .filter(each -> each.namespace().equals(namespace) && each.name().equals(name))
            .findFirst();
    String effect =
        waypoint.isEmpty()
            ? "there is no such waypoint: traffic from captured pods is refused"
            : !waypoint.get().programmed()
                ? "it is not ready: traffic from captured pods is refused until it is"
                : anyThen
                    ? "captured pods' traffic to the namespace's services goes through it"
                    : "captured pods of other namespaces still go through it";
    return List.of(
        new WaypointLine(
            namespace + "/" + name, "the namespace's label istio.io/use-waypoint", effect));
  }

  private static List<String> problems(Facts facts, boolean anyThen) {
    List<String> problems = new ArrayList<>();
    if (facts.change() instanceof EnrollmentChange.Contradiction(String message)) {
      problems.add(message);
    }
    if (anyThen) {
      for (JsonNode each : facts.peerAuthentications()) {
        if (Objects.text(each, "/spec/mtls/mode").equals("STRICT")) {
          problems.add(
              "PeerAuthentication "
                  + Objects.namespace(each)
                  + "/"
                  + Objects.name(each)
                  + " is strict: plaintext from outside the mesh would be refused");
        }
      }
    }
    return problems;
  }
}
