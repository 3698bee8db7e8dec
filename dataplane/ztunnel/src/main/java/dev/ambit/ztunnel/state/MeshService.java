package dev.ambit.ztunnel.state;

import dev.ambit.protocol.workload.Service;
import dev.ambit.ztunnel.identity.Identity;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * A name and virtual addresses that stand for workloads.
 *
 * @param name the service's name
 * @param namespace its namespace
 * @param hostname its name in DNS
 * @param addresses its virtual addresses; none for a headless service
 * @param ports its ports
 * @param subjectAltNames identities that its endpoints may prove besides their own
 * @param waypoint its waypoint
 * @param weightedWaypoints several waypoints to choose from; they take precedence
 * @param loadBalancing how an endpoint is chosen
 * @param ipFamilies which of an endpoint's addresses may be used
 * @param canonical answers for other namespaces among services of one hostname
 * @param namespacePrivate known in its own namespace only
 */
public record MeshService(
    String name,
    String namespace,
    String hostname,
    List<VirtualAddress> addresses,
    List<PortMapping> ports,
    List<Identity> subjectAltNames,
    @Nullable GatewayReference waypoint,
    List<WeightedWaypoint> weightedWaypoints,
    LoadBalancing loadBalancing,
    IpFamilies ipFamilies,
    boolean canonical,
    boolean namespacePrivate) {
  public MeshService {
    addresses = List.copyOf(addresses);
    ports = List.copyOf(ports);
    subjectAltNames = List.copyOf(subjectAltNames);
    weightedWaypoints = List.copyOf(weightedWaypoints);
  }

  /** Which address families endpoints are reached by. */
  public enum IpFamilies {
    ANY,
    IPV4_ONLY,
    IPV6_ONLY,
    DUAL
  }

  /**
   * Reads the control plane's form.
   *
   * @throws InvalidResourceException where it cannot be used
   */
  public static MeshService of(Service proto) {
    String key = proto.getNamespace() + "/" + proto.getHostname();
    if (proto.getNamespace().isEmpty() || proto.getHostname().isEmpty()) {
      throw new InvalidResourceException("service '" + key + "' lacks namespace or hostname");
    }
    List<VirtualAddress> addresses = new ArrayList<>(proto.getAddressesCount());
    for (var address : proto.getAddressesList()) {
      addresses.add(Protos.virtualAddress(address, key));
    }
    List<PortMapping> ports = new ArrayList<>(proto.getPortsCount());
    for (var port : proto.getPortsList()) {
      ports.add(Protos.port(port, key));
    }
    for (var port : proto.getDatagramPortsList()) {
      ports.add(Protos.port(port, key).asDatagrams());
    }
    List<Identity> names = new ArrayList<>(proto.getSubjectAltNamesCount());
    for (String name : proto.getSubjectAltNamesList()) {
      names.add(
          Identity.tryParse(name)
              .orElseThrow(
                  () ->
                      new InvalidResourceException(
                          "service '"
                              + key
                              + "' names identity '"
                              + name
                              + "', not a SPIFFE one")));
    }
    List<WeightedWaypoint> waypoints = new ArrayList<>(proto.getWeightedWaypointsCount());
    for (var weighted : proto.getWeightedWaypointsList()) {
      waypoints.add(
          new WeightedWaypoint(
              Protos.gateway(weighted.getDestination(), key), weighted.getWeight()));
    }
    return new MeshService(
        proto.getName(),
        proto.getNamespace(),
        proto.getHostname(),
        addresses,
        ports,
        names,
        proto.hasWaypoint() ? Protos.gateway(proto.getWaypoint(), key) : null,
        waypoints,
        Protos.loadBalancing(proto, key),
        ipFamilies(proto),
        proto.getCanonical(),
        proto.getVisibility() == Service.Visibility.NAMESPACE);
  }

  /** Whether it has a port of UDP. */
  public boolean hasDatagrams() {
    return ports.stream().anyMatch(PortMapping::isDatagrams);
  }

  /** The service's name across the mesh. */
  public ServiceKey key() {
    return new ServiceKey(namespace, hostname);
  }

  private static IpFamilies ipFamilies(Service proto) {
    return switch (proto.getIpFamilies()) {
      case AUTOMATIC, UNRECOGNIZED -> IpFamilies.ANY;
      case IPV4_ONLY -> IpFamilies.IPV4_ONLY;
      case IPV6_ONLY -> IpFamilies.IPV6_ONLY;
      case DUAL -> IpFamilies.DUAL;
    };
  }
}
