package dev.ambit.operator.waypoint.config.model;

import dev.ambit.operator.xds.XdsType;
import java.util.List;

/** The resource types that waypoints live on. */
public final class EnvoyTypes {
  static final XdsType CLUSTER = XdsType.of("envoy.config.cluster.v3.Cluster", false);

  /** A cluster that is new or changed waits for its endpoints before it is used. */
  static final XdsType ENDPOINTS =
      XdsType.of("envoy.config.endpoint.v3.ClusterLoadAssignment", false).following(CLUSTER);

  /** Policies, one filter each. */
  static final XdsType EXTENSION =
      XdsType.of("envoy.config.core.v3.TypedExtensionConfig", false)
          .delivered(XdsType.Delivery.ALONE_AFTER_EARLIER);

  static final XdsType LISTENER =
      XdsType.of("envoy.config.listener.v3.Listener", false)
          .delivered(XdsType.Delivery.ALONE_AFTER_EARLIER);

  /**
   * No route leads to a cluster that is not there yet, and no tunnel is taken before the routes are
   * there that its chain waits for.
   */
  static final XdsType ROUTES =
      XdsType.of("envoy.config.route.v3.RouteConfiguration", false)
          .delivered(XdsType.Delivery.ALONE_AFTER_EARLIER)
          .concluding(TunnelRoutes.NAME);

  /** In the order of dependence. */
  public static final List<XdsType> ALL = List.of(CLUSTER, ENDPOINTS, EXTENSION, LISTENER, ROUTES);

  private EnvoyTypes() {}
}
