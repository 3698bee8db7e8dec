package dev.ambit.ztunnel.proxy;

import static org.assertj.core.api.Assertions.assertThat;

import io.netty.handler.codec.http2.DefaultHttp2Headers;
import io.netty.handler.codec.http2.Http2Headers;
import java.net.InetSocketAddress;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** The request for a flow is RFC 9298's. */
class DatagramHeadersTest {
  private static final InetSocketAddress CLIENT =
      new InetSocketAddress(Addresses.of(new byte[] {10, 0, 0, 1}), 40_000);

  @ParameterizedTest
  @CsvSource({
    "10.0.0.2:53, /.well-known/masque/udp/10.0.0.2/53/",
    "[fd00:0:0:0:0:0:0:2]:53, /.well-known/masque/udp/fd00%3A0%3A0%3A0%3A0%3A0%3A0%3A2/53/"
  })
  void namesItsTargetAndItsClient(String target, String path) {
    Http2Headers request =
        ConnectHeaders.udpRequest("10.0.0.2:15008", target, "k8s=v", CLIENT, null);

    assertThat(request.method()).hasToString("CONNECT");
    assertThat(request.scheme()).hasToString("https");
    assertThat(request.authority()).hasToString("10.0.0.2:15008");
    assertThat(request.path()).hasToString(path);
    assertThat(request.get(":protocol")).hasToString("connect-udp");
    assertThat(request.get("capsule-protocol")).hasToString("?1");
    assertThat(ConnectHeaders.udpTarget(request)).isEqualTo(target);
    assertThat(ConnectHeaders.sourcePort(request)).isEqualTo(40_000);
    assertThat(Addresses.text(ConnectHeaders.address(target))).isEqualTo(target);
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "/",
        "/.well-known/masque/udp/",
        "/.well-known/masque/udp/10.0.0.2/",
        "/.well-known/masque/udp/10.0.0.2/53",
        "/.well-known/masque/udp//53/",
        "/.well-known/masque/udp/10.0.0.2/53/more",
        "/other/10.0.0.2/53/"
      })
  void aPathThatNamesNoneIsFoundOut(String path) {
    assertThat(ConnectHeaders.udpTarget(new DefaultHttp2Headers().path(path))).isNull();
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "",
        "for=10.0.0.1:80",
        "for=\"10.0.0.1\"",
        "for=\"10.0.0.1:x\"",
        "for=\"a:70000\"",
        "for=\":\"",
        "for=\""
      })
  void aPortThatIsNoneIsNotUsed(String forwarded) {
    assertThat(
            ConnectHeaders.sourcePort(new DefaultHttp2Headers(false).add("forwarded", forwarded)))
        .isZero();
  }

  @Test
  void withoutTheHeaderThereIsNone() {
    assertThat(ConnectHeaders.sourcePort(new DefaultHttp2Headers())).isZero();
    assertThat(ConnectHeaders.udpTarget(new DefaultHttp2Headers())).isNull();
  }
}
