package dev.ambit.ztunnel.netns;

import static dev.ambit.ztunnel.testing.MeshFixtures.port;
import static dev.ambit.ztunnel.testing.MeshFixtures.service;
import static org.assertj.core.api.Assertions.assertThat;

import com.google.protobuf.UInt32Value;
import dev.ambit.protocol.security.Action;
import dev.ambit.protocol.workload.IPFamilies;
import dev.ambit.protocol.workload.LoadBalancing;
import dev.ambit.protocol.workload.Locality;
import dev.ambit.protocol.workload.Service;
import dev.ambit.protocol.workload.TunnelProtocol;
import dev.ambit.protocol.workload.WorkloadStatus;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.charset.StandardCharsets;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.HashMap;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.Executors;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInstance;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.AfterParameterizedClassInvocation;
import org.junit.jupiter.params.BeforeParameterizedClassInvocation;
import org.junit.jupiter.params.Parameter;
import org.junit.jupiter.params.ParameterizedClass;
import org.junit.jupiter.params.provider.MethodSource;

/** Which endpoint a connection goes to, and what becomes of it where that one cannot be reached. */
@Timeout(300)
@ParameterizedClass(name = "{0}")
@MethodSource("dev.ambit.ztunnel.netns.ZtunnelPair#all")
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
class RoutingIT {
  private static final int PORT = 8080;
  private static final int CALLS = 12;

  private final Deque<AutoCloseable> servers = new ArrayDeque<>();
  private int lastAddress;

  @Parameter ZtunnelPair pair;

  private Mesh mesh;
  private NameServer names;
  private Pod client;

  @SuppressWarnings("NullAway.Init") // set up before all tests
  RoutingIT() {}

  @BeforeParameterizedClassInvocation
  void start() throws IOException {
    mesh = pair.start(Map.of("LOG_LEVEL", "info,access=debug"));
    names = NameServer.start(mesh.network().control(), Network.CONTROL_ADDRESS);
    client = mesh.captured(mesh.a(), "client");
  }

  @AfterParameterizedClassInvocation
  void stop() {
    if (names != null) {
      names.close();
    }
    if (mesh != null) {
      mesh.close();
    }
  }

  @AfterEach
  void stopServers() {
    Closing.all(servers);
    servers.clear();
  }

  // -- what a test is made of

  private Service.Builder web(String name) {
    return service("shop", name, "10.96.0." + ++lastAddress, "fd00:96::" + lastAddress);
  }

  private static InetSocketAddress at(Service.Builder service) {
    return at(service, 0);
  }

  private static InetSocketAddress at6(Service.Builder service) {
    return at(service, 1);
  }

  private static InetSocketAddress at(Service.Builder service, int address) {
    try {
      return new InetSocketAddress(
          InetAddress.getByAddress(service.getAddresses(address).getAddress().toByteArray()),
          service.getPorts(0).getServicePort());
    } catch (java.net.UnknownHostException e) {
      throw new AssertionError(e);
    }
  }

  /** Has {@code pod} answer with its name. */
  private Pod answering(Pod pod, int port) throws IOException {
    servers.push(
        TcpServer.start(
            pod,
            port,
            socket ->
                socket.getOutputStream().write(pod.name().getBytes(StandardCharsets.US_ASCII))));
    return pod;
  }

  private Pod answering(Pod pod) throws IOException {
    return answering(pod, PORT);
  }

  private WorkloadResource endpoint(Pod pod, Service.Builder service) {
    return WorkloadResource.captured(pod).behind(service, 80, PORT);
  }

  /** The name of the pod that answers. */
  private String call(InetSocketAddress destination) throws IOException {
    try (var connection = TcpClient.connect(client, destination)) {
      return new String(connection.receiveAll(), StandardCharsets.US_ASCII);
    }
  }

  private Map<String, Integer> calls(InetSocketAddress destination) throws IOException {
    var answers = new HashMap<String, Integer>();
    for (int i = 0; i < CALLS; i++) {
      answers.merge(call(destination), 1, Integer::sum);
    }
    return answers;
  }

  private double retries() {
    return mesh.a().ztunnel().metrics().sum("ambit_connection_retries_total", Map.of());
  }

  // -- services

  @Test
  void aServiceSharesConnectionsAmongItsEndpointsOnAllNodes() throws IOException {
    var web = web("shared");
    var near = answering(mesh.captured(mesh.a(), "shared-near"));
    var far = answering(mesh.captured(mesh.b(), "shared-far"));
    mesh.controlPlane().announce(web);
    mesh.controlPlane().announce(endpoint(near, web), endpoint(far, web));
    var answers = new HashMap<String, Integer>();
    for (int i = 0; i < 4; i++) {
      calls(at(web)).forEach((name, count) -> answers.merge(name, count, Integer::sum));
    }
    assertThat(answers).containsOnlyKeys(near.name(), far.name());
    assertThat(answers.values()).allSatisfy(count -> assertThat(count).isGreaterThan(4));
  }

  @Test
  void aNamedPortIsEachEndpointsOwn() throws IOException {
    var web = web("named").clearPorts().addPorts(port(80, 0));
    var first = answering(mesh.captured(mesh.b(), "named-first"), 3000);
    var second = answering(mesh.captured(mesh.b(), "named-second"), 4000);
    mesh.controlPlane().announce(web);
    mesh.controlPlane()
        .announce(
            WorkloadResource.captured(first).behind(web, 80, 3000),
            WorkloadResource.captured(second).behind(web, 80, 4000));
    assertThat(calls(at(web))).containsOnlyKeys(first.name(), second.name());
    Calls.refused(client, new InetSocketAddress(at(web).getAddress(), 81));
  }

  @Test
  void aHeadlessServiceIsReachedByItsPods() throws IOException {
    var web = service("shop", "headless");
    var server = answering(mesh.captured(mesh.b(), "headless"));
    mesh.controlPlane().announce(web);
    mesh.controlPlane().announce(endpoint(server, web));
    assertThat(call(server.at(PORT))).isEqualTo(server.name());
    assertThat(call(server.at6(PORT))).isEqualTo(server.name());
  }

  @Test
  void aServiceByNameIsUnderstoodInATunnel() throws IOException {
    var web = web("by-name").clearPorts().addPorts(port(80, PORT));
    var named = web("by-named-port").clearPorts().addPorts(port(80, 0));
    var server = answering(mesh.captured(mesh.b(), "by-name"));
    mesh.controlPlane().announce(web);
    mesh.controlPlane().announce(named);
    mesh.controlPlane()
        .announce(WorkloadResource.captured(server).behind(web, 80, PORT).behind(named, 80, PORT));
    var caller = mesh.authority().workload(client.identity());
    for (var service : new Service.Builder[] {web, named}) {
      try (var hbone =
          HboneClient.connect(
              mesh.uncaptured(mesh.a(), "tunneller").host(),
              server.at(HboneServer.PORT),
              mesh.authority(),
              caller)) {
        assertThat(hbone.connect(service.getHostname() + ":80")).isEqualTo("200");
        assertThat(hbone.receive(server.name().length())).isEqualTo(server.name());
        assertThat(hbone.connect(service.getHostname() + ":81")).isEqualTo("503");
      }
    }
  }

  @Test
  void endpointsAreReachedByTheFamilyOfTheServiceAndElseOfTheCaller() throws IOException {
    var web = web("dual").setIpFamilies(IPFamilies.DUAL);
    var server = answering(mesh.captured(mesh.b(), "dual"));
    mesh.controlPlane().announce(web);
    mesh.controlPlane().announce(endpoint(server, web));
    assertThat(hboneAddressOf(at(web))).isEqualTo(server.ipv4().getHostAddress() + ":8080");
    assertThat(hboneAddressOf(at6(web))).startsWith("[fd00:2:");
    mesh.controlPlane().announce(web.setIpFamilies(IPFamilies.IPV6_ONLY));
    assertThat(hboneAddressOf(at(web))).startsWith("[fd00:2:");
    mesh.controlPlane().announce(web.setIpFamilies(IPFamilies.IPV4_ONLY));
    assertThat(hboneAddressOf(at6(web))).isEqualTo(server.ipv4().getHostAddress() + ":8080");
    // A pod that has IPv6 alone.
    mesh.controlPlane().announce(web.setIpFamilies(IPFamilies.AUTOMATIC));
    mesh.controlPlane()
        .announce(
            endpoint(server, web)
                .with(
                    workload ->
                        workload
                            .clearAddresses()
                            .addAddresses(
                                com.google.protobuf.ByteString.copyFrom(
                                    server.ipv6().getAddress()))));
    assertThat(hboneAddressOf(at(web))).startsWith("[fd00:2:");
  }

  private String hboneAddressOf(InetSocketAddress destination) throws IOException {
    int mark = mesh.a().ztunnel().logSize();
    call(destination);
    return mesh.a()
        .ztunnel()
        .awaitLog(
            "the call to " + destination,
            mark,
            line -> line.isConnectionComplete() && line.has("direction", "outbound"))
        .fields()
        .getOrDefault("dst.hbone_addr", "none");
  }

  @Test
  void strictPreferencesKeepConnectionsOnTheNode() throws IOException {
    var web =
        web("local")
            .setLoadBalancing(
                LoadBalancing.newBuilder()
                    .addRoutingPreference(LoadBalancing.Scope.NODE)
                    .setMode(LoadBalancing.Mode.STRICT));
    var near = answering(mesh.captured(mesh.a(), "local-near"));
    var far = answering(mesh.captured(mesh.b(), "local-far"));
    mesh.controlPlane().announce(web);
    mesh.controlPlane().announce(endpoint(near, web), endpoint(far, web));
    assertThat(calls(at(web))).containsOnlyKeys(near.name());
    mesh.controlPlane()
        .announce(endpoint(near, web).with(w -> w.setStatus(WorkloadStatus.UNHEALTHY)));
    Calls.refused(client, at(web));
  }

  @Test
  void failoverGoesToTheNearestThatIsThere() throws IOException {
    var web =
        web("failover")
            .setLoadBalancing(
                LoadBalancing.newBuilder()
                    .addRoutingPreference(LoadBalancing.Scope.REGION)
                    .addRoutingPreference(LoadBalancing.Scope.ZONE)
                    .setMode(LoadBalancing.Mode.FAILOVER));
    var here = Locality.newBuilder().setRegion("r1").setZone("z1");
    mesh.controlPlane().announce(WorkloadResource.captured(client).with(w -> w.setLocality(here)));
    var zone = answering(mesh.captured(mesh.b(), "failover-zone"));
    var region = answering(mesh.captured(mesh.b(), "failover-region"));
    var far = answering(mesh.captured(mesh.b(), "failover-far"));
    mesh.controlPlane().announce(web);
    var inZone = endpoint(zone, web).with(w -> w.setLocality(here));
    var inRegion =
        endpoint(region, web)
            .with(w -> w.setLocality(Locality.newBuilder().setRegion("r1").setZone("z2")));
    // The same zone's name in another region is another zone.
    var elsewhere =
        endpoint(far, web)
            .with(w -> w.setLocality(Locality.newBuilder().setRegion("r2").setZone("z1")));
    mesh.controlPlane().announce(inZone, inRegion, elsewhere);
    assertThat(calls(at(web))).containsOnlyKeys(zone.name());
    mesh.controlPlane().announce(inZone.with(w -> w.setStatus(WorkloadStatus.UNHEALTHY)));
    assertThat(calls(at(web))).containsOnlyKeys(region.name());
    mesh.controlPlane().announce(inRegion.with(w -> w.setStatus(WorkloadStatus.UNHEALTHY)));
    assertThat(calls(at(web))).containsOnlyKeys(far.name());
  }

  @Test
  void healthAndCapacityCount() throws IOException {
    var web = web("health");
    var ready = answering(mesh.captured(mesh.b(), "health-ready"));
    var starting = answering(mesh.captured(mesh.b(), "health-starting"));
    var empty = answering(mesh.captured(mesh.b(), "health-empty"));
    mesh.controlPlane().announce(web);
    mesh.controlPlane()
        .announce(
            endpoint(ready, web),
            endpoint(starting, web).with(w -> w.setStatus(WorkloadStatus.UNHEALTHY)),
            endpoint(empty, web).with(w -> w.setCapacity(UInt32Value.of(0))));
    assertThat(calls(at(web))).containsOnlyKeys(ready.name());
    mesh.controlPlane()
        .announce(
            web.setLoadBalancing(
                LoadBalancing.newBuilder().setHealthPolicy(LoadBalancing.HealthPolicy.ALLOW_ALL)));
    mesh.controlPlane().withdraw(ready);
    assertThat(calls(at(web))).containsOnlyKeys(starting.name());
  }

  @Test
  void aServiceWithoutEndpointsRefuses() {
    var web = web("nobody");
    mesh.controlPlane().announce(web);
    int mark = mesh.a().ztunnel().logSize();
    Calls.refused(client, at(web));
    mesh.a()
        .ztunnel()
        .awaitLog(
            "the reason",
            mark,
            line -> line.text().contains("nobody.shop.svc.cluster.local has no endpoint"));
  }

  @Test
  void whatIsOutsideTheMeshIsReachedPlainly() throws IOException {
    var web = web("plain");
    var known = answering(mesh.uncaptured(mesh.b(), "plain-known"));
    var unknown = answering(mesh.unknown(mesh.b(), "plain-unknown"));
    mesh.controlPlane().announce(web);
    mesh.controlPlane().announce(WorkloadResource.plain(known).behind(web, 80, PORT));
    assertThat(call(known.at(PORT))).isEqualTo(known.name());
    assertThat(call(known.at6(PORT))).isEqualTo(known.name());
    assertThat(call(at(web))).isEqualTo(known.name());
    assertThat(call(unknown.at(PORT))).isEqualTo(unknown.name());
    assertThat(call(unknown.at6(PORT))).isEqualTo(unknown.name());
  }

  @Test
  void aServiceThatPassesThroughGoesWhereItWasGoing() throws IOException {
    var server = answering(mesh.unknown(mesh.b(), "external"));
    mesh.controlPlane()
        .announce(
            service("shop", "external", server.ipv4().getHostAddress())
                .setLoadBalancing(
                    LoadBalancing.newBuilder().setMode(LoadBalancing.Mode.PASSTHROUGH)));
    assertThat(call(server.at(PORT))).isEqualTo(server.name());
  }

  // -- another endpoint

  @Test
  void anEndpointWhoseProgramIsDownIsPassedOver() throws IOException {
    var web = web("down");
    var down = mesh.captured(mesh.b(), "down");
    var up = answering(mesh.captured(mesh.b(), "up"));
    mesh.controlPlane().announce(web);
    mesh.controlPlane().announce(endpoint(down, web), endpoint(up, web));
    double before = retries();
    int mark = mesh.a().ztunnel().logSize();
    assertThat(calls(at(web))).isEqualTo(Map.of(up.name(), CALLS));
    // Where chance had it that none went to the one that is down, more calls will.
    for (int i = 0; i < 200 && retries() == before; i++) {
      assertThat(call(at(web))).isEqualTo(up.name());
    }
    assertThat(retries()).isGreaterThan(before);
    var complete =
        mesh.a()
            .ztunnel()
            .awaitLog(
                "a call that was tried twice",
                mark,
                line -> line.isConnectionComplete() && line.has("attempts", "2"));
    assertThat(complete.fields())
        .containsEntry("dst.workload", up.name())
        .doesNotContainKey("error");
    var attempt =
        mesh.a()
            .ztunnel()
            .awaitLog(
                "the attempt", mark, line -> line.text().contains("connection attempt failed"));
    assertThat(attempt.fields()).containsEntry("dst.workload", down.name());
    assertThat(attempt.text()).contains("answered CONNECT with 503");
  }

  @Test
  void anEndpointThatTakesNoTunnelIsPassedOver() throws IOException {
    var web = web("tunnel");
    // Said to be in the mesh, but nothing listens for tunnels there.
    var deaf = mesh.unknown(mesh.b(), "tunnel-deaf");
    // Somebody else is where this one is said to be.
    var impostor = mesh.captured(mesh.b(), "tunnel-impostor");
    var right = answering(mesh.captured(mesh.b(), "tunnel-right"));
    mesh.controlPlane().announce(web);
    mesh.controlPlane()
        .announce(
            endpoint(deaf, web),
            endpoint(impostor, web)
                .with(w -> w.setUid("Kubernetes//Pod/shop/zz-wrong").setName("zz-wrong"))
                .withServiceAccount("somebody-else"),
            endpoint(right, web));
    assertThat(calls(at(web))).isEqualTo(Map.of(right.name(), CALLS));
    for (int i = 0; i < 200 && (retried("CONNECT") == 0 || retried("IDENTITY_ERROR") == 0); i++) {
      assertThat(call(at(web))).isEqualTo(right.name());
    }
    assertThat(retried("CONNECT")).isPositive();
    assertThat(retried("IDENTITY_ERROR")).isPositive();
    mesh.controlPlane()
        .withdrawWorkloads(Set.of("Kubernetes//Pod/shop/zz-wrong", deaf.workloadUid()));
  }

  private double retried(String flag) {
    return mesh.a()
        .ztunnel()
        .metrics()
        .sum("ambit_connection_retries_total", Map.of("response_flags", flag));
  }

  @Test
  void aPlainEndpointThatRefusesIsPassedOver() throws IOException {
    var web = web("plain-retry");
    var down = mesh.uncaptured(mesh.b(), "plain-down");
    var up = answering(mesh.uncaptured(mesh.b(), "plain-up"));
    mesh.controlPlane().announce(web);
    mesh.controlPlane()
        .announce(
            WorkloadResource.plain(down).behind(web, 80, PORT),
            WorkloadResource.plain(up).behind(web, 80, PORT));
    double before = retries();
    assertThat(calls(at(web))).isEqualTo(Map.of(up.name(), CALLS));
    for (int i = 0; i < 200 && retries() == before; i++) {
      assertThat(call(at(web))).isEqualTo(up.name());
    }
    assertThat(retries()).isGreaterThan(before);
  }

  @Test
  void whereNoEndpointTakesItTheConnectionFailsAfterThreeAttempts() {
    var web = web("all-down");
    mesh.controlPlane().announce(web);
    for (int i = 0; i < 5; i++) {
      mesh.controlPlane().announce(endpoint(mesh.captured(mesh.b(), "all-down"), web));
    }
    int mark = mesh.a().ztunnel().logSize();
    Calls.refused(client, at(web));
    var failed =
        mesh.a()
            .ztunnel()
            .awaitLog(
                "the failure",
                mark,
                line -> line.text().contains("connection failed") && line.has("attempts", "3"));
    assertThat(failed.text()).contains("answered CONNECT with 503");
  }

  @Test
  void aDenialIsFinal() throws IOException {
    var web = web("denied");
    var closed = answering(mesh.captured(mesh.b(), "denied-closed"));
    var open = answering(mesh.captured(mesh.b(), "denied-open"));
    var policy = Policies.of("shop", "no-client", Action.DENY, Policies.principal(client)).build();
    mesh.controlPlane().enforce(policy);
    mesh.controlPlane().announce(web);
    mesh.controlPlane()
        .announce(endpoint(closed, web).selectedBy("shop/no-client"), endpoint(open, web));
    double before = retries();
    int denied = 0;
    for (int i = 0; i < 200 && denied == 0; i++) {
      try {
        assertThat(call(at(web))).isIn(open.name(), "");
      } catch (IOException reset) {
        denied++;
      }
    }
    assertThat(denied).isPositive();
    assertThat(retries()).isEqualTo(before);
    mesh.controlPlane().announce(endpoint(closed, web));
    mesh.controlPlane().revoke(policy);
  }

  // -- names

  @Test
  void aWorkloadThatHasAHostnameAloneIsLookedUp() throws IOException {
    var web = web("external-name");
    var plain = answering(mesh.unknown(mesh.b(), "external-plain"));
    var resource =
        WorkloadResource.plain(plain)
            .behind(web, 80, PORT)
            .with(
                w ->
                    w.setUid("Kubernetes/networking.istio.io/ServiceEntry/shop/external-name/one")
                        .clearAddresses()
                        .setHostname("one.example.com"));
    mesh.controlPlane().announce(web);
    mesh.controlPlane().announce(resource);
    names.timeToLive(1);
    int mark = mesh.a().ztunnel().logSize();
    Calls.refused(client, at(web));
    mesh.a()
        .ztunnel()
        .awaitLog(
            "the reason",
            mark,
            line ->
                line.text().contains("connection failed")
                    && line.text().contains("one.example.com"));
    names.answer("two.example.com", plain.ipv4(), plain.ipv6());
    var second = resource.with(w -> w.setHostname("two.example.com"));
    mesh.controlPlane().announce(second);
    assertThat(call(at(web))).isEqualTo(plain.name());
    assertThat(call(at6(web))).isEqualTo(plain.name());
    assertThat(
            mesh.a()
                .ztunnel()
                .metrics()
                .sum(
                    "istio_on_demand_dns_total",
                    Map.of("hostname", "two.example.com", "source_workload", client.name())))
        .isEqualTo(2);
    // An answer is kept for as long as it says: then the new address is found.
    var moved = answering(mesh.unknown(mesh.b(), "external-moved"));
    names.answer("two.example.com", moved.ipv4());
    org.awaitility.Awaitility.await("the new address")
        .atMost(Patience.LONG)
        .until(() -> call(at(web)).equals(moved.name()));
    // In the mesh too, and with another that has no address any more.
    var inside = answering(mesh.captured(mesh.b(), "external-inside"));
    names.answer("inside.example.com", inside.ipv4());
    mesh.controlPlane()
        .announce(
            second.with(w -> w.setHostname("gone.example.com")),
            endpoint(inside, web)
                .with(
                    w ->
                        w.setUid("Kubernetes//Pod/shop/by-hostname")
                            .setName("by-hostname")
                            .setTunnelProtocol(TunnelProtocol.HBONE)
                            .clearAddresses()
                            .setHostname("inside.example.com")));
    assertThat(calls(at(web))).isEqualTo(Map.of(inside.name(), CALLS));
    mesh.controlPlane().withdrawWorkloads(Set.of(second.uid(), "Kubernetes//Pod/shop/by-hostname"));
  }

  // -- whose pod it is

  @Test
  void aTunnelThatComesBeforeThePodIsKnownWaitsForIt() throws Exception {
    var early = answering(mesh.unknown(mesh.b(), "early"));
    var caller = mesh.authority().workload(client.identity());
    var host = mesh.uncaptured(mesh.a(), "hasty").host();
    mesh.b().agent().capture(early);
    try (var thread = Executors.newSingleThreadExecutor()) {
      var status =
          thread.submit(
              () -> {
                try (var hbone =
                    HboneClient.connect(
                        host, early.at(HboneServer.PORT), mesh.authority(), caller)) {
                  return hbone.connect(early.ipv4().getHostAddress() + ":" + PORT);
                }
              });
      mesh.controlPlane().announce(WorkloadResource.captured(early));
      assertThat(status.get(Patience.LONG.toSeconds(), TimeUnit.SECONDS)).isEqualTo("200");
    }
  }

  @Test
  void aPodInTheNamespaceOfAnotherIsNotServed() throws IOException {
    var server = answering(mesh.captured(mesh.b(), "asked"));
    var victim = mesh.unknown(mesh.a(), "victim");
    var wrong = mesh.captured(mesh.a(), "wrongly-paired");
    assertThat(TcpClient.connect(wrong, server.at(PORT)).receiveAll()).isNotEmpty();
    // From now on the control plane says that the pod is elsewhere.
    mesh.controlPlane()
        .announce(
            WorkloadResource.captured(wrong)
                .with(
                    w ->
                        w.clearAddresses()
                            .addAddresses(
                                com.google.protobuf.ByteString.copyFrom(
                                    victim.ipv4().getAddress()))));
    int mark = mesh.a().ztunnel().logSize();
    Calls.refused(wrong, server.at(PORT));
    mesh.a()
        .ztunnel()
        .awaitLog(
            "the reason",
            mark,
            line -> line.text().contains("is in the network namespace that was handed over"));
    var caller = mesh.authority().workload(client.identity());
    try (var hbone =
        HboneClient.connect(
            mesh.uncaptured(mesh.b(), "prober").host(),
            wrong.at(HboneServer.PORT),
            mesh.authority(),
            caller)) {
      assertThat(hbone.connect(wrong.ipv4().getHostAddress() + ":" + PORT)).isEqualTo("closed");
    } catch (IOException refused) {
      // So it should be: no identity is shown.
    }
  }
}
