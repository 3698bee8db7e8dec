package dev.ambit.k3s;

/**
 * What passes a node's network interfaces, the pods' links among them, on the ports of the tests.
 */
record Wire(PacketCapture capture) implements AutoCloseable {
  static Wire of(ClusterNode node) {
    return new Wire(node.capture("any", "tcp port 8080 or tcp port 15008"));
  }

  /** Whether a text can be read in any packet so far. */
  boolean shows(String text) {
    return capture.packets().stream().anyMatch(p -> p.shows(text));
  }

  boolean touches(int port) {
    return capture.packets().stream().anyMatch(p -> p.touches(port));
  }

  /** Whether a packet to or from the port has the address at either end. */
  boolean touches(int port, String address) {
    return capture.packets().stream()
        .filter(p -> p.touches(port))
        .anyMatch(
            p ->
                p.source().getAddress().getHostAddress().equals(address)
                    || p.destination().getAddress().getHostAddress().equals(address));
  }

  @Override
  public void close() {
    capture.close();
  }
}
