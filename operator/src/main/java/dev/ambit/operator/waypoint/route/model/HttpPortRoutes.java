package dev.ambit.operator.waypoint.route.model;

import dev.ambit.operator.waypoint.model.Backend;
import io.envoyproxy.envoy.config.route.v3.VirtualHost;
import java.util.List;
import java.util.Set;

/**
 * Where the requests of one HTTP port of a service go: what its route configuration holds.
 *
 * @param virtualHosts all of the configuration's
 * @param backends whose clusters they name; a request for a cluster that is not there is answered
 *     with 500
 */
public record HttpPortRoutes(List<VirtualHost> virtualHosts, Set<Backend> backends) {
  /** Copies both. */
  public HttpPortRoutes {
    virtualHosts = List.copyOf(virtualHosts);
    backends = Set.copyOf(backends);
  }
}
