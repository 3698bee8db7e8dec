package dev.ambit.linux;

import java.io.IOException;
import java.net.InetAddress;
import java.util.LinkedHashSet;
import java.util.Set;

/**
 * The addresses of a network namespace's devices. The JDK's own list mixes in IPv6 addresses of the
 * process's first namespace, since it reads them from {@code /proc/net}.
 */
public final class LocalAddresses {
  private static final int RTM_GETADDR = 22;
  private static final int IFA_ADDRESS = 1;
  private static final int IFA_LOCAL = 2;
  private static final int HEADER = 8;

  private LocalAddresses() {}

  /** All addresses of the calling thread's namespace, loopback's included. */
  public static Set<InetAddress> read() throws IOException {
    var addresses = new LinkedHashSet<InetAddress>();
    try (var netlink = new Netlink()) {
      for (var message : netlink.dump(RTM_GETADDR, new byte[HEADER])) {
        byte[] address = null;
        byte[] local = null;
        for (int at = HEADER; at + 4 <= message.limit(); ) {
          int length = message.getShort(at) & 0xffff;
          if (length < 4 || at + length > message.limit()) {
            break;
          }
          byte[] value = new byte[length - 4];
          message.get(at + 4, value);
          switch (message.getShort(at + 2) & 0xffff) {
            case IFA_ADDRESS -> address = value;
            case IFA_LOCAL -> local = value;
            default -> {}
          }
          at += Netlink.align(length);
        }
        // On a point-to-point device IFA_ADDRESS is the peer's; IPv6 has no IFA_LOCAL otherwise.
        byte[] own = local != null ? local : address;
        if (own != null) {
          addresses.add(InetAddress.getByAddress(own));
        }
      }
    }
    return addresses;
  }
}
