package dev.ambit.ztunnel.state;

import static dev.ambit.ztunnel.testing.MeshFixtures.bytes;
import static dev.ambit.ztunnel.testing.MeshFixtures.hostname;
import static dev.ambit.ztunnel.testing.MeshFixtures.ip;
import static dev.ambit.ztunnel.testing.MeshFixtures.key;
import static dev.ambit.ztunnel.testing.MeshFixtures.pod;
import static dev.ambit.ztunnel.testing.MeshFixtures.port;
import static dev.ambit.ztunnel.testing.MeshFixtures.ports;
import static dev.ambit.ztunnel.testing.MeshFixtures.service;
import static dev.ambit.ztunnel.testing.MeshFixtures.socket;
import static dev.ambit.ztunnel.testing.MeshFixtures.waypoint;
import static org.assertj.core.api.Assertions.assertThat;

import com.google.protobuf.UInt32Value;
import dev.ambit.protocol.workload.ApplicationTunnel;
import dev.ambit.protocol.workload.IPFamilies;
import dev.ambit.protocol.workload.LoadBalancing;
import dev.ambit.protocol.workload.NetworkAddress;
import dev.ambit.protocol.workload.NetworkMode;
import dev.ambit.protocol.workload.Service;
import dev.ambit.protocol.workload.TunnelProtocol;
import dev.ambit.protocol.workload.WeightedWaypoint;
import dev.ambit.protocol.workload.Workload;
import dev.ambit.protocol.workload.WorkloadStatus;
import dev.ambit.ztunnel.identity.Identity;
import java.net.InetAddress;
import java.net.UnknownHostException;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.SplittableRandom;
import java.util.concurrent.CompletableFuture;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class RouterTest {
  private final MeshStore store = new MeshStore();
  private final SplittableRandom random = new SplittableRandom(1);
  private final Router router =
      new Router(store, "", Set.of(15001, 15006, 15008), Router::unresolvable, null, () -> random);
  private final MeshWorkload client = put(pod("shop", "client", "10.0.0.1"));

  private MeshWorkload put(Workload.Builder proto) {
    MeshWorkload workload = MeshWorkload.of(proto.build());
    store.apply(List.of(workload), List.of(), List.of());
    return workload;
  }

  private MeshService put(Service.Builder proto) {
    MeshService service = MeshService.of(proto.build());
    store.apply(List.of(), List.of(service), List.of());
    return service;
  }

  private OutboundRoute route(String address, int port) {
    return router.route(client, socket(address, port));
  }

  private static Workload.Builder endpoint(String name, String address) {
    return pod("shop", name, address).putServices(key("shop", "web"), ports(80, 8080));
  }

  @Test
  void anUnknownAddressIsLeftAlone() {
    assertThat(route("192.0.2.1", 443))
        .isEqualTo(new OutboundRoute.Plain(socket("192.0.2.1", 443), Endpoint.UNKNOWN));
  }

  @Test
  void aPodInTheMeshIsReachedThroughHbone() {
    MeshWorkload server = put(pod("shop", "server", "10.0.0.2"));
    assertThat(route("10.0.0.2", 9090))
        .isEqualTo(
            new OutboundRoute.Tunnel(
                socket("10.0.0.2", 15008),
                "10.0.0.2:9090",
                List.of(new Identity("cluster.local", "shop", "server")),
                new Endpoint(server, null)));
  }

  @Test
  void anIpv6PodHasABracketedAuthority() {
    put(pod("shop", "server", "fd00::2"));
    assertThat(route("fd00::2", 80))
        .isInstanceOfSatisfying(
            OutboundRoute.Tunnel.class,
            tunnel -> assertThat(tunnel.authority()).isEqualTo("[fd00::2]:80"));
  }

  @Test
  void aMappedIpv4AddressIsTheIpv4Address() throws UnknownHostException {
    put(pod("shop", "server", "10.0.0.2"));
    byte[] mapped = new byte[16];
    mapped[10] = mapped[11] = (byte) 0xff;
    System.arraycopy(ip("10.0.0.2").getAddress(), 0, mapped, 12, 4);
    InetAddress address = java.net.Inet6Address.getByAddress("", mapped, -1);
    assertThat(router.route(client, new java.net.InetSocketAddress(address, 80)))
        .isInstanceOf(OutboundRoute.Tunnel.class);
    assertThat(router.byAddress(address)).isNotNull();
  }

  @Test
  void aPodOutsideTheMeshIsReachedPlainly() {
    MeshWorkload server =
        put(pod("shop", "server", "10.0.0.2").setTunnelProtocol(TunnelProtocol.NONE));
    assertThat(route("10.0.0.2", 80))
        .isEqualTo(new OutboundRoute.Plain(socket("10.0.0.2", 80), new Endpoint(server, null)));
  }

  @Test
  void aServiceLeadsToAnEndpointAndItsPort() {
    MeshService web = put(service("shop", "web", "10.96.0.1"));
    MeshWorkload server = put(endpoint("server", "10.0.0.2"));
    assertThat(route("10.96.0.1", 80))
        .isEqualTo(
            new OutboundRoute.Tunnel(
                socket("10.0.0.2", 15008),
                "10.0.0.2:8080",
                List.of(server.identity()),
                new Endpoint(server, web),
                server.uid()));
  }

  @Test
  void endpointsMayArriveBeforeTheirService() {
    put(endpoint("server", "10.0.0.2"));
    assertThat(store.stagedServices()).containsExactly(ServiceKey.parse(key("shop", "web")));
    put(service("shop", "web", "10.96.0.1"));
    assertThat(store.stagedServices()).isEmpty();
    assertThat(route("10.96.0.1", 80)).isInstanceOf(OutboundRoute.Tunnel.class);
  }

  @Test
  void aServiceWithoutEndpointsRefuses() {
    put(service("shop", "web", "10.96.0.1"));
    assertThat(route("10.96.0.1", 80)).isInstanceOf(OutboundRoute.Refused.class);
  }

  @Test
  void aPortThatTheServiceLacksIsRefused() {
    put(service("shop", "web", "10.96.0.1"));
    put(endpoint("server", "10.0.0.2"));
    assertThat(route("10.96.0.1", 81)).isInstanceOf(OutboundRoute.Refused.class);
  }

  @Test
  void aNamedPortIsEachEndpointsOwn() {
    put(service("shop", "web", "10.96.0.1").clearPorts().addPorts(port(80, 0)));
    put(pod("shop", "server", "10.0.0.2").putServices(key("shop", "web"), ports(80, 3000)));
    assertThat(route("10.96.0.1", 80))
        .isInstanceOfSatisfying(
            OutboundRoute.Tunnel.class,
            tunnel -> assertThat(tunnel.authority()).isEqualTo("10.0.0.2:3000"));
  }

  @Test
  void unhealthyEndpointsArePassedOverUnlessAllAreAllowed() {
    put(service("shop", "web", "10.96.0.1"));
    put(endpoint("server", "10.0.0.2").setStatus(WorkloadStatus.UNHEALTHY));
    assertThat(route("10.96.0.1", 80)).isInstanceOf(OutboundRoute.Refused.class);

    put(
        service("shop", "web", "10.96.0.1")
            .setLoadBalancing(
                LoadBalancing.newBuilder().setHealthPolicy(LoadBalancing.HealthPolicy.ALLOW_ALL)));
    assertThat(route("10.96.0.1", 80)).isInstanceOf(OutboundRoute.Tunnel.class);
  }

  @Test
  void endpointsTakeTheirShareOfLoad() {
    put(service("shop", "web", "10.96.0.1"));
    put(endpoint("a", "10.0.0.2").setCapacity(UInt32Value.of(3)));
    put(endpoint("b", "10.0.0.3").setCapacity(UInt32Value.of(1)));
    put(endpoint("none", "10.0.0.4").setCapacity(UInt32Value.of(0)));
    Map<String, Integer> counts = count(4000);
    assertThat(counts.keySet()).containsExactlyInAnyOrder("10.0.0.2:8080", "10.0.0.3:8080");
    assertThat(counts.get("10.0.0.2:8080")).isBetween(2850, 3150);
  }

  @Test
  void equalEndpointsAreChosenEqually() {
    put(service("shop", "web", "10.96.0.1"));
    List<MeshWorkload> servers = new ArrayList<>();
    for (int i = 0; i < 10; i++) {
      servers.add(
          MeshWorkload.of(
              endpoint("s" + i, "10.0.1." + i)
                  .setStatus(i < 5 ? WorkloadStatus.UNHEALTHY : WorkloadStatus.HEALTHY)
                  .build()));
    }
    store.apply(servers, List.of(), List.of());
    Map<String, Integer> counts = count(5000);
    assertThat(counts).hasSize(5);
    assertThat(counts.values()).allSatisfy(n -> assertThat(n).isBetween(850, 1150));
  }

  private Map<String, Integer> count(int connections) {
    Map<String, Integer> counts = new HashMap<>();
    for (int i = 0; i < connections; i++) {
      if (route("10.96.0.1", 80) instanceof OutboundRoute.Tunnel tunnel) {
        counts.merge(tunnel.authority(), 1, Integer::sum);
      }
    }
    return counts;
  }

  private void localityService(LoadBalancing.Mode mode) {
    put(
        service("shop", "web", "10.96.0.1")
            .setLoadBalancing(
                LoadBalancing.newBuilder()
                    .setMode(mode)
                    .addRoutingPreference(LoadBalancing.Scope.REGION)
                    .addRoutingPreference(LoadBalancing.Scope.NODE)));
  }

  @Test
  void failoverPrefersTheNearest() {
    localityService(LoadBalancing.Mode.FAILOVER);
    put(endpoint("far", "10.0.0.2").setNode("node-2"));
    assertThat(count(20)).containsOnlyKeys("10.0.0.2:8080");
    put(endpoint("near", "10.0.0.3"));
    assertThat(count(20)).containsOnlyKeys("10.0.0.3:8080");
    put(endpoint("near", "10.0.0.3").setStatus(WorkloadStatus.UNHEALTHY));
    assertThat(count(20)).containsOnlyKeys("10.0.0.2:8080");
  }

  @Test
  void strictRefusesWhatIsFar() {
    localityService(LoadBalancing.Mode.STRICT);
    put(endpoint("far", "10.0.0.2").setNode("node-2"));
    assertThat(route("10.96.0.1", 80)).isInstanceOf(OutboundRoute.Refused.class);
    put(endpoint("near", "10.0.0.3"));
    assertThat(count(20)).containsOnlyKeys("10.0.0.3:8080");
  }

  @Test
  void passthroughGoesWhereItWasGoing() {
    MeshService external =
        put(
            service("shop", "external", "192.0.2.9")
                .setLoadBalancing(
                    LoadBalancing.newBuilder().setMode(LoadBalancing.Mode.PASSTHROUGH)));
    assertThat(route("192.0.2.9", 443))
        .isEqualTo(new OutboundRoute.Plain(socket("192.0.2.9", 443), new Endpoint(null, external)));
  }

  @Test
  void aHeadlessServiceIsReachedByItsPods() {
    put(service("shop", "web"));
    MeshWorkload server = put(endpoint("server", "10.0.0.2"));
    assertThat(route("10.0.0.2", 8080))
        .isInstanceOfSatisfying(
            OutboundRoute.Tunnel.class,
            tunnel -> assertThat(tunnel.destination().workload()).isEqualTo(server));
  }

  @Test
  void addressFamiliesFollowTheServiceAndTheCaller() {
    Workload.Builder dual =
        pod("shop", "server", "10.0.0.2", "fd00::2")
            .putServices(key("shop", "web"), ports(80, 8080));
    put(dual);
    put(service("shop", "web", "10.96.0.1", "fd00:96::1"));
    assertThat(authority("10.96.0.1")).isEqualTo("10.0.0.2:8080");
    assertThat(authority("fd00:96::1")).isEqualTo("[fd00::2]:8080");
    put(service("shop", "web", "10.96.0.1").setIpFamilies(IPFamilies.IPV6_ONLY));
    assertThat(authority("10.96.0.1")).isEqualTo("[fd00::2]:8080");
  }

  private String authority(String vip) {
    return route(vip, 80) instanceof OutboundRoute.Tunnel tunnel ? tunnel.authority() : "none";
  }

  @Test
  void ofTwoServicesWithOneAddressTheOwnNamespaceWinsThenTheCanonical() {
    put(service("a", "web", "10.96.0.1"));
    put(service("b", "web", "10.96.0.1").setCanonical(true));
    assertThat(routedService()).isEqualTo("b");
    put(service("shop", "web", "10.96.0.1"));
    assertThat(routedService()).isEqualTo("shop");
  }

  @Test
  void aPrivateServiceIsSeenInItsNamespaceOnly() {
    put(service("a", "web", "10.96.0.1").setVisibility(Service.Visibility.NAMESPACE));
    assertThat(route("10.96.0.1", 80)).isInstanceOf(OutboundRoute.Plain.class);
  }

  private String routedService() {
    MeshService service = route("10.96.0.1", 80).destination().service();
    return service == null ? "none" : service.namespace();
  }

  @Test
  void anAddressBlockIsMatchedByItsLongestPrefix() {
    put(
        service("a", "wide")
            .addAddresses(NetworkAddress.newBuilder().setAddress(bytes("192.0.0.0")).setLength(8)));
    put(
        service("a", "narrow")
            .addAddresses(
                NetworkAddress.newBuilder().setAddress(bytes("192.0.2.0")).setLength(23)));
    assertThat(serviceAt("192.0.3.7")).isEqualTo("narrow");
    assertThat(serviceAt("192.0.4.7")).isEqualTo("wide");
    assertThat(serviceAt("193.0.4.7")).isEqualTo("none");
    store.apply(List.of(), List.of(), List.of(key("a", "narrow")));
    assertThat(serviceAt("192.0.3.7")).isEqualTo("wide");
  }

  private String serviceAt(String address) {
    MeshService service = route(address, 80).destination().service();
    return service == null ? "none" : service.name();
  }

  @Test
  void aServiceWaypointTakesTheConnectionWithItsOriginalDestination() {
    put(service("shop", "web", "10.96.0.1").setWaypoint(waypoint("shop", "waypoint")));
    put(endpoint("server", "10.0.0.2"));
    assertThat(route("10.96.0.1", 80)).isInstanceOf(OutboundRoute.Refused.class);

    put(service("shop", "waypoint").clearPorts().addPorts(port(15008, 15008)));
    assertThat(route("10.96.0.1", 80)).isInstanceOf(OutboundRoute.Refused.class);

    MeshWorkload gateway =
        put(
            pod("shop", "gateway", "10.0.0.9")
                .putServices(key("shop", "waypoint"), ports(15008, 15008)));
    assertThat(route("10.96.0.1", 80))
        .isInstanceOfSatisfying(
            OutboundRoute.Tunnel.class,
            tunnel -> {
              assertThat(tunnel.nextHop()).isEqualTo(socket("10.0.0.9", 15008));
              assertThat(tunnel.authority()).isEqualTo("10.96.0.1:80");
              assertThat(tunnel.expected()).containsExactly(gateway.identity());
              assertThat(tunnel.waypoint()).isTrue();
            });
    assertThat(route("10.96.0.1", 81))
        .as("a port that the service has not, so the waypoint will never know it")
        .isInstanceOfSatisfying(
            OutboundRoute.Tunnel.class, tunnel -> assertThat(tunnel.waypoint()).isFalse());
    assertThat(router.route(gateway, socket("10.96.0.1", 80)))
        .as("the waypoint itself goes straight")
        .isInstanceOfSatisfying(
            OutboundRoute.Tunnel.class,
            tunnel -> assertThat(tunnel.authority()).isEqualTo("10.0.0.2:8080"));
  }

  private @Nullable String passed(MeshWorkload server, int port, String from)
      throws UnknownHostException {
    MeshService service = router.passedWaypoint(server, port, InetAddress.getByName(from));
    return service == null ? null : service.name();
  }

  @Test
  void whatComesToAServicesPodOtherwiseThanByItsWaypointIsTold() throws UnknownHostException {
    put(service("shop", "web", "10.96.0.1").setWaypoint(waypoint("shop", "waypoint")));
    put(service("shop", "waypoint").clearPorts().addPorts(port(15008, 15008)));
    put(
        pod("shop", "gateway", "10.0.0.9")
            .putServices(key("shop", "waypoint"), ports(15008, 15008)));
    MeshWorkload server = put(endpoint("server", "10.0.0.2"));
    assertThat(passed(server, 8080, "10.0.0.5")).isEqualTo("web");
    assertThat(passed(server, 8080, "10.0.0.9")).as("through it").isNull();
    assertThat(passed(server, 9090, "10.0.0.5")).as("none of the service's ports").isNull();

    put(service("shop", "open", "10.96.0.2"));
    MeshWorkload both =
        put(endpoint("both", "10.0.0.3").putServices(key("shop", "open"), ports(80, 8080)));
    assertThat(passed(both, 8080, "10.0.0.5")).as("may have meant the other").isNull();
  }

  @Test
  void aWorkloadWaypointIsForTrafficToItsAddressOnly() {
    put(service("shop", "web", "10.96.0.1"));
    put(endpoint("server", "10.0.0.2").setWaypoint(waypoint("shop", "waypoint")));
    assertThat(route("10.0.0.2", 8080)).isInstanceOf(OutboundRoute.Refused.class);
    assertThat(authority("10.96.0.1")).isEqualTo("10.0.0.2:8080");
  }

  @Test
  void aWaypointMayBeGivenByAddress() {
    put(
        pod("shop", "server", "10.0.0.2")
            .setWaypoint(
                dev.ambit.protocol.workload.GatewayAddress.newBuilder()
                    .setAddress(NetworkAddress.newBuilder().setAddress(bytes("10.0.0.9")))
                    .setHboneMtlsPort(15008)));
    assertThat(route("10.0.0.2", 80)).isInstanceOf(OutboundRoute.Refused.class);
    put(pod("shop", "gateway", "10.0.0.9"));
    assertThat(route("10.0.0.2", 80))
        .isInstanceOfSatisfying(
            OutboundRoute.Tunnel.class,
            tunnel -> assertThat(tunnel.nextHop()).isEqualTo(socket("10.0.0.9", 15008)));
  }

  @Test
  void weightedWaypointsShareTheConnections() {
    put(
        service("shop", "web", "10.96.0.1")
            .addWeightedWaypoints(
                WeightedWaypoint.newBuilder().setDestination(waypoint("shop", "wp1")).setWeight(9))
            .addWeightedWaypoints(
                WeightedWaypoint.newBuilder()
                    .setDestination(waypoint("shop", "wp2"))
                    .setWeight(1)));
    for (String name : List.of("wp1", "wp2")) {
      put(service("shop", name).clearPorts().addPorts(port(15008, 15008)));
    }
    put(pod("shop", "g1", "10.0.0.8").putServices(key("shop", "wp1"), ports(15008, 15008)));
    put(pod("shop", "g2", "10.0.0.9").putServices(key("shop", "wp2"), ports(15008, 15008)));
    int first = 0;
    for (int i = 0; i < 1000; i++) {
      if (route("10.96.0.1", 80) instanceof OutboundRoute.Tunnel tunnel
          && tunnel.nextHop().equals(socket("10.0.0.8", 15008))) {
        first++;
      }
    }
    assertThat(first).isBetween(860, 940);
  }

  @Test
  void endpointsOfOtherNetworksAreNotReached() {
    put(service("shop", "web", "10.96.0.1"));
    put(endpoint("server", "10.0.0.2").setNetwork("remote"));
    assertThat(route("10.96.0.1", 80))
        .isInstanceOfSatisfying(
            OutboundRoute.Refused.class,
            refused -> assertThat(refused.reason()).contains("other networks"));
  }

  @Test
  void hostNetworkPodsAreNotFoundByAddress() {
    put(pod("shop", "host", "10.1.0.1").setNetworkMode(NetworkMode.HOST_NETWORK));
    assertThat(route("10.1.0.1", 80)).isInstanceOf(OutboundRoute.Plain.class);
    assertThat(router.byAddress(ip("10.1.0.1"))).isNull();
  }

  @Test
  void anAddressThatMovesToANewPodIsNeverUnknown() {
    put(pod("shop", "old", "10.0.0.5"));
    MeshWorkload successor = MeshWorkload.of(pod("shop", "new", "10.0.0.5").build());
    store.apply(List.of(successor), List.of(), List.of("Kubernetes//Pod/shop/old"));
    assertThat(router.byAddress(ip("10.0.0.5"))).isEqualTo(successor);
    store.apply(List.of(), List.of(), List.of(successor.uid()));
    assertThat(router.byAddress(ip("10.0.0.5"))).isNull();
  }

  @Test
  void aPodInTheMeshComesBeforeOthersWithItsAddress() {
    put(
        pod("shop", "entry", "10.0.0.5")
            .setUid("Kubernetes/networking.istio.io/WorkloadEntry/shop/entry"));
    put(pod("shop", "plain", "10.0.0.5").setTunnelProtocol(TunnelProtocol.NONE));
    MeshWorkload meshed = put(pod("shop", "meshed", "10.0.0.5"));
    assertThat(router.byAddress(ip("10.0.0.5"))).isEqualTo(meshed);
  }

  @Test
  void aWorkloadThatLeavesAServiceIsNoEndpointOfItAnyMore() {
    put(service("shop", "web", "10.96.0.1"));
    put(endpoint("server", "10.0.0.2"));
    put(pod("shop", "server", "10.0.0.2"));
    assertThat(route("10.96.0.1", 80)).isInstanceOf(OutboundRoute.Refused.class);
  }

  @Test
  void theLocalWorkloadIsAwaited() {
    LocalPod pod = new LocalPod("uid-1", "late", "shop", "late");
    CompletableFuture<MeshWorkload> found = router.local(pod).toCompletableFuture();
    assertThat(found).isNotDone();
    put(pod("shop", "late", "10.0.0.7").setServiceAccount("another"));
    assertThat(found).as("another service account is another pod").isNotDone();
    MeshWorkload late = put(pod("shop", "late", "10.0.0.7"));
    assertThat(found).isCompletedWithValue(late);
    assertThat(router.local(pod).toCompletableFuture()).isCompletedWithValue(late);
  }

  @Test
  void inboundTakesItsOwnAddress() {
    assertThat(router.inbound(client, socket("10.0.0.1", 15008), "10.0.0.1:80"))
        .isEqualTo(new InboundRoute.Accepted(80, null));
  }

  @Test
  void inboundRefusesAnotherAddress() {
    assertThat(status(router.inbound(client, socket("10.0.0.1", 15008), "10.0.0.2:80")))
        .isEqualTo(400);
  }

  @ParameterizedTest
  @ValueSource(ints = {15001, 15006, 15008})
  void inboundRefusesTheZtunnelsOwnPorts(int port) {
    assertThat(status(router.inbound(client, socket("10.0.0.1", 15008), "10.0.0.1:" + port)))
        .isEqualTo(503);
  }

  @Test
  void inboundRefusesAMalformedAuthority() {
    assertThat(status(router.inbound(client, socket("10.0.0.1", 15008), "10.0.0.1")))
        .isEqualTo(400);
  }

  private static int status(InboundRoute route) {
    return switch (route) {
      case InboundRoute.Accepted _ -> 200;
      case InboundRoute.Rejected(int status, String _) -> status;
      case InboundRoute.Awaited _ -> 0;
    };
  }

  @Test
  void inboundByHostnameMapsThePort() {
    MeshService web = put(service("shop", "web", "10.96.0.1"));
    MeshWorkload server =
        put(pod("shop", "server", "10.0.0.2").putServices(key("shop", "web"), ports(80, 3000)));
    String authority = hostname("shop", "web") + ":80";
    assertThat(router.inbound(server, socket("10.0.0.2", 15008), authority))
        .isEqualTo(new InboundRoute.Accepted(3000, web));
    assertThat(router.inbound(client, socket("10.0.0.1", 15008), authority))
        .isEqualTo(new InboundRoute.Accepted(8080, web));
    assertThat(
            status(
                router.inbound(server, socket("10.0.0.2", 15008), hostname("shop", "web") + ":81")))
        .isEqualTo(503);
    assertThat(status(router.inbound(server, socket("10.0.0.2", 15008), "nowhere.example:80")))
        .isEqualTo(503);
  }

  @Test
  void inboundOfAWaypointTakesWhatItStandsFor() {
    put(service("shop", "web", "10.96.0.1").setWaypoint(waypoint("shop", "waypoint")));
    put(service("shop", "waypoint").clearPorts().addPorts(port(15008, 15008)));
    MeshWorkload gateway =
        put(
            pod("shop", "gateway", "10.0.0.9")
                .putServices(key("shop", "waypoint"), ports(15008, 15008)));
    assertThat(router.inbound(gateway, socket("10.0.0.9", 15008), "10.96.0.1:80"))
        .isEqualTo(new InboundRoute.Accepted(80, null));
    assertThat(status(router.inbound(client, socket("10.0.0.1", 15008), "10.96.0.1:80")))
        .isEqualTo(400);
  }

  @Test
  void anApplicationTunnelTakesAllAtItsPort() {
    MeshWorkload gateway =
        put(
            pod("shop", "gateway", "10.0.0.9")
                .setApplicationTunnel(
                    ApplicationTunnel.newBuilder()
                        .setProtocol(ApplicationTunnel.Protocol.PROXY)
                        .setPort(15088)));
    assertThat(router.inbound(gateway, socket("10.0.0.9", 15008), "192.0.2.1:80"))
        .isEqualTo(new InboundRoute.Accepted(15088, null));
  }

  // -- another endpoint, names, on demand

  @Test
  void whoCouldNotBeReachedIsNotChosenAgain() {
    put(service("shop", "web", "10.96.0.1"));
    MeshWorkload first = put(endpoint("a", "10.0.0.2"));
    MeshWorkload second = put(endpoint("b", "10.0.0.3"));
    for (int i = 0; i < 20; i++) {
      assertThat(router.route(client, socket("10.96.0.1", 80), Set.of(first.uid())).chosen())
          .isEqualTo(second.uid());
    }
    assertThat(router.route(client, socket("10.96.0.1", 80), Set.of(first.uid(), second.uid())))
        .isInstanceOf(OutboundRoute.Refused.class);
    assertThat(route("10.0.0.2", 80).chosen()).as("nobody chose it").isEmpty();
  }

  @Test
  void withoutAModePreferencesDoNotCount() {
    localityService(LoadBalancing.Mode.UNSPECIFIED_MODE);
    put(endpoint("far", "10.0.0.2").setNode("node-2"));
    put(endpoint("near", "10.0.0.3"));
    assertThat(count(100)).containsOnlyKeys("10.0.0.2:8080", "10.0.0.3:8080");
  }

  @Test
  void aServicesOwnTargetWillDoWhereAnEndpointNamesNone() {
    put(service("shop", "web", "10.96.0.1"));
    put(
        pod("shop", "server", "10.0.0.2")
            .putServices(
                key("shop", "web"), dev.ambit.protocol.workload.PortList.getDefaultInstance()));
    assertThat(authority("10.96.0.1")).isEqualTo("10.0.0.2:8080");
  }

  private Router resolving(HostnameResolver resolver) {
    return new Router(store, "", Set.of(), resolver, null, () -> random);
  }

  private static OutboundRoute settled(OutboundRoute route) {
    assertThat(route).isInstanceOf(OutboundRoute.Awaited.class);
    return ((OutboundRoute.Awaited) route).route().toCompletableFuture().join();
  }

  @Test
  void aHostnameIsAskedForWhereThereIsNoAddress() {
    MeshService web = put(service("shop", "web", "10.96.0.1", "fd00:96::1"));
    MeshWorkload named =
        put(
            endpoint("named", "10.0.0.2")
                .clearAddresses()
                .setTunnelProtocol(TunnelProtocol.NONE)
                .setHostname("api.example.com"));
    Router both =
        resolving(
            (source, workload) ->
                CompletableFuture.completedFuture(List.of(ip("192.0.2.1"), ip("2001:db8::1"))));
    assertThat(settled(both.route(client, socket("10.96.0.1", 80))))
        .isEqualTo(
            new OutboundRoute.Plain(
                socket("192.0.2.1", 8080), new Endpoint(named, web), named.uid()));
    assertThat(settled(both.route(client, socket("fd00:96::1", 80))))
        .isEqualTo(
            new OutboundRoute.Plain(
                socket("2001:db8::1", 8080), new Endpoint(named, web), named.uid()));
    assertThat(settled(route("10.96.0.1", 80)))
        .isInstanceOfSatisfying(
            OutboundRoute.Refused.class,
            refused -> {
              assertThat(refused.chosen()).isEqualTo(named.uid());
              assertThat(refused.reason()).contains("api.example.com");
            });
    put(service("shop", "web", "10.96.0.1").setIpFamilies(IPFamilies.IPV6_ONLY));
    Router old =
        resolving(
            (source, workload) -> CompletableFuture.completedFuture(List.of(ip("192.0.2.1"))));
    assertThat(settled(old.route(client, socket("10.96.0.1", 80))))
        .isInstanceOf(OutboundRoute.Refused.class);
  }

  /** Answers when told to. */
  private static final class Answers implements Demand {
    final Map<String, CompletableFuture<Void>> asked = new HashMap<>();

    @Override
    public java.util.concurrent.@org.jspecify.annotations.Nullable CompletionStage<Void> ask(
        String name) {
      CompletableFuture<Void> answer =
          asked.computeIfAbsent(name, key -> new CompletableFuture<>());
      return answer.isDone() && !answer.isCompletedExceptionally() ? null : answer;
    }

    CompletableFuture<Void> to(String name) {
      return Objects.requireNonNull(asked.get(name));
    }

    @Override
    public void used(String name) {}
  }

  @Test
  void onDemandARouteWaitsForEachAnswerItNeeds() {
    Answers answers = new Answers();
    Router asking = new Router(store, "net", Set.of(), Router::unresolvable, answers, () -> random);
    OutboundRoute route = asking.route(client, socket("fd00:96::1", 80));
    assertThat(answers.asked.keySet()).containsExactly("net/fd00:96::1");
    MeshService web =
        put(
            service("shop", "web")
                .addAddresses(
                    NetworkAddress.newBuilder().setNetwork("net").setAddress(bytes("fd00:96::1")))
                .setWaypoint(waypoint("shop", "waypoint")));
    answers.to("net/fd00:96::1").complete(null);
    assertThat(answers.asked).containsKey(key("shop", "waypoint"));
    assertThat(((OutboundRoute.Awaited) route).route().toCompletableFuture()).isNotDone();
    answers.to(key("shop", "waypoint")).complete(null);
    assertThat(settled(route))
        .as("a waypoint that does not exist is not gone around")
        .isInstanceOf(OutboundRoute.Refused.class);
    assertThat(settled(route).destination().service()).isEqualTo(web);

    OutboundRoute unanswered = asking.route(client, socket("192.0.2.1", 80));
    answers.to("net/192.0.2.1").completeExceptionally(new java.io.IOException("mute"));
    assertThat(settled(unanswered))
        .isInstanceOfSatisfying(
            OutboundRoute.Refused.class, refused -> assertThat(refused.reason()).contains("mute"));
    OutboundRoute unknown = asking.route(client, socket("192.0.2.2", 80));
    answers.to("net/192.0.2.2").complete(null);
    assertThat(settled(unknown))
        .isEqualTo(new OutboundRoute.Plain(socket("192.0.2.2", 80), Endpoint.UNKNOWN));
  }

  @Test
  void weightsOfNothingLeaveTheSingleWaypoint() {
    put(
        service("shop", "web", "10.96.0.1")
            .setWaypoint(
                dev.ambit.protocol.workload.GatewayAddress.newBuilder()
                    .setAddress(NetworkAddress.newBuilder().setAddress(bytes("10.0.0.9"))))
            .addWeightedWaypoints(
                WeightedWaypoint.newBuilder().setDestination(waypoint("shop", "w"))));
    put(pod("shop", "gateway", "10.0.0.9"));
    assertThat(route("10.96.0.1", 80))
        .isInstanceOfSatisfying(
            OutboundRoute.Tunnel.class,
            tunnel -> assertThat(tunnel.nextHop()).isEqualTo(socket("10.0.0.9", 15008)));
  }

  @Test
  void anOwnPortIsNotAskedForThroughAnApplicationTunnelEither() {
    MeshWorkload gateway =
        put(
            pod("shop", "gateway", "10.0.0.9")
                .setApplicationTunnel(
                    ApplicationTunnel.newBuilder()
                        .setProtocol(ApplicationTunnel.Protocol.PROXY)
                        .setPort(15088)));
    assertThat(status(router.inbound(gateway, socket("10.0.0.9", 15008), "10.0.0.9:15001")))
        .isEqualTo(503);
  }
}
