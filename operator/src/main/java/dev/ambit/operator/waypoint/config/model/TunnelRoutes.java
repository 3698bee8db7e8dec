package dev.ambit.operator.waypoint.config.model;

import com.google.protobuf.ByteString;
import dev.ambit.operator.model.IpAddresses;
import dev.ambit.operator.waypoint.model.ServicePort;
import dev.ambit.protocol.workload.NetworkAddress;
import io.envoyproxy.envoy.config.route.v3.Route;
import io.envoyproxy.envoy.config.route.v3.RouteAction;
import io.envoyproxy.envoy.config.route.v3.RouteConfiguration;
import io.envoyproxy.envoy.config.route.v3.RouteMatch;
import io.envoyproxy.envoy.config.route.v3.VirtualHost;
import java.util.Collection;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;

/**
 * Which tunnels are taken: those that lead to a service or pod of the waypoint's. Others are
 * answered with 404, which tells clients that they may ask again, as those whose node hears of a
 * service sooner than the waypoint does.
 *
 * <p>These routes open nothing by themselves: what a tunnel leads to is up to the chains behind it.
 * So the routes are sent once those are in force.
 */
final class TunnelRoutes {
  /** The name of the resource. */
  static final String NAME = "tunnels";

  private static final int OCTET = 8;

  private final Set<String> domains = new TreeSet<>();

  /** Takes those to the ports of a service. */
  void add(Collection<NetworkAddress> addresses, Collection<ServicePort> ports) {
    for (NetworkAddress address : addresses) {
      for (String host : hosts(address)) {
        if (host.endsWith("*")) {
          domains.add(host);
        } else {
          ports.forEach(port -> domains.add(host + ":" + port.number()));
        }
      }
    }
  }

  /** Takes those to all ports of a pod. */
  void add(Member pod) {
    pod.workload().getAddressesList().forEach(address -> domains.add(host(address) + ":*"));
  }

  private static String host(ByteString address) {
    String text = IpAddresses.canonical(address);
    return address.size() == 16 ? "[" + text + "]" : text;
  }

  /** Hosts, or patterns of whole authorities that each begin with a host of that block. */
  private static List<String> hosts(NetworkAddress block) {
    ByteString address = block.getAddress();
    int bits = address.size() * OCTET;
    int length = block.hasLength() ? block.getLength() : bits;
    if (length == bits) {
      return List.of(host(address));
    }
    if (bits != 32 || length < OCTET) {
      // There is no pattern for such a block, so all are taken; what has no chain is closed then.
      return List.of("*");
    }
    int whole = length / OCTET;
    int more = length % OCTET;
    String prefix = "";
    for (int i = 0; i < whole; i++) {
      prefix += (address.byteAt(i) & 0xff) + ".";
    }
    if (more == 0) {
      return List.of(prefix + "*");
    }
    int first = address.byteAt(whole) & 0xff;
    String begin = prefix;
    // The last octet is followed by a port, and others by further octets.
    String end = whole == 3 ? ":*" : ".*";
    return java.util.stream.IntStream.range(first, first + (1 << (OCTET - more)))
        .mapToObj(octet -> begin + octet + end)
        .toList();
  }

  RouteConfiguration build() {
    RouteConfiguration.Builder routes = RouteConfiguration.newBuilder().setName(NAME);
    if (!domains.isEmpty()) {
      routes.addVirtualHosts(to(NAME, Tunnels.MAIN).addAllDomains(domains));
    }
    return routes.build();
  }

  /** Takes tunnels of some authorities to a cluster. */
  static VirtualHost.Builder to(String name, String cluster) {
    return VirtualHost.newBuilder()
        .setName(name)
        .addRoutes(
            Route.newBuilder()
                .setMatch(
                    RouteMatch.newBuilder()
                        .setConnectMatcher(RouteMatch.ConnectMatcher.getDefaultInstance()))
                .setRoute(
                    RouteAction.newBuilder()
                        .setCluster(cluster)
                        .setTimeout(Envoy.ZERO)
                        .addUpgradeConfigs(
                            RouteAction.UpgradeConfig.newBuilder()
                                .setUpgradeType("CONNECT")
                                .setConnectConfig(
                                    RouteAction.UpgradeConfig.ConnectConfig
                                        .getDefaultInstance()))));
  }
}
