package dev.ambit.cli.model;

import com.fasterxml.jackson.databind.JsonNode;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/** What the Envoy of a waypoint says that it has been told, as its {@code /config_dump} has it. */
public record EnvoyDump(JsonNode dump) {

  /**
   * One way of a listener to take a connection.
   *
   * @param match for which connections it is; empty for all
   * @param filters of the network, in their order
   * @param routes the route configuration that its HTTP filter asks
   */
  public record ListenerLine(
      String listener, String address, String match, List<String> filters, String routes) {}

  /** Where requests may be sent. */
  public record ClusterLine(
      String cluster, String type, String policy, int endpoints, int healthy, String tls) {}

  /** One route. */
  public record RouteLine(
      String routes, List<String> domains, String match, String to, String name) {}

  /** An address behind a cluster. */
  public record EndpointLine(
      String cluster, String address, String health, String weight, String locality) {}

  /** Each filter chain of each listener. */
  public List<ListenerLine> listeners() {
    return Stream.concat(
            configs("ListenersConfigDump", "static_listeners").map(each -> each.path("listener")),
            configs("ListenersConfigDump", "dynamic_listeners")
                .map(each -> each.at("/active_state/listener")))
        .filter(listener -> !listener.isMissingNode())
        .flatMap(EnvoyDump::chains)
        .toList();
  }

  private static Stream<ListenerLine> chains(JsonNode listener) {
    List<JsonNode> chains = new ArrayList<>(Objects.items(listener, "/filter_chains"));
    if (listener.has("default_filter_chain")) {
      chains.add(listener.path("default_filter_chain"));
    }
    return chains.stream()
        .map(
            chain ->
                new ListenerLine(
                    Objects.text(listener, "/name"),
                    address(listener.path("address")),
                    matchOf(chain),
                    Objects.items(chain, "/filters").stream()
                        .map(filter -> shortName(Objects.text(filter, "/name")))
                        .toList(),
                    Objects.items(chain, "/filters").stream()
                        .map(EnvoyDump::routesOf)
                        .filter(routes -> !routes.isEmpty())
                        .collect(Collectors.joining(","))));
  }

  private static String matchOf(JsonNode chain) {
    String name = Objects.text(chain, "/name");
    return name.isEmpty() ? values(chain.path("filter_chain_match")) : name;
  }

  private static String routesOf(JsonNode filter) {
    String asked = Objects.text(filter, "/typed_config/rds/route_config_name");
    return asked.isEmpty() ? Objects.text(filter, "/typed_config/route_config/name") : asked;
  }

  /** Each cluster, with how many endpoints it has. */
  public List<ClusterLine> clusters() {
    Map<String, List<EndpointLine>> endpoints =
        endpoints().stream()
            .collect(
                Collectors.groupingBy(EndpointLine::cluster, TreeMap::new, Collectors.toList()));
    return Stream.concat(
            configs("ClustersConfigDump", "static_clusters"),
            configs("ClustersConfigDump", "dynamic_active_clusters"))
        .map(each -> each.path("cluster"))
        .map(
            cluster -> {
              String name = Objects.text(cluster, "/name");
              List<EndpointLine> own = endpoints.getOrDefault(name, List.of());
              return new ClusterLine(
                  name,
                  cluster.has("cluster_type")
                      ? shortName(Objects.text(cluster, "/cluster_type/name"))
                      : orDefault(Objects.text(cluster, "/type"), "STATIC"),
                  orDefault(Objects.text(cluster, "/lb_policy"), "ROUND_ROBIN"),
                  own.size(),
                  (int) own.stream().filter(each -> each.health().equals("HEALTHY")).count(),
                  shortName(Objects.text(cluster, "/transport_socket/name")));
            })
        .toList();
  }

  /** Each route of each route configuration, in the order in which they are asked. */
  public List<RouteLine> routes() {
    List<JsonNode> configurations = new ArrayList<>();
    Stream.concat(
            configs("RoutesConfigDump", "static_route_configs"),
            configs("RoutesConfigDump", "dynamic_route_configs"))
        .map(each -> each.path("route_config"))
        .forEach(configurations::add);
    return configurations.stream()
        .flatMap(
            configuration ->
                Objects.items(configuration, "/virtual_hosts").stream()
                    .flatMap(
                        host ->
                            Objects.items(host, "/routes").stream()
                                .map(
                                    route ->
                                        new RouteLine(
                                            Objects.text(configuration, "/name"),
                                            Objects.items(host, "/domains").stream()
                                                .map(JsonNode::asText)
                                                .toList(),
                                            values(route.path("match")),
                                            destination(route),
                                            Objects.text(route, "/name")))))
        .toList();
  }

  private static String destination(JsonNode route) {
    JsonNode action = route.path("route");
    if (action.has("weighted_clusters")) {
      return Objects.items(action, "/weighted_clusters/clusters").stream()
          .map(each -> Objects.text(each, "/name") + " " + each.path("weight").asInt())
          .collect(Collectors.joining(", "));
    }
    if (action.has("cluster")) {
      return Objects.text(action, "/cluster");
    }
    if (action.has("cluster_header")) {
      return "header " + Objects.text(action, "/cluster_header");
    }
    if (route.has("redirect")) {
      return "redirect " + values(route.path("redirect"));
    }
    if (route.has("direct_response")) {
      return "answer " + route.at("/direct_response/status").asInt();
    }
    return action.isMissingNode() ? "-" : values(action);
  }

  /** Each endpoint of each cluster. */
  public List<EndpointLine> endpoints() {
    return Stream.concat(
            configs("EndpointsConfigDump", "static_endpoint_configs"),
            configs("EndpointsConfigDump", "dynamic_endpoint_configs"))
        .map(each -> each.path("endpoint_config"))
        .flatMap(
            assignment ->
                Objects.items(assignment, "/endpoints").stream()
                    .flatMap(
                        locality ->
                            Objects.items(locality, "/lb_endpoints").stream()
                                .map(
                                    endpoint ->
                                        new EndpointLine(
                                            Objects.text(assignment, "/cluster_name"),
                                            address(endpoint.at("/endpoint/address")),
                                            orDefault(
                                                Objects.text(endpoint, "/health_status"),
                                                "HEALTHY"),
                                            orDefault(
                                                Objects.text(endpoint, "/load_balancing_weight"),
                                                "1"),
                                            Stream.of("region", "zone", "sub_zone")
                                                .map(
                                                    part ->
                                                        Objects.text(locality, "/locality/" + part))
                                                .filter(part -> !part.isEmpty())
                                                .collect(Collectors.joining("/"))))))
        .toList();
  }

  private Stream<JsonNode> configs(String type, String field) {
    return Objects.items(dump, "/configs").stream()
        .filter(each -> Objects.text(each, "/@type").endsWith("." + type))
        .flatMap(each -> Objects.items(each, "/" + field).stream());
  }

  private static String address(JsonNode address) {
    JsonNode socket = address.path("socket_address");
    if (!socket.isMissingNode()) {
      String host = Objects.text(socket, "/address");
      return (host.contains(":") ? "[" + host + "]" : host)
          + ":"
          + socket.path("port_value").asInt();
    }
    String internal = Objects.text(address, "/envoy_internal_address/server_listener_name");
    if (!internal.isEmpty()) {
      String endpoint = Objects.text(address, "/envoy_internal_address/endpoint_id");
      return internal + (endpoint.isEmpty() ? "" : " " + endpoint);
    }
    return Objects.text(address, "/pipe/path");
  }

  /** The leaves of an object in one line, such as {@code path=/a method=GET}. */
  private static String values(JsonNode object) {
    List<String> leaves = new ArrayList<>();
    leaves("", object, leaves);
    return String.join(" ", leaves);
  }

  private static void leaves(String name, JsonNode node, List<String> into) {
    if (node.isObject() && node.size() > 0) {
      node.properties().forEach(each -> leaves(each.getKey(), each.getValue(), into));
    } else if (node.isArray()) {
      node.forEach(each -> leaves(name, each, into));
    } else if (node.isValueNode()) {
      into.add(name + "=" + node.asText());
    } else if (node.isObject() && !name.isEmpty()) {
      into.add(name);
    }
  }

  private static String shortName(String name) {
    return name.substring(name.lastIndexOf('.') + 1);
  }

  private static String orDefault(String text, String byDefault) {
    return text.isEmpty() ? byDefault : text;
  }
}
