package dev.ambit.operator.waypoint.security.model;

import dev.ambit.operator.model.IpAddresses;
import java.util.Optional;

/** Where a tunnel leads, as Envoy writes it once it has read it. */
public record Destination(String address, int port) {
  /** Of an address in whatever spelling; empty where it is none. */
  public static Optional<Destination> of(String address, int port) {
    return IpAddresses.parse(address)
        .map(bytes -> new Destination(text(bytes.toByteArray()), port));
  }

  /** The longest run of zeros of an IPv6 address is left out (RFC 5952). */
  private static String text(byte[] bytes) {
    if (bytes.length == 4) {
      return (bytes[0] & 0xff)
          + "."
          + (bytes[1] & 0xff)
          + "."
          + (bytes[2] & 0xff)
          + "."
          + (bytes[3] & 0xff);
    }
    int[] groups = new int[8];
    for (int i = 0; i < groups.length; i++) {
      groups[i] = (bytes[2 * i] & 0xff) << 8 | (bytes[2 * i + 1] & 0xff);
    }
    int start = -1;
    int longest = 1;
    for (int i = 0; i < groups.length; i++) {
      int end = i;
      while (end < groups.length && groups[end] == 0) {
        end++;
      }
      if (end - i > longest) {
        start = i;
        longest = end - i;
      }
    }
    StringBuilder text = new StringBuilder();
    for (int i = 0; i < groups.length; i++) {
      if (i == start) {
        text.append("::");
        i += longest - 1;
        continue;
      }
      if (!text.isEmpty() && text.charAt(text.length() - 1) != ':') {
        text.append(':');
      }
      text.append(Integer.toHexString(groups[i]));
    }
    return text.toString();
  }

  /** What is left of a condition where the destination is known. */
  Condition known(Condition condition) {
    return switch (condition) {
      case Condition.DestinationPort(int wanted) -> Condition.constant(wanted == port);
      case Condition.DestinationAddress(AddressBlock block) ->
          Condition.constant(block.contains(address));
      case Condition.All(var conditions) ->
          Condition.all(conditions.stream().map(this::known).toList());
      case Condition.Any(var conditions) ->
          Condition.any(conditions.stream().map(this::known).toList());
      case Condition.Not(Condition inner) -> Condition.not(known(inner));
      case Condition.Constant _, Condition.Atom _ -> condition;
    };
  }

  @Override
  public String toString() {
    return (address.indexOf(':') < 0 ? address : "[" + address + "]") + ":" + port;
  }
}
