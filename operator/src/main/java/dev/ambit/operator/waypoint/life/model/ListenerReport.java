package dev.ambit.operator.waypoint.life.model;

import dev.ambit.api.Conditions.Wanted;
import dev.ambit.operator.waypoint.model.EnvoyBootstrap;
import io.fabric8.kubernetes.api.model.gatewayapi.v1.Gateway;
import io.fabric8.kubernetes.api.model.gatewayapi.v1.Listener;
import io.fabric8.kubernetes.api.model.gatewayapi.v1.RouteGroupKind;
import io.fabric8.kubernetes.api.model.gatewayapi.v1.RouteGroupKindBuilder;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;

/**
 * What becomes of one of a Gateway's listeners.
 *
 * @param served the listener as the waypoint has it; nothing where it cannot be served
 * @param kinds of routes that may be attached
 * @param problem the reason that Accepted is false for, where it is
 * @param unresolved what its references are at fault in, where they are
 */
record ListenerReport(
    String name,
    Optional<WaypointListener> served,
    List<RouteGroupKind> kinds,
    Optional<Problem> problem,
    Optional<Problem> unresolved) {
  /** What a condition says where something is wrong. */
  record Problem(String reason, String message) {}

  private static final String GROUP = "gateway.networking.k8s.io";
  private static final String PROTOCOL = "HBONE";
  private static final List<String> KINDS =
      List.of("HTTPRoute", "GRPCRoute", "TLSRoute", "TCPRoute");

  static List<ListenerReport> of(Gateway gateway) {
    List<ListenerReport> reports = new ArrayList<>();
    Set<Integer> ports = new HashSet<>();
    List<Listener> listeners = gateway.getSpec().getListeners();
    for (Listener listener : listeners == null ? List.<Listener>of() : listeners) {
      reports.add(of(listener, ports));
    }
    return reports;
  }

  private static ListenerReport of(Listener listener, Set<Integer> ports) {
    Optional<Problem> problem = problem(listener, ports);
    List<RouteGroupKind> asked =
        listener.getAllowedRoutes() == null || listener.getAllowedRoutes().getKinds() == null
            ? List.of()
            : listener.getAllowedRoutes().getKinds();
    List<RouteGroupKind> kinds = new ArrayList<>();
    List<String> unknown = new ArrayList<>();
    for (RouteGroupKind kind : asked) {
      boolean known =
          (kind.getGroup() == null || kind.getGroup().equals(GROUP))
              && KINDS.contains(kind.getKind());
      if (known) {
        kinds.add(kind(kind.getKind()));
      } else {
        unknown.add(kind.getKind());
      }
    }
    if (asked.isEmpty()) {
      KINDS.forEach(kind -> kinds.add(kind(kind)));
    }
    return new ListenerReport(
        listener.getName(),
        problem.isPresent()
            ? Optional.empty()
            : Optional.of(new WaypointListener(listener.getName(), listener.getPort())),
        problem.isPresent() ? List.of() : kinds,
        problem,
        unknown.isEmpty()
            ? Optional.empty()
            : Optional.of(
                new Problem(
                    "InvalidRouteKinds",
                    "A waypoint has no routes of kind " + String.join(", ", unknown) + ".")));
  }

  private static Optional<Problem> problem(Listener listener, Set<Integer> ports) {
    if (!PROTOCOL.equals(listener.getProtocol())) {
      return Optional.of(
          new Problem(
              "UnsupportedProtocol",
              "A waypoint listens for protocol HBONE at port 15008 and for nothing else: "
                  + listener.getProtocol()
                  + " is not served."));
    }
    if (!Integer.valueOf(EnvoyBootstrap.HBONE_PORT).equals(listener.getPort())) {
      return Optional.of(
          new Problem(
              "PortUnavailable",
              "A waypoint is reached at port 15008, not at " + listener.getPort() + "."));
    }
    if (!ports.add(listener.getPort())) {
      return Optional.of(
          new Problem(
              "PortUnavailable", "Another listener of this Gateway has port 15008 already."));
    }
    return Optional.empty();
  }

  private static RouteGroupKind kind(String kind) {
    return new RouteGroupKindBuilder().withGroup(GROUP).withKind(kind).build();
  }

  /**
   * Its conditions.
   *
   * @param programmed what is said of the whole Gateway
   */
  List<Wanted> conditions(Wanted programmed) {
    List<Wanted> conditions = new ArrayList<>();
    conditions.add(
        problem
            .map(each -> new Wanted("Accepted", false, each.reason(), each.message()))
            .orElseGet(
                () -> new Wanted("Accepted", true, "Accepted", "The listener can be served.")));
    conditions.add(
        problem
            .map(
                each -> new Wanted("Programmed", false, "Invalid", "The listener is not accepted."))
            .orElseGet(
                () ->
                    new Wanted(
                        "Programmed",
                        programmed.holds(),
                        programmed.holds() ? "Programmed" : "Pending",
                        programmed.message())));
    conditions.add(
        new Wanted("Conflicted", false, "NoConflicts", "No other listener is in its way."));
    conditions.add(
        unresolved
            .map(each -> new Wanted("ResolvedRefs", false, each.reason(), each.message()))
            .orElseGet(
                () -> new Wanted("ResolvedRefs", true, "ResolvedRefs", "All references resolve.")));
    return conditions;
  }
}
