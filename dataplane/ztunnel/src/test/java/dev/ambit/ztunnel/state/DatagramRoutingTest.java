package dev.ambit.ztunnel.state;

import static dev.ambit.ztunnel.testing.MeshFixtures.ip;
import static dev.ambit.ztunnel.testing.MeshFixtures.key;
import static dev.ambit.ztunnel.testing.MeshFixtures.pod;
import static dev.ambit.ztunnel.testing.MeshFixtures.port;
import static dev.ambit.ztunnel.testing.MeshFixtures.service;
import static dev.ambit.ztunnel.testing.MeshFixtures.socket;
import static dev.ambit.ztunnel.testing.MeshFixtures.waypoint;
import static org.assertj.core.api.Assertions.assertThat;

import dev.ambit.protocol.workload.PortList;
import dev.ambit.protocol.workload.Service;
import dev.ambit.protocol.workload.TunnelProtocol;
import dev.ambit.protocol.workload.Workload;
import java.util.List;
import java.util.Set;
import org.junit.jupiter.api.Test;

/** Where datagrams go, and to which addresses they are the mesh's business. */
class DatagramRoutingTest {
  private final MeshStore store = new MeshStore();
  private final Router router = new Router(store, "", Set.of());
  private final MeshWorkload client = put(pod("shop", "client", "10.0.0.1").setDatagrams(true));

  private MeshWorkload put(Workload.Builder proto) {
    MeshWorkload workload = MeshWorkload.of(proto.build());
    store.apply(List.of(workload), List.of(), List.of());
    return workload;
  }

  private void put(Service.Builder proto) {
    store.apply(List.of(), List.of(MeshService.of(proto.build())), List.of());
  }

  private OutboundRoute route(String address, int port) {
    return router.datagrams(client, socket(address, port), Set.of());
  }

  /** An endpoint of service dns: TCP 53 leads to 5353, UDP 53 to 5300. */
  private static Workload.Builder endpoint(String name, String address) {
    return pod("shop", name, address)
        .setDatagrams(true)
        .putServices(
            key("shop", "dns"),
            PortList.newBuilder()
                .addPorts(port(53, 5353))
                .addDatagramPorts(port(53, 5300))
                .build());
  }

  private static Service.Builder dns() {
    return service("shop", "dns", "10.96.0.10")
        .clearPorts()
        .addPorts(port(53, 5353))
        .addDatagramPorts(port(53, 5300));
  }

  @Test
  void aWorkloadThatTakesThemIsReachedThroughHboneOthersPlainly() {
    put(pod("shop", "willing", "10.0.0.2").setDatagrams(true));
    put(pod("shop", "unwilling", "10.0.0.3"));
    put(pod("shop", "outside", "10.0.0.4").setTunnelProtocol(TunnelProtocol.NONE));

    assertThat(route("10.0.0.2", 514))
        .isInstanceOfSatisfying(
            OutboundRoute.Tunnel.class,
            tunnel -> {
              assertThat(tunnel.nextHop()).isEqualTo(socket("10.0.0.2", 15008));
              assertThat(tunnel.authority()).isEqualTo("10.0.0.2:514");
            });
    assertThat(route("10.0.0.3", 514)).isInstanceOf(OutboundRoute.Plain.class);
    assertThat(route("10.0.0.4", 514)).isInstanceOf(OutboundRoute.Plain.class);
    assertThat(route("192.0.2.1", 514)).isInstanceOf(OutboundRoute.Plain.class);
  }

  @Test
  void aServicesUdpPortIsNotItsTcpPortOfThatNumber() {
    put(dns());
    put(endpoint("server", "10.0.0.5"));

    assertThat(route("10.96.0.10", 53))
        .isInstanceOfSatisfying(
            OutboundRoute.Tunnel.class,
            tunnel -> assertThat(tunnel.authority()).isEqualTo("10.0.0.5:5300"));
    assertThat(router.route(client, socket("10.96.0.10", 53)))
        .isInstanceOfSatisfying(
            OutboundRoute.Tunnel.class,
            tunnel -> assertThat(tunnel.authority()).isEqualTo("10.0.0.5:5353"));
    assertThat(route("10.96.0.10", 54)).isInstanceOf(OutboundRoute.Refused.class);
  }

  @Test
  void thoseThatWereNotReachedAreNotChosenAgain() {
    put(dns());
    put(endpoint("one", "10.0.0.5"));
    MeshWorkload two = put(endpoint("two", "10.0.0.6"));

    for (int i = 0; i < 20; i++) {
      assertThat(
              router
                  .datagrams(client, socket("10.96.0.10", 53), Set.of("Kubernetes//Pod/shop/one"))
                  .chosen())
          .isEqualTo(two.uid());
    }
    assertThat(
            router.datagrams(
                client,
                socket("10.96.0.10", 53),
                Set.of("Kubernetes//Pod/shop/one", "Kubernetes//Pod/shop/two")))
        .isInstanceOf(OutboundRoute.Refused.class);
  }

  @Test
  void aWaypointIsNotOnTheirWay() {
    put(dns().setWaypoint(waypoint("shop", "waypoint")));
    put(endpoint("server", "10.0.0.5"));

    assertThat(router.route(client, socket("10.96.0.10", 53)))
        .isInstanceOf(OutboundRoute.Refused.class);
    assertThat(route("10.96.0.10", 53)).isInstanceOf(OutboundRoute.Tunnel.class);
  }

  @Test
  void destinationsAreThoseThatAreCarriedToAndThoseThatMustNotGoPlain() {
    put(pod("shop", "willing", "10.0.0.2", "fd00::2").setDatagrams(true));
    put(pod("shop", "unwilling", "10.0.0.3"));
    put(pod("shop", "guarded", "10.0.0.4"));
    put(pod("shop", "outside", "10.0.0.5").setTunnelProtocol(TunnelProtocol.NONE));
    put(pod("shop", "elsewhere", "10.0.0.6").setDatagrams(true).setNetwork("other"));
    put(dns());
    put(endpoint("server", "10.0.0.7"));
    put(service("shop", "tcp-only", "10.96.0.11"));
    put(
        pod("shop", "web", "10.0.0.8")
            .putServices(
                key("shop", "tcp-only"), PortList.newBuilder().addPorts(port(80, 80)).build()));

    assertThat(DatagramDestinations.of(store, "", workload -> workload.name().equals("guarded")))
        .containsExactlyInAnyOrder(
            ip("10.0.0.1"),
            ip("10.0.0.2"),
            ip("fd00::2"),
            ip("10.0.0.4"),
            ip("10.0.0.7"),
            ip("10.96.0.10"));
  }
}
