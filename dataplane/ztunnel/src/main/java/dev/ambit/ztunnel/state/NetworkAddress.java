package dev.ambit.ztunnel.state;

import io.netty.util.NetUtil;
import java.net.InetAddress;

/**
 * An address within a network; the empty network is the default one. As a text it is {@code
 * NETWORK/ADDRESS}, as the control plane names it.
 */
public record NetworkAddress(String network, InetAddress address) {
  @Override
  public String toString() {
    return network + "/" + NetUtil.toAddressString(address);
  }
}
