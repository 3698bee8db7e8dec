package dev.ambit.linux;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** What this module reads and writes in a network namespace is seen there by the usual tools. */
class NamespaceStateIT {
  private static final MarkedLocalRoute ROUTE = new MarkedLocalRoute(0x111, 0xfff, 32764, 100);

  private TestNamespace namespace;

  @BeforeEach
  void create() throws Exception {
    namespace = new TestNamespace("state");
  }

  @AfterEach
  void remove() throws Exception {
    if (namespace != null) {
      namespace.close();
    }
  }

  @Test
  void routesMarkedPacketsToTheLoopbackOfBothFamiliesAndTakesItBack() throws Exception {
    assertThat(namespace.call(ROUTE::ensure)).isTrue();
    assertThat(namespace.ip("rule")).contains("32764:\tfrom all fwmark 0x111/0xfff lookup 100");
    assertThat(namespace.ip("-6", "rule")).contains("fwmark 0x111/0xfff lookup 100");
    assertThat(namespace.ip("route", "show", "table", "100")).contains("local default dev lo");
    assertThat(namespace.ip("-6", "route", "show", "table", "100"))
        .contains("local default dev lo");
    assertThat(namespace.call(ROUTE::ensure)).as("nothing was missing").isFalse();

    namespace.ip("rule", "del", "pref", "32764");
    assertThat(namespace.call(ROUTE::ensure)).as("the rule was missing").isTrue();

    for (int i = 0; i < 2; i++) {
      namespace.call(
          () -> {
            ROUTE.remove();
            return null;
          });
    }
    assertThat(namespace.ip("rule")).doesNotContain("0x111");
    assertThat(namespace.ip("-6", "rule")).doesNotContain("0x111");
    assertThat(namespace.ip("route", "show", "table", "all")).doesNotContain("table 100");
    assertThat(namespace.ip("-6", "route", "show", "table", "all")).doesNotContain("table 100");
  }

  @Test
  void aNamespaceWithoutIpv6IsFine() throws Exception {
    namespace.call(
        () -> {
          for (var device : new String[] {"all", "default", "lo"}) {
            Files.writeString(Path.of("/proc/sys/net/ipv6/conf/" + device + "/disable_ipv6"), "1");
          }
          return null;
        });
    assertThat(namespace.call(ROUTE::ensure)).isTrue();
    assertThat(namespace.ip("route", "show", "table", "100")).contains("local default dev lo");
    namespace.call(
        () -> {
          ROUTE.remove();
          return null;
        });
    assertThat(namespace.ip("rule")).doesNotContain("0x111");
  }

  @Test
  void readsTheAddressesOfTheNamespaceAlone() throws Exception {
    namespace.ip("link", "add", "d0", "type", "veth", "peer", "name", "d1");
    namespace.ip("address", "add", "192.0.2.7/24", "dev", "d0");
    namespace.ip("address", "add", "2001:db8::7/64", "dev", "d0", "nodad");
    namespace.ip("link", "set", "lo", "up");
    assertThat(namespace.call(LocalAddresses::read))
        .containsExactlyInAnyOrder(
            InetAddress.getByName("192.0.2.7"),
            InetAddress.getByName("2001:db8::7"),
            InetAddress.getByName("127.0.0.1"),
            InetAddress.getByName("::1"));
  }

  @Test
  void readsListenersAndConnections() throws Exception {
    namespace.ip("link", "set", "lo", "up");
    namespace.call(
        () -> {
          var loopback = InetAddress.getByName("127.0.0.1");
          try (var listener = new ServerSocket(15001, 5, loopback);
              var client = new Socket(loopback, 15001);
              var accepted = listener.accept()) {
            var sockets = TcpSocket.read();
            assertThat(sockets)
                .anyMatch(s -> s.state() == TcpSocket.State.LISTEN && s.local().getPort() == 15001);
            assertThat(sockets)
                .anyMatch(
                    s ->
                        s.state() == TcpSocket.State.ESTABLISHED
                            && s.local().equals(client.getLocalSocketAddress())
                            && s.remote().equals(accepted.getLocalSocketAddress()));
          }
          return null;
        });
  }

  @Test
  void tablesAreTransactionsAndErrorsAreLibnftablesOwn() throws Exception {
    namespace.call(
        () -> {
          assertThat(Nftables.listTable("ambit")).isEmpty();
          assertThat(Nftables.run("table inet ambit { chain c { tcp dport 1 accept; }; }"))
              .isEmpty();
          assertThat(Nftables.listTable("ambit").orElseThrow()).contains("tcp dport 1 accept");
          assertThatThrownBy(
                  () -> Nftables.run("delete table inet ambit\nadd rule inet gone c accept"))
              .isInstanceOf(NftablesException.class)
              .hasMessageContaining("No such file or directory");
          assertThatThrownBy(() -> Nftables.run("add tabel")).hasMessageContaining("syntax error");
          assertThat(Nftables.listTable("ambit")).as("as it was").isPresent();
          Nftables.run("delete table inet ambit");
          assertThat(Nftables.listTable("ambit")).isEmpty();
          return null;
        });
    assertThat(Nftables.listTable("ambit")).as("in the test's own namespace").isEmpty();
  }
}
