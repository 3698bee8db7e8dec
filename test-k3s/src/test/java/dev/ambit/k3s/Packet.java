package dev.ambit.k3s;

import java.net.InetSocketAddress;
import java.nio.charset.StandardCharsets;

/**
 * A TCP or UDP packet that was seen on a network.
 *
 * @param payload what it carries above TCP or UDP
 */
public record Packet(
    Transport transport, InetSocketAddress source, InetSocketAddress destination, byte[] payload) {

  /** The two transports that captures tell apart; packets of others are left out. */
  public enum Transport {
    TCP,
    UDP
  }

  /** Whether the packet goes to or comes from a port. */
  public boolean touches(int port) {
    return source.getPort() == port || destination.getPort() == port;
  }

  /** Whether a text can be read in the packet. */
  public boolean shows(String text) {
    // One character a byte, so that bytes which are no text are kept and match nothing.
    return new String(payload, StandardCharsets.ISO_8859_1)
        .contains(new String(text.getBytes(StandardCharsets.UTF_8), StandardCharsets.ISO_8859_1));
  }

  @Override
  public String toString() {
    return transport + " " + source + " > " + destination + " " + payload.length + " bytes";
  }
}
