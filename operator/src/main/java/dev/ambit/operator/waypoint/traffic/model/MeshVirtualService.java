package dev.ambit.operator.waypoint.traffic.model;

import io.fabric8.istio.api.networking.v1.VirtualService;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;

/**
 * A VirtualService for the mesh, and what becomes of it while services are gone through.
 *
 * @param hosts in full
 * @param http its rules for requests, those that it delegates to in their place
 * @param enforced host names of services for which a waypoint has some of its rules
 * @param obstacles by host name, why there is none of them
 */
record MeshVirtualService(
    VirtualService object,
    List<String> hosts,
    List<HttpRule> http,
    Findings findings,
    Set<String> enforced,
    Map<String, Obstacle> obstacles) {
  /** Why none of the rules is enforced for a service. */
  record Obstacle(String reason, String message) {}

  static MeshVirtualService of(
      VirtualService object, List<String> hosts, List<HttpRule> http, Findings findings) {
    return new MeshVirtualService(object, hosts, http, findings, new TreeSet<>(), new HashMap<>());
  }

  String namespace() {
    return object.getMetadata().getNamespace();
  }

  @Override
  public String toString() {
    return "VirtualService " + namespace() + "/" + object.getMetadata().getName();
  }
}
