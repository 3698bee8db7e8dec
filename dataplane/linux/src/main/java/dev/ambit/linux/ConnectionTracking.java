package dev.ambit.linux;

import java.io.IOException;
import java.net.Inet4Address;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.UnknownHostException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import org.jspecify.annotations.Nullable;

/**
 * The kernel's memory of redirected datagrams, in the network namespace of the thread that opened
 * this. For one thread at a time.
 */
public final class ConnectionTracking implements AutoCloseable {
  /** {@code NFNL_SUBSYS_CTNETLINK << 8 | IPCTNL_MSG_CT_GET}. */
  private static final int GET = 0x101;

  private static final int NFGENMSG = 4;
  private static final int ATTRIBUTE = 4;
  private static final int NESTED = 0x8000;
  private static final int TYPE_MASK = 0x3fff;

  private static final int CTA_TUPLE_ORIG = 1;
  private static final int CTA_TUPLE_REPLY = 2;
  private static final int CTA_ZONE = 18;
  private static final int CTA_TUPLE_IP = 1;
  private static final int CTA_TUPLE_PROTO = 2;
  private static final int CTA_IP_V4_SRC = 1;
  private static final int CTA_IP_V4_DST = 2;
  private static final int CTA_IP_V6_SRC = 3;
  private static final int CTA_IP_V6_DST = 4;
  private static final int CTA_PROTO_NUM = 1;
  private static final int CTA_PROTO_SRC_PORT = 2;
  private static final int CTA_PROTO_DST_PORT = 3;

  private static final byte AF_INET = 2;
  private static final byte AF_INET6 = 10;
  private static final byte UDP = 17;

  private final Netlink netlink;

  private ConnectionTracking(Netlink netlink) {
    this.netlink = netlink;
  }

  /** Needs CAP_NET_ADMIN over the namespace. */
  public static ConnectionTracking open() throws IOException {
    return new ConnectionTracking(new Netlink(Netlink.NETLINK_NETFILTER));
  }

  /**
   * Where the datagrams were going that {@code here} gets from {@code client}.
   *
   * @param zone the zone in which the rules have such datagrams tracked; 0 is the default one
   * @return null where none is known; {@code here} where they were not redirected
   */
  public @Nullable InetSocketAddress originalDestination(
      int zone, InetSocketAddress here, InetSocketAddress client) throws IOException {
    var found = netlink.find(GET, request(zone, here, client));
    if (found == null) {
      return null;
    }
    var tuple = attribute(found, NFGENMSG, CTA_TUPLE_ORIG);
    var addresses = tuple == null ? null : attribute(tuple, 0, CTA_TUPLE_IP);
    var protocol = tuple == null ? null : attribute(tuple, 0, CTA_TUPLE_PROTO);
    if (addresses == null || protocol == null) {
      return null;
    }
    boolean ipv4 = here.getAddress() instanceof Inet4Address;
    var address = attribute(addresses, 0, ipv4 ? CTA_IP_V4_DST : CTA_IP_V6_DST);
    var port = attribute(protocol, 0, CTA_PROTO_DST_PORT);
    if (address == null || port == null || port.remaining() < 2) {
      return null;
    }
    byte[] bytes = new byte[address.remaining()];
    address.get(bytes);
    try {
      return new InetSocketAddress(
          InetAddress.getByAddress(bytes), port.order(ByteOrder.BIG_ENDIAN).getShort() & 0xffff);
    } catch (UnknownHostException e) {
      throw new IOException("the kernel told an address of " + bytes.length + " bytes", e);
    }
  }

  /** By the tuple of the replies: from here to the client. */
  private static byte[] request(int zone, InetSocketAddress here, InetSocketAddress client) {
    boolean ipv4 = here.getAddress() instanceof Inet4Address;
    var addresses =
        concat(
            attribute(ipv4 ? CTA_IP_V4_SRC : CTA_IP_V6_SRC, here.getAddress().getAddress()),
            attribute(ipv4 ? CTA_IP_V4_DST : CTA_IP_V6_DST, client.getAddress().getAddress()));
    var protocol =
        concat(
            attribute(CTA_PROTO_NUM, new byte[] {UDP}),
            attribute(CTA_PROTO_SRC_PORT, bigEndian(here.getPort())),
            attribute(CTA_PROTO_DST_PORT, bigEndian(client.getPort())));
    var tuple =
        concat(
            attribute(CTA_TUPLE_IP | NESTED, addresses),
            attribute(CTA_TUPLE_PROTO | NESTED, protocol));
    return concat(
        new byte[] {ipv4 ? AF_INET : AF_INET6, 0, 0, 0},
        attribute(CTA_TUPLE_REPLY | NESTED, tuple),
        zone == 0 ? new byte[0] : attribute(CTA_ZONE, bigEndian(zone)));
  }

  private static byte[] bigEndian(int value) {
    return new byte[] {(byte) (value >>> 8), (byte) value};
  }

  private static byte[] attribute(int type, byte[] value) {
    return ByteBuffer.allocate(Netlink.align(ATTRIBUTE + value.length))
        .order(ByteOrder.nativeOrder())
        .putShort((short) (ATTRIBUTE + value.length))
        .putShort((short) type)
        .put(value)
        .array();
  }

  private static byte[] concat(byte[]... parts) {
    int length = 0;
    for (byte[] part : parts) {
      length += part.length;
    }
    var all = ByteBuffer.allocate(length);
    for (byte[] part : parts) {
      all.put(part);
    }
    return all.array();
  }

  private static @Nullable ByteBuffer attribute(ByteBuffer within, int from, int type) {
    var message = within.duplicate().order(ByteOrder.nativeOrder());
    for (int at = message.position() + from; at + ATTRIBUTE <= message.limit(); ) {
      int length = message.getShort(at) & 0xffff;
      if (length < ATTRIBUTE || at + length > message.limit()) {
        return null;
      }
      if ((message.getShort(at + 2) & TYPE_MASK) == type) {
        return message.slice(at + ATTRIBUTE, length - ATTRIBUTE).order(ByteOrder.nativeOrder());
      }
      at += Netlink.align(length);
    }
    return null;
  }

  @Override
  public void close() {
    netlink.close();
  }
}
