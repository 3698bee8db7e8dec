package dev.ambit.ztunnel.proxy;

import dev.ambit.ztunnel.identity.Identity;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.ByteBufAllocator;
import java.net.Inet4Address;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.charset.StandardCharsets;

/**
 * The PROXY protocol's header, version 2, by which an application that asks for it learns who a
 * tunnelled connection is from and where it was going.
 */
final class ProxyProtocolHeader {
  private static final byte[] SIGNATURE = {
    0x0d, 0x0a, 0x0d, 0x0a, 0x00, 0x0d, 0x0a, 0x51, 0x55, 0x49, 0x54, 0x0a
  };
  private static final int VERSION_2_PROXY = 0x21;
  private static final int TCP_OVER_IPV4 = 0x11;
  private static final int TCP_OVER_IPV6 = 0x21;

  /** Istio's own type for the caller's SPIFFE identity. */
  private static final int TLV_IDENTITY = 0xd0;

  private static final int MAPPED_PREFIX_ZEROS = 10;

  private ProxyProtocolHeader() {}

  static ByteBuf encode(
      ByteBufAllocator allocator,
      InetSocketAddress source,
      InetSocketAddress destination,
      Identity peer) {
    boolean ipv4 =
        source.getAddress() instanceof Inet4Address
            && destination.getAddress() instanceof Inet4Address;
    byte[] identity = peer.uri().getBytes(StandardCharsets.US_ASCII);
    int addresses = ipv4 ? 2 * 4 : 2 * 16;
    ByteBuf out = allocator.directBuffer(128);
    out.writeBytes(SIGNATURE);
    out.writeByte(VERSION_2_PROXY);
    out.writeByte(ipv4 ? TCP_OVER_IPV4 : TCP_OVER_IPV6);
    out.writeShort(addresses + 4 + 3 + identity.length);
    writeAddress(out, source.getAddress(), ipv4);
    writeAddress(out, destination.getAddress(), ipv4);
    out.writeShort(source.getPort());
    out.writeShort(destination.getPort());
    out.writeByte(TLV_IDENTITY);
    out.writeShort(identity.length);
    out.writeBytes(identity);
    return out;
  }

  private static void writeAddress(ByteBuf out, InetAddress address, boolean ipv4) {
    byte[] bytes = address.getAddress();
    if (!ipv4 && bytes.length == 4) {
      out.writeZero(MAPPED_PREFIX_ZEROS).writeShort(0xffff);
    }
    out.writeBytes(bytes);
  }
}
