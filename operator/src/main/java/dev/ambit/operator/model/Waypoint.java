package dev.ambit.operator.model;

import dev.ambit.protocol.workload.ApplicationTunnel;
import dev.ambit.protocol.workload.GatewayAddress;
import dev.ambit.protocol.workload.NamespacedHostname;
import dev.ambit.protocol.workload.NetworkAddress;
import io.fabric8.kubernetes.api.model.HasMetadata;
import io.fabric8.kubernetes.api.model.LabelSelector;
import io.fabric8.kubernetes.api.model.gatewayapi.v1.Gateway;
import io.fabric8.kubernetes.api.model.gatewayapi.v1.GatewayClass;
import io.fabric8.kubernetes.api.model.gatewayapi.v1.GatewayStatusAddress;
import io.fabric8.kubernetes.api.model.gatewayapi.v1.Listener;
import io.fabric8.kubernetes.api.model.gatewayapi.v1.RouteNamespaces;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.Predicate;
import org.jspecify.annotations.Nullable;

/**
 * A Gateway as those see it who want to send traffic through it.
 *
 * @param address where it is, once it is ready
 * @param trafficFor "service", "workload", "all" or "none"
 * @param from namespaces whose objects may be bound to it: "Same", "All" or "Selector"
 * @param selector their labels, where it is "Selector"
 * @param tunnel how its instances want connections handed to them, where they say so
 */
record Waypoint(
    String namespace,
    String name,
    Optional<GatewayAddress> address,
    String trafficFor,
    String from,
    @Nullable LabelSelector selector,
    Optional<ApplicationTunnel> tunnel) {
  static final int PORT = 15008;

  /** Where neither the Gateway nor its class says what it is for. */
  static final String DEFAULT_TRAFFIC = "service";

  private static final String FOR = "istio.io/waypoint-for";
  private static final String INBOUND_BINDING = "ambient.istio.io/waypoint-inbound-binding";
  private static final String SANDWICH_PROTOCOL = "istio.io/PROXY";

  static Waypoint of(Gateway gateway, @Nullable GatewayClass gatewayClass) {
    Optional<ApplicationTunnel> tunnel =
        value(gateway, gatewayClass, Waypoint::annotations, INBOUND_BINDING)
            .flatMap(Waypoint::tunnel);
    Optional<RouteNamespaces> allowed =
        listener(gateway, tunnel)
            .map(Listener::getAllowedRoutes)
            .map(routes -> routes.getNamespaces());
    return new Waypoint(
        gateway.getMetadata().getNamespace(),
        gateway.getMetadata().getName(),
        address(gateway),
        value(gateway, gatewayClass, Waypoint::labels, FOR).orElse(DEFAULT_TRAFFIC),
        allowed.map(RouteNamespaces::getFrom).orElse("Same"),
        allowed.map(RouteNamespaces::getSelector).orElse(null),
        tunnel);
  }

  private static Optional<String> value(
      Gateway gateway,
      @Nullable GatewayClass gatewayClass,
      java.util.function.Function<HasMetadata, Map<String, String>> of,
      String key) {
    String own = of.apply(gateway).get(key);
    return own != null || gatewayClass == null
        ? Optional.ofNullable(own)
        : Optional.ofNullable(of.apply(gatewayClass).get(key));
  }

  private static Map<String, String> labels(HasMetadata object) {
    Map<String, String> labels = object.getMetadata().getLabels();
    return labels == null ? Map.of() : labels;
  }

  private static Map<String, String> annotations(HasMetadata object) {
    Map<String, String> annotations = object.getMetadata().getAnnotations();
    return annotations == null ? Map.of() : annotations;
  }

  /** "NONE" or "PROXY", and perhaps "/port". */
  private static Optional<ApplicationTunnel> tunnel(String text) {
    String[] parts = text.split("/", -1);
    if (parts.length > 2) {
      return Optional.empty();
    }
    Optional<Integer> port = parts.length == 1 ? Optional.of(0) : L4Values.port(parts[1]);
    return port.flatMap(
        number ->
            switch (parts[0]) {
              case "NONE" -> Optional.of(tunnel(ApplicationTunnel.Protocol.NONE, number));
              case "PROXY" -> Optional.of(tunnel(ApplicationTunnel.Protocol.PROXY, number));
              default -> Optional.empty();
            });
  }

  private static ApplicationTunnel tunnel(ApplicationTunnel.Protocol protocol, int port) {
    return ApplicationTunnel.newBuilder().setProtocol(protocol).setPort(port).build();
  }

  /** The listener that traffic of the mesh comes in by. */
  private static Optional<Listener> listener(Gateway gateway, Optional<ApplicationTunnel> tunnel) {
    List<Listener> listeners =
        gateway.getSpec() == null || gateway.getSpec().getListeners() == null
            ? List.of()
            : gateway.getSpec().getListeners();
    Predicate<Listener> bound =
        listener ->
            tunnel.isPresent()
                && (tunnel.get().getPort() != 0
                    ? Integer.valueOf(tunnel.get().getPort()).equals(listener.getPort())
                    : tunnel.get().getProtocol() == ApplicationTunnel.Protocol.PROXY
                        && SANDWICH_PROTOCOL.equals(listener.getProtocol()));
    return listeners.stream()
        .filter(bound)
        .findFirst()
        .or(
            () ->
                listeners.stream()
                    .filter(
                        listener ->
                            "HBONE".equals(listener.getProtocol())
                                && Integer.valueOf(PORT).equals(listener.getPort()))
                    .findFirst());
  }

  /** A host name stays the same when addresses change, so it is preferred. */
  private static Optional<GatewayAddress> address(Gateway gateway) {
    List<GatewayStatusAddress> addresses =
        gateway.getStatus() == null || gateway.getStatus().getAddresses() == null
            ? List.of()
            : gateway.getStatus().getAddresses();
    return addresses.stream()
        .filter(address -> "Hostname".equals(address.getType()) && address.getValue() != null)
        .map(address -> hostname(gateway.getMetadata().getNamespace(), address.getValue()))
        .findFirst()
        .or(
            () ->
                addresses.stream()
                    // The API's default.
                    .filter(
                        address ->
                            address.getType() == null || "IPAddress".equals(address.getType()))
                    .flatMap(address -> IpAddresses.parse(address.getValue()).stream())
                    .map(
                        ip ->
                            GatewayAddress.newBuilder()
                                .setAddress(NetworkAddress.newBuilder().setAddress(ip))
                                .setHboneMtlsPort(PORT)
                                .build())
                    .findFirst());
  }

  static GatewayAddress hostname(String namespace, String hostname) {
    return GatewayAddress.newBuilder()
        .setHostname(NamespacedHostname.newBuilder().setNamespace(namespace).setHostname(hostname))
        .setHboneMtlsPort(PORT)
        .build();
  }

  boolean handles(String traffic) {
    return trafficFor.equals("all") || trafficFor.equals(traffic);
  }

  boolean admits(String from, Map<String, String> namespaceLabels) {
    return NamespaceSelection.admits(this.from, selector, namespace, from, namespaceLabels);
  }
}
