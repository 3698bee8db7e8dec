package dev.ambit.operator.waypoint.route.model;

import static org.assertj.core.api.Assertions.assertThat;

import dev.ambit.operator.model.ObjectCondition;
import dev.ambit.operator.waypoint.model.ObjectReference;
import io.fabric8.kubernetes.api.model.gatewayapi.v1.ParentReference;
import io.fabric8.kubernetes.api.model.gatewayapi.v1.ParentReferenceBuilder;
import java.time.Instant;
import java.util.List;
import java.util.Map;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

/** What becomes of the entries of a route's status, ours and others'. */
class ParentStatusesTest {
  private static final Instant NOW = Instant.parse("2026-02-03T04:05:06.7Z");
  private static final String OTHER = "example.org/controller";

  private static RouteStatus status(ParentReference parent, long generation, boolean accepted) {
    return new RouteStatus(
        new ObjectReference("gateway.networking.k8s.io", "HTTPRoute", "shop", "route"),
        generation,
        parent,
        List.of(new ObjectCondition("Accepted", accepted, "Reason", "message")));
  }

  private static ParentReference service(String name) {
    return new ParentReferenceBuilder().withGroup("").withKind("Service").withName(name).build();
  }

  private static Map<String, Object> entry(
      String controller, Map<String, Object> parent, Map<String, Object> condition) {
    return Map.of(
        "parentRef", parent, "controllerName", controller, "conditions", List.of(condition));
  }

  private static Map<String, Object> reference(String name) {
    return Map.of("group", "", "kind", "Service", "name", name);
  }

  private static Map<String, Object> condition(String type, String status, int generation) {
    return Map.of(
        "type",
        type,
        "status",
        status,
        "reason",
        "Before",
        "message",
        "before",
        "lastTransitionTime",
        "2026-01-01T00:00:00Z",
        "observedGeneration",
        generation);
  }

  private static List<Map<String, Object>> merge(
      List<Map<String, Object>> present, RouteStatus... wanted) {
    return ParentStatuses.merge(present, List.of(wanted), "shop", NOW);
  }

  @Test
  void addsOursAfterOthers() {
    Map<String, Object> other = entry(OTHER, reference("web"), condition("Accepted", "False", 1));
    List<Map<String, Object>> merged = merge(List.of(other), status(service("web"), 2, true));
    assertThat(merged).hasSize(2).startsWith(other);
    assertThat(merged.get(1))
        .containsEntry("controllerName", "ambit.dev/waypoint-controller")
        .containsEntry("parentRef", reference("web"))
        .containsEntry(
            "conditions",
            List.of(
                Map.of(
                    "type", "Accepted",
                    "status", "True",
                    "reason", "Reason",
                    "message", "message",
                    "lastTransitionTime", "2026-02-03T04:05:06Z",
                    "observedGeneration", 2)));
  }

  @Test
  void comesToRest() {
    RouteStatus wanted = status(service("web"), 2, true);
    List<Map<String, Object>> once = merge(List.of(), wanted);
    assertThat(ParentStatuses.merge(once, List.of(wanted), "shop", NOW.plusSeconds(60)))
        .isEqualTo(once);
  }

  @Test
  void keepsSinceWhenAConditionHolds() {
    Map<String, Object> ours =
        entry(
            RouteStatus.CONTROLLER_NAME,
            Map.of("group", "", "kind", "Service", "name", "web", "namespace", "shop"),
            condition("Accepted", "True", 1));
    assertThat(merge(List.of(ours), status(service("web"), 2, true)).toString())
        .contains("2026-01-01T00:00:00Z", "observedGeneration=2", "message=message");
    assertThat(merge(List.of(ours), status(service("web"), 2, false)).toString())
        .contains("2026-02-03T04:05:06Z");
  }

  @Test
  void keepsConditionsThatOthersAddedToOurEntry() {
    Map<String, Object> ours =
        entry(
            RouteStatus.CONTROLLER_NAME,
            reference("web"),
            condition("example.org/Checked", "True", 1));
    assertThat(merge(List.of(ours), status(service("web"), 2, true)).toString())
        .contains("type=example.org/Checked", "type=Accepted");
  }

  @Test
  void takesBackWhatIsTrueNoLonger() {
    Map<String, Object> other = entry(OTHER, reference("web"), condition("Accepted", "False", 1));
    Map<String, Object> ours =
        entry(
            RouteStatus.CONTROLLER_NAME,
            reference("web"),
            condition("PartiallyInvalid", "True", 1));
    assertThat(merge(List.of(ours, other))).containsExactly(other);
    assertThat(merge(List.of(ours, other), status(service("web"), 1, true)).toString())
        .doesNotContain("PartiallyInvalid");
  }

  @Test
  void tellsParentsApartByPortAndSection() {
    ParentReference port = new ParentReferenceBuilder(service("web")).withPort(80).build();
    assertThat(merge(List.of(), status(service("web"), 1, true), status(port, 1, false)))
        .hasSize(2);
  }

  @Test
  void leavesWhatIsSaidOfANewerGeneration() {
    Map<String, Object> ours =
        entry(RouteStatus.CONTROLLER_NAME, reference("web"), condition("Accepted", "True", 5));
    assertThat(merge(List.of(ours), status(service("web"), 4, false))).containsExactly(ours);
  }

  @Test
  void addsNoMoreThanTheApiTakes() {
    List<Map<String, Object>> others =
        IntStream.range(0, 32)
            .mapToObj(i -> entry(OTHER, reference("other-" + i), condition("Accepted", "True", 1)))
            .toList();
    assertThat(merge(others, status(service("web"), 1, true))).isEqualTo(others);
  }
}
