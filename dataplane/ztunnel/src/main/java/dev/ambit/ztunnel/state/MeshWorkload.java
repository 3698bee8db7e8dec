package dev.ambit.ztunnel.state;

import static dev.ambit.ztunnel.state.Protos.shared;

import dev.ambit.protocol.workload.Port;
import dev.ambit.protocol.workload.PortList;
import dev.ambit.protocol.workload.Workload;
import dev.ambit.protocol.workload.WorkloadStatus;
import dev.ambit.ztunnel.identity.Identity;
import java.net.InetAddress;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * A workload of the mesh, as the control plane describes it.
 *
 * @param uid unique, for a pod {@code CLUSTER//Pod/NAMESPACE/NAME}
 * @param name the pod's name
 * @param namespace its namespace
 * @param identity whom it has to prove to be
 * @param addresses its own addresses
 * @param hostname resolved on demand where there are no addresses; else empty
 * @param network the network of its addresses; empty is the default one
 * @param tunnelProtocol how it is reached
 * @param waypoint its waypoint
 * @param networkGateway the gateway of its network
 * @param node the node that it runs on
 * @param canonicalName for telemetry; may be empty
 * @param canonicalRevision for telemetry; may be empty
 * @param workloadType for telemetry: {@code deployment}, {@code cronjob}, {@code pod}, {@code job}
 * @param workloadName for telemetry: what made the pod; may be empty
 * @param applicationTunnel how tunnelled connections are handed to it
 * @param services the services that it is an endpoint of, with its own port mapping
 * @param authorizationPolicies {@code namespace/name} of each policy that selects it
 * @param healthy whether it is ready for connections
 * @param clusterId the cluster that it runs in
 * @param locality where it runs
 * @param hostNetwork shares its node's address, so an address does not tell it
 * @param capacity its share of load
 * @param datagrams whether HBONE carries UDP to it
 * @param datagramsLeftAlone whether its UDP is none of the mesh's business, in and out
 */
public record MeshWorkload(
    String uid,
    String name,
    String namespace,
    Identity identity,
    List<InetAddress> addresses,
    String hostname,
    String network,
    TunnelProtocol tunnelProtocol,
    @Nullable GatewayReference waypoint,
    @Nullable GatewayReference networkGateway,
    String node,
    String canonicalName,
    String canonicalRevision,
    String workloadType,
    String workloadName,
    @Nullable ApplicationTunnel applicationTunnel,
    Map<ServiceKey, List<PortMapping>> services,
    List<String> authorizationPolicies,
    boolean healthy,
    String clusterId,
    Locality locality,
    boolean hostNetwork,
    int capacity,
    boolean datagrams,
    boolean datagramsLeftAlone) {
  static final String DEFAULT_CLUSTER = "Kubernetes";
  private static final String DEFAULT_TRUST_DOMAIN = "cluster.local";
  private static final String DEFAULT_SERVICE_ACCOUNT = "default";

  public MeshWorkload {
    addresses = List.copyOf(addresses);
    services = Map.copyOf(services);
    authorizationPolicies = List.copyOf(authorizationPolicies);
  }

  /**
   * Reads the control plane's form.
   *
   * @throws InvalidResourceException where it cannot be used
   */
  public static MeshWorkload of(Workload proto) {
    String uid = proto.getUid();
    if (uid.isEmpty()) {
      throw new InvalidResourceException("a workload has no uid");
    }
    List<InetAddress> addresses = new ArrayList<>(proto.getAddressesCount());
    for (var bytes : proto.getAddressesList()) {
      addresses.add(Protos.address(bytes, uid));
    }
    Map<ServiceKey, List<PortMapping>> services = new HashMap<>();
    for (Map.Entry<String, PortList> entry : proto.getServicesMap().entrySet()) {
      services.put(ServiceKey.parse(entry.getKey()), ports(entry.getValue(), uid));
    }
    return new MeshWorkload(
        uid,
        proto.getName(),
        shared(proto.getNamespace()),
        identity(proto),
        addresses,
        proto.getHostname(),
        shared(proto.getNetwork()),
        tunnelProtocol(proto),
        proto.hasWaypoint() ? Protos.gateway(proto.getWaypoint(), uid) : null,
        proto.hasNetworkGateway() ? Protos.gateway(proto.getNetworkGateway(), uid) : null,
        shared(proto.getNode()),
        shared(proto.getCanonicalName()),
        shared(proto.getCanonicalRevision()),
        workloadType(proto),
        shared(proto.getWorkloadName()),
        applicationTunnel(proto),
        services,
        proto.getAuthorizationPoliciesList().stream().map(Protos::shared).toList(),
        proto.getStatus() == WorkloadStatus.HEALTHY,
        orDefault(proto.getClusterId(), DEFAULT_CLUSTER),
        new Locality(
            shared(proto.getLocality().getRegion()),
            shared(proto.getLocality().getZone()),
            shared(proto.getLocality().getSubzone())),
        proto.getNetworkMode() == dev.ambit.protocol.workload.NetworkMode.HOST_NETWORK,
        proto.hasCapacity() ? proto.getCapacity().getValue() : 1,
        proto.getDatagrams(),
        proto.getDatagramsLeftAlone());
  }

  /** Whether this is a pod, by its uid. */
  public boolean isPod() {
    return uid.contains("//Pod/");
  }

  private static Identity identity(Workload proto) {
    if (proto.getNamespace().isEmpty()) {
      throw new InvalidResourceException("workload '" + proto.getUid() + "' has no namespace");
    }
    try {
      return new Identity(
          orDefault(proto.getTrustDomain(), DEFAULT_TRUST_DOMAIN),
          shared(proto.getNamespace()),
          orDefault(proto.getServiceAccount(), DEFAULT_SERVICE_ACCOUNT));
    } catch (IllegalArgumentException e) {
      throw new InvalidResourceException("workload '" + proto.getUid() + "': " + e.getMessage());
    }
  }

  private static TunnelProtocol tunnelProtocol(Workload proto) {
    return switch (proto.getTunnelProtocol()) {
      case NONE -> TunnelProtocol.NONE;
      case HBONE -> TunnelProtocol.HBONE;
      case LEGACY_ISTIO_MTLS, UNRECOGNIZED ->
          throw new InvalidResourceException(
              "workload '"
                  + proto.getUid()
                  + "' asks for tunnel protocol "
                  + proto.getTunnelProtocolValue()
                  + ", which is not supported");
    };
  }

  private static String workloadType(Workload proto) {
    return switch (proto.getWorkloadType()) {
      case DEPLOYMENT -> "deployment";
      case CRONJOB -> "cronjob";
      case POD -> "pod";
      case JOB -> "job";
      case UNRECOGNIZED -> "unknown";
    };
  }

  private static @Nullable ApplicationTunnel applicationTunnel(Workload proto) {
    if (!proto.hasApplicationTunnel()) {
      return null;
    }
    var tunnel = proto.getApplicationTunnel();
    return switch (tunnel.getProtocol()) {
      case NONE -> new ApplicationTunnel(false, tunnel.getPort());
      case PROXY -> new ApplicationTunnel(true, tunnel.getPort());
      case UNRECOGNIZED ->
          throw new InvalidResourceException(
              "workload '" + proto.getUid() + "' asks for an unknown application tunnel");
    };
  }

  private static List<PortMapping> ports(PortList list, String owner) {
    List<PortMapping> ports = new ArrayList<>(list.getPortsCount());
    for (Port port : list.getPortsList()) {
      ports.add(Protos.port(port, owner));
    }
    for (Port port : list.getDatagramPortsList()) {
      ports.add(Protos.port(port, owner).asDatagrams());
    }
    return List.copyOf(ports);
  }

  private static String orDefault(String value, String whenEmpty) {
    return value.isEmpty() ? whenEmpty : shared(value);
  }
}
