package dev.ambit.operator.waypoint.traffic.model;

import dev.ambit.operator.waypoint.model.MeshService;
import dev.ambit.operator.waypoint.route.model.ServiceRoutes;
import java.util.Optional;

/**
 * A service whose traffic goes through a waypoint.
 *
 * @param waypointNamespace whose objects hold there as those of the service's own namespace do
 * @param gatewayRoutes what routes of the Gateway API make of it, which go before VirtualServices
 * @param past why traffic to it goes past the waypoint; rules are made for it all the same
 */
public record BoundService(
    MeshService service,
    String waypointNamespace,
    ServiceRoutes gatewayRoutes,
    Optional<String> past) {}
