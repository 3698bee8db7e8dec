package dev.ambit.operator.waypoint.traffic.model;

import dev.ambit.operator.waypoint.model.Backend;
import dev.ambit.operator.waypoint.model.MeshService;
import dev.ambit.operator.waypoint.model.MeshServices;
import dev.ambit.operator.waypoint.model.ServicePort;
import io.fabric8.istio.api.api.networking.v1alpha3.Destination;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/** Finds what destinations of rules are, for the waypoints of a namespace. */
record Destinations(
    MeshServices services, DestinationRules rules, String waypointNamespace, String clusterDomain) {
  /**
   * The backend; empty where there is none, which is reported.
   *
   * @param namespace of the rule
   * @param port that the traffic came to, taken where none is named and the service has several
   * @param http whether requests are routed, and not connections
   */
  Optional<Backend> find(
      String path,
      @Nullable Destination destination,
      String namespace,
      int port,
      boolean http,
      Findings findings) {
    if (destination == null || destination.getHost() == null || destination.getHost().isEmpty()) {
      findings.add(path, "names no host, so what is sent there fails");
      return Optional.empty();
    }
    findings.unknown(path, destination.getAdditionalProperties());
    String host = Hosts.resolve(destination.getHost(), namespace, clusterDomain);
    MeshService service = services.answeringTo(host, namespace).orElse(null);
    if (service == null) {
      findings.add(path + ".host", "there is no service " + host + ", so what is sent there fails");
      return Optional.empty();
    }
    int number = port;
    if (destination.getPort() != null && destination.getPort().getNumber() != null) {
      number = Math.toIntExact(Math.min(destination.getPort().getNumber(), 65_536L));
    } else if (service.ports().size() == 1) {
      number = service.ports().getFirst().number();
    }
    ServicePort declared = service.port(number).orElse(null);
    if (declared == null) {
      findings.add(
          path + ".port", host + " has no port " + number + ", so what is sent there fails");
      return Optional.empty();
    }
    Backend backend =
        http ? Backend.ofRequests(service, declared) : Backend.ofConnections(service, declared);
    String subset = destination.getSubset();
    if (subset == null || subset.isEmpty()) {
      return Optional.of(backend);
    }
    if (rules.policy(service, waypointNamespace).labels(subset).isEmpty()) {
      findings.add(
          path + ".subset",
          "no DestinationRule that holds for "
              + host
              + " at the waypoint has a subset "
              + subset
              + ", so what is sent there fails");
      return Optional.empty();
    }
    return Optional.of(backend.subset(subset));
  }
}
