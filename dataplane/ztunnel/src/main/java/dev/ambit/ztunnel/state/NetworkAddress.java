package dev.ambit.ztunnel.state;

import java.net.InetAddress;

/** An address within a network; the empty network is the default one. */
public record NetworkAddress(String network, InetAddress address) {
  @Override
  public String toString() {
    return network + "/" + address.getHostAddress();
  }
}
