package dev.ambit.cli;

import dev.ambit.api.Conditions;
import dev.ambit.cli.model.Ages;
import dev.ambit.cli.model.ConditionLine;
import dev.ambit.cli.model.EnrollmentStatus;
import dev.ambit.cli.model.FleetStatus;
import dev.ambit.cli.model.MeshStatus;
import dev.ambit.cli.model.NodeStatus;
import dev.ambit.cli.model.StatusView;
import dev.ambit.cli.model.WaypointStatus;
import dev.ambit.cli.output.Cell;
import dev.ambit.cli.output.Page;
import dev.ambit.cli.output.Table;
import dev.ambit.cli.output.Tone;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;

/** {@code ambit status} for people. */
record StatusPage(StatusView view, @Nullable String namespace, Instant now) {
  /** Those that say so when something is wrong; the others are wanted. */
  private static final Set<String> BAD_WHEN_TRUE =
      Set.of(Conditions.STALLED, "LabelOverridden", "Degraded");

  void write(Page page) {
    mesh(page);
    nodes(page);
    fleets(page);
    if (view.enrollments().isEmpty()) {
      page.gap()
          .line(
              namespace == null
                  ? "No namespace is enrolled. `ambit enroll NAMESPACE` enrolls one."
                  : "Namespace "
                      + namespace
                      + " is not enrolled. `ambit enroll "
                      + namespace
                      + "` enrolls it.");
    } else {
      page.gap().table(enrollments());
    }
    if (namespace != null) {
      view.enrollments().forEach(enrollment -> detail(page, enrollment));
    }
    waypoints(page);
  }

  private void mesh(Page page) {
    MeshStatus mesh = view.mesh();
    if (mesh == null) {
      page.line("There is no AmbientMesh: the mesh is not installed.", Tone.BAD);
      return;
    }
    page.line(
        (mesh.ready()
                ? page.paint("Mesh ready", Tone.GOOD)
                : page.paint("Mesh not ready", Tone.BAD))
            + ": "
            + mesh.nodesReady()
            + " of "
            + mesh.nodes()
            + " nodes ready, "
            + mesh.nodesUpToDate()
            + " up to date; trust domain "
            + Cell.of(mesh.trustDomain()).text()
            + "; CA expires "
            + Cell.of(mesh.caExpires()).text());
    if (!mesh.ready()) {
      page.line(mesh.reason() + ": " + mesh.message());
    }
  }

  private void nodes(Page page) {
    List<NodeStatus> shown =
        namespace != null
            ? view.nodes()
            : view.nodes().stream()
                .filter(node -> !node.ztunnelReady() || !node.agentReady())
                .toList();
    if (shown.isEmpty()) {
      return;
    }
    Table table = new Table("NODE", "ZTUNNEL", "READY", "AGENT", "READY");
    shown.forEach(
        node ->
            table.row(
                node.node(),
                node.ztunnel(),
                yes(node.ztunnelReady()),
                node.agent(),
                yes(node.agentReady())));
    page.gap().table(table);
  }

  private static Cell yes(boolean yes) {
    return yes ? Cell.of("yes", Tone.GOOD) : Cell.of("no", Tone.BAD);
  }

  private void fleets(Page page) {
    if (view.fleets().isEmpty()) {
      return;
    }
    Table table =
        new Table(
            "FLEET",
            "ASKED",
            "WAVE",
            "NAMESPACES",
            "DONE",
            "MOVING",
            "WAITING",
            "FAILED",
            "HELD",
            "READY",
            "REASON");
    for (FleetStatus each : view.fleets()) {
      Tone tone = each.isStalled() ? Tone.BAD : each.atGoal() ? Tone.GOOD : Tone.WARNING;
      table.row(
          each.name(),
          each.asked(),
          Cell.of(each.wave()),
          each.selected(),
          each.done(),
          each.moving() + each.leaving(),
          each.waiting(),
          Cell.of(String.valueOf(each.failed()), each.failed() > 0 ? Tone.BAD : Tone.PLAIN),
          each.held(),
          each.current() ? Cell.of(each.ready(), tone) : Cell.of("Unknown", Tone.WARNING),
          Cell.of(each.reason(), tone));
    }
    page.gap().table(table);
    List<FleetStatus.Held> held =
        view.fleets().stream().flatMap(fleet -> fleet.heldNamespaces().stream()).toList();
    if (!held.isEmpty()) {
      Table why = new Table("HELD NAMESPACE", "REASON", "MESSAGE");
      held.forEach(each -> why.row(each.namespace(), each.reason(), each.message()));
      page.gap().table(why);
    }
  }

  private Table enrollments() {
    boolean steps = view.enrollments().stream().anyMatch(each -> each.step() != null);
    boolean proven = view.enrollments().stream().anyMatch(each -> each.proven() != null);
    List<String> headings =
        new ArrayList<>(List.of("NAMESPACE", "NAME", "STAGE", "ASKED", "PHASE"));
    if (steps) {
      headings.add("STEP");
    }
    headings.addAll(List.of("PODS", "CAPTURED"));
    if (proven) {
      headings.add("PROVEN");
    }
    headings.addAll(List.of("EXCLUDED", "READY", "WAYPOINTS"));
    Table table = new Table(headings.toArray(String[]::new));
    for (EnrollmentStatus each : view.enrollments()) {
      Tone tone = each.isStalled() ? Tone.BAD : each.atGoal() ? Tone.PLAIN : Tone.WARNING;
      List<Object> cells =
          new ArrayList<>(
              List.of(
                  each.namespace(),
                  each.name(),
                  each.stage(),
                  each.asked(),
                  Cell.of(each.phase(), tone)));
      if (steps) {
        cells.add(Cell.of(each.step()));
      }
      cells.addAll(List.of(each.pods(), each.captured()));
      if (proven) {
        cells.add(Cell.of(each.proven()));
      }
      cells.addAll(List.of(each.excluded(), readiness(each), waypointsOf(each)));
      table.row(cells.toArray());
    }
    return table;
  }

  private static Cell readiness(EnrollmentStatus each) {
    if (!each.current()) {
      return Cell.of("Unknown", Tone.WARNING);
    }
    return Cell.of(
        each.ready(), each.atGoal() ? Tone.GOOD : each.isStalled() ? Tone.BAD : Tone.WARNING);
  }

  private Cell waypointsOf(EnrollmentStatus enrollment) {
    List<WaypointStatus> own =
        view.waypoints().stream()
            .filter(waypoint -> waypoint.namespace().equals(enrollment.namespace()))
            .toList();
    return Cell.of(
        own.stream()
            .map(waypoint -> waypoint.name() + (waypoint.programmed() ? "" : " (not ready)"))
            .collect(Collectors.joining(", ")),
        own.stream().allMatch(WaypointStatus::programmed) ? Tone.PLAIN : Tone.BAD);
  }

  private void detail(Page page, EnrollmentStatus enrollment) {
    page.heading(
        "MeshEnrollment "
            + enrollment.name()
            + switch (enrollment.source()) {
              case "labels" -> ", from the namespace's labels";
              case "fleet" -> ", of a ClusterMeshEnrollment";
              default -> "";
            });
    if (!enrollment.current()) {
      page.line("The operator has not looked at the spec as it is now.", Tone.WARNING);
    }
    Table conditions = new Table("CONDITION", "STATUS", "SINCE", "REASON", "MESSAGE");
    enrollment
        .conditions()
        .forEach(
            each ->
                conditions.row(
                    each.type(),
                    Cell.of(each.status(), tone(each)),
                    Ages.since(each.since(), now),
                    each.reason(),
                    each.message()));
    if (!conditions.isEmpty()) {
      page.table(conditions);
    }
    if (!enrollment.findings().isEmpty()) {
      Table findings = new Table("FINDING", "REASON", "OBJECT", "MESSAGE");
      enrollment
          .findings()
          .forEach(
              each ->
                  findings.row(
                      Cell.of(
                          each.severity(),
                          each.severity().equals("Error") ? Tone.BAD : Tone.WARNING),
                      each.reason(),
                      each.object(),
                      each.message()));
      page.gap().table(findings);
    }
    if (!enrollment.plaintext().isEmpty()) {
      Table plaintext =
          new Table("PLAINTEXT FROM", "TO", "PORT", "PROTOCOL", "CONNECTIONS", "OPEN", "LAST");
      enrollment
          .plaintext()
          .forEach(
              each ->
                  plaintext.row(
                      each.from(),
                      each.to(),
                      each.port(),
                      each.protocol(),
                      each.connections(),
                      each.open(),
                      Ages.since(each.last(), now) + " ago"));
      page.gap().table(plaintext);
    }
    if (!enrollment.excludedPods().isEmpty()) {
      Table excluded = new Table("EXCLUDED POD", "REASON");
      enrollment.excludedPods().forEach(each -> excluded.row(each.pod(), each.reason()));
      page.gap().table(excluded);
    }
    if (!enrollment.history().isEmpty()) {
      Table history = new Table("WHEN", "STAGE", "PHASE", "REASON");
      enrollment
          .history()
          .forEach(
              each ->
                  history.row(
                      Ages.since(each.time(), now) + " ago",
                      each.stage(),
                      each.phase(),
                      each.reason()));
      page.gap().table(history);
    }
  }

  private static Tone tone(ConditionLine condition) {
    boolean holds = "True".equals(condition.status());
    if (BAD_WHEN_TRUE.contains(condition.type())) {
      return holds ? Tone.BAD : Tone.GOOD;
    }
    if (condition.type().equals(Conditions.RECONCILING)) {
      return holds ? Tone.WARNING : Tone.GOOD;
    }
    return holds ? Tone.GOOD : Tone.WARNING;
  }

  private void waypoints(Page page) {
    List<WaypointStatus> shown =
        view.waypoints().stream()
            .filter(each -> each.namespace().equals(namespace) || !each.programmed())
            .toList();
    if (shown.isEmpty()) {
      return;
    }
    Table table = new Table("WAYPOINT", "CLASS", "READY", "ADDRESS", "REASON", "MESSAGE");
    shown.forEach(
        each ->
            table.row(
                each.namespace() + "/" + each.name(),
                each.gatewayClass(),
                yes(each.programmed()),
                String.join(", ", each.addresses()),
                each.reason(),
                each.message()));
    page.gap().table(table);
  }
}
