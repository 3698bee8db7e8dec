package dev.ambit.ztunnel.state;

/**
 * Where a port of a service leads.
 *
 * @param servicePort the service's port; see {@link #datagrams} for UDP
 * @param targetPort the workload's port; of a service, 0 stands for a named port, which each
 *     endpoint maps itself
 */
public record PortMapping(int servicePort, int targetPort) {
  private static final int DATAGRAMS = 1 << 16;

  /** How the UDP port {@code port} of a service is told apart from the TCP port of that number. */
  static int datagrams(int port) {
    return DATAGRAMS | port;
  }

  /** The same mapping, as one of UDP. */
  PortMapping asDatagrams() {
    return new PortMapping(datagrams(servicePort), targetPort);
  }

  /** Whether it is one of UDP. */
  public boolean isDatagrams() {
    return (servicePort & DATAGRAMS) != 0;
  }

  /** The service's port, of whichever protocol. */
  public int number() {
    return servicePort & ~DATAGRAMS;
  }
}
