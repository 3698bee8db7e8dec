package dev.ambit.ztunnel.state;

import com.google.protobuf.ByteString;
import dev.ambit.protocol.workload.GatewayAddress;
import dev.ambit.protocol.workload.Port;
import dev.ambit.protocol.workload.Service;
import java.net.InetAddress;
import java.net.UnknownHostException;
import java.util.ArrayList;
import java.util.List;

/** Reads the parts that workloads and services share. */
final class Protos {
  private Protos() {}

  /** One copy of a text that many resources have in common: of a large mesh it is most of them. */
  static String shared(String text) {
    return text.intern();
  }

  static InetAddress address(ByteString bytes, String owner) {
    try {
      // Maps ::ffff:a.b.c.d to a.b.c.d by itself.
      return InetAddress.getByAddress(bytes.toByteArray());
    } catch (UnknownHostException e) {
      throw new InvalidResourceException(
          "'" + owner + "' has an address of " + bytes.size() + " bytes, neither 4 nor 16");
    }
  }

  static VirtualAddress virtualAddress(
      dev.ambit.protocol.workload.NetworkAddress proto, String owner) {
    InetAddress address = address(proto.getAddress(), owner);
    int bits = address.getAddress().length * 8;
    int length = proto.hasLength() ? proto.getLength() : bits;
    if (length < 0 || length > bits) {
      throw new InvalidResourceException(
          "'" + owner + "' has an address block of prefix length " + length);
    }
    return new VirtualAddress(new NetworkAddress(proto.getNetwork(), address), length);
  }

  static PortMapping port(Port proto, String owner) {
    int servicePort = proto.getServicePort();
    int targetPort = proto.getTargetPort();
    if (servicePort < 0 || servicePort > 65535 || targetPort < 0 || targetPort > 65535) {
      throw new InvalidResourceException(
          "'" + owner + "' has a port out of range: " + servicePort + " to " + targetPort);
    }
    return new PortMapping(servicePort, targetPort);
  }

  static GatewayReference gateway(GatewayAddress proto, String owner) {
    int port = proto.getHboneMtlsPort();
    if (port < 0 || port > 65535) {
      throw new InvalidResourceException("'" + owner + "' names a gateway with port " + port);
    }
    return switch (proto.getDestinationCase()) {
      case HOSTNAME ->
          new GatewayReference.ByService(
              new ServiceKey(proto.getHostname().getNamespace(), proto.getHostname().getHostname()),
              port);
      case ADDRESS ->
          new GatewayReference.ByAddress(
              new NetworkAddress(
                  proto.getAddress().getNetwork(), address(proto.getAddress().getAddress(), owner)),
              port);
      case DESTINATION_NOT_SET ->
          throw new InvalidResourceException("'" + owner + "' names a gateway without a name");
    };
  }

  static LoadBalancing loadBalancing(Service proto, String owner) {
    if (!proto.hasLoadBalancing()) {
      return LoadBalancing.ANY;
    }
    var balancing = proto.getLoadBalancing();
    List<LoadBalancing.Scope> scopes = new ArrayList<>(balancing.getRoutingPreferenceCount());
    for (var scope : balancing.getRoutingPreferenceList()) {
      switch (scope) {
        case REGION -> scopes.add(LoadBalancing.Scope.REGION);
        case ZONE -> scopes.add(LoadBalancing.Scope.ZONE);
        case SUBZONE -> scopes.add(LoadBalancing.Scope.SUBZONE);
        case NODE -> scopes.add(LoadBalancing.Scope.NODE);
        case CLUSTER -> scopes.add(LoadBalancing.Scope.CLUSTER);
        case NETWORK -> scopes.add(LoadBalancing.Scope.NETWORK);
        case UNSPECIFIED_SCOPE, UNRECOGNIZED ->
            throw new InvalidResourceException(
                "service '" + owner + "' asks for an unknown routing preference");
      }
    }
    LoadBalancing.Mode mode =
        switch (balancing.getMode()) {
          case UNSPECIFIED_MODE -> LoadBalancing.Mode.ANY;
          case STRICT -> LoadBalancing.Mode.STRICT;
          case FAILOVER -> LoadBalancing.Mode.FAILOVER;
          case PASSTHROUGH -> LoadBalancing.Mode.PASSTHROUGH;
          case UNRECOGNIZED ->
              throw new InvalidResourceException(
                  "service '" + owner + "' asks for an unknown load balancing mode");
        };
    LoadBalancing.HealthPolicy health =
        switch (balancing.getHealthPolicy()) {
          case ONLY_HEALTHY, UNRECOGNIZED -> LoadBalancing.HealthPolicy.ONLY_HEALTHY;
          case ALLOW_ALL -> LoadBalancing.HealthPolicy.ALLOW_ALL;
        };
    return new LoadBalancing(scopes, mode, health);
  }
}
