package dev.ambit.ztunnel.state;

import java.net.InetAddress;
import java.net.Inet6Address;
import java.net.UnknownHostException;
import org.jspecify.annotations.Nullable;

/** Reads and compares addresses without ever asking DNS. */
public final class Addresses {
  private Addresses() {}

  /** {@code address}, with an IPv4-mapped IPv6 address as the IPv4 address that it stands for. */
  public static InetAddress canonical(InetAddress address) {
    if (!(address instanceof Inet6Address)) {
      return address;
    }
    try {
      // Of 16 bytes that hold a mapped address this makes an Inet4Address.
      return InetAddress.getByAddress(address.getAddress());
    } catch (UnknownHostException e) {
      throw new AssertionError("an Inet6Address has 16 bytes", e);
    }
  }

  /** Whether both have the same leading {@code prefixLength} bits and the same family. */
  public static boolean samePrefix(byte[] a, byte[] b, int prefixLength) {
    if (a.length != b.length) {
      return false;
    }
    int whole = prefixLength >>> 3;
    for (int i = 0; i < whole; i++) {
      if (a[i] != b[i]) {
        return false;
      }
    }
    int rest = prefixLength & 7;
    return rest == 0 || ((a[whole] ^ b[whole]) & (0xff00 >>> rest) & 0xff) == 0;
  }

  /** Reads an IP literal without brackets; null where {@code text} is none, such as a name. */
  static @Nullable InetAddress parseLiteral(String text) {
    if (text.isEmpty() || !looksLikeLiteral(text)) {
      return null;
    }
    try {
      return canonical(InetAddress.ofLiteral(text));
    } catch (IllegalArgumentException e) {
      return null;
    }
  }

  private static boolean looksLikeLiteral(String text) {
    if (text.indexOf(':') >= 0) {
      return text.indexOf('%') < 0;
    }
    // The JDK also takes "127.1" and "1" for addresses; a mesh name may look like that, a literal
    // of four parts may not.
    int dots = 0;
    for (int i = 0; i < text.length(); i++) {
      char c = text.charAt(i);
      if (c == '.') {
        dots++;
      } else if (c < '0' || c > '9') {
        return false;
      }
    }
    return dots == 3;
  }
}
