package dev.ambit.linux;

import java.io.IOException;
import java.net.InetSocketAddress;
import java.util.List;

/** A UDP socket as the kernel's socket table shows it. */
public record UdpSocket(InetSocketAddress local) {
  /** All UDP sockets of the calling thread's network namespace that are bound to a port. */
  public static List<UdpSocket> read() throws IOException {
    return TcpSocket.read("udp", "udp6").stream()
        .map(socket -> new UdpSocket(socket.local()))
        .toList();
  }
}
