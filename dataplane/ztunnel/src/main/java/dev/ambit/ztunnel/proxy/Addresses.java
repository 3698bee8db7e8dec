package dev.ambit.ztunnel.proxy;

import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.UnknownHostException;

/** Socket addresses in one form: IPv4-mapped ones as IPv4, and none with a scope. */
final class Addresses {
  private Addresses() {}

  static InetSocketAddress plain(InetSocketAddress address) {
    return new InetSocketAddress(plain(address.getAddress()), address.getPort());
  }

  /** From its bytes alone: maps ::ffff:a.b.c.d to a.b.c.d, and drops scope and name. */
  static InetAddress plain(InetAddress address) {
    return of(address.getAddress());
  }

  /** Four bytes or sixteen. */
  static InetAddress of(byte[] address) {
    try {
      return InetAddress.getByAddress(address);
    } catch (UnknownHostException e) {
      throw new AssertionError(e);
    }
  }

  /** {@code 10.0.0.1:80} or {@code [fd00::1]:80}. */
  static String text(InetSocketAddress address) {
    String host = address.getAddress().getHostAddress();
    return host.indexOf(':') >= 0
        ? "[" + host + "]:" + address.getPort()
        : host + ":" + address.getPort();
  }
}
