package dev.ambit.k3s;

import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.UnknownHostException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/**
 * Reads TCP and UDP packets out of a capture file, in the format that tcpdump writes
 * (draft-ietf-opsawg-pcap). A record at the end that is not complete yet is left out.
 */
final class PcapReader {

  private static final int MICROSECONDS = 0xa1b2c3d4;
  private static final int NANOSECONDS = 0xa1b23c4d;
  private static final int FILE_HEADER = 24;
  private static final int RECORD_HEADER = 16;

  private static final int ETHERNET = 1;
  private static final int COOKED = 113;
  private static final int COOKED_2 = 276;

  private static final int IPV4 = 0x0800;
  private static final int IPV6 = 0x86dd;
  private static final int VLAN = 0x8100;
  private static final int TCP = 6;
  private static final int UDP = 17;

  private PcapReader() {}

  static List<Packet> read(byte[] file) {
    List<Packet> packets = new ArrayList<>();
    if (file.length < FILE_HEADER) {
      return packets;
    }
    ByteBuffer buffer = ByteBuffer.wrap(file);
    buffer.order(byteOrder(buffer.getInt(0)));
    int linkType = buffer.getInt(20) & 0xffff;
    buffer.position(FILE_HEADER);
    while (buffer.remaining() >= RECORD_HEADER) {
      int length = buffer.getInt(buffer.position() + 8);
      buffer.position(buffer.position() + RECORD_HEADER);
      if (length < 0 || length > buffer.remaining()) {
        break;
      }
      frame(linkType, buffer.slice(buffer.position(), length)).ifPresent(packets::add);
      buffer.position(buffer.position() + length);
    }
    return packets;
  }

  private static ByteOrder byteOrder(int magic) {
    if (magic == MICROSECONDS || magic == NANOSECONDS) {
      return ByteOrder.BIG_ENDIAN;
    }
    int reversed = Integer.reverseBytes(magic);
    if (reversed == MICROSECONDS || reversed == NANOSECONDS) {
      return ByteOrder.LITTLE_ENDIAN;
    }
    throw new IllegalArgumentException("Not a capture file: it starts with %08x".formatted(magic));
  }

  /** A frame that the capture cut short, or that is no IP, gives nothing. */
  private static Optional<Packet> frame(int linkType, ByteBuffer frame) {
    try {
      int type;
      int start;
      switch (linkType) {
        case ETHERNET -> {
          boolean tagged = frame.getShort(12) == (short) VLAN;
          type = frame.getShort(tagged ? 16 : 12) & 0xffff;
          start = tagged ? 18 : 14;
        }
        case COOKED -> {
          type = frame.getShort(14) & 0xffff;
          start = 16;
        }
        case COOKED_2 -> {
          type = frame.getShort(0) & 0xffff;
          start = 20;
        }
        default -> throw new IllegalArgumentException("Unknown link type " + linkType);
      }
      ByteBuffer packet = frame.slice(start, frame.limit() - start);
      return switch (type) {
        case IPV4 -> ipv4(packet);
        case IPV6 -> ipv6(packet);
        default -> Optional.empty();
      };
    } catch (IndexOutOfBoundsException e) {
      return Optional.empty();
    }
  }

  private static Optional<Packet> ipv4(ByteBuffer packet) {
    boolean laterFragment = (packet.getShort(6) & 0x1fff) != 0;
    if (laterFragment) {
      return Optional.empty();
    }
    int header = (packet.get(0) & 0xf) * 4;
    // Shorter than the frame where Ethernet has padded it.
    int length = packet.getShort(2) & 0xffff;
    // Zero where the network card cuts a large packet after the capture has seen it.
    int end = length == 0 ? packet.limit() : Math.min(length, packet.limit());
    return segment(
        packet.get(9) & 0xff,
        address(packet, 12, 4),
        address(packet, 16, 4),
        packet.slice(header, end - header));
  }

  private static Optional<Packet> ipv6(ByteBuffer packet) {
    int length = packet.getShort(4) & 0xffff;
    int end = length == 0 ? packet.limit() : Math.min(40 + length, packet.limit());
    return segment(
        packet.get(6) & 0xff,
        address(packet, 8, 16),
        address(packet, 24, 16),
        packet.slice(40, end - 40));
  }

  private static Optional<Packet> segment(
      int protocol, InetAddress source, InetAddress destination, ByteBuffer segment) {
    Packet.Transport transport;
    int header;
    switch (protocol) {
      case TCP -> {
        transport = Packet.Transport.TCP;
        header = (segment.get(12) >> 4 & 0xf) * 4;
      }
      case UDP -> {
        transport = Packet.Transport.UDP;
        header = 8;
      }
      default -> {
        return Optional.empty();
      }
    }
    byte[] payload = new byte[segment.limit() - header];
    segment.get(header, payload);
    return Optional.of(
        new Packet(
            transport,
            new InetSocketAddress(source, segment.getShort(0) & 0xffff),
            new InetSocketAddress(destination, segment.getShort(2) & 0xffff),
            payload));
  }

  private static InetAddress address(ByteBuffer packet, int offset, int length) {
    byte[] bytes = new byte[length];
    packet.get(offset, bytes);
    try {
      return InetAddress.getByAddress(bytes);
    } catch (UnknownHostException e) {
      throw new IllegalStateException("Four and sixteen bytes are always an address", e);
    }
  }
}
