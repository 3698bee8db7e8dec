package dev.ambit.operator.waypoint.traffic.model;

import dev.ambit.operator.waypoint.model.Backend;
import dev.ambit.operator.waypoint.model.PortProtocol;
import dev.ambit.operator.waypoint.model.ServicePort;
import dev.ambit.operator.waypoint.route.model.ConnectionRoute;
import dev.ambit.operator.waypoint.route.model.ConnectionShare;
import io.fabric8.istio.api.api.networking.v1alpha3.L4MatchAttributes;
import io.fabric8.istio.api.api.networking.v1alpha3.RouteDestination;
import io.fabric8.istio.api.api.networking.v1alpha3.TCPRoute;
import io.fabric8.istio.api.api.networking.v1alpha3.TLSMatchAttributes;
import io.fabric8.istio.api.api.networking.v1alpha3.TLSRoute;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/**
 * Translates a VirtualService's rules for connections, for one port of a service, and adds them to
 * those that go before them.
 *
 * @param namespace of the VirtualService
 */
record ConnectionRules(
    Destinations destinations,
    ServicePort port,
    String namespace,
    Findings findings,
    List<ConnectionRoute> routes) {
  private static final String LABELS =
      "a waypoint knows its clients' identities and not their labels; it never matches";
  private static final String SUBNETS =
      "a waypoint is asked for services and not for addresses; it never matches";

  /** Whether one of the routes takes every connection, so that none is left for others. */
  static boolean isComplete(List<ConnectionRoute> routes) {
    return !routes.isEmpty()
        && routes.getLast().serverNames().isEmpty()
        && routes.getLast().clientNamespace().isEmpty();
  }

  void addTls(@Nullable List<TLSRoute> rules) {
    if (rules == null || port.protocol() != PortProtocol.TLS) {
      return;
    }
    for (int i = 0; i < rules.size() && !isComplete(routes); i++) {
      String path = "spec.tls[" + i + "]";
      TLSRoute rule = rules.get(i);
      findings.unknown(path, rule.getAdditionalProperties());
      if (orEmpty(rule.getMatch()).isEmpty()) {
        routes.add(new ConnectionRoute(List.of(), Optional.empty(), shares(path, rule.getRoute())));
      }
      for (int j = 0; j < orEmpty(rule.getMatch()).size() && !isComplete(routes); j++) {
        tls(path + ".match[" + j + "]", rule.getMatch().get(j), path, rule);
      }
    }
  }

  private void tls(String path, TLSMatchAttributes match, String rulePath, TLSRoute rule) {
    findings.unknown(path, match.getAdditionalProperties());
    if (!isForPort(match.getPort(), match.getGateways())) {
      return;
    }
    boolean labels = isSet(path + ".sourceLabels", match.getSourceLabels(), LABELS);
    boolean subnets = isSet(path + ".destinationSubnets", match.getDestinationSubnets(), SUBNETS);
    if (!labels && !subnets) {
      routes.add(
          new ConnectionRoute(
              orEmpty(match.getSniHosts()),
              namespace(match.getSourceNamespace()),
              shares(rulePath, rule.getRoute())));
    }
  }

  void addTcp(@Nullable List<TCPRoute> rules) {
    if (rules == null) {
      return;
    }
    for (int i = 0; i < rules.size() && !isComplete(routes); i++) {
      String path = "spec.tcp[" + i + "]";
      TCPRoute rule = rules.get(i);
      findings.unknown(path, rule.getAdditionalProperties());
      if (orEmpty(rule.getMatch()).isEmpty()) {
        routes.add(new ConnectionRoute(List.of(), Optional.empty(), shares(path, rule.getRoute())));
      }
      for (int j = 0; j < orEmpty(rule.getMatch()).size() && !isComplete(routes); j++) {
        tcp(path + ".match[" + j + "]", rule.getMatch().get(j), path, rule);
      }
    }
  }

  private void tcp(String path, L4MatchAttributes match, String rulePath, TCPRoute rule) {
    findings.unknown(path, match.getAdditionalProperties());
    if (!isForPort(match.getPort(), match.getGateways())) {
      return;
    }
    boolean labels = isSet(path + ".sourceLabels", match.getSourceLabels(), LABELS);
    boolean subnets = isSet(path + ".destinationSubnets", match.getDestinationSubnets(), SUBNETS);
    boolean source = match.getSourceSubnet() != null && !match.getSourceSubnet().isEmpty();
    if (source) {
      findings.add(path + ".sourceSubnet", "is not supported; it never matches");
    }
    if (!labels && !subnets && !source) {
      routes.add(
          new ConnectionRoute(
              List.of(), namespace(match.getSourceNamespace()), shares(rulePath, rule.getRoute())));
    }
  }

  private boolean isForPort(@Nullable Long wanted, @Nullable List<String> gateways) {
    return (wanted == null || wanted == 0 || wanted == port.number())
        && RequestMatches.isForMesh(gateways);
  }

  private boolean isSet(String path, @Nullable Map<String, String> values, String effect) {
    return isSet(path, values == null ? List.of() : List.copyOf(values.keySet()), effect);
  }

  private boolean isSet(String path, @Nullable List<String> values, String effect) {
    if (values == null || values.isEmpty()) {
      return false;
    }
    findings.add(path, effect);
    return true;
  }

  private static Optional<String> namespace(@Nullable String namespace) {
    return Optional.ofNullable(namespace).filter(name -> !name.isEmpty());
  }

  private List<ConnectionShare> shares(String path, @Nullable List<RouteDestination> route) {
    List<RouteDestination> all = orEmpty(route);
    if (all.isEmpty()) {
      findings.add(path + ".route", "has no destination, so connections are closed");
    }
    List<ConnectionShare> shares = new ArrayList<>();
    for (int i = 0; i < all.size(); i++) {
      RouteDestination each = all.get(i);
      String at = path + ".route[" + i + "]";
      findings.unknown(at, each.getAdditionalProperties());
      Optional<Backend> backend =
          destinations.find(
              at + ".destination",
              each.getDestination(),
              namespace,
              port.number(),
              false,
              findings);
      int weight = each.getWeight() == null ? 0 : each.getWeight();
      // As with requests, one alone needs no weight.
      shares.add(new ConnectionShare(backend, all.size() == 1 ? 1 : Math.max(0, weight)));
    }
    if (!shares.isEmpty() && shares.stream().allMatch(share -> share.weight() == 0)) {
      findings.add(path + ".route", "no destination has a weight, so connections are closed");
    }
    return shares;
  }

  private static <T> List<T> orEmpty(@Nullable List<T> list) {
    return list == null ? List.of() : list;
  }
}
