package dev.ambit.linux;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.Set;

/**
 * Policy routing that delivers every packet with a mark to the namespace itself, whatever its
 * destination: {@code ip rule fwmark MARK/MASK pref PRIORITY lookup TABLE} and {@code ip route
 * local default dev lo table TABLE}, for IPv4 and, where the namespace has it, IPv6. All calls
 * concern the calling thread's network namespace.
 *
 * @param table a number below 256
 */
public record MarkedLocalRoute(int mark, int mask, int priority, int table) {
  private static final int RTM_NEWLINK = 16;
  private static final int RTM_NEWROUTE = 24;
  private static final int RTM_DELROUTE = 25;
  private static final int RTM_NEWRULE = 32;
  private static final int RTM_DELRULE = 33;
  private static final int FR_ACT_TO_TBL = 1;
  private static final int FRA_PRIORITY = 6;
  private static final int FRA_FWMARK = 10;
  private static final int FRA_TABLE = 15;
  private static final int FRA_FWMASK = 16;
  private static final int RTA_OIF = 4;
  private static final int RTA_TABLE = 15;
  private static final int RTN_LOCAL = 2;
  private static final int RTPROT_STATIC = 4;
  private static final int RT_SCOPE_HOST = 254;
  private static final int IFF_UP = 1;

  /** Every namespace's loopback device has it. */
  private static final int LOOPBACK_INDEX = 1;

  private static final int AF_INET = 2;
  private static final int AF_INET6 = 10;

  /** How the kernel says that a namespace has no IPv6, or has it switched off on the loopback. */
  private static final Set<Integer> NO_IPV6 =
      Set.of(Netlink.EAFNOSUPPORT, Netlink.EOPNOTSUPP, Netlink.EACCES, Netlink.ENODEV);

  /**
   * Puts in what is missing, with the loopback device up, which a local route needs.
   *
   * @return whether anything was missing
   */
  public boolean ensure() throws IOException {
    try (var netlink = new Netlink()) {
      check("link set lo up", netlink.change(RTM_NEWLINK, 0, loopbackUp()));
      boolean missing = false;
      for (int family : new int[] {AF_INET, AF_INET6}) {
        missing |= add(netlink, RTM_NEWRULE, "rule", family, rule(family));
        missing |= add(netlink, RTM_NEWROUTE, "route", family, route(family));
      }
      return missing;
    }
  }

  /**
   * Takes out what is there.
   *
   * @return whether anything was
   */
  public boolean remove() throws IOException {
    try (var netlink = new Netlink()) {
      boolean present = false;
      for (int family : new int[] {AF_INET, AF_INET6}) {
        present |= delete(netlink, RTM_DELRULE, "rule", family, rule(family));
        present |= delete(netlink, RTM_DELROUTE, "route", family, route(family));
      }
      return present;
    }
  }

  private static boolean add(Netlink netlink, int type, String what, int family, byte[] body)
      throws IOException {
    int error = netlink.change(type, Netlink.NLM_F_CREATE_EXCLUSIVE, body);
    if (error == Netlink.EEXIST || (family == AF_INET6 && NO_IPV6.contains(error))) {
      return false;
    }
    check("add " + what + " of family " + family, error);
    return true;
  }

  private static boolean delete(Netlink netlink, int type, String what, int family, byte[] body)
      throws IOException {
    int error = netlink.change(type, 0, body);
    if (error != Netlink.ENOENT
        && error != Netlink.ESRCH
        && !(family == AF_INET6 && NO_IPV6.contains(error))) {
      check("delete " + what + " of family " + family, error);
    }
    return error == 0;
  }

  private static void check(String call, int error) throws LinuxException {
    if (error != 0) {
      throw new LinuxException("rtnetlink " + call, error);
    }
  }

  private static byte[] loopbackUp() {
    return buffer(16).put(new byte[4]).putInt(LOOPBACK_INDEX).putInt(IFF_UP).putInt(IFF_UP).array();
  }

  private byte[] rule(int family) {
    var message = buffer(12 + 4 * 8);
    message.put((byte) family).put(new byte[3]).put((byte) table).put(new byte[2]);
    message.put((byte) FR_ACT_TO_TBL).putInt(0);
    attribute(message, FRA_PRIORITY, priority);
    attribute(message, FRA_FWMARK, mark);
    attribute(message, FRA_FWMASK, mask);
    attribute(message, FRA_TABLE, table);
    return message.array();
  }

  private byte[] route(int family) {
    var message = buffer(12 + 2 * 8);
    message.put((byte) family).put(new byte[3]).put((byte) table).put((byte) RTPROT_STATIC);
    message.put((byte) RT_SCOPE_HOST).put((byte) RTN_LOCAL).putInt(0);
    attribute(message, RTA_OIF, LOOPBACK_INDEX);
    attribute(message, RTA_TABLE, table);
    return message.array();
  }

  private static ByteBuffer buffer(int size) {
    return ByteBuffer.allocate(size).order(ByteOrder.nativeOrder());
  }

  private static void attribute(ByteBuffer message, int type, int value) {
    message.putShort((short) 8).putShort((short) type).putInt(value);
  }
}
