package dev.ambit.cli.model;

import com.fasterxml.jackson.annotation.JsonIgnore;
import com.fasterxml.jackson.databind.JsonNode;
import dev.ambit.api.ConnectionPlan;
import dev.ambit.api.EnrollmentPlan;
import dev.ambit.api.Finding;
import dev.ambit.api.PolicyPlan;
import dev.ambit.api.Severity;
import dev.ambit.api.WaypointPlan;
import dev.ambit.capture.CaptureDecision;
import dev.ambit.capture.ExclusionReason;
import dev.ambit.capture.Redirection;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/**
 * What would change were a namespace at another stage.
 *
 * @param join pods that would be taken into the mesh
 * @param leave pods that would leave it
 * @param stay how many would stay as they are
 * @param steps how many pods would be in the mesh after each step
 * @param morePolicies how many there are beside those
 * @param waypointCost what the waypoint of stage L7 would request; absent where none is asked for,
 *     or no cluster was
 * @param connections that are open now; absent where no cluster was asked
 * @param contradictions what asks for the contrary, and keeps it from happening
 */
public record PlanView(
    String namespace,
    String now,
    String stage,
    List<String> join,
    List<String> leave,
    int stay,
    List<Integer> steps,
    List<EnrollmentStatus.Excluded> excluded,
    List<PolicyPlan> policies,
    int morePolicies,
    List<WaypointLine> waypoints,
    @Nullable WaypointPlan waypointCost,
    @Nullable ConnectionPlan connections,
    List<Finding> findings,
    List<String> contradictions) {

  /** A waypoint that traffic to the namespace goes through, or would. */
  public record WaypointLine(String waypoint, String boundBy, String effect) {}

  /**
   * What was read, and what the operator's own rules make of it.
   *
   * @param waypoints of all namespaces; empty where no cluster was asked
   */
  public record Facts(
      PodExplanation.Surroundings surroundings,
      List<JsonNode> pods,
      EnrollmentPlan plan,
      List<Finding> findings,
      List<WaypointStatus> waypoints,
      List<String> contradictions) {}

  /** Plans. */
  public static PlanView of(Facts facts) {
    List<String> join = new ArrayList<>();
    List<String> leave = new ArrayList<>();
    List<EnrollmentStatus.Excluded> excluded = new ArrayList<>();
    boolean inside = false;
    String stage = facts.plan().stage().text();
    PodExplanation.Surroundings then =
        facts.surroundings().withAll(!stage.equals(EnrollmentChange.NONE));
    for (JsonNode pod : facts.pods()) {
      boolean captured = Redirection.of(Objects.annotations(pod)) == Redirection.ENABLED;
      CaptureDecision decision = PodExplanation.decision(pod, then);
      boolean wanted = decision instanceof CaptureDecision.Captured;
      inside |= captured;
      if (wanted && !captured) {
        join.add(Objects.name(pod));
      } else if (!wanted && captured) {
        leave.add(Objects.name(pod));
      }
      if (decision instanceof CaptureDecision.Excluded(ExclusionReason reason)) {
        excluded.add(new EnrollmentStatus.Excluded(Objects.name(pod), reason.text()));
      }
    }
    return new PlanView(
        Objects.name(facts.surroundings().namespace()),
        now(facts, inside),
        stage,
        join,
        leave,
        facts.pods().size() - join.size() - leave.size(),
        facts.plan().steps(),
        excluded,
        facts.plan().policies(),
        facts.plan().morePolicies(),
        waypoints(facts, !stage.equals(EnrollmentChange.NONE)),
        facts.plan().waypoint(),
        facts.plan().connections(),
        facts.findings(),
        facts.contradictions());
  }

  /** Where the operator says that it is, or else where its pods are. */
  private static String now(Facts facts, boolean inside) {
    return facts
        .surroundings()
        .effective()
        .map(enrollment -> Objects.text(enrollment, "/status/stage"))
        .filter(stage -> !stage.isEmpty())
        .orElse(inside ? "L4" : EnrollmentChange.NONE);
  }

  private static List<WaypointLine> waypoints(Facts facts, boolean enters) {
    List<WaypointLine> lines = new ArrayList<>();
    if (facts.plan().stage().text().equals("L7")) {
      lines.add(ofEnrollment(facts));
    }
    ofLabel(facts, enters).ifPresent(lines::add);
    return lines;
  }

  /** The waypoint that stage L7 binds the namespace to. */
  private static WaypointLine ofEnrollment(Facts facts) {
    String namespace = Objects.name(facts.surroundings().namespace());
    String name =
        facts
            .surroundings()
            .effective()
            .map(enrollment -> Objects.text(enrollment, "/spec/waypoint/name"))
            .filter(written -> !written.isEmpty())
            .orElse("waypoint");
    Optional<WaypointStatus> waypoint = find(facts, namespace, name);
    return new WaypointLine(
        namespace + "/" + name,
        "stage L7",
        waypoint.isEmpty()
            ? "the operator makes it, and binds the namespace once it is ready"
            : waypoint.get().programmed()
                ? "it is used as it is"
                : "it is there and not ready: the enrollment waits for it");
  }

  private static Optional<WaypointStatus> find(Facts facts, String namespace, String name) {
    return facts.waypoints().stream()
        .filter(each -> each.namespace().equals(namespace) && each.name().equals(name))
        .findFirst();
  }

  private static Optional<WaypointLine> ofLabel(Facts facts, boolean enters) {
    Map<String, String> labels = Objects.labels(facts.surroundings().namespace());
    String name = labels.getOrDefault("istio.io/use-waypoint", "");
    if (name.isEmpty() || name.equals("none")) {
      return Optional.empty();
    }
    String namespace =
        labels.getOrDefault(
            "istio.io/use-waypoint-namespace", Objects.name(facts.surroundings().namespace()));
    Optional<WaypointStatus> waypoint = find(facts, namespace, name);
    String effect =
        waypoint.isEmpty()
            ? "there is no such waypoint: traffic from captured pods is refused"
            : !waypoint.get().programmed()
                ? "it is not ready: traffic from captured pods is refused until it is"
                : enters
                    ? "captured pods' traffic to the namespace's services goes through it"
                    : "captured pods of other namespaces still go through it";
    return Optional.of(
        new WaypointLine(
            namespace + "/" + name, "the namespace's label istio.io/use-waypoint", effect));
  }

  /** Whether nothing keeps it from happening. */
  @JsonIgnore
  public boolean isPossible() {
    return contradictions.isEmpty()
        && findings.stream().noneMatch(finding -> finding.severity() == Severity.ERROR);
  }
}
