package dev.ambit.ztunnel.netns;

import java.net.InetAddress;
import java.net.UnknownHostException;
import java.nio.ByteBuffer;
import java.util.Arrays;
import java.util.Optional;

/**
 * A TCP or UDP packet as it went over a link.
 *
 * @param flags of TCP, as in its header; 0 for UDP
 */
record CapturedPacket(
    Transport transport,
    InetAddress source,
    int sourcePort,
    InetAddress destination,
    int destinationPort,
    int flags,
    byte[] payload) {
  private static final int ETHERNET_HEADER = 14;

  /** What carries the payload. */
  enum Transport {
    TCP,
    UDP
  }

  /** Reads an Ethernet frame; empty where it holds something else. */
  static Optional<CapturedPacket> parse(byte[] frame) {
    if (frame.length < ETHERNET_HEADER + 20) {
      return Optional.empty();
    }
    var buffer = ByteBuffer.wrap(frame);
    return switch (buffer.getShort(12) & 0xffff) {
      case 0x0800 -> parseIpv4(frame, buffer);
      case 0x86dd -> parseIpv6(frame, buffer);
      default -> Optional.empty();
    };
  }

  private static Optional<CapturedPacket> parseIpv4(byte[] frame, ByteBuffer buffer) {
    int start = ETHERNET_HEADER;
    int end = start + (buffer.getShort(start + 2) & 0xffff);
    return parseTransport(
        frame,
        buffer.get(start + 9),
        Arrays.copyOfRange(frame, start + 12, start + 16),
        Arrays.copyOfRange(frame, start + 16, start + 20),
        start + (frame[start] & 0xf) * 4,
        Math.min(end, frame.length));
  }

  private static Optional<CapturedPacket> parseIpv6(byte[] frame, ByteBuffer buffer) {
    int start = ETHERNET_HEADER;
    int body = start + 40;
    int end = body + (buffer.getShort(start + 4) & 0xffff);
    if (frame.length < body) {
      return Optional.empty();
    }
    return parseTransport(
        frame,
        buffer.get(start + 6),
        Arrays.copyOfRange(frame, start + 8, start + 24),
        Arrays.copyOfRange(frame, start + 24, start + 40),
        body,
        Math.min(end, frame.length));
  }

  private static Optional<CapturedPacket> parseTransport(
      byte[] frame, int protocol, byte[] source, byte[] destination, int start, int end) {
    boolean tcp = protocol == 6;
    if ((!tcp && protocol != 17) || end < start + (tcp ? 20 : 8)) {
      return Optional.empty();
    }
    var buffer = ByteBuffer.wrap(frame);
    int header = tcp ? (frame[start + 12] >> 4 & 0xf) * 4 : 8;
    return Optional.of(
        new CapturedPacket(
            tcp ? Transport.TCP : Transport.UDP,
            address(source),
            buffer.getShort(start) & 0xffff,
            address(destination),
            buffer.getShort(start + 2) & 0xffff,
            tcp ? frame[start + 13] & 0xff : 0,
            Arrays.copyOfRange(frame, Math.min(start + header, end), end)));
  }

  private static InetAddress address(byte[] bytes) {
    try {
      return InetAddress.getByAddress(bytes);
    } catch (UnknownHostException e) {
      throw new AssertionError(e);
    }
  }

  boolean isTcp() {
    return transport == Transport.TCP;
  }

  boolean hasPort(int port) {
    return sourcePort == port || destinationPort == port;
  }

  boolean isBetween(Pod one, Pod other) {
    return isOf(one, source) && isOf(other, destination)
        || isOf(other, source) && isOf(one, destination);
  }

  private static boolean isOf(Pod pod, InetAddress address) {
    return address.equals(pod.ipv4()) || address.equals(pod.ipv6());
  }

  @Override
  public String toString() {
    return "%s %s.%d > %s.%d flags %02x, %d bytes"
        .formatted(
            transport,
            source.getHostAddress(),
            sourcePort,
            destination.getHostAddress(),
            destinationPort,
            flags,
            payload.length);
  }
}
