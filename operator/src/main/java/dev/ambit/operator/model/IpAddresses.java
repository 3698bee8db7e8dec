package dev.ambit.operator.model;

import com.google.protobuf.ByteString;
import java.net.InetAddress;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/**
 * Reading of IP addresses and blocks as they stand in Kubernetes objects: literals alone, never a
 * name to look up.
 */
public final class IpAddresses {
  private IpAddresses() {}

  /** A block of addresses, its host bits cleared. */
  public record Block(ByteString address, int length) {}

  /** 4 or 16 bytes; an IPv4 address mapped into IPv6 counts as IPv4. */
  public static Optional<ByteString> parse(@Nullable String text) {
    if (text == null || text.isEmpty()) {
      return Optional.empty();
    }
    boolean six = text.indexOf(':') >= 0;
    // Java would also take 10.1 for 10.0.0.1, and scopes in IPv6.
    if (six ? text.indexOf('%') >= 0 : text.chars().filter(c -> c == '.').count() != 3) {
      return Optional.empty();
    }
    try {
      return Optional.of(ByteString.copyFrom(InetAddress.ofLiteral(text).getAddress()));
    } catch (IllegalArgumentException e) {
      return Optional.empty();
    }
  }

  /** A CIDR block, or one address as a block of its own. */
  public static Optional<Block> parseBlock(@Nullable String text) {
    if (text == null) {
      return Optional.empty();
    }
    int slash = text.indexOf('/');
    String literal = slash < 0 ? text : text.substring(0, slash);
    Optional<ByteString> address = parse(literal);
    if (address.isEmpty()) {
      return Optional.empty();
    }
    int bits = address.get().size() * 8;
    int length = bits;
    if (slash >= 0) {
      String digits = text.substring(slash + 1);
      if (!digits.matches("[0-9]{1,3}")) {
        return Optional.empty();
      }
      length = Integer.parseInt(digits);
      if (bits == 32 && literal.indexOf(':') >= 0) {
        length -= 96;
      }
    }
    return length < 0 || length > bits
        ? Optional.empty()
        : Optional.of(new Block(masked(address.get(), length), length));
  }

  private static ByteString masked(ByteString address, int length) {
    byte[] bytes = address.toByteArray();
    for (int i = 0; i < bytes.length; i++) {
      int keep = Math.clamp(length - 8L * i, 0, 8);
      bytes[i] &= (byte) (0xff << (8 - keep));
    }
    return ByteString.copyFrom(bytes);
  }

  /** The usual way of writing it, for names and keys. */
  public static String text(ByteString address) {
    try {
      return InetAddress.getByAddress(address.toByteArray()).getHostAddress();
    } catch (java.net.UnknownHostException e) {
      throw new IllegalArgumentException("an address has 4 or 16 bytes, not " + address.size(), e);
    }
  }

  /** As RFC 5952 has it written, which is as clients write it: IPv6 in its shortest form. */
  public static String canonical(ByteString address) {
    if (address.size() != 16) {
      return text(address);
    }
    int[] groups = new int[8];
    for (int i = 0; i < groups.length; i++) {
      groups[i] = (address.byteAt(2 * i) & 0xff) << 8 | address.byteAt(2 * i + 1) & 0xff;
    }
    int start = 0;
    int longest = 1;
    for (int i = 0; i < groups.length; i++) {
      int end = i;
      while (end < groups.length && groups[end] == 0) {
        end++;
      }
      if (end - i > longest) {
        longest = end - i;
        start = i;
      }
    }
    if (longest == 1) {
      return joined(groups, 0, groups.length);
    }
    return joined(groups, 0, start) + "::" + joined(groups, start + longest, groups.length);
  }

  private static String joined(int[] groups, int from, int to) {
    return java.util.Arrays.stream(groups, from, to)
        .mapToObj(Integer::toHexString)
        .collect(java.util.stream.Collectors.joining(":"));
  }
}
