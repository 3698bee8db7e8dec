package dev.ambit.operator.waypoint.route.model;

import dev.ambit.operator.waypoint.model.Backend;
import dev.ambit.operator.waypoint.model.MeshService;
import dev.ambit.operator.waypoint.model.ServicePort;
import io.envoyproxy.envoy.config.route.v3.Route;
import io.envoyproxy.envoy.config.route.v3.RouteAction;
import io.envoyproxy.envoy.config.route.v3.RouteMatch;
import io.envoyproxy.envoy.config.route.v3.VirtualHost;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import java.util.Set;

/** What becomes of traffic that no route is for: it goes where it was sent. */
public final class PassThrough {
  private PassThrough() {}

  /** The requests of a port. */
  public static HttpPortRoutes requests(MeshService service, ServicePort port) {
    Backend backend = Backend.ofRequests(service, port);
    return new HttpPortRoutes(virtualHosts(List.of(route(backend))), Set.of(backend));
  }

  /** The connections of a port. */
  public static ConnectionRoutes connections(MeshService service, ServicePort port) {
    return new ConnectionRoutes(List.of(connection(service, port)));
  }

  static ConnectionRoute connection(MeshService service, ServicePort port) {
    return new ConnectionRoute(
        List.of(),
        Optional.empty(),
        List.of(new ConnectionShare(Optional.of(Backend.ofConnections(service, port)), 1)));
  }

  static Route route(Backend backend) {
    RouteAction.Builder action = RouteAction.newBuilder().setCluster(backend.clusterName());
    timeout(action, Optional.empty());
    return Route.newBuilder()
        .setName("default")
        .setMatch(RouteMatch.newBuilder().setPrefix("/"))
        .setRoute(action)
        .build();
  }

  /** How long a request may take; Envoy's default of 15 seconds is never meant. */
  static void timeout(RouteAction.Builder action, Optional<Duration> timeout) {
    action.setTimeout(GatewayApi.proto(timeout.orElse(Duration.ZERO)));
    if (timeout.isEmpty()) {
      // As long as a caller of gRPC says that it waits. Beside this, Envoy ignores the timeout.
      action.setMaxStreamDuration(
          RouteAction.MaxStreamDuration.newBuilder()
              .setGrpcTimeoutHeaderMax(GatewayApi.proto(Duration.ZERO)));
    }
  }

  static List<VirtualHost> virtualHosts(List<Route> routes) {
    return List.of(
        VirtualHost.newBuilder().setName("all").addDomains("*").addAllRoutes(routes).build());
  }
}
