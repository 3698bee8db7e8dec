package dev.ambit.agent.rules;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.ambit.agent.testing.MarkedSocket;
import dev.ambit.agent.testing.TestNamespace;
import dev.ambit.linux.ConnectionTracking;
import java.io.IOException;
import java.net.ConnectException;
import java.net.DatagramPacket;
import java.net.DatagramSocket;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Set;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

/** What the rules do to real connections of a pod and a peer, each a network namespace. */
class PodRulesIT {
  private enum Family {
    IPV4("192.0.2.1", "192.0.2.2", "127.0.0.1", ProbeAddress.IPV4),
    IPV6("2001:db8::1", "2001:db8::2", "::1", ProbeAddress.IPV6);

    private final String peer;
    private final String pod;
    private final String loopback;
    private final String probe;

    Family(String peer, String pod, String loopback, String probe) {
      this.peer = peer;
      this.pod = pod;
      this.loopback = loopback;
      this.probe = probe;
    }
  }

  private static final int APPLICATION = 8080;

  private final PodRules rules = new PodRules();
  private TestNamespace pod;
  private TestNamespace peer;

  @BeforeEach
  void create() throws Exception {
    pod = new TestNamespace("pod");
    peer = new TestNamespace("peer");
    TestNamespace.join(
        peer,
        "eth0",
        List.of("192.0.2.1/24", "2001:db8::1/64", "169.254.7.127/32", ProbeAddress.IPV6 + "/128"),
        pod,
        "eth0",
        List.of("192.0.2.2/24", "2001:db8::2/64"));
    pod.ip("route", "add", "default", "via", "192.0.2.1");
    pod.ip("-6", "route", "add", "default", "via", "2001:db8::1");
  }

  @AfterEach
  void remove() throws Exception {
    pod.close();
    peer.close();
  }

  @ParameterizedTest
  @ValueSource(booleans = {true, false})
  void whatAZtunnelLeftForUdpIsTakenOutToo(boolean withRoutes) throws Exception {
    install(PodRuleset.CAPTURED);
    var ofUdp = new dev.ambit.linux.MarkedLocalRoute(0x222, 0xfff, 32763, 101);
    pod.call(
        () -> {
          if (withRoutes) {
            ofUdp.ensure();
          }
          return dev.ambit.linux.Nftables.run("add table inet ambit_udp");
        });
    pod.call(
        () -> {
          rules.remove();
          return null;
        });
    assertThat(pod.call(() -> dev.ambit.linux.Nftables.run("list tables"))).doesNotContain("ambit");
    assertThat(pod.ip("rule")).doesNotContain("0x222");
  }

  @ParameterizedTest
  @EnumSource
  void newConnectionsGoToTheZtunnel(Family family) throws Exception {
    install(PodRuleset.CAPTURED);
    try (var outbound = pod.listen(PodRuleset.OUTBOUND_PORT);
        var inbound = pod.listen(PodRuleset.INBOUND_PORT);
        var hbone = pod.listen(PodRuleset.HBONE_PORT);
        var application = pod.listen(APPLICATION)) {
      try (var connection = pod.connect(family.peer, APPLICATION)) {
        assertEcho(connection, outbound);
      }
      try (var connection = peer.connect(family.pod, APPLICATION)) {
        assertEcho(connection, inbound);
      }
      try (var connection = peer.connect(family.pod, PodRuleset.HBONE_PORT)) {
        assertEcho(connection, hbone);
      }
      try (var connection = pod.connect(family.loopback, APPLICATION)) {
        assertEcho(connection, application);
      }
      try (var connection = pod.connect(family.pod, APPLICATION)) {
        assertEcho(connection, application);
      }
    }
  }

  @ParameterizedTest
  @EnumSource
  void withoutAZtunnelNothingPasses(Family family) throws Exception {
    install(PodRuleset.CAPTURED);
    try (var application = pod.listen(APPLICATION);
        var server = peer.listen(APPLICATION)) {
      assertThatThrownBy(() -> pod.connect(family.peer, APPLICATION).close())
          .isInstanceOf(ConnectException.class);
      assertThatThrownBy(() -> peer.connect(family.pod, APPLICATION).close())
          .isInstanceOf(ConnectException.class);
    }
  }

  @ParameterizedTest
  @EnumSource
  void connectionsFromBeforeGoOn(Family family) throws Exception {
    try (var application = pod.listen(APPLICATION);
        var server = peer.listen(APPLICATION);
        var in = peer.connect(family.pod, APPLICATION);
        var acceptedIn = application.accept();
        var out = pod.connect(family.peer, APPLICATION);
        var acceptedOut = server.accept()) {
      for (var ruleset :
          new PodRuleset[] {PodRuleset.CAPTURED, PodRuleset.CAPTURED, PodRuleset.DRAINING}) {
        install(ruleset);
        assertEcho(in, acceptedIn);
        assertEcho(acceptedIn, in);
        assertEcho(out, acceptedOut);
        assertEcho(acceptedOut, out);
      }
      takeOut();
      assertEcho(in, acceptedIn);
      assertEcho(out, acceptedOut);
    }
  }

  @ParameterizedTest
  @EnumSource
  void theZtunnelsOwnConnectionsPassAndRepliesToABorrowedAddressComeBack(Family family)
      throws Exception {
    install(PodRuleset.CAPTURED);
    var podAddress = InetAddress.ofLiteral(family.pod);
    var peerAddress = InetAddress.ofLiteral(family.peer);
    try (var application = pod.listen(APPLICATION);
        var server = peer.listen(APPLICATION)) {
      try (var out = MarkedSocket.connect(pod, null, peerAddress, APPLICATION);
          var accepted = server.accept()) {
        out.write("hello");
        assertThat(read(accepted)).isEqualTo("hello");
      }
      try (var in = MarkedSocket.connect(pod, peerAddress, podAddress, APPLICATION);
          var accepted = application.accept()) {
        assertThat(accepted.getInetAddress()).isEqualTo(peerAddress);
        in.write("hello");
        assertThat(read(accepted)).isEqualTo("hello");
        write(accepted, "reply");
        assertThat(in.read(5)).isEqualTo("reply");
        install(PodRuleset.DRAINING);
        write(accepted, "still");
        assertThat(in.read(5)).isEqualTo("still");
        assertThat(pod.call(rules::connections)).as("the borrowed address").isEqualTo(1);
      }
    }
  }

  @ParameterizedTest
  @EnumSource
  void probesReachTheApplication(Family family) throws Exception {
    install(PodRuleset.CAPTURED);
    try (var application = pod.listen(APPLICATION);
        var probe =
            peer.call(
                () ->
                    new Socket(
                        InetAddress.ofLiteral(family.pod),
                        APPLICATION,
                        InetAddress.ofLiteral(family.probe),
                        0))) {
      assertEcho(probe, application);
    }
  }

  @ParameterizedTest
  @EnumSource
  void drainingKeepsWhatIsRedirectedAndLetsNewOnesPass(Family family) throws Exception {
    install(PodRuleset.CAPTURED);
    try (var outbound = pod.listen(PodRuleset.OUTBOUND_PORT);
        var inbound = pod.listen(PodRuleset.INBOUND_PORT);
        var hbone = pod.listen(PodRuleset.HBONE_PORT);
        var out = pod.connect(family.peer, APPLICATION);
        var acceptedOut = outbound.accept();
        var in = peer.connect(family.pod, APPLICATION);
        var acceptedIn = inbound.accept();
        var application = pod.listen(APPLICATION);
        var server = peer.listen(APPLICATION)) {
      assertThat(pod.call(rules::listening)).isTrue();
      install(PodRuleset.DRAINING);
      assertEcho(out, acceptedOut);
      assertEcho(acceptedOut, out);
      assertEcho(in, acceptedIn);
      assertEcho(acceptedIn, in);
      try (var connection = pod.connect(family.peer, APPLICATION)) {
        assertEcho(connection, server);
      }
      try (var connection = peer.connect(family.pod, APPLICATION)) {
        assertEcho(connection, application);
      }
      assertThat(pod.call(rules::connections)).isEqualTo(2);

      install(PodRuleset.CAPTURED);
      assertEcho(out, acceptedOut);
      try (var connection = pod.connect(family.peer, APPLICATION)) {
        assertEcho(connection, outbound);
      }
    }
    install(PodRuleset.DRAINING);
    assertThat(pod.call(rules::connections)).isZero();
  }

  @ParameterizedTest
  @EnumSource
  void dnsGoesToTheZtunnelWhichCanTellWhomThePodAsked(Family family) throws Exception {
    var server = new InetSocketAddress(InetAddress.ofLiteral(family.peer), 53);
    var here = new InetSocketAddress(InetAddress.ofLiteral(family.loopback), PodRuleset.DNS_PORT);
    try (var ztunnel = datagrams(pod, here);
        var listener = pod.listen(PodRuleset.DNS_PORT);
        var actual = datagrams(peer, server);
        var client = datagrams(pod, new InetSocketAddress(0));
        var tracking = pod.call(ConnectionTracking::open)) {
      assertThat(pod.call(rules::answersDns)).isTrue();
      for (int i = 0; i < 2; i++) {
        install(PodRuleset.CAPTURED);
        send(client, server);
        reply(actual);
        assertThat(receive(client).getSocketAddress()).isEqualTo(server);

        install(PodRuleset.CAPTURED_WITH_DNS);
        send(client, server);
        var redirected = receive(ztunnel);
        var from = (InetSocketAddress) redirected.getSocketAddress();
        assertThat(from.getAddress()).isEqualTo(InetAddress.ofLiteral(family.pod));
        assertThat(tracking.originalDestination(PodRuleset.DNS_ZONE, here, from)).isEqualTo(server);
        assertThat(tracking.originalDestination(0, here, from)).isNull();
        // An answer that is under way when the pod leaves still comes from whom it asked.
        install(PodRuleset.DRAINING);
        ztunnel.send(redirected);
        assertThat(receive(client).getSocketAddress()).isEqualTo(server);
        send(client, server);
        reply(actual);
        assertThat(receive(client).getSocketAddress()).isEqualTo(server);
      }
      install(PodRuleset.CAPTURED_WITH_DNS);
      try (var connection = pod.connect(family.peer, 53)) {
        assertEcho(connection, listener);
      }
    }
    assertThat(pod.call(rules::answersDns)).isFalse();
  }

  @ParameterizedTest
  @EnumSource
  void dnsOfTheLoopbackAndBetweenServersIsLeftAlone(Family family) throws Exception {
    install(PodRuleset.CAPTURED_WITH_DNS);
    var own = new InetSocketAddress(InetAddress.ofLiteral(family.pod), 53);
    var other = new InetSocketAddress(InetAddress.ofLiteral(family.peer), 53);
    try (var inPod = datagrams(pod, own);
        var client = datagrams(pod, new InetSocketAddress(0));
        var otherServer = datagrams(peer, other)) {
      send(client, own);
      reply(inPod);
      assertThat(receive(client).getSocketAddress()).isEqualTo(own);
      send(otherServer, own);
      reply(inPod);
      assertThat(receive(otherServer).getSocketAddress()).isEqualTo(own);
      send(inPod, other);
      assertThat(receive(otherServer).getSocketAddress()).isEqualTo(own);
    }
  }

  private static DatagramSocket datagrams(TestNamespace in, InetSocketAddress at) throws Exception {
    return in.call(
        () -> {
          var socket = new DatagramSocket(at);
          socket.setSoTimeout(10_000);
          return socket;
        });
  }

  private static void send(DatagramSocket from, InetSocketAddress to) throws IOException {
    from.send(new DatagramPacket(new byte[] {1, 2, 3}, 3, to));
  }

  private static void reply(DatagramSocket socket) throws IOException {
    socket.send(receive(socket));
  }

  private static DatagramPacket receive(DatagramSocket socket) throws IOException {
    var packet = new DatagramPacket(new byte[100], 100);
    socket.receive(packet);
    return packet;
  }

  @Test
  void removalLeavesNothingBehind() throws Exception {
    var before = state();
    install(PodRuleset.CAPTURED);
    assertThat(pod.call(rules::present)).isTrue();
    assertThat(state()).isNotEqualTo(before);
    takeOut();
    assertThat(pod.call(rules::present)).isFalse();
    assertThat(state()).isEqualTo(before);
    takeOut();
    assertThat(state()).isEqualTo(before);
  }

  @Test
  void repairsWhatOthersChange() throws Exception {
    install(PodRuleset.CAPTURED);
    assertThat(repair()).isEmpty();
    pod.exec("nft", "flush", "chain", "inet", "ambit", "redirect_outbound");
    assertThat(repair()).containsExactly(PodRules.Missing.RULES);
    assertThat(repair()).isEmpty();
    pod.exec("nft", "flush", "ruleset");
    pod.ip("rule", "del", "pref", "32764");
    assertThat(repair()).containsExactlyInAnyOrder(PodRules.Missing.RULES, PodRules.Missing.ROUTE);
    assertThat(repair()).isEmpty();
  }

  private Set<PodRules.Missing> repair() throws Exception {
    return pod.call(() -> rules.repair(PodRuleset.CAPTURED));
  }

  /** Without the link-local routes, which the kernel adds when it pleases. */
  private List<String> state() throws Exception {
    return Stream.of(
            pod.exec("nft", "list", "ruleset"),
            pod.ip("rule"),
            pod.ip("-6", "rule"),
            pod.ip("route", "show", "table", "all"),
            pod.ip("-6", "route", "show", "table", "all"))
        .flatMap(String::lines)
        .filter(line -> !line.contains("fe80") && !line.contains("ff00"))
        .toList();
  }

  private void install(PodRuleset ruleset) throws Exception {
    pod.call(
        () -> {
          rules.install(ruleset);
          return null;
        });
  }

  private void takeOut() throws Exception {
    pod.call(
        () -> {
          rules.remove();
          return null;
        });
  }

  private static void assertEcho(Socket from, ServerSocket to) throws IOException {
    try (var accepted = to.accept()) {
      accepted.setSoTimeout(TestNamespace.TIMEOUT_MILLIS);
      assertEcho(from, accepted);
    }
  }

  private static void assertEcho(Socket from, Socket to) throws IOException {
    to.setSoTimeout(TestNamespace.TIMEOUT_MILLIS);
    write(from, "hello");
    assertThat(read(to)).isEqualTo("hello");
  }

  private static void write(Socket socket, String text) throws IOException {
    socket.getOutputStream().write(text.getBytes(StandardCharsets.UTF_8));
  }

  private static String read(Socket socket) throws IOException {
    return new String(socket.getInputStream().readNBytes(5), StandardCharsets.UTF_8);
  }
}
