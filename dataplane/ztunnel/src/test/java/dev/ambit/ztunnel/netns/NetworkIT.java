package dev.ambit.ztunnel.netns;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInstance;
import org.junit.jupiter.api.Timeout;

/** What the other tests here stand on: namespaces, captures, and redirection. */
@Timeout(240)
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
class NetworkIT {
  private Network network;

  @BeforeAll
  void create() {
    network = Network.create();
  }

  @AfterAll
  void close() {
    if (network != null) {
      network.close();
    }
  }

  @Test
  void podsOfTwoNodesTalkOverTheWireThatIsCaptured() throws IOException {
    var client = network.a().pod("shop", "client", "client");
    var server = network.b().pod("shop", "server", "server");
    try (var wire = PacketCapture.betweenNodes(network);
        var echo = TcpServer.echo(server, 8080);
        var v4 = TcpClient.connect(client, server.at(8080));
        var v6 = TcpClient.connect(client, server.at6(8080))) {
      assertThat(v4.echo("seen-on-the-wire")).isEqualTo("seen-on-the-wire");
      assertThat(v6.echo("seen-over-ipv6")).isEqualTo("seen-over-ipv6");
      assertThat(echo.callers())
          .extracting(caller -> caller.getAddress())
          .containsExactly(client.ipv4(), client.ipv6());
      assertThat(wire.portsOpened(client, server)).containsExactly(8080);
      assertThat(wire.shows("seen-on-the-wire")).isTrue();
      assertThat(wire.shows("seen-over-ipv6")).isTrue();
      assertThat(wire.shows("never sent")).isFalse();
    }
  }

  @Test
  void redirectionLeadsNewConnectionsToTheZtunnelsPorts() throws IOException {
    var client = network.a().pod("shop", "redirected-client", "client");
    var server = network.b().pod("shop", "redirected-server", "server");
    try (var echo = TcpServer.echo(server, 8080);
        var outbound = TcpServer.start(client, 15001, says("outbound"));
        var inbound = TcpServer.start(server, 15006, says("inbound"));
        var hbone = TcpServer.start(server, 15008, says("hbone"));
        var before = TcpClient.connect(client, server.at(8080))) {
      assertThat(before.echo("before")).isEqualTo("before");

      PodRedirection.apply(client);
      assertThat(before.echo("after the client's rules")).isEqualTo("after the client's rules");
      assertThat(answer(client, server, 8080)).isEqualTo("outbound");

      PodRedirection.apply(server);
      assertThat(before.echo("after both rules")).isEqualTo("after both rules");
      assertThat(answer(network.a().pod("shop", "other", "other"), server, 8080))
          .isEqualTo("inbound");
      assertThat(answer(network.a().pod("shop", "another", "other"), server, 15008))
          .isEqualTo("hbone");

      PodRedirection.remove(client);
      PodRedirection.remove(server);
      assertThat(answer(client, server, 15008)).isEqualTo("hbone");
      assertThat(before.echo("at the end")).isEqualTo("at the end");
    }
  }

  @Test
  void redirectionWithNobodyListeningRefuses() throws IOException {
    var client = network.a().pod("shop", "early-client", "client");
    var server = network.b().pod("shop", "early-server", "server");
    try (var echo = TcpServer.echo(server, 8080)) {
      PodRedirection.apply(client);
      assertThatThrownBy(
              () -> TcpClient.connect(client.host(), server.at(8080), Duration.ofSeconds(5)))
          .isInstanceOf(IOException.class);
      assertThat(echo.callers()).isEmpty();
    }
  }

  private static TcpServer.Conversation says(String text) {
    return socket -> socket.getOutputStream().write(text.getBytes(StandardCharsets.UTF_8));
  }

  private static String answer(Pod client, Pod server, int port) throws IOException {
    try (var connection = TcpClient.connect(client, server.at(port))) {
      return new String(connection.receiveAll(), StandardCharsets.UTF_8);
    }
  }
}
