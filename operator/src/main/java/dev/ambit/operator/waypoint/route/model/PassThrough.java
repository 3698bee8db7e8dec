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
    return Route.newBuilder()
        .setName("default")
        .setMatch(RouteMatch.newBuilder().setPrefix("/"))
        .setRoute(
            RouteAction.newBuilder()
                .setCluster(backend.clusterName())
                // Envoy's default is 15 seconds, and a service has none.
                .setTimeout(GatewayApi.proto(Duration.ZERO))
                .setMaxStreamDuration(
                    RouteAction.MaxStreamDuration.newBuilder()
                        .setGrpcTimeoutHeaderMax(GatewayApi.proto(Duration.ZERO))))
        .build();
  }

  static List<VirtualHost> virtualHosts(List<Route> routes) {
    return List.of(
        VirtualHost.newBuilder().setName("all").addDomains("*").addAllRoutes(routes).build());
  }
}
