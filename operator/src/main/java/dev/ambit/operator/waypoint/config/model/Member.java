package dev.ambit.operator.waypoint.config.model;

import dev.ambit.operator.model.IpAddresses;
import dev.ambit.operator.waypoint.traffic.model.Place;
import dev.ambit.protocol.workload.TunnelProtocol;
import dev.ambit.protocol.workload.Workload;
import java.util.List;
import java.util.Map;

/**
 * A workload as an endpoint.
 *
 * @param labels of its pod, or of its entry
 */
record Member(Workload workload, Map<String, String> labels) {
  private static final String DEFAULT_TRUST_DOMAIN = "cluster.local";

  /** Whether it is reached by a tunnel, and has to prove who it is. */
  boolean tunnelled() {
    return workload.getTunnelProtocol() == TunnelProtocol.HBONE;
  }

  Place place() {
    var locality = workload.getLocality();
    return new Place(
        workload.getNetwork(),
        locality.getRegion(),
        locality.getZone(),
        locality.getSubzone(),
        workload.getNode(),
        labels);
  }

  String identity() {
    return "spiffe://%s/ns/%s/sa/%s"
        .formatted(
            workload.getTrustDomain().isEmpty() ? DEFAULT_TRUST_DOMAIN : workload.getTrustDomain(),
            workload.getNamespace(),
            workload.getServiceAccount());
  }

  /** Whether it is known by a name alone. */
  boolean byName() {
    return workload.getAddressesCount() == 0 && !workload.getHostname().isEmpty();
  }

  /** Whether it stands for many names, which there is no looking up. */
  boolean byWildcard() {
    return byName() && workload.getHostname().startsWith("*");
  }

  List<String> addresses() {
    return workload.getAddressesList().stream().map(IpAddresses::text).toList();
  }

  /** As Envoy writes it. */
  static String at(String address, int port) {
    return address.indexOf(':') < 0 ? address + ":" + port : "[" + address + "]:" + port;
  }
}
