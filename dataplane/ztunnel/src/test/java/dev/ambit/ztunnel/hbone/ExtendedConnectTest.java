package dev.ambit.ztunnel.hbone;

import static org.assertj.core.api.Assertions.assertThat;

import io.netty.buffer.Unpooled;
import io.netty.handler.codec.http2.DefaultHttp2Headers;
import io.netty.handler.codec.http2.Http2Error;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Other protocols than TCP are asked for only where the peer takes them (RFC 8441). */
class ExtendedConnectTest {
  private static final int SETTING = Frames.SETTINGS_ENABLE_CONNECT_PROTOCOL;

  @ParameterizedTest
  @ValueSource(booleans = {false, true})
  void aServerSaysWhetherItTakesThem(boolean takes) {
    Peer peer = Peer.ofServer(HboneSettings.server().withExtendedConnect(takes));
    peer.send(Unpooled.wrappedBuffer(Frames.PREFACE));
    byte[] settings = peer.received(Frames.SETTINGS).getFirst().payload();
    boolean said = false;
    for (int at = 0; at < settings.length; at += Frames.SETTING_LENGTH) {
      said |= settings[at + 1] == SETTING && settings[at + 5] == 1;
    }
    assertThat(said).isEqualTo(takes);
    assertThat(peer.leaked()).isZero();
  }

  @Test
  void aClientKnowsWhatItsPeerSaid() {
    Peer silent = Peer.ofClient().greet();
    assertThat(silent.connection.takesExtendedConnect()).isFalse();
    assertThat(silent.leaked()).isZero();

    Peer willing = Peer.ofClient();
    willing.send(Peer.settings(SETTING, 1));
    assertThat(willing.connection.takesExtendedConnect()).isTrue();
    willing.send(Peer.settings(SETTING, 1));
    assertThat(willing.channel.isOpen()).isTrue();
    assertThat(willing.leaked()).isZero();
  }

  @ParameterizedTest
  @CsvSource({"0, 2", "1, 0", "1, -1"})
  void whatCannotBeSaidEndsTheConnection(int first, int then) {
    Peer peer = Peer.ofClient();
    peer.send(Peer.settings(SETTING, first));
    peer.received();
    peer.send(Peer.settings(SETTING, then));
    assertThat(peer.goAwayCode()).isEqualTo((int) Http2Error.PROTOCOL_ERROR.code());
    assertThat(peer.leaked()).isZero();
  }

  @Test
  void aRequestIsSeenWithItsProtocol() {
    Peer peer = Peer.ofServer(HboneSettings.server().withExtendedConnect(true)).greet();
    var headers =
        new DefaultHttp2Headers()
            .method("CONNECT")
            .scheme("https")
            .authority("10.0.0.1:15008")
            .path("/.well-known/masque/udp/10.0.0.1/53/")
            .add(":protocol", "connect-udp")
            .add("capsule-protocol", "?1");
    peer.send(Peer.frame(Frames.HEADERS, Frames.FLAG_END_HEADERS, 1, peer.block(headers)));
    assertThat(peer.listener.requests.getFirst().get(":protocol")).hasToString("connect-udp");
    assertThat(peer.listener.requests.getFirst().path())
        .hasToString("/.well-known/masque/udp/10.0.0.1/53/");
    assertThat(peer.leaked()).isZero();
  }
}
