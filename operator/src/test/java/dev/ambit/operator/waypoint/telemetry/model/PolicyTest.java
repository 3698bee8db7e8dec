package dev.ambit.operator.waypoint.telemetry.model;

import static dev.ambit.operator.waypoint.telemetry.model.Objects.telemetry;
import static org.assertj.core.api.Assertions.assertThat;

import dev.ambit.operator.waypoint.model.Backend;
import dev.ambit.operator.waypoint.model.MeshService;
import dev.ambit.operator.waypoint.model.PortProtocol;
import io.fabric8.istio.api.telemetry.v1.Telemetry;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.Test;

/** Which Telemetry objects are for a chain, and what several come to. */
class PolicyTest {
  private static final Defaults NOTHING_WRITTEN = Defaults.METRICS_ONLY;

  private static Policy policy(Defaults defaults, MeshService service, Telemetry... objects) {
    return Policy.of(
        defaults,
        Objects.PROVIDERS,
        Objects.all(objects).of(Objects.WAYPOINT, Optional.of(service)));
  }

  private static Policy cart(Telemetry... objects) {
    return policy(NOTHING_WRITTEN, Objects.CART, objects);
  }

  @Test
  void withoutObjectsThereAreMetricsAndNothingElse() {
    assertThat(cart())
        .isEqualTo(new Policy(MetricChoice.ALL, java.util.Map.of(), Optional.empty()));
  }

  @Test
  void anObjectIsForWhatItNamesAlone() {
    Telemetry object =
        telemetry(
            "store",
            "one",
            """
            targetRefs: [{group: "", kind: Service, name: cart}]
            accessLogging: [{providers: [{name: json}]}]
            """);

    assertThat(cart(object).logs()).containsOnlyKeys("json");
    assertThat(policy(NOTHING_WRITTEN, Objects.STOCK, object).logs()).isEmpty();
  }

  @Test
  void ofEachScopeTheOldestCountsAndTheNarrowerWins() {
    Telemetry mesh = telemetry(Objects.ROOT, "mesh", "tracing: [{providers: [{name: spans}]}]");
    Telemetry byClass =
        telemetry(
            Objects.ROOT,
            "class",
            """
            targetRefs: [{group: gateway.networking.k8s.io, kind: GatewayClass, name: ambit-waypoint}]
            tracing: [{randomSamplingPercentage: 2}]
            """);
    Telemetry namespace =
        telemetry("store", "namespace", "tracing: [{randomSamplingPercentage: 3}]");
    Telemetry later = telemetry("store", "later", "tracing: [{randomSamplingPercentage: 99}]");
    Telemetry gateway =
        telemetry(
            "store",
            "gateway",
            """
            targetRefs: [{group: gateway.networking.k8s.io, kind: Gateway, name: waypoint}]
            tracing: [{randomSamplingPercentage: 4}]
            """);
    Telemetry service =
        telemetry(
            "store",
            "service",
            """
            targetRefs: [{group: "", kind: Service, name: cart}]
            tracing: [{randomSamplingPercentage: 5}]
            """);

    assertThat(sampled(mesh)).isEqualTo(Policy.DEFAULT_SAMPLING);
    assertThat(sampled(mesh, byClass)).isEqualTo(2);
    assertThat(sampled(mesh, byClass, namespace, later)).isEqualTo(3);
    assertThat(sampled(mesh, byClass, namespace, gateway)).isEqualTo(4);
    assertThat(sampled(service, gateway, namespace, byClass, mesh)).isEqualTo(5);
  }

  private static double sampled(Telemetry... objects) {
    return cart(objects).trace().orElseThrow().sampled();
  }

  @Test
  void aNarrowerObjectSwitchesOffWhatAWiderSwitchedOn() {
    Telemetry mesh =
        telemetry(
            Objects.ROOT,
            "mesh",
            """
            accessLogging: [{providers: [{name: json}, {name: otlp}]}]
            tracing: [{providers: [{name: spans}]}]
            """);
    Telemetry quiet =
        telemetry(
            "store",
            "quiet",
            """
            accessLogging: [{providers: [{name: json}, {name: otlp}]}, {providers: [{name: otlp}], disabled: true}]
            tracing: [{disableSpanReporting: true}]
            metrics: [{providers: [{name: prometheus}], overrides: [{disabled: true}]}]
            """);

    assertThat(cart(mesh).logs()).containsOnlyKeys("json", "otlp");
    assertThat(cart(mesh).trace()).isPresent();
    assertThat(cart(mesh, quiet).logs()).containsOnlyKeys("json");
    assertThat(cart(mesh, quiet).trace()).isEmpty();
    assertThat(cart(mesh, quiet).metrics().on()).isEmpty();
  }

  @Test
  void entriesWithoutProvidersAreForThoseThatAWiderObjectNamed() {
    Defaults defaults = new Defaults(List.of("json"), List.of(), List.of("prometheus"));
    Telemetry failures =
        telemetry(
            "store", "failures", "accessLogging: [{filter: {expression: response.code >= 500}}]");
    Telemetry none = telemetry("store", "none", "accessLogging: [{disabled: true}]");

    assertThat(policy(defaults, Objects.CART, failures).logs())
        .containsEntry("json", new Policy.Log(Optional.of("response.code >= 500")));
    assertThat(policy(defaults, Objects.CART, none).logs()).isEmpty();
  }

  @Test
  void whatIsForClientsIsNotForWaypoints() {
    Telemetry clients =
        telemetry(
            "store",
            "clients",
            """
            accessLogging: [{match: {mode: CLIENT}, providers: [{name: json}]}]
            metrics: [{overrides: [{match: {mode: CLIENT, metric: ALL_METRICS}, disabled: true}]}]
            """);

    assertThat(cart(clients).logs()).isEmpty();
    assertThat(cart(clients).metrics()).isEqualTo(MetricChoice.ALL);
  }

  @Test
  void labelsChangeWhereTheMetricIsMeant() {
    Telemetry changes =
        telemetry(
            "store",
            "changes",
            """
            metrics:
            - overrides:
              - match: {metric: REQUEST_COUNT}
                tagOverrides:
                  source_principal: {operation: REMOVE}
                  host: {operation: UPSERT, value: request.host}
                  bad: {value: "no such"}
              - match: {customMetric: request_duration_milliseconds}
                disabled: true
            """);
    MetricChoice metrics = cart(changes).metrics();

    assertThat(metrics.labels(Metric.REQUEST_COUNT, Label.Traffic.HTTP))
        .doesNotContainKeys("source_principal", "bad")
        .containsEntry("host", "%CEL(request.host)%")
        .containsEntry("reporter", "waypoint");
    assertThat(metrics.labels(Metric.REQUEST_SIZE, Label.Traffic.HTTP))
        .containsKey("source_principal")
        .doesNotContainKey("host");
    assertThat(metrics.isOn(Metric.REQUEST_DURATION)).isFalse();
  }

  @Test
  void aProviderWhoseServiceIsNotThereGetsNothing() {
    Telemetry lost = telemetry("store", "lost", "tracing: [{providers: [{name: lost}]}]");
    Telemetry found =
        telemetry(
            "store",
            "found",
            """
            tracing: [{providers: [{name: spans}]}]
            accessLogging: [{providers: [{name: otlp}]}]
            """);

    assertThat(result(lost).chain().tracing()).isEmpty();
    assertThat(result(lost).collectors()).isEmpty();
    assertThat(result(found).chain().tracing()).isPresent();
    assertThat(result(found).collectors())
        .containsExactly(new Backend(Objects.COLLECTOR, 4317, PortProtocol.GRPC, Optional.empty()));
  }

  private static WaypointTelemetry.Result result(Telemetry... objects) {
    return new WaypointTelemetry(
            Objects.WAYPOINT,
            Objects.all(objects),
            Objects.PROVIDERS,
            NOTHING_WRITTEN,
            Objects.SERVICES)
        .of(Objects.CART, PortProtocol.HTTP);
  }

  @Test
  void onlyChainsThatAreMeantChange() {
    Telemetry traced = telemetry(Objects.ROOT, "mesh", "tracing: [{providers: [{name: spans}]}]");

    assertThat(result(traced).chain().tcp()).isEqualTo(result().chain().tcp());
    assertThat(result(traced).chain().http()).isEqualTo(result().chain().http());
    assertThat(result(traced)).isNotEqualTo(result());
  }
}
