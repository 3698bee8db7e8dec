package dev.ambit.operator.waypoint.route.model;

import io.fabric8.kubernetes.api.model.gatewayapi.v1.GRPCRoute;
import io.fabric8.kubernetes.api.model.gatewayapi.v1.HTTPRoute;
import io.fabric8.kubernetes.api.model.gatewayapi.v1alpha2.TCPRoute;
import io.fabric8.kubernetes.api.model.gatewayapi.v1alpha3.TLSRoute;
import io.fabric8.kubernetes.api.model.gatewayapi.v1beta1.ReferenceGrant;
import java.util.Collection;

/** The objects of the Gateway API that say where traffic goes, of all namespaces, in any order. */
public record RouteObjects(
    Collection<HTTPRoute> httpRoutes,
    Collection<GRPCRoute> grpcRoutes,
    Collection<TLSRoute> tlsRoutes,
    Collection<TCPRoute> tcpRoutes,
    Collection<ReferenceGrant> referenceGrants) {}
