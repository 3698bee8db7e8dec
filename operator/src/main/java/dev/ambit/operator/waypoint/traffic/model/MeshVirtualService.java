package dev.ambit.operator.waypoint.traffic.model;

import io.fabric8.istio.api.networking.v1.VirtualService;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;

/** A VirtualService for the mesh, and what becomes of it while services are gone through. */
final class MeshVirtualService {
  private final int ordinal;
  private final VirtualService object;
  private final List<String> hosts;
  private final List<HttpRule> http;
  private final Findings findings;
  private final Set<String> enforced = new TreeSet<>();
  private final Map<String, Obstacle> obstacles = new HashMap<>();

  /** Why none of the rules is enforced for a service. */
  record Obstacle(String reason, String message) {}

  MeshVirtualService(
      int ordinal,
      VirtualService object,
      List<String> hosts,
      List<HttpRule> http,
      Findings findings) {
    this.ordinal = ordinal;
    this.object = object;
    this.hosts = hosts;
    this.http = http;
    this.findings = findings;
  }

  /** Smaller for an older one. */
  int ordinal() {
    return ordinal;
  }

  VirtualService object() {
    return object;
  }

  /** In full. */
  List<String> hosts() {
    return hosts;
  }

  boolean overlaps(String hostname) {
    return hosts.stream().anyMatch(host -> Hosts.overlap(host, hostname));
  }

  /** Its rules for requests, those that it delegates to in their place. */
  List<HttpRule> http() {
    return http;
  }

  Findings findings() {
    return findings;
  }

  /** Host names of services for which a waypoint has some of its rules. */
  Set<String> enforced() {
    return enforced;
  }

  /** By host name, why there is none of them. */
  Map<String, Obstacle> obstacles() {
    return obstacles;
  }

  String namespace() {
    return object.getMetadata().getNamespace();
  }

  @Override
  public String toString() {
    return "VirtualService " + namespace() + "/" + object.getMetadata().getName();
  }
}
