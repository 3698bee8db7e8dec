package dev.ambit.ztunnel.proxy;

import static org.assertj.core.api.Assertions.assertThat;

import java.net.Inet4Address;
import java.net.InetSocketAddress;
import java.nio.ByteBuffer;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.constraints.Size;

/** What the kernel hands out as a connection's original destination is read whatever it holds. */
class SocketAddressFuzzTest {
  @Property
  void anyIpv4(@ForAll @Size(16) byte[] raw) {
    InetSocketAddress read = OriginalDestination.read(ByteBuffer.wrap(raw), true);
    assertThat(read.getAddress()).isInstanceOf(Inet4Address.class);
    assertThat(read.getPort()).isEqualTo((raw[2] & 0xff) << 8 | raw[3] & 0xff);
  }

  @Property
  void anyIpv6(@ForAll @Size(28) byte[] raw) {
    InetSocketAddress read = OriginalDestination.read(ByteBuffer.wrap(raw), false);
    assertThat(read.getAddress()).isNotNull();
    assertThat(read.getPort()).isBetween(0, 65535);
  }
}
