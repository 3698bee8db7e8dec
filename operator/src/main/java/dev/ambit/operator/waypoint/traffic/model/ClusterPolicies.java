package dev.ambit.operator.waypoint.traffic.model;

import com.google.protobuf.Duration;
import com.google.protobuf.UInt32Value;
import dev.ambit.operator.waypoint.model.PortProtocol;
import io.envoyproxy.envoy.config.cluster.v3.CircuitBreakers;
import io.envoyproxy.envoy.config.cluster.v3.Cluster;
import io.envoyproxy.envoy.config.cluster.v3.OutlierDetection;
import io.envoyproxy.envoy.config.cluster.v3.UpstreamConnectionOptions;
import io.envoyproxy.envoy.config.core.v3.HttpProtocolOptions;
import io.envoyproxy.envoy.config.core.v3.TcpKeepalive;
import io.envoyproxy.envoy.type.v3.Percent;
import io.fabric8.istio.api.api.networking.v1alpha3.ConnectionPoolSettings;
import io.fabric8.istio.api.api.networking.v1alpha3.ConnectionPoolSettingsHTTPSettings;
import io.fabric8.istio.api.api.networking.v1alpha3.ConnectionPoolSettingsTCPSettings;
import io.fabric8.istio.api.api.networking.v1alpha3.TrafficPolicyRetryBudget;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/** Translates what a traffic policy says for a port. */
final class ClusterPolicies {
  /** Envoy's own defaults, such as three retries at once, cut traffic off while pods change. */
  private static final UInt32Value UNLIMITED = UInt32Value.of(-1);

  /** A cluster's connections to pods of the mesh lead to an inner hop, which opens the tunnels. */
  private static final String TUNNELLED =
      "holds for endpoints outside the mesh; a tunnel to a pod of the mesh has the waypoint's own";

  private final String path;
  private final Findings findings;
  private final Cluster.Builder cluster = Cluster.newBuilder();
  private final HttpProtocolOptions.Builder common = HttpProtocolOptions.newBuilder();
  private UpstreamProtocol upstream = UpstreamProtocol.DECLARED;
  private OptionalInt maximumStreams = OptionalInt.empty();
  private Optional<Duration> idleTimeout = Optional.empty();
  private Optional<Duration> maximumDuration = Optional.empty();

  private ClusterPolicies(String path, Findings findings) {
    this.path = path;
    this.findings = findings;
  }

  /** For what is found out on the way, see {@link #check}. */
  static ClusterPolicy translate(PortPolicy policy, String hostname, PortProtocol protocol) {
    return translate("", policy, hostname, protocol, new Findings());
  }

  /** Reports what of a policy is not enforced as written. */
  static void check(String path, PortPolicy policy, Findings findings) {
    translate(path, policy, "host.invalid", PortProtocol.HTTP, findings);
  }

  private static ClusterPolicy translate(
      String path, PortPolicy policy, String hostname, PortProtocol protocol, Findings findings) {
    ClusterPolicies policies = new ClusterPolicies(path, findings);
    policies.pool(policy.pool(), policy.retryBudget());
    policies.outliers(policy.outliers());
    LoadBalancing balancing =
        LoadBalancing.translate(
            path + ".loadBalancer", policy.balancing(), policy.outliers() != null, findings);
    policies.cluster.mergeFrom(balancing.cluster());
    var http = io.envoyproxy.envoy.extensions.upstreams.http.v3.HttpProtocolOptions.newBuilder();
    if (!policies.common.build().equals(HttpProtocolOptions.getDefaultInstance())) {
      http.setCommonHttpProtocolOptions(policies.common);
    }
    Optional<TlsOrigination> tls =
        TlsOrigination.translate(path + ".tls", policy.tls(), hostname, protocol, findings);
    tls.ifPresent(origination -> http.mergeFrom(origination.http()));
    return new ClusterPolicy(
        policies.cluster.build(),
        http.build(),
        policies.upstream,
        policies.maximumStreams,
        balancing.hash(),
        new ConnectionPolicy(
            policies.idleTimeout, policies.maximumDuration, balancing.hashSourceAddress()),
        balancing.locality(),
        tls.map(TlsOrigination::context));
  }

  private void pool(
      @Nullable ConnectionPoolSettings pool, @Nullable TrafficPolicyRetryBudget budget) {
    CircuitBreakers.Thresholds.Builder limits =
        CircuitBreakers.Thresholds.newBuilder()
            .setMaxConnections(UNLIMITED)
            .setMaxPendingRequests(UNLIMITED)
            .setMaxRequests(UNLIMITED)
            .setMaxRetries(UNLIMITED)
            .setTrackRemaining(true);
    if (pool != null) {
      findings.unknown(path + ".connectionPool", pool.getAdditionalProperties());
      if (pool.getHttp() != null) {
        http(path + ".connectionPool.http", pool.getHttp(), limits);
      }
      if (pool.getTcp() != null) {
        tcp(path + ".connectionPool.tcp", pool.getTcp(), limits);
      }
    }
    if (budget != null) {
      retryBudget(budget, limits);
    }
    cluster.setCircuitBreakers(CircuitBreakers.newBuilder().addThresholds(limits));
  }

  private void http(
      String path,
      ConnectionPoolSettingsHTTPSettings settings,
      CircuitBreakers.Thresholds.Builder limits) {
    limit(path + ".http1MaxPendingRequests", settings.getHttp1MaxPendingRequests())
        .ifPresent(value -> limits.setMaxPendingRequests(UInt32Value.of(value)));
    limit(path + ".http2MaxRequests", settings.getHttp2MaxRequests())
        .ifPresent(value -> limits.setMaxRequests(UInt32Value.of(value)));
    limit(path + ".maxRetries", settings.getMaxRetries())
        .ifPresent(value -> limits.setMaxRetries(UInt32Value.of(value)));
    limit(path + ".maxRequestsPerConnection", settings.getMaxRequestsPerConnection())
        .ifPresent(value -> common.setMaxRequestsPerConnection(UInt32Value.of(value)));
    maximumStreams = limit(path + ".maxConcurrentStreams", settings.getMaxConcurrentStreams());
    Durations.of(path + ".idleTimeout", settings.getIdleTimeout(), findings)
        .ifPresent(common::setIdleTimeout);
    boolean clients = Boolean.TRUE.equals(settings.getUseClientProtocol());
    if (settings.getH2UpgradePolicy() != null) {
      switch (settings.getH2UpgradePolicy()) {
        case UPGRADE -> upstream = UpstreamProtocol.HTTP2;
        case DEFAULT, DO_NOT_UPGRADE -> {}
      }
    }
    if (clients) {
      if (upstream == UpstreamProtocol.HTTP2) {
        findings.add(path + ".h2UpgradePolicy", "is overruled by useClientProtocol");
      }
      upstream = UpstreamProtocol.CLIENTS;
    }
    findings.unknown(path, settings.getAdditionalProperties());
  }

  private void tcp(
      String path,
      ConnectionPoolSettingsTCPSettings settings,
      CircuitBreakers.Thresholds.Builder limits) {
    limit(path + ".maxConnections", settings.getMaxConnections())
        .ifPresent(value -> limits.setMaxConnections(UInt32Value.of(value)));
    Durations.positive(path + ".connectTimeout", settings.getConnectTimeout(), findings)
        .ifPresent(
            timeout -> {
              cluster.setConnectTimeout(timeout);
              findings.add(path + ".connectTimeout", TUNNELLED);
            });
    maximumDuration =
        Durations.positive(
            path + ".maxConnectionDuration", settings.getMaxConnectionDuration(), findings);
    maximumDuration.ifPresent(common::setMaxConnectionDuration);
    idleTimeout = Durations.of(path + ".idleTimeout", settings.getIdleTimeout(), findings);
    if (!common.hasIdleTimeout()) {
      idleTimeout.ifPresent(common::setIdleTimeout);
    }
    if (settings.getTcpKeepalive() != null) {
      var keepalive = settings.getTcpKeepalive();
      TcpKeepalive.Builder probes = TcpKeepalive.newBuilder();
      if (keepalive.getProbes() != null && keepalive.getProbes() > 0) {
        probes.setKeepaliveProbes(
            UInt32Value.of((int) Math.min(keepalive.getProbes(), Integer.MAX_VALUE)));
      }
      Durations.positive(path + ".tcpKeepalive.time", keepalive.getTime(), findings)
          .ifPresent(time -> probes.setKeepaliveTime(seconds(time)));
      Durations.positive(path + ".tcpKeepalive.interval", keepalive.getInterval(), findings)
          .ifPresent(interval -> probes.setKeepaliveInterval(seconds(interval)));
      cluster.setUpstreamConnectionOptions(
          UpstreamConnectionOptions.newBuilder().setTcpKeepalive(probes));
      findings.add(path + ".tcpKeepalive", TUNNELLED);
      findings.unknown(path + ".tcpKeepalive", keepalive.getAdditionalProperties());
    }
    findings.unknown(path, settings.getAdditionalProperties());
  }

  private static UInt32Value seconds(Duration duration) {
    return UInt32Value.of(
        (int) Math.clamp(duration.getSeconds() + (duration.getNanos() > 0 ? 1 : 0), 1, 1 << 30));
  }

  private void retryBudget(
      TrafficPolicyRetryBudget budget, CircuitBreakers.Thresholds.Builder limits) {
    String budgetPath = path + ".retryBudget";
    double percent = budget.getPercent() == null ? 20 : budget.getPercent();
    if (percent < 0 || percent > 100 || Double.isNaN(percent)) {
      findings.add(budgetPath + ".percent", "is not a percentage; it is taken for 20");
      percent = 20;
    }
    long least =
        budget.getMinRetryConcurrency() == null || budget.getMinRetryConcurrency() <= 0
            ? 3
            : budget.getMinRetryConcurrency();
    limits.setRetryBudget(
        CircuitBreakers.Thresholds.RetryBudget.newBuilder()
            .setBudgetPercent(Percent.newBuilder().setValue(percent))
            .setMinRetryConcurrency(UInt32Value.of((int) Math.min(least, Integer.MAX_VALUE))));
    findings.unknown(budgetPath, budget.getAdditionalProperties());
  }

  /** A limit; Istio takes 0 for none. */
  private OptionalInt limit(String path, @Nullable Integer value) {
    if (value == null || value == 0) {
      return OptionalInt.empty();
    }
    if (value < 0) {
      findings.add(path, "is less than 0; it is as if it were not set");
      return OptionalInt.empty();
    }
    return OptionalInt.of(value);
  }

  private void outliers(
      io.fabric8.istio.api.api.networking.v1alpha3.@Nullable OutlierDetection outliers) {
    // Envoy would send to endpoints that are not ready once half of all are not.
    double panic = 0;
    if (outliers != null) {
      String at = path + ".outlierDetection";
      OutlierDetection.Builder detection =
          OutlierDetection.newBuilder().setEnforcingSuccessRate(UInt32Value.of(0));
      enforced(
          at + ".consecutive5xxErrors",
          outliers.getConsecutive5xxErrors(),
          detection::setConsecutive5Xx,
          detection::setEnforcingConsecutive5Xx);
      enforced(
          at + ".consecutiveGatewayErrors",
          outliers.getConsecutiveGatewayErrors(),
          detection::setConsecutiveGatewayFailure,
          detection::setEnforcingConsecutiveGatewayFailure);
      Durations.positive(at + ".interval", outliers.getInterval(), findings)
          .ifPresent(detection::setInterval);
      Durations.positive(at + ".baseEjectionTime", outliers.getBaseEjectionTime(), findings)
          .ifPresent(detection::setBaseEjectionTime);
      percentage(at + ".maxEjectionPercent", outliers.getMaxEjectionPercent())
          .filter(value -> value > 0)
          .ifPresent(value -> detection.setMaxEjectionPercent(UInt32Value.of(value)));
      if (Boolean.TRUE.equals(outliers.getSplitExternalLocalOriginErrors())) {
        detection
            .setSplitExternalLocalOriginErrors(true)
            .setEnforcingLocalOriginSuccessRate(UInt32Value.of(0));
        enforced(
            at + ".consecutiveLocalOriginFailures",
            outliers.getConsecutiveLocalOriginFailures(),
            detection::setConsecutiveLocalOriginFailure,
            detection::setEnforcingConsecutiveLocalOriginFailure);
      } else {
        findings.unlessAbsent(
            at + ".consecutiveLocalOriginFailures",
            outliers.getConsecutiveLocalOriginFailures(),
            "has no effect without splitExternalLocalOriginErrors");
      }
      findings.unlessAbsent(
          at + ".consecutiveErrors",
          outliers.getConsecutiveErrors(),
          "is no longer supported; use consecutiveGatewayErrors or consecutive5xxErrors");
      panic = percentage(at + ".minHealthPercent", outliers.getMinHealthPercent()).orElse(0);
      cluster.setOutlierDetection(detection);
      findings.unknown(at, outliers.getAdditionalProperties());
    }
    cluster.setCommonLbConfig(
        Cluster.CommonLbConfig.newBuilder()
            .setHealthyPanicThreshold(Percent.newBuilder().setValue(panic)));
  }

  /** A number of failures, of which 0 switches the check off. */
  private void enforced(
      String path,
      @Nullable Integer failures,
      Consumer<UInt32Value> number,
      Consumer<UInt32Value> enforcing) {
    if (failures == null) {
      return;
    }
    if (failures < 0) {
      findings.add(path, "is less than 0; it is as if it were not set");
      return;
    }
    number.accept(UInt32Value.of(failures));
    enforcing.accept(UInt32Value.of(failures > 0 ? 100 : 0));
  }

  private Optional<Integer> percentage(String path, @Nullable Integer value) {
    if (value == null) {
      return Optional.empty();
    }
    if (value < 0 || value > 100) {
      findings.add(path, "is not a percentage; it is as if it were not set");
      return Optional.empty();
    }
    return Optional.of(value);
  }
}
