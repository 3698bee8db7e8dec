package dev.ambit.ztunnel.state;

/**
 * A virtual address of a service, or a block of them.
 *
 * @param address the address, of a block its first one
 * @param prefixLength how many leading bits count; 32 or 128 for a single address
 */
public record VirtualAddress(NetworkAddress address, int prefixLength) {
  /** Whether this is one address and no block. */
  public boolean isSingle() {
    return prefixLength == address.address().getAddress().length * 8;
  }
}
