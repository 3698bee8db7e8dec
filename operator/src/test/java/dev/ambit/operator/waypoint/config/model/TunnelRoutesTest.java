package dev.ambit.operator.waypoint.config.model;

import static org.assertj.core.api.Assertions.assertThat;

import com.google.protobuf.ByteString;
import dev.ambit.operator.model.IpAddresses;
import dev.ambit.operator.waypoint.model.PortProtocol;
import dev.ambit.operator.waypoint.model.ServicePort;
import dev.ambit.protocol.workload.NetworkAddress;
import dev.ambit.protocol.workload.Workload;
import io.envoyproxy.envoy.config.route.v3.RouteConfiguration;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;

class TunnelRoutesTest {
  private static final List<ServicePort> PORTS = List.of(port(80), port(443));

  private static ServicePort port(int number) {
    return new ServicePort(number, "", PortProtocol.HTTP);
  }

  private static ByteString ip(String text) {
    return IpAddresses.parse(text).orElseThrow();
  }

  private static NetworkAddress address(String text) {
    return NetworkAddress.newBuilder().setAddress(ip(text)).build();
  }

  private static NetworkAddress block(String text, int length) {
    return address(text).toBuilder().setLength(length).build();
  }

  private static List<String> domains(TunnelRoutes routes) {
    RouteConfiguration built = routes.build();
    assertThat(built.getName()).isEqualTo(TunnelRoutes.NAME);
    return built.getVirtualHostsList().stream()
        .flatMap(host -> host.getDomainsList().stream())
        .toList();
  }

  private static List<String> domains(NetworkAddress address) {
    TunnelRoutes routes = new TunnelRoutes();
    routes.add(List.of(address), PORTS);
    return domains(routes);
  }

  @Test
  void withoutServicesThereIsNoRoute() {
    assertThat(new TunnelRoutes().build().getVirtualHostsCount()).isZero();
  }

  @Test
  void theAuthorityIsAServicesAddressAndPort() {
    assertThat(domains(address("10.96.0.1"))).containsExactly("10.96.0.1:443", "10.96.0.1:80");
    assertThat(domains(block("10.96.0.1", 32))).hasSize(2);
  }

  @Test
  void anIpv6AddressIsWrittenInItsShortestForm() {
    assertThat(domains(address("fd00:97:0:0:0:0:0:1")))
        .containsExactly("[fd00:97::1]:443", "[fd00:97::1]:80");
    assertThat(domains(address("::"))).contains("[::]:80");
    assertThat(domains(address("fd00::"))).contains("[fd00::]:80");
    assertThat(domains(address("::1"))).contains("[::1]:80");
    assertThat(domains(address("fd00:0:1:0:0:1:0:0"))).contains("[fd00:0:1::1:0:0]:80");
    assertThat(domains(address("1:0:2:3:4:5:6:7"))).contains("[1:0:2:3:4:5:6:7]:80");
  }

  @Test
  void aPodIsReachedAtAllPorts() {
    TunnelRoutes routes = new TunnelRoutes();
    routes.add(
        new Member(
            Workload.newBuilder().addAddresses(ip("10.0.0.7")).addAddresses(ip("fd00::7")).build(),
            Map.of()));
    assertThat(domains(routes)).containsExactlyInAnyOrder("10.0.0.7:*", "[fd00::7]:*");
  }

  @Test
  void aBlockIsAsManyPrefixesAsItTakes() {
    assertThat(domains(block("10.1.2.0", 24))).containsExactly("10.1.2.*");
    assertThat(domains(block("10.1.2.64", 30)))
        .containsExactlyInAnyOrder("10.1.2.64:*", "10.1.2.65:*", "10.1.2.66:*", "10.1.2.67:*");
    assertThat(domains(block("10.1.4.0", 23))).containsExactlyInAnyOrder("10.1.4.*", "10.1.5.*");
    assertThat(domains(block("10.0.0.0", 8))).containsExactly("10.*");
    assertThat(domains(block("8.0.0.0", 7))).containsExactly("*");
    assertThat(domains(block("fd00::", 64))).containsExactly("*");
  }
}
