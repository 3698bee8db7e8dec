package dev.ambit.operator.preflight.model;

import java.net.InetAddress;
import org.jspecify.annotations.Nullable;

/** Blocks of addresses as NetworkPolicies write them. */
final class AddressBlock {
  private AddressBlock() {}

  /** Whether an address is in a block; in a malformed one none is. */
  static boolean contains(@Nullable String cidr, String address) {
    int slash = cidr == null ? -1 : cidr.indexOf('/');
    if (cidr == null || slash < 0) {
      return false;
    }
    try {
      byte[] block = InetAddress.ofLiteral(cidr.substring(0, slash)).getAddress();
      byte[] probed = InetAddress.ofLiteral(address).getAddress();
      int bits = Integer.parseInt(cidr.substring(slash + 1));
      if (block.length != probed.length || bits < 0 || bits > 8 * block.length) {
        return false;
      }
      for (int i = 0; i < bits; i++) {
        int mask = 0x80 >> (i % 8);
        if ((block[i / 8] & mask) != (probed[i / 8] & mask)) {
          return false;
        }
      }
      return true;
    } catch (IllegalArgumentException e) {
      return false;
    }
  }
}
