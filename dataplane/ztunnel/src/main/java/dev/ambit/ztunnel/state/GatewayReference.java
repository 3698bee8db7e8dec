package dev.ambit.ztunnel.state;

/** Names a waypoint or a network's gateway, and its HBONE port. */
public sealed interface GatewayReference {
  /** The port at which the gateway takes HBONE. */
  int hbonePort();

  /** A gateway that is a service of the mesh. */
  record ByService(ServiceKey service, int hbonePort) implements GatewayReference {
    @Override
    public String toString() {
      return service.toString();
    }
  }

  /** A gateway given by an address, of a service or of a workload. */
  record ByAddress(NetworkAddress address, int hbonePort) implements GatewayReference {
    @Override
    public String toString() {
      return address.toString();
    }
  }
}
