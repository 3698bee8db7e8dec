package dev.ambit.operator.waypoint.route.model;

import dev.ambit.operator.waypoint.model.Backend;
import java.util.List;
import java.util.Set;
import java.util.stream.Collectors;

/**
 * Where the connections of one TCP or TLS port of a service go.
 *
 * @param routes the first that fits takes the connection; one that none fits is closed
 */
public record ConnectionRoutes(List<ConnectionRoute> routes) {
  /** Copies them. */
  public ConnectionRoutes {
    routes = List.copyOf(routes);
  }

  /** All that they can lead to. */
  public Set<Backend> backends() {
    return routes.stream()
        .flatMap(route -> route.shares().stream())
        .flatMap(share -> share.backend().stream())
        .collect(Collectors.toUnmodifiableSet());
  }
}
