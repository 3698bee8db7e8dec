package dev.ambit.operator.waypoint.telemetry.model;

import static dev.ambit.operator.waypoint.telemetry.model.Objects.telemetry;
import static org.assertj.core.api.Assertions.assertThat;

import dev.ambit.operator.model.ObjectCondition;
import dev.ambit.operator.waypoint.telemetry.model.TelemetryReport.Verdict;
import io.fabric8.istio.api.telemetry.v1.Telemetry;
import java.util.List;
import java.util.Set;
import org.junit.jupiter.api.Test;

/** What a Telemetry object's status says. */
class TelemetryReportTest {
  private static List<TelemetryReport> reports(Telemetry... objects) {
    return TelemetryReport.of(
        Objects.all(objects), Objects.PROVIDERS, Set.of(Objects.WAYPOINT), Objects.SERVICES);
  }

  private static TelemetryReport report(String namespace, String spec) {
    return reports(telemetry(namespace, "one", spec)).getFirst();
  }

  @Test
  void allOfItIsDone() {
    TelemetryReport report =
        report(
            "store",
            """
            targetRefs: [{group: "", kind: Service, name: cart}]
            accessLogging: [{providers: [{name: json}], filter: {expression: response.code > 400}}]
            tracing: [{providers: [{name: spans}], customTags: {a: {literal: {value: b}}}}]
            metrics: [{providers: [{name: prometheus}], overrides: [{match: {metric: REQUEST_SIZE}, disabled: true}]}]
            """);

    assertThat(report.verdict()).isEqualTo(Verdict.ACCEPTED);
    assertThat(report.generation()).isEqualTo(3);
    assertThat(report.object()).hasToString("Telemetry store/one");
    assertThat(report.condition())
        .isEqualTo(
            new ObjectCondition("WaypointAccepted", true, "Accepted", "waypoints do all of it")
                .of(3));
  }

  @Test
  void whatIsNotDoneIsNamed() {
    TelemetryReport report =
        report(
            "store",
            """
            accessLogging:
            - providers: [{name: nobody}, {name: spans}]
              filter: {expression: "pod == 1"}
            - match: {mode: CLIENT}
            tracing:
            - providers: [{name: lost}, {name: spans}]
              customTags: {empty: {literal: {value: ""}}}
              enableIstioTags: false
            metrics:
            - reportingInterval: 5s
              overrides:
              - match: {customMetric: my_metric}
                tagOverrides: {"no label": {value: "1"}, x: {value: "y("}}
            """);

    assertThat(report.verdict()).isEqualTo(Verdict.PARTIALLY_INVALID);
    assertThat(report.message())
        .contains(
            "spec.accessLogging[0].providers: the mesh has no provider nobody",
            "spec.accessLogging[0].providers: the provider spans is not for this",
            "spec.accessLogging[0].filter.expression: Envoy has no attribute pod",
            "spec.accessLogging[1].match.mode: a waypoint stands for servers",
            "spec.tracing[0].providers: of the provider lost there is no service",
            "spec.tracing[0].providers: a waypoint sends spans to the first",
            "spec.tracing[0].customTags[empty]",
            "spec.tracing[0].enableIstioTags",
            "spec.metrics[0].reportingInterval",
            "spec.metrics[0].overrides[0].match: a waypoint has no such metric",
            "spec.metrics[0].overrides[0].tagOverrides[no label]",
            "spec.metrics[0].overrides[0].tagOverrides[x]");
  }

  @Test
  void whatNamesNothingThatWaypointsHaveIsNotAccepted() {
    assertThat(report("store", "selector: {matchLabels: {app: cart}}").verdict())
        .isEqualTo(Verdict.INVALID);
    assertThat(report("store", "targetRefs: [{group: \"\", kind: Service, name: gone}]").verdict())
        .isEqualTo(Verdict.TARGET_NOT_FOUND);
    assertThat(
            report(
                    "store",
                    "targetRefs: [{group: gateway.networking.k8s.io, kind: Gateway, name: gone}]")
                .verdict())
        .isEqualTo(Verdict.TARGET_NOT_FOUND);
    assertThat(report("store", "targetRefs: [{group: apps, kind: Deployment, name: a}]").verdict())
        .isEqualTo(Verdict.INVALID);
    assertThat(
            report(
                    "store",
                    "targetRefs: [{group: gateway.networking.k8s.io, kind: GatewayClass, name:"
                        + " ambit-waypoint}]")
                .message())
        .contains("can be named in the namespace " + Objects.ROOT + " alone");
    assertThat(
            report(
                    "store",
                    "targetRefs: [{group: \"\", kind: Service, name: cart, namespace: other}]")
                .message())
        .contains("another namespace");
  }

  @Test
  void aMissingTargetBesideOneThatIsThereIsNamed() {
    TelemetryReport report =
        report(
            "store",
            """
            targetRefs: [{group: "", kind: Service, name: cart}, {group: "", kind: Service, name: gone}]
            """);

    assertThat(report.verdict()).isEqualTo(Verdict.PARTIALLY_INVALID);
    assertThat(report.message()).contains("Service gone is not there");
  }

  @Test
  void theOldestForTheSameCounts() {
    List<TelemetryReport> reports =
        reports(
            telemetry("store", "old", "tracing: [{randomSamplingPercentage: 1}]"),
            telemetry("store", "new", "tracing: [{randomSamplingPercentage: 2}]"));

    assertThat(reports)
        .extracting(TelemetryReport::verdict)
        .containsExactly(Verdict.ACCEPTED, Verdict.CONFLICTED);
    assertThat(reports.getLast().message()).contains("Telemetry store/old is older");
  }
}
