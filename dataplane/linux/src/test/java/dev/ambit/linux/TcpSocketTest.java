package dev.ambit.linux;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class TcpSocketTest {
  @Test
  void readsBothFamilies() throws Exception {
    var four =
        TcpSocket.parse(
            "   0: 0100007F:3A99 070200C0:1F90 01 00000000:00000000 00:00000000 00000000 0 0 1");
    assertThat(four.local()).isEqualTo(address("127.0.0.1", 15001));
    assertThat(four.remote()).isEqualTo(address("192.0.2.7", 8080));
    assertThat(four.state()).isEqualTo(TcpSocket.State.ESTABLISHED);
    var six =
        TcpSocket.parse(
            "   1: B80D0120000000000000000007000000:3AA0 00000000000000000000000000000000:0000 0A"
                + " 00000000:00000000");
    assertThat(six.local()).isEqualTo(address("2001:db8::7", 15008));
    assertThat(six.state()).isEqualTo(TcpSocket.State.LISTEN);
  }

  @ParameterizedTest
  @ValueSource(
      strings = {"", "x", "0: 1 2 3", "0: 0100007F:3A99 070200C0:1F90 FF", "0: zz:1 zz:2 01"})
  void refusesWhatItDoesNotKnow(String line) {
    assertThatThrownBy(() -> TcpSocket.parse(line)).isInstanceOf(IOException.class);
  }

  private static InetSocketAddress address(String host, int port) throws Exception {
    return new InetSocketAddress(InetAddress.getByName(host), port);
  }
}
