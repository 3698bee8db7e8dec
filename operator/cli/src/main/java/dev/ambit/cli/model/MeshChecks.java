package dev.ambit.cli.model;

import com.fasterxml.jackson.databind.JsonNode;
import dev.ambit.api.Conditions;
import java.time.Duration;
import java.time.Instant;
import java.time.format.DateTimeParseException;
import java.util.List;
import java.util.Optional;

/** Whether Ambit is installed, ready and up to date. */
public final class MeshChecks {
  private static final String MESH = "Mesh";
  private static final String COMPONENTS = "Components";
  private static final String ENROLLMENTS = "Enrollments";
  private static final Duration CA_NEARLY_OVER = Duration.ofDays(30);

  private MeshChecks() {}

  /**
   * What was read.
   *
   * @param definitions Ambit's own CRDs, those that are there
   * @param version of the command line
   */
  public record Facts(
      List<JsonNode> definitions,
      Optional<JsonNode> mesh,
      List<JsonNode> enrollments,
      List<WaypointStatus> waypoints,
      Optional<JsonNode> operator,
      List<JsonNode> daemonSets,
      String rootNamespace,
      String version) {}

  /** Checks. */
  public static void check(Facts facts, Instant now, CheckReport.Builder report) {
    if (facts.definitions().isEmpty()) {
      report.error(
          MESH,
          "Ambit is not installed: its CRDs are not there",
          "helm install ambit helm/ambit --namespace "
              + facts.rootNamespace()
              + " --create-namespace");
      return;
    }
    for (JsonNode definition : facts.definitions()) {
      if (!Objects.holds(definition, "Established")) {
        report.error(
            MESH,
            "CRD " + Objects.name(definition) + " is not established",
            "See `kubectl describe crd " + Objects.name(definition) + "`");
      }
    }
    operator(facts, report);
    mesh(facts.mesh(), now, report);
    daemonSet("ambit-ztunnel", facts, report);
    daemonSet("ambit-agent", facts, report);
    enrollments(facts, report);
    waypoints(facts, report);
  }

  private static void operator(Facts facts, CheckReport.Builder report) {
    if (facts.operator().isEmpty()) {
      report.error(
          COMPONENTS,
          "There is no operator in namespace " + facts.rootNamespace(),
          "Install Ambit there, or name its namespace by --ambit-namespace");
      return;
    }
    JsonNode operator = facts.operator().get();
    int wanted = operator.at("/spec/replicas").asInt(1);
    int ready = operator.at("/status/readyReplicas").asInt();
    if (ready == 0) {
      report.error(
          COMPONENTS,
          "No replica of the operator is ready: nothing is certified or enrolled",
          "kubectl -n " + facts.rootNamespace() + " logs deployment/ambit-operator");
    } else if (ready < wanted) {
      report.warning(
          COMPONENTS,
          ready + " of " + wanted + " replicas of the operator are ready",
          "kubectl -n " + facts.rootNamespace() + " describe pods");
    } else {
      report.ok(COMPONENTS, "Operator: " + ready + " of " + wanted + " replicas ready");
    }
    String image = Objects.text(operator, "/spec/template/spec/containers/0/image");
    String tag = image.substring(image.lastIndexOf(':') + 1);
    if (image.lastIndexOf(':') > image.lastIndexOf('/')
        && !tag.equals(facts.version())
        && !facts.version().equals("unreleased")) {
      report.warning(
          COMPONENTS,
          "The operator is " + tag + " and this command line " + facts.version(),
          "Use the command line of the operator's version");
    }
  }

  private static void mesh(Optional<JsonNode> mesh, Instant now, CheckReport.Builder report) {
    if (mesh.isEmpty()) {
      report.error(
          MESH,
          "There is no AmbientMesh, so no node captures pods",
          "Create one named default, or install the chart with mesh.create=true");
      return;
    }
    MeshStatus status = MeshStatus.of(mesh.get());
    if (!status.ready()) {
      report.error(
          MESH,
          "The AmbientMesh is not ready, " + status.reason() + ": " + status.message(),
          "kubectl describe ambientmesh default");
    } else {
      report.ok(
          MESH,
          "The AmbientMesh is ready: "
              + status.nodesReady()
              + " of "
              + status.nodes()
              + " nodes, trust domain "
              + status.trustDomain());
    }
    for (ConditionLine condition : status.conditions()) {
      boolean own =
          List.of(Conditions.READY, Conditions.RECONCILING, Conditions.STALLED)
              .contains(condition.type());
      if (!own && !condition.holds()) {
        report.warning(
            MESH,
            condition.type() + " is " + condition.status() + ": " + condition.message(),
            "kubectl describe ambientmesh default");
      }
    }
    if (status.nodesUpToDate() < status.nodes()) {
      report.warning(
          MESH,
          status.nodesUpToDate()
              + " of "
              + status.nodes()
              + " nodes run what the AmbientMesh asks for",
          "Wait until the others are updated; `ambit status` shows how far it is");
    }
    authority(status, now, report);
  }

  private static void authority(MeshStatus status, Instant now, CheckReport.Builder report) {
    try {
      Duration left = Duration.between(now, Instant.parse(status.caExpires()));
      String message = "The certificate authority expires on " + status.caExpires();
      if (!left.isPositive()) {
        report.error(MESH, message, "Replace it; docs/guide.md says how, under Certificates");
      } else if (left.compareTo(CA_NEARLY_OVER) < 0) {
        report.warning(MESH, message, "Replace it; docs/guide.md says how, under Certificates");
      } else {
        report.ok(MESH, message);
      }
    } catch (DateTimeParseException e) {
      report.warning(
          MESH, "The AmbientMesh names no certificate authority yet", "See the operator's log");
    }
  }

  private static void daemonSet(String name, Facts facts, CheckReport.Builder report) {
    Optional<JsonNode> found =
        facts.daemonSets().stream()
            .filter(each -> Objects.namespace(each).equals(facts.rootNamespace()))
            .filter(each -> Objects.name(each).equals(name))
            .findFirst();
    if (found.isEmpty()) {
      report.error(
          COMPONENTS,
          "There is no DaemonSet " + name + " in namespace " + facts.rootNamespace(),
          "See the conditions of the AmbientMesh, and the operator's log");
      return;
    }
    JsonNode daemonSet = found.get();
    int wanted = daemonSet.at("/status/desiredNumberScheduled").asInt();
    int ready = daemonSet.at("/status/numberReady").asInt();
    int updated = daemonSet.at("/status/updatedNumberScheduled").asInt();
    String message = name + ": " + ready + " of " + wanted + " ready, " + updated + " up to date";
    if (ready < wanted) {
      report.error(
          COMPONENTS,
          message,
          "kubectl -n "
              + facts.rootNamespace()
              + " get pods -o wide -l app.kubernetes.io/name="
              + name);
    } else if (updated < wanted) {
      report.warning(COMPONENTS, message, "Wait until the rollout has ended");
    } else {
      report.ok(COMPONENTS, message);
    }
  }

  private static void enrollments(Facts facts, CheckReport.Builder report) {
    int stalled = 0;
    for (JsonNode each : facts.enrollments()) {
      EnrollmentStatus status = EnrollmentStatus.of(each);
      if (status.isStalled()) {
        stalled++;
        report.warning(
            ENROLLMENTS,
            status.namespace() + "/" + status.name() + " is stalled: " + status.message(),
            "ambit status " + status.namespace());
      }
    }
    if (stalled == 0) {
      report.ok(ENROLLMENTS, facts.enrollments().size() + " enrollments, none of them stalled");
    }
  }

  private static void waypoints(Facts facts, CheckReport.Builder report) {
    for (WaypointStatus waypoint : facts.waypoints()) {
      if (!waypoint.programmed()) {
        report.warning(
            "Waypoints",
            waypoint.namespace()
                + "/"
                + waypoint.name()
                + " is not ready, "
                + waypoint.reason()
                + ": "
                + waypoint.message(),
            "kubectl -n " + waypoint.namespace() + " describe gateway " + waypoint.name());
      }
    }
  }
}
