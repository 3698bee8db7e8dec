package dev.ambit.operator.waypoint.security.model;

import dev.ambit.operator.model.IpAddresses;
import java.util.Optional;

/**
 * A block of IP addresses.
 *
 * @param address its first
 * @param length of the prefix, in bits
 */
record AddressBlock(String address, int length) {
  /** A CIDR block or an address, as policies have it. */
  static Optional<AddressBlock> parse(String text) {
    return IpAddresses.parseBlock(text)
        .map(block -> new AddressBlock(IpAddresses.text(block.address()), block.length()));
  }

  /** Whether an address lies in it. */
  boolean contains(String literal) {
    return IpAddresses.parseBlock(literal + "/" + (literal.indexOf(':') < 0 ? 32 : 128))
        .flatMap(
            one ->
                IpAddresses.parseBlock(IpAddresses.text(one.address()) + "/" + length)
                    .filter(_ -> one.address().size() == size()))
        .filter(block -> IpAddresses.text(block.address()).equals(address))
        .isPresent();
  }

  private int size() {
    return address.indexOf(':') < 0 ? 4 : 16;
  }
}
