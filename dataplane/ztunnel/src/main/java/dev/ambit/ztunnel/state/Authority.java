package dev.ambit.ztunnel.state;

import java.net.InetAddress;
import org.jspecify.annotations.Nullable;

/**
 * The {@code :authority} of a CONNECT request: {@code ip:port}, {@code [ipv6]:port} or {@code
 * hostname:port}.
 *
 * @param address null for a hostname
 * @param hostname lower case; empty for an address
 * @param port 1 to 65535
 */
record Authority(@Nullable InetAddress address, String hostname, int port) {
  private static final int LONGEST_HOSTNAME = 253;

  /** Reads an authority from the wire; null where it is malformed. */
  static @Nullable Authority parse(String text) {
    int colon = text.lastIndexOf(':');
    if (colon <= 0) {
      return null;
    }
    int port = parsePort(text, colon + 1);
    if (port < 0) {
      return null;
    }
    if (text.charAt(0) == '[') {
      if (text.charAt(colon - 1) != ']' || colon < 3) {
        return null;
      }
      String literal = text.substring(1, colon - 1);
      InetAddress address = literal.indexOf(':') < 0 ? null : Addresses.parseLiteral(literal);
      return address == null ? null : new Authority(address, "", port);
    }
    String host = text.substring(0, colon);
    if (host.indexOf(':') >= 0) {
      return null;
    }
    InetAddress address = Addresses.parseLiteral(host);
    if (address != null) {
      return new Authority(address, "", port);
    }
    return isHostname(host) ? new Authority(null, lowerCase(host), port) : null;
  }

  private static int parsePort(String text, int from) {
    int digits = text.length() - from;
    if (digits < 1 || digits > 5) {
      return -1;
    }
    int port = 0;
    for (int i = from; i < text.length(); i++) {
      char c = text.charAt(i);
      if (c < '0' || c > '9') {
        return -1;
      }
      port = port * 10 + (c - '0');
    }
    return port >= 1 && port <= 65535 ? port : -1;
  }

  private static boolean isHostname(String host) {
    if (host.length() > LONGEST_HOSTNAME) {
      return false;
    }
    for (int i = 0; i < host.length(); i++) {
      char c = host.charAt(i);
      boolean good =
          (c >= 'a' && c <= 'z')
              || (c >= 'A' && c <= 'Z')
              || (c >= '0' && c <= '9')
              || c == '-'
              || c == '.'
              || c == '_'
              || c == '*';
      if (!good) {
        return false;
      }
    }
    return true;
  }

  private static String lowerCase(String host) {
    return host.toLowerCase(java.util.Locale.ROOT);
  }
}
