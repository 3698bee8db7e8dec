package dev.ambit.operator.waypoint.traffic.model;

import static org.assertj.core.api.Assertions.assertThat;

import dev.ambit.operator.waypoint.model.Backend;
import dev.ambit.operator.waypoint.model.MeshService;
import dev.ambit.operator.waypoint.model.PortProtocol;
import dev.ambit.operator.waypoint.route.model.ServiceRoutes;
import io.envoyproxy.envoy.config.cluster.v3.CircuitBreakers;
import io.envoyproxy.envoy.config.cluster.v3.Cluster;
import io.envoyproxy.envoy.config.core.v3.Http1ProtocolOptions;
import io.envoyproxy.envoy.config.core.v3.Http2ProtocolOptions;
import io.envoyproxy.envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy;
import io.envoyproxy.envoy.extensions.upstreams.http.v3.HttpProtocolOptions;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.junit.jupiter.api.Test;

class DestinationRulesTest {
  private static TestMesh shop() {
    return new TestMesh().service("shop", "cart", TestMesh.http(80));
  }

  private static TestMesh policy(String policy) {
    return shop().destinationRule("shop/cart", "host: cart\ntrafficPolicy:\n" + policy.indent(2));
  }

  private static List<String> findings(TestMesh mesh) {
    String message = mesh.status("DestinationRule", "shop/cart").condition().message();
    int start = message.indexOf("not as written: ");
    return start < 0
        ? List.of()
        : List.of(message.substring(start + "not as written: ".length()).split("; (?=spec)"));
  }

  // --- Load balancing

  @Test
  void balancesAsIstioDoesWithoutAny() {
    ClusterPolicy policy = shop().policy("cart", 80);

    assertThat(policy.cluster().getLbPolicy()).isEqualTo(Cluster.LbPolicy.LEAST_REQUEST);
    CircuitBreakers.Thresholds limits = policy.cluster().getCircuitBreakers().getThresholds(0);
    assertThat(limits.getMaxConnections().getValue()).isEqualTo(-1);
    assertThat(limits.getMaxRetries().getValue()).isEqualTo(-1);
    assertThat(policy.cluster().getCommonLbConfig().getHealthyPanicThreshold().getValue()).isZero();
    assertThat(policy.cluster().hasOutlierDetection()).isFalse();
    assertThat(policy.locality()).isEmpty();
    assertThat(policy.hash()).isEmpty();
    assertThat(policy.tls()).isEmpty();
    assertThat(policy).isEqualTo(ClusterPolicy.standard(PortProtocol.HTTP));
  }

  @Test
  void choosesByTheAlgorithmThatIsWritten() {
    assertThat(lb("simple: ROUND_ROBIN")).isEqualTo(Cluster.LbPolicy.ROUND_ROBIN);
    assertThat(lb("simple: RANDOM")).isEqualTo(Cluster.LbPolicy.RANDOM);
    assertThat(lb("simple: LEAST_CONN")).isEqualTo(Cluster.LbPolicy.LEAST_REQUEST);
    assertThat(lb("simple: LEAST_REQUEST")).isEqualTo(Cluster.LbPolicy.LEAST_REQUEST);
    assertThat(lb("consistentHash: {httpHeaderName: x}")).isEqualTo(Cluster.LbPolicy.RING_HASH);
    assertThat(lb("consistentHash: {httpHeaderName: x, maglev: {}}"))
        .isEqualTo(Cluster.LbPolicy.MAGLEV);
  }

  private static Cluster.LbPolicy lb(String settings) {
    return policy("loadBalancer: {" + settings + "}").policy("cart", 80).cluster().getLbPolicy();
  }

  @Test
  void saysThatItBalancesWhereItShouldPassThrough() {
    TestMesh mesh = policy("loadBalancer: {simple: PASSTHROUGH}");

    assertThat(mesh.policy("cart", 80).cluster().getLbPolicy())
        .isEqualTo(Cluster.LbPolicy.LEAST_REQUEST);
    assertThat(findings(mesh)).singleElement().asString().contains("PASSTHROUGH");
  }

  @Test
  void hashesWhatIsWritten() {
    assertThat(hash("httpHeaderName: x-user").getHeader().getHeaderName()).isEqualTo("x-user");
    assertThat(hash("useSourceIp: true").getConnectionProperties().getSourceIp()).isTrue();
    assertThat(hash("httpQueryParameterName: q").getQueryParameter().getName()).isEqualTo("q");
    var cookie = hash("httpCookie: {name: c, path: /p, ttl: 1m}").getCookie();
    assertThat(cookie.getName()).isEqualTo("c");
    assertThat(cookie.getPath()).isEqualTo("/p");
    assertThat(cookie.getTtl().getSeconds()).isEqualTo(60);
    assertThat(hash("httpCookie: {name: c}").getCookie().hasTtl()).isFalse();
  }

  private static io.envoyproxy.envoy.config.route.v3.RouteAction.HashPolicy hash(String key) {
    return policy("loadBalancer: {consistentHash: {" + key + "}}")
        .policy("cart", 80)
        .hash()
        .orElseThrow();
  }

  @Test
  void hashesConnectionsByTheirSourceToo() {
    TcpProxy.Builder proxy = TcpProxy.newBuilder();

    policy("loadBalancer: {consistentHash: {useSourceIp: true}}")
        .policy("cart", 80)
        .connections()
        .applyTo(proxy);

    assertThat(proxy.getHashPolicy(0).hasSourceIp()).isTrue();
  }

  @Test
  void sizesRings() {
    assertThat(ring("minimumRingSize: 2048")).isEqualTo(2048);
    assertThat(ring("")).isEqualTo(1024);
    assertThat(
            policy("loadBalancer: {consistentHash: {httpHeaderName: x, maglev: {tableSize: 251}}}")
                .policy("cart", 80)
                .cluster()
                .getMaglevLbConfig()
                .getTableSize()
                .getValue())
        .isEqualTo(251);
  }

  private static long ring(String size) {
    return policy("loadBalancer: {consistentHash: {httpHeaderName: x, " + size + "}}")
        .policy("cart", 80)
        .cluster()
        .getRingHashLbConfig()
        .getMinimumRingSize()
        .getValue();
  }

  @Test
  void neverGivesEnvoyARingThatItRefuses() {
    assertThat(
            findings(
                policy(
                    "loadBalancer: {consistentHash: {httpHeaderName: x, maglev: {tableSize: 250}}}")))
        .singleElement()
        .asString()
        .contains("maglev.tableSize");
    assertThat(
            findings(
                policy(
                    "loadBalancer: {consistentHash: {httpHeaderName: x, minimumRingSize: 9000000}}")))
        .singleElement()
        .asString()
        .contains("minimumRingSize");
    assertThat(
            findings(
                policy(
                    "loadBalancer: {consistentHash: {httpHeaderName: x, ringHash: {minimumRingSize: 10}}}")))
        .singleElement()
        .asString()
        .contains("ringHash");
    assertThat(findings(policy("loadBalancer: {consistentHash: {minimumRingSize: 10}}")))
        .singleElement()
        .asString()
        .contains("names nothing of a request");
    assertThat(findings(policy("loadBalancer: {consistentHash: {httpHeaderName: \"x y\"}}")))
        .singleElement()
        .asString()
        .contains("names nothing of a request");
  }

  @Test
  void warmsUpNewEndpoints() {
    Cluster.SlowStartConfig least =
        policy("loadBalancer: {warmup: {duration: 10s, aggression: 2, minimumPercent: 5}}")
            .policy("cart", 80)
            .cluster()
            .getLeastRequestLbConfig()
            .getSlowStartConfig();
    assertThat(least.getSlowStartWindow().getSeconds()).isEqualTo(10);
    assertThat(least.getAggression().getDefaultValue()).isEqualTo(2);
    assertThat(least.getMinWeightPercent().getValue()).isEqualTo(5);
    assertThat(
            policy("loadBalancer: {simple: ROUND_ROBIN, warmupDurationSecs: 7s}")
                .policy("cart", 80)
                .cluster()
                .getRoundRobinLbConfig()
                .getSlowStartConfig()
                .getSlowStartWindow()
                .getSeconds())
        .isEqualTo(7);
    assertThat(findings(policy("loadBalancer: {simple: RANDOM, warmup: {duration: 10s}}")))
        .singleElement()
        .asString()
        .contains("warmup");
    assertThat(
            findings(
                policy(
                    "loadBalancer: {warmup: {aggression: 0.5, duration: 1s, minimumPercent: 200}}")))
        .hasSize(2);
    assertThat(findings(policy("loadBalancer: {warmup: {aggression: 2}}"))).hasSize(1);
  }

  @Test
  void prefersPlacesAsWritten() {
    assertThat(locality("localityLbSetting: {enabled: false}", true))
        .contains(LocalityPolicy.ANYWHERE);
    assertThat(locality("simple: RANDOM", true)).contains(new LocalityPolicy.Nearest(List.of()));
    assertThat(locality("simple: RANDOM", false)).isEmpty();
    assertThat(locality("localityLbSetting: {failover: [{from: eu, to: us}]}", true))
        .contains(
            new LocalityPolicy.Nearest(List.of(new LocalityPolicy.RegionFailover("eu", "us"))));
    assertThat(locality("localityLbSetting: {failoverPriority: [a, b=c]}", true))
        .contains(new LocalityPolicy.Preferring(List.of("a", "b=c"), List.of()));
    assertThat(locality("localityLbSetting: {failoverPriority: [a]}", false))
        .contains(LocalityPolicy.ANYWHERE);
    assertThat(
            locality(
                "localityLbSetting: {distribute: [{from: eu/*, to: {eu/a: 100, eu/b: 0}}]}", false))
        .contains(
            new LocalityPolicy.Distributed(
                List.of(new LocalityPolicy.Distribution("eu/*", Map.of("eu/a", 100L)))));
    assertThat(findings(policy("loadBalancer: {localityLbSetting: {failoverPriority: [a]}}")))
        .singleElement()
        .asString()
        .contains("outlierDetection");
  }

  private static Optional<LocalityPolicy> locality(String settings, boolean outliers) {
    return policy("loadBalancer: {" + settings + "}" + (outliers ? "\noutlierDetection: {}" : ""))
        .policy("cart", 80)
        .locality();
  }

  // --- Pools

  @Test
  void limitsWhatIsWritten() {
    ClusterPolicy policy =
        policy(
                """
                connectionPool:
                  tcp: {maxConnections: 1, connectTimeout: 3s, idleTimeout: 20s, maxConnectionDuration: 1h, tcpKeepalive: {time: 10s, interval: 1500ms, probes: 2}}
                  http: {http1MaxPendingRequests: 2, http2MaxRequests: 3, maxRetries: 4, maxRequestsPerConnection: 5, idleTimeout: 30s, maxConcurrentStreams: 6}
                retryBudget: {percent: 30, minRetryConcurrency: 7}
                """)
            .policy("cart", 80);
    CircuitBreakers.Thresholds limits = policy.cluster().getCircuitBreakers().getThresholds(0);
    assertThat(limits.getMaxConnections().getValue()).isEqualTo(1);
    assertThat(limits.getMaxPendingRequests().getValue()).isEqualTo(2);
    assertThat(limits.getMaxRequests().getValue()).isEqualTo(3);
    assertThat(limits.getMaxRetries().getValue()).isEqualTo(4);
    assertThat(limits.getRetryBudget().getBudgetPercent().getValue()).isEqualTo(30);
    assertThat(limits.getRetryBudget().getMinRetryConcurrency().getValue()).isEqualTo(7);
    var common = policy.http().getCommonHttpProtocolOptions();
    assertThat(common.getMaxRequestsPerConnection().getValue()).isEqualTo(5);
    assertThat(common.getIdleTimeout().getSeconds()).isEqualTo(30);
    assertThat(common.getMaxConnectionDuration().getSeconds()).isEqualTo(3600);
    assertThat(policy.cluster().getConnectTimeout().getSeconds()).isEqualTo(3);
    var keepalive = policy.cluster().getUpstreamConnectionOptions().getTcpKeepalive();
    assertThat(keepalive.getKeepaliveTime().getValue()).isEqualTo(10);
    assertThat(keepalive.getKeepaliveInterval().getValue()).isEqualTo(2);
    assertThat(keepalive.getKeepaliveProbes().getValue()).isEqualTo(2);
    assertThat(policy.connections().idleTimeout().orElseThrow().getSeconds()).isEqualTo(20);
    assertThat(policy.connections().maximumDuration().orElseThrow().getSeconds()).isEqualTo(3600);
    assertThat(policy.maximumStreams()).hasValue(6);
  }

  @Test
  void saysWhatOfAPoolATunnelDoesNotHave() {
    assertThat(
            findings(
                policy("connectionPool: {tcp: {connectTimeout: 1s, tcpKeepalive: {probes: 1}}}")))
        .satisfiesExactlyInAnyOrder(
            finding ->
                assertThat(finding)
                    .startsWith("spec.trafficPolicy.connectionPool.tcp.connectTimeout: "),
            finding ->
                assertThat(finding)
                    .startsWith("spec.trafficPolicy.connectionPool.tcp.tcpKeepalive: "));
  }

  @Test
  void saysWhichFieldsItDoesNotKnow() {
    assertThat(
            findings(
                policy(
                    """
                    connectionPool: {http: {http2KeepAlive: {interval: 1s}, maxRetries: -1}}
                    outlierDetection: {outlierDetectionHttpErrorCodes: [400], consecutiveErrors: 3, consecutiveLocalOriginFailures: 3, maxEjectionPercent: 101, interval: 0s}
                    loadBalancer: {zoneAwareLbSetting: {enabled: true}}
                    retryBudget: {budgetInterval: 3s}
                    proxyProtocol: {version: V2}
                    tunnel: {targetHost: a, targetPort: 1}
                    """)))
        .hasSize(10);
  }

  @Test
  void speaksTheProtocolThatIsWritten() {
    HttpProtocolOptions.Builder http1 =
        HttpProtocolOptions.newBuilder()
            .setExplicitHttpConfig(
                HttpProtocolOptions.ExplicitHttpConfig.newBuilder()
                    .setHttpProtocolOptions(Http1ProtocolOptions.getDefaultInstance()));
    HttpProtocolOptions.Builder upgraded = http1.clone();
    policy("connectionPool: {http: {h2UpgradePolicy: UPGRADE, maxConcurrentStreams: 9}}")
        .policy("cart", 80)
        .applyTo(Cluster.newBuilder(), upgraded);
    assertThat(
            upgraded
                .getExplicitHttpConfig()
                .getHttp2ProtocolOptions()
                .getMaxConcurrentStreams()
                .getValue())
        .isEqualTo(9);
    HttpProtocolOptions.Builder clients = http1.clone();
    TestMesh both =
        policy("connectionPool: {http: {h2UpgradePolicy: UPGRADE, useClientProtocol: true}}");
    both.policy("cart", 80).applyTo(Cluster.newBuilder(), clients);
    assertThat(clients.hasUseDownstreamProtocolConfig()).isTrue();
    assertThat(findings(both)).singleElement().asString().contains("h2UpgradePolicy");
    HttpProtocolOptions.Builder same = http1.clone();
    policy("connectionPool: {http: {h2UpgradePolicy: DO_NOT_UPGRADE}}")
        .policy("cart", 80)
        .applyTo(Cluster.newBuilder(), same);
    assertThat(same.build()).isEqualTo(http1.build());
    HttpProtocolOptions.Builder http2 =
        HttpProtocolOptions.newBuilder()
            .setExplicitHttpConfig(
                HttpProtocolOptions.ExplicitHttpConfig.newBuilder()
                    .setHttp2ProtocolOptions(Http2ProtocolOptions.getDefaultInstance()));
    policy("connectionPool: {http: {idleTimeout: 1s}}")
        .policy("cart", 80)
        .applyTo(Cluster.newBuilder(), http2);
    assertThat(http2.getExplicitHttpConfig().hasHttp2ProtocolOptions()).isTrue();
    assertThat(http2.getCommonHttpProtocolOptions().getIdleTimeout().getSeconds()).isEqualTo(1);
  }

  // --- Outliers

  @Test
  void ejectsAsWritten() {
    var detection =
        policy(
                """
                outlierDetection: {consecutive5xxErrors: 0, consecutiveGatewayErrors: 4, splitExternalLocalOriginErrors: true, consecutiveLocalOriginFailures: 5, interval: 5s, baseEjectionTime: 1m, maxEjectionPercent: 20, minHealthPercent: 30}
                """)
            .policy("cart", 80)
            .cluster();
    var outliers = detection.getOutlierDetection();
    assertThat(outliers.getConsecutive5Xx().getValue()).isZero();
    assertThat(outliers.getEnforcingConsecutive5Xx().getValue()).isZero();
    assertThat(outliers.getConsecutiveGatewayFailure().getValue()).isEqualTo(4);
    assertThat(outliers.getEnforcingConsecutiveGatewayFailure().getValue()).isEqualTo(100);
    assertThat(outliers.getSplitExternalLocalOriginErrors()).isTrue();
    assertThat(outliers.getConsecutiveLocalOriginFailure().getValue()).isEqualTo(5);
    assertThat(outliers.getInterval().getSeconds()).isEqualTo(5);
    assertThat(outliers.getBaseEjectionTime().getSeconds()).isEqualTo(60);
    assertThat(outliers.getMaxEjectionPercent().getValue()).isEqualTo(20);
    assertThat(outliers.getEnforcingSuccessRate().getValue()).isZero();
    assertThat(detection.getCommonLbConfig().getHealthyPanicThreshold().getValue()).isEqualTo(30);
  }

  // --- Ports and subsets

  @Test
  void takesAPortsOwnSettingsInsteadOfAllOthers() {
    TestMesh mesh =
        new TestMesh()
            .service("shop", "cart", TestMesh.http(80), TestMesh.http(81))
            .destinationRule(
                "shop/cart",
                """
                host: cart
                trafficPolicy:
                  connectionPool: {tcp: {maxConnections: 9}}
                  loadBalancer: {simple: RANDOM}
                  portLevelSettings:
                  - port: {number: 81}
                    loadBalancer: {simple: ROUND_ROBIN}
                """);

    ClusterPolicy all = mesh.policy("cart", 80);
    ClusterPolicy own = mesh.policy("cart", 81);
    assertThat(all.cluster().getLbPolicy()).isEqualTo(Cluster.LbPolicy.RANDOM);
    assertThat(own.cluster().getLbPolicy()).isEqualTo(Cluster.LbPolicy.ROUND_ROBIN);
    assertThat(own.cluster().getCircuitBreakers().getThresholds(0).getMaxConnections().getValue())
        .isEqualTo(-1);
  }

  @Test
  void letsASubsetReplaceParts() {
    TestMesh mesh =
        shop()
            .destinationRule(
                "shop/cart",
                """
                host: cart
                trafficPolicy:
                  connectionPool: {tcp: {maxConnections: 9}}
                  loadBalancer: {simple: RANDOM}
                subsets:
                - name: v1
                  labels: {version: v1}
                  trafficPolicy: {loadBalancer: {simple: ROUND_ROBIN}}
                - name: v2
                  labels: {version: v2, app: cart}
                - name: v3
                  trafficPolicy:
                    portLevelSettings: [{port: {number: 80}, outlierDetection: {}}]
                """);
    ServicePolicy policies = mesh.traffic().policy(mesh.get("cart"), "shop");
    ClusterPolicy v1 = mesh.policy("cart", 80, Optional.of("v1"));
    ClusterPolicy v2 = mesh.policy("cart", 80, Optional.of("v2"));
    ClusterPolicy v3 = mesh.policy("cart", 80, Optional.of("v3"));

    assertThat(v1.cluster().getLbPolicy()).isEqualTo(Cluster.LbPolicy.ROUND_ROBIN);
    assertThat(connections(v1)).isEqualTo(9);
    assertThat(v2.cluster().getLbPolicy()).isEqualTo(Cluster.LbPolicy.RANDOM);
    assertThat(v3.cluster().getLbPolicy()).isEqualTo(Cluster.LbPolicy.LEAST_REQUEST);
    assertThat(v3.cluster().hasOutlierDetection()).isTrue();
    assertThat(connections(v3)).isEqualTo(-1);
    assertThat(policies.labels("v2")).contains(Map.of("version", "v2", "app", "cart"));
    assertThat(policies.labels("v3")).contains(Map.of());
    assertThat(policies.labels("v4")).isEmpty();
    Backend backend = Backend.of(mesh.get("cart"), TestMesh.http(80));
    Map<String, String> pod = Map.of("version", "v2", "app", "cart", "other", "x");
    assertThat(policies.selects(backend, pod)).isTrue();
    assertThat(policies.selects(backend.subset("v2"), pod)).isTrue();
    assertThat(policies.selects(backend.subset("v1"), pod)).isFalse();
    assertThat(policies.selects(backend.subset("v4"), pod)).isFalse();
  }

  private static int connections(ClusterPolicy policy) {
    return policy.cluster().getCircuitBreakers().getThresholds(0).getMaxConnections().getValue();
  }

  // --- TLS

  @Test
  void beginsTlsTowardsServicesOutside() {
    TestMesh mesh = new TestMesh();
    MeshService api =
        mesh.host(
            MeshService.Kind.SERVICE_ENTRY,
            "shop",
            "api.example.com",
            TestMesh.http(80),
            TestMesh.port(443, PortProtocol.TLS));
    mesh.bind(api, "shop", ServiceRoutes.NONE)
        .destinationRule(
            "shop/api",
            """
            host: api.example.com
            trafficPolicy:
              portLevelSettings:
              - port: {number: 80}
                tls: {mode: SIMPLE}
              - port: {number: 443}
                tls: {mode: MUTUAL, clientCertificate: /c.pem, privateKey: /k.pem, caCertificates: /ca.pem, caCrl: /crl.pem, sni: other.example, subjectAltNames: [a.example]}
            """);

    ClusterPolicy http = mesh.policy("api", 80);
    var validation = http.tls().orElseThrow().getCommonTlsContext().getValidationContext();
    assertThat(validation.getTrustedCa().getFilename())
        .isEqualTo(TlsOrigination.SYSTEM_AUTHORITIES);
    assertThat(http.http().getUpstreamHttpProtocolOptions().getAutoSni()).isTrue();
    assertThat(http.http().getUpstreamHttpProtocolOptions().getAutoSanValidation()).isTrue();

    var mutual = mesh.policy("api", 443).tls().orElseThrow();
    assertThat(mutual.getSni()).isEqualTo("other.example");
    assertThat(mutual.getCommonTlsContext().getTlsCertificates(0).getPrivateKey().getFilename())
        .isEqualTo("/k.pem");
    var own = mutual.getCommonTlsContext().getValidationContext();
    assertThat(own.getTrustedCa().getFilename()).isEqualTo("/ca.pem");
    assertThat(own.getCrl().getFilename()).isEqualTo("/crl.pem");
    assertThat(own.getMatchTypedSubjectAltNamesList())
        .allSatisfy(name -> assertThat(name.getMatcher().getExact()).isEqualTo("a.example"));
    assertThat(mesh.status("DestinationRule", "shop/api").condition().holds()).isTrue();
  }

  @Test
  void verifiesTheNameThatItAsksForWhereNoOtherIsWritten() {
    TestMesh mesh = new TestMesh();
    MeshService db =
        mesh.host(
            MeshService.Kind.SERVICE_ENTRY,
            "shop",
            "db.example.com",
            TestMesh.port(5432, PortProtocol.TCP));
    mesh.bind(db, "shop", ServiceRoutes.NONE)
        .destinationRule("shop/db", "host: db.example.com\ntrafficPolicy: {tls: {mode: SIMPLE}}");

    var tls = mesh.policy("db", 5432).tls().orElseThrow();
    assertThat(tls.getSni()).isEqualTo("db.example.com");
    assertThat(tls.getCommonTlsContext().getValidationContext().getMatchTypedSubjectAltNamesList())
        .isNotEmpty()
        .allSatisfy(name -> assertThat(name.getMatcher().getExact()).isEqualTo("db.example.com"));
  }

  @Test
  void neverBecomesPlainWhereTlsCannotBeAsAsked() {
    TestMesh mesh =
        policy("tls: {mode: MUTUAL, credentialName: secret, insecureSkipVerify: false}");

    assertThat(mesh.policy("cart", 80).tls()).isPresent();
    assertThat(findings(mesh)).singleElement().asString().contains("credentialName");
  }

  @Test
  void hasHboneInsteadOfIstiosMutualTls() {
    TestMesh mutual = policy("tls: {mode: ISTIO_MUTUAL}");
    TestMesh disabled = policy("tls: {mode: DISABLE}");

    assertThat(mutual.policy("cart", 80).tls()).isEmpty();
    assertThat(findings(mutual)).isEmpty();
    assertThat(disabled.policy("cart", 80).tls()).isEmpty();
    assertThat(findings(disabled)).singleElement().asString().contains("tls.mode");
  }

  // --- Which rule

  @Test
  void looksInTheWaypointsNamespaceThenInTheServicesThenInTheRoot() {
    TestMesh mesh = new TestMesh();
    MeshService cart = mesh.unbound("shop", "cart", TestMesh.http(80));
    mesh.bind(cart, "gateways", ServiceRoutes.NONE)
        .destinationRule("mesh-root/all", rule("*.shop.svc.cluster.local", "RANDOM"));
    assertThat(lbOf(mesh)).isEqualTo(Cluster.LbPolicy.RANDOM);
    mesh.destinationRule("shop/wide", rule("*.shop.svc.cluster.local", "LEAST_REQUEST"));
    mesh.destinationRule("shop/cart", rule("cart", "ROUND_ROBIN"));
    assertThat(lbOf(mesh)).isEqualTo(Cluster.LbPolicy.ROUND_ROBIN);
    mesh.destinationRule("gateways/cart", rule("*.svc.cluster.local", "RANDOM"));
    assertThat(lbOf(mesh)).isEqualTo(Cluster.LbPolicy.RANDOM);
    mesh.destinationRule("other/cart", rule("cart.shop.svc.cluster.local", "ROUND_ROBIN"));

    assertThat(lbOf(mesh)).isEqualTo(Cluster.LbPolicy.RANDOM);
    assertThat(mesh.status("DestinationRule", "gateways/cart").condition().holds()).isTrue();
    assertThat(mesh.status("DestinationRule", "shop/cart").condition().reason())
        .isEqualTo("Overridden");
    assertThat(mesh.status("DestinationRule", "other/cart").condition().reason())
        .isEqualTo("Overridden");
  }

  private static String rule(String host, String algorithm) {
    return "host: \"%s\"\ntrafficPolicy: {loadBalancer: {simple: %s}}".formatted(host, algorithm);
  }

  private static Cluster.LbPolicy lbOf(TestMesh mesh) {
    return mesh.policy("cart", 80).cluster().getLbPolicy();
  }

  @Test
  void addsUpRulesForTheSameHost() {
    TestMesh mesh =
        shop()
            .destinationRule("shop/a", "host: cart\nsubsets: [{name: v1, labels: {version: v1}}]")
            .destinationRule(
                "shop/b",
                """
                host: cart.shop.svc.cluster.local
                trafficPolicy: {loadBalancer: {simple: RANDOM}}
                subsets: [{name: v2, labels: {version: v2}}, {name: v1, labels: {version: other}}]
                """)
            .destinationRule(
                "shop/c", "host: cart\ntrafficPolicy: {loadBalancer: {simple: ROUND_ROBIN}}");

    ServicePolicy policies = mesh.traffic().policy(mesh.get("cart"), "shop");
    assertThat(policies.labels("v1")).contains(Map.of("version", "v1"));
    assertThat(policies.labels("v2")).contains(Map.of("version", "v2"));
    assertThat(lbOf(mesh)).isEqualTo(Cluster.LbPolicy.RANDOM);
    assertThat(mesh.status("DestinationRule", "shop/a").condition().holds()).isTrue();
    assertThat(mesh.status("DestinationRule", "shop/b").condition().message())
        .contains("spec.subsets[1]");
    assertThat(mesh.status("DestinationRule", "shop/c").condition().message())
        .contains("spec.trafficPolicy: the older DestinationRule shop/b");
  }

  @Test
  void heedsExports() {
    TestMesh mesh = new TestMesh();
    MeshService cart = mesh.unbound("shop", "cart", TestMesh.http(80));
    mesh.bind(cart, "gateways", ServiceRoutes.NONE)
        .destinationRule("shop/own", "exportTo: [\".\"]\n" + rule("cart", "RANDOM"));
    assertThat(lbOf(mesh)).isEqualTo(Cluster.LbPolicy.LEAST_REQUEST);
    assertThat(mesh.status("DestinationRule", "shop/own").condition().message())
        .contains("spec.exportTo");
    mesh.destinationRule("shop/named", "exportTo: [gateways]\n" + rule("cart", "ROUND_ROBIN"));
    assertThat(lbOf(mesh)).isEqualTo(Cluster.LbPolicy.ROUND_ROBIN);
  }

  @Test
  void leavesOutRulesForChosenSidecars() {
    TestMesh mesh =
        shop()
            .destinationRule(
                "shop/chosen",
                "workloadSelector: {matchLabels: {app: x}}\n" + rule("cart", "RANDOM"));

    assertThat(lbOf(mesh)).isEqualTo(Cluster.LbPolicy.LEAST_REQUEST);
    assertThat(mesh.status("DestinationRule", "shop/chosen").condition().message())
        .contains("spec.workloadSelector");
  }

  @Test
  void holdsForServicesThatRoutesLeadTo() {
    TestMesh mesh =
        shop()
            .virtualService(
                "shop/cart", "hosts: [cart]\nhttp: [{route: [{destination: {host: stock}}]}]")
            .destinationRule("shop/stock", rule("stock", "RANDOM"));
    mesh.unbound("shop", "stock", TestMesh.http(80));

    assertThat(mesh.status("DestinationRule", "shop/stock").condition().message())
        .contains("stock.shop.svc.cluster.local");
    assertThat(mesh.status("DestinationRule", "shop/stock").condition().holds()).isTrue();
  }

  @Test
  void saysWhereNobodyEnforcesIt() {
    TestMesh mesh = shop().destinationRule("shop/other", rule("other", "RANDOM"));

    TrafficStatus status = mesh.status("DestinationRule", "shop/other");
    assertThat(status.condition().holds()).isFalse();
    assertThat(status.condition().reason()).isEqualTo("AncestorNotBound");
    assertThat(status.condition().generation()).hasValue(7);
    assertThat(status.condition().type()).isEqualTo("WaypointAccepted");
  }
}
