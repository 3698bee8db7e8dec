package dev.ambit.agent.capture;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.awaitility.Awaitility.await;

import dev.ambit.agent.cluster.MeshState;
import dev.ambit.agent.pods.PodNetworks;
import dev.ambit.agent.rules.HostRules;
import dev.ambit.agent.testing.FakeCluster;
import dev.ambit.agent.testing.FakeZtunnel;
import dev.ambit.agent.testing.TestNamespace;
import dev.ambit.agent.zds.ZdsServer;
import dev.ambit.api.AmbientMeshSpec;
import dev.ambit.api.WellKnown;
import dev.ambit.capture.Redirection;
import dev.ambit.linux.Nftables;
import dev.ambit.protocol.zds.ConfirmWorkload;
import dev.ambit.protocol.zds.Version;
import dev.ambit.protocol.zds.ZdsHello;
import io.fabric8.kubernetes.api.model.Pod;
import io.fabric8.kubernetes.api.model.PodBuilder;
import io.micrometer.core.instrument.simple.SimpleMeterRegistry;
import java.net.DatagramSocket;
import java.net.InetAddress;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import org.awaitility.core.ThrowingRunnable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * Pods as network namespaces, a ztunnel that listens in them, and a cluster in memory. The node is
 * the test's own network namespace, in which only the table {@code inet ambit_host} is made.
 */
class PodCapturesIT {
  /** Of this run alone: what an earlier one left, or another one has, must not have it too. */
  private static final String PREFIX =
      "198.18." + (ProcessHandle.current().pid() >> 8 & 0xff) + ".";

  private static final int HOST = (int) (ProcessHandle.current().pid() & 0x7f);
  private static final String ADDRESS = PREFIX + HOST;
  private static final String OTHER_ADDRESS = PREFIX + (128 + HOST);
  private static final String UID = "uid-of-a";
  private static final CaptureSettings TIMES =
      new CaptureSettings(Duration.ofMillis(200), Duration.ofSeconds(1), Duration.ofMillis(300));

  @TempDir private Path directory;
  private final FakeCluster cluster = new FakeCluster();
  private final SimpleMeterRegistry metrics = new SimpleMeterRegistry();
  private final Pod pod = FakeCluster.pod("shop", "a", ADDRESS);
  private final List<AutoCloseable> open = new ArrayList<>();
  private TestNamespace network;
  private Path socket;
  private HostRules hostRules;
  private PodCaptures captures;
  private ZdsServer zds;

  @BeforeEach
  void start() throws Exception {
    socket = directory.resolve("zds.sock");
    network = network(ADDRESS);
    startAgent();
  }

  private TestNamespace network(String address) throws Exception {
    var made = new TestNamespace("pod");
    open.add(made);
    made.ip("address", "add", address + "/32", "dev", "lo");
    return made;
  }

  private void startAgent() throws Exception {
    hostRules = new HostRules();
    captures =
        new PodCaptures(
            cluster,
            new PodNetworks(Path.of("/var/run/netns")),
            hostRules,
            TIMES,
            metrics,
            () -> {});
    cluster.onChange(captures::changed);
    captures.adopt();
    zds = ZdsServer.start(socket, captures, Duration.ofSeconds(4));
    captures.start(zds);
  }

  private void stopAgent() {
    captures.close();
    zds.close();
  }

  private FakeZtunnel ztunnel() throws Exception {
    var ztunnel = new FakeZtunnel(socket);
    open.add(ztunnel);
    return ztunnel;
  }

  @AfterEach
  void end() throws Exception {
    if (captures != null) {
      stopAgent();
      hostRules.uninstall();
    }
    for (var each : open.reversed()) {
      each.close();
    }
  }

  @Test
  void aLabelCapturesARunningPodAndItsRemovalFreesIt() throws Exception {
    var ztunnel = ztunnel();
    cluster.put(pod);
    cluster.label("shop", "ambient");
    until(() -> assertThat(cluster.redirection(pod)).isEqualTo("enabled"));
    assertThat(ztunnel.requests).contains("snapshot", "add uid-of-a shop/a sa-of-a");
    assertThat(rules()).contains("redirect to :15001");
    assertThat(hostTable()).contains(ADDRESS);

    cluster.label("shop", null);
    until(() -> assertThat(cluster.redirection(pod)).isNull());
    until(() -> assertThat(rules()).isEmpty());
    assertThat(network.ip("rule")).doesNotContain("0x111");
    assertThat(ztunnel.requests.getLast()).isEqualTo("del uid-of-a 3600");
    assertThat(hostTable()).doesNotContain(ADDRESS);
    until(() -> assertThat(captures.allFree()).isTrue());
  }

  @Test
  void dnsIsRedirectedWhileItIsWantedAndAnswered() throws Exception {
    ztunnel();
    cluster.put(pod);
    cluster.label("shop", "ambient");
    until(() -> assertThat(cluster.redirection(pod)).isEqualTo("enabled"));
    assertThat(rules()).as("nothing answers it").doesNotContain("redirect to :15053");
    try (var connections = network.listen(15053);
        var datagrams = network.call(() -> new DatagramSocket(15053))) {
      assertThat(connections.isBound() && datagrams.isBound()).isTrue();
      until(() -> assertThat(rules()).contains("redirect to :15053"));

      cluster.mesh(new MeshState.Present(withoutDns()));
      until(() -> assertThat(rules()).doesNotContain("redirect to :15053"));
      cluster.put(annotated("true"));
      until(() -> assertThat(rules()).contains("redirect to :15053"));
      cluster.mesh(new MeshState.Present(AmbientMeshSpec.DEFAULTS));
      cluster.put(annotated("false"));
      until(() -> assertThat(rules()).doesNotContain("redirect to :15053"));
      cluster.put(pod);
      until(() -> assertThat(rules()).contains("redirect to :15053"));

      stopAgent();
      startAgent();
      until(() -> assertThat(cluster.redirection(pod)).isEqualTo("enabled"));
      assertThat(rules()).contains("redirect to :15053");
    }
    until(() -> assertThat(rules()).doesNotContain("redirect to :15053"));
    assertThat(rules()).contains("redirect to :15001");
  }

  private static AmbientMeshSpec withoutDns() {
    return new AmbientMeshSpec(
        null, null, null, null, null, null, false, null, null, null, null, null, null, null, null);
  }

  private Pod annotated(String dnsCapture) {
    return new PodBuilder(pod)
        .editMetadata()
        .addToAnnotations(WellKnown.DNS_CAPTURE, dnsCapture)
        .endMetadata()
        .build();
  }

  @Test
  void aRedirectedConnectionOutlivesLeavingAndTheRulesGoAfterIt() throws Exception {
    var ztunnel = ztunnel();
    cluster.put(pod);
    cluster.label("shop", "ambient");
    until(() -> assertThat(cluster.redirection(pod)).isEqualTo("enabled"));
    try (var client = network.connect("127.0.0.1", 15001);
        var accepted = ztunnel.listeners(UID).get(0).accept()) {
      assertThat(accepted.isConnected() && client.isConnected()).isTrue();
      cluster.label("shop", null);
      until(() -> assertThat(ztunnel.requests.getLast()).startsWith("del"));
      assertThat(rules()).contains("chain redirect_outbound").doesNotContain("redirect to");
      assertThat(captures.allFree()).isFalse();
      assertThat(cluster.redirection(pod)).isNull();
      assertThat(cluster.draining(pod)).isEqualTo("draining");

      // Back before it has left.
      cluster.label("shop", "ambient");
      until(() -> assertThat(cluster.redirection(pod)).isEqualTo("enabled"));
      assertThat(rules()).contains("redirect to :15001");
      assertThat(cluster.draining(pod)).isNull();
      cluster.label("shop", null);
      until(() -> assertThat(rules()).isNotEmpty().doesNotContain("redirect to"));
      assertThat(cluster.draining(pod)).isEqualTo("draining");
    }
    until(() -> assertThat(rules()).isEmpty());
    until(() -> assertThat(cluster.draining(pod)).isNull());
  }

  @Test
  void aRestartOfTheAgentGoesOnDrainingAndTellsWhenThatIsOver() throws Exception {
    var ztunnel = ztunnel();
    cluster.put(pod);
    cluster.label("shop", "ambient");
    until(() -> assertThat(cluster.redirection(pod)).isEqualTo("enabled"));
    try (var client = network.connect("127.0.0.1", 15001);
        var accepted = ztunnel.listeners(UID).get(0).accept()) {
      assertThat(accepted.isConnected() && client.isConnected()).isTrue();
      cluster.label("shop", null);
      until(() -> assertThat(ztunnel.requests.getLast()).startsWith("del"));
      stopAgent();
      startAgent();
      until(() -> assertThat(rules()).isNotEmpty().doesNotContain("redirect to"));
      assertThat(cluster.draining(pod)).isEqualTo("draining");
    }
    until(() -> assertThat(cluster.draining(pod)).isNull());
    assertThat(rules()).isEmpty();
  }

  @Test
  void whatAnEarlierAgentLeftSayingIsTakenBack() throws Exception {
    stopAgent();
    cluster.put(pod);
    cluster.writeRedirection(pod, Redirection.DRAINING);
    startAgent();
    until(() -> assertThat(cluster.draining(pod)).isNull());
  }

  @Test
  void withTheApiServerAwayAFreedPodSaysSoOnceItIsBack() throws Exception {
    var ztunnel = ztunnel();
    cluster.put(pod);
    cluster.label("shop", "ambient");
    until(() -> assertThat(cluster.redirection(pod)).isEqualTo("enabled"));
    try (var client = network.connect("127.0.0.1", 15001);
        var accepted = ztunnel.listeners(UID).get(0).accept()) {
      assertThat(accepted.isConnected() && client.isConnected()).isTrue();
      cluster.label("shop", null);
      until(() -> assertThat(ztunnel.requests.getLast()).startsWith("del"));
      cluster.away = true;
    }
    until(() -> assertThat(rules()).isEmpty());
    assertThat(captures.allFree()).as("a node is clean once all is told").isFalse();
    cluster.away = false;
    until(() -> assertThat(captures.allFree()).isTrue());
    assertThat(cluster.draining(pod)).isNull();
  }

  @Test
  void aRunningPodStaysAsItIsUntilAZtunnelListensInIt() throws Exception {
    cluster.label("shop", "ambient");
    cluster.put(pod);
    until(() -> assertThat(cluster.warnings).anyMatch(w -> w.startsWith("a ZtunnelUnavailable:")));
    assertThat(cluster.redirection(pod)).isNull();
    assertThat(rules()).isEmpty();
    var ztunnel = ztunnel();
    until(() -> assertThat(cluster.redirection(pod)).isEqualTo("enabled"));
    assertThat(ztunnel.requests.subList(0, 2))
        .containsExactly("add uid-of-a shop/a sa-of-a", "snapshot");
  }

  @Test
  void aPodThatTheZtunnelRefusesStaysAsItIsUntilItIsTaken() throws Exception {
    var ztunnel = ztunnel();
    ztunnel.refuses.put(UID, "no certificate");
    cluster.label("shop", "ambient");
    cluster.put(pod);
    until(
        () ->
            assertThat(cluster.warnings)
                .anyMatch(w -> w.startsWith("a ZtunnelRefused:") && w.contains("no certificate")));
    assertThat(rules()).isEmpty();
    ztunnel.refuses.clear();
    until(() -> assertThat(cluster.redirection(pod)).isEqualTo("enabled"));
  }

  @Test
  void aRunningPodStaysAsItIsWhileItsIdentityCannotBeProven() throws Exception {
    var ztunnel = ztunnel();
    ztunnel.denies.put(ConfirmWorkload.Fact.CERTIFIED, "the authority is away");
    cluster.label("shop", "ambient");
    cluster.put(pod);
    until(
        () ->
            assertThat(cluster.warnings)
                .anyMatch(
                    w -> w.startsWith("a CertificateMissing:") && w.contains("authority is away")));
    assertThat(ztunnel.listeners(UID)).isNotEmpty();
    assertThat(ztunnel.joining).containsExactly(UID);
    assertThat(rules()).isEmpty();
    assertThat(cluster.redirection(pod)).isNull();
    ztunnel.denies.clear();
    until(() -> assertThat(cluster.redirection(pod)).isEqualTo("enabled"));
    assertThat(rules()).contains("redirect to :15001");
    var next = ztunnel();
    until(() -> assertThat(next.listeners(UID)).isNotEmpty());
    assertThat(next.joining).as("once it is redirected it has joined").isEmpty();
  }

  @Test
  void aPodThatLeavesStaysRedirectedUntilTheControlPlaneHasToldOfIt() throws Exception {
    var ztunnel = ztunnel();
    cluster.label("shop", "ambient");
    cluster.put(pod);
    until(() -> assertThat(cluster.redirection(pod)).isEqualTo("enabled"));
    ztunnel.denies.put(ConfirmWorkload.Fact.WITHOUT_TUNNELS, "nobody has been told");
    cluster.label("shop", null);
    until(() -> assertThat(cluster.draining(pod)).isNotNull());
    assertThat(cluster.redirection(pod)).isNull();
    await()
        .during(TIMES.settle().multipliedBy(10))
        .atMost(Duration.ofSeconds(20))
        .until(() -> rules().contains("redirect to :15001"));
    assertThat(ztunnel.listeners(UID)).isNotEmpty();
    ztunnel.denies.clear();
    until(() -> assertThat(rules()).isEmpty());
    assertThat(ztunnel.requests.getLast()).isEqualTo("del uid-of-a 3600");
  }

  @Test
  void aPodThatLeavesAndIsWantedAgainBeforeAnybodyWasToldStays() throws Exception {
    var ztunnel = ztunnel();
    cluster.label("shop", "ambient");
    cluster.put(pod);
    until(() -> assertThat(cluster.redirection(pod)).isEqualTo("enabled"));
    ztunnel.denies.put(ConfirmWorkload.Fact.WITHOUT_TUNNELS, "nobody has been told");
    cluster.label("shop", null);
    until(() -> assertThat(cluster.redirection(pod)).isNull());
    cluster.label("shop", "ambient");
    until(() -> assertThat(cluster.redirection(pod)).isEqualTo("enabled"));
    assertThat(ztunnel.requests).noneMatch(request -> request.startsWith("del"));
    assertThat(rules()).contains("redirect to :15001");
  }

  @Test
  void aRestartOfTheAgentLosesNoCaptureAndNamesItInTheFirstSnapshot() throws Exception {
    var first = ztunnel();
    cluster.label("shop", "ambient");
    cluster.put(pod);
    until(() -> assertThat(cluster.redirection(pod)).isEqualTo("enabled"));
    stopAgent();
    until(() -> assertThat(first.hasEnded()).isTrue());
    assertThat(rules()).contains("redirect to :15001");
    assertThat(hostTable()).contains(ADDRESS);
    first.close();

    startAgent();
    var second = ztunnel();
    until(() -> assertThat(second.requests).contains("snapshot"));
    assertThat(second.requests.getFirst()).isEqualTo("add uid-of-a shop/a sa-of-a");
    assertThat(cluster.redirection(pod)).isEqualTo("enabled");
    assertThat(hostTable()).contains(ADDRESS);
  }

  @Test
  void aPodThatWasLabelledAwayWhileTheAgentWasDownIsFreed() throws Exception {
    ztunnel();
    cluster.label("shop", "ambient");
    cluster.put(pod);
    until(() -> assertThat(cluster.redirection(pod)).isEqualTo("enabled"));
    stopAgent();
    cluster.label("shop", null);
    startAgent();
    until(() -> assertThat(rules()).isEmpty());
    assertThat(cluster.redirection(pod)).isNull();
  }

  @Test
  void aKilledZtunnelLeavesTheAnnotationAndItsSuccessorGetsThePod() throws Exception {
    var first = ztunnel();
    cluster.label("shop", "ambient");
    cluster.put(pod);
    until(() -> assertThat(cluster.redirection(pod)).isEqualTo("enabled"));
    first.close();
    until(() -> assertThat(zds.connected()).isZero());
    assertThat(cluster.redirection(pod)).isEqualTo("enabled");
    assertThat(rules()).contains("redirect to :15001");
    var second = ztunnel();
    until(() -> assertThat(second.listeners(UID)).hasSize(3));
    assertThat(cluster.redirection(pod)).isEqualTo("enabled");
  }

  @Test
  void addsGoToTheNewestZtunnelAndDeletionsToAll() throws Exception {
    var old = ztunnel();
    until(() -> assertThat(old.requests).contains("snapshot"));
    var next = ztunnel();
    until(() -> assertThat(next.requests).contains("snapshot"));
    cluster.label("shop", "ambient");
    cluster.put(pod);
    until(() -> assertThat(cluster.redirection(pod)).isEqualTo("enabled"));
    assertThat(old.requests).containsExactly("snapshot");
    cluster.remove(pod);
    until(() -> assertThat(old.requests).contains("del uid-of-a"));
    until(() -> assertThat(next.requests).contains("del uid-of-a"));

    cluster.put(pod);
    until(() -> assertThat(next.listeners(UID)).hasSize(3));
    next.close();
    until(() -> assertThat(old.listeners(UID)).as("the pod comes back to the old").hasSize(3));
  }

  @Test
  void theZtunnelsHearOnceThatAPodHasBegunToTerminate() throws Exception {
    var ztunnel = ztunnel();
    var istios = new FakeZtunnel(socket, ZdsHello.newBuilder().setVersion(Version.V1).build());
    open.add(istios);
    until(() -> assertThat(zds.connected()).isEqualTo(2));
    cluster.label("shop", "ambient");
    cluster.put(pod);
    until(() -> assertThat(cluster.redirection(pod)).isEqualTo("enabled"));

    cluster.put(terminating(cluster.pod(UID).orElseThrow()));
    until(() -> assertThat(ztunnel.requests).contains("terminating uid-of-a"));
    assertThat(rules()).as("it serves on").contains("redirect to :15001");
    cluster.put(cluster.pod(UID).orElseThrow());
    var successor = ztunnel();
    until(() -> assertThat(successor.requests).contains("terminating uid-of-a"));

    cluster.remove(pod);
    until(() -> assertThat(successor.requests).contains("del uid-of-a"));
    until(() -> assertThat(istios.requests.getLast()).isEqualTo("del uid-of-a"));
    until(() -> assertThat(ztunnel.requests.getLast()).isEqualTo("del uid-of-a"));
    assertThat(ztunnel.requests).containsOnlyOnce("terminating uid-of-a");
    assertThat(istios.requests)
        .as("one that knows no such request")
        .noneMatch(PodCapturesIT::tells);
  }

  private static boolean tells(String request) {
    return request.startsWith("terminating");
  }

  private static Pod terminating(Pod pod) {
    return new PodBuilder(pod)
        .editMetadata()
        .withDeletionTimestamp("2026-01-01T00:00:00Z")
        .endMetadata()
        .build();
  }

  @Test
  void aZtunnelThatDoesNotAnswerIsDisconnected() throws Exception {
    var ztunnel = ztunnel();
    until(() -> assertThat(ztunnel.requests).contains("snapshot"));
    ztunnel.silent = true;
    cluster.label("shop", "ambient");
    cluster.put(pod);
    until(() -> assertThat(ztunnel.hasEnded()).isTrue());
    assertThat(cluster.redirection(pod)).isNull();
  }

  @Test
  void aZtunnelThatSpeaksUnaskedIsDisconnected() throws Exception {
    var ztunnel = ztunnel();
    until(() -> assertThat(ztunnel.requests).contains("snapshot"));
    ztunnel.sendUnasked(new byte[] {1, 2, 3});
    until(() -> assertThat(ztunnel.hasEnded()).isTrue());
    until(() -> assertThat(zds.connected()).isZero());
  }

  @Test
  void whatOthersChangeIsRepaired() throws Exception {
    var ztunnel = ztunnel();
    cluster.label("shop", "ambient");
    cluster.put(pod);
    until(() -> assertThat(cluster.redirection(pod)).isEqualTo("enabled"));
    network.exec("nft", "flush", "ruleset");
    until(() -> assertThat(rules()).contains("redirect to :15001"));
    network.ip("rule", "del", "pref", "32764");
    until(() -> assertThat(network.ip("rule")).contains("0x111"));
    ztunnel.stop(UID);
    until(() -> assertThat(ztunnel.listeners(UID)).hasSize(3));
    Nftables.run("delete table inet ambit_host");
    until(() -> assertThat(hostTable()).contains(ADDRESS));
    for (var what : List.of("rules", "route", "listeners", "host_rules")) {
      assertThat(metrics.get("ambit.agent.drift").tag("what", what).counter().count())
          .as(what)
          .isPositive();
    }
    assertThat(cluster.warnings).anyMatch(w -> w.startsWith("a RedirectionRepaired"));
  }

  @Test
  void withoutAMeshNothingNewIsCapturedAndWhatIsCapturedStays() throws Exception {
    var ztunnel = ztunnel();
    cluster.label("shop", "ambient");
    cluster.put(pod);
    until(() -> assertThat(cluster.redirection(pod)).isEqualTo("enabled"));
    cluster.mesh(new MeshState.Absent());
    var other = FakeCluster.pod("shop", "b", OTHER_ADDRESS);
    var otherNetwork = network(OTHER_ADDRESS);
    cluster.put(other);
    cluster.put(cluster.pod(UID).orElseThrow());
    until(() -> assertThat(ztunnel.requests).contains("add uid-of-a shop/a sa-of-a"));
    assertThat(rules()).contains("redirect to :15001");
    assertThat(rules(otherNetwork)).isEmpty();
    cluster.mesh(new MeshState.Present(AmbientMeshSpec.DEFAULTS));
    until(() -> assertThat(cluster.redirection(other)).isEqualTo("enabled"));

    cluster.mesh(new MeshState.Leaving(AmbientMeshSpec.DEFAULTS));
    until(() -> assertThat(captures.allFree()).isTrue());
    assertThat(rules()).isEmpty();
    assertThat(rules(otherNetwork)).isEmpty();
    assertThat(cluster.redirection(pod)).isNull();
  }

  @Test
  void withTheApiServerAwayDecisionsAreCarriedOutOnceItIsBack() throws Exception {
    ztunnel();
    cluster.away = true;
    cluster.label("shop", "ambient");
    cluster.put(pod);
    until(() -> assertThat(rules()).contains("redirect to :15001"));
    assertThat(cluster.redirection(pod)).isNull();
    cluster.away = false;
    until(() -> assertThat(cluster.redirection(pod)).isEqualTo("enabled"));

    cluster.away = true;
    cluster.label("shop", null);
    until(
        () ->
            assertThat(metrics.get("ambit.agent.failures").tag("reason", "Error").counter().count())
                .isGreaterThan(1));
    assertThat(rules()).as("the mesh still sends tunnels here").contains("redirect to :15001");
    cluster.away = false;
    until(() -> assertThat(rules()).isEmpty());
  }

  @Test
  void aPodWhoseSandboxIsMadeAnewIsCapturedAnew() throws Exception {
    var ztunnel = ztunnel();
    cluster.label("shop", "ambient");
    cluster.put(pod);
    until(() -> assertThat(cluster.redirection(pod)).isEqualTo("enabled"));
    network.ip("address", "del", ADDRESS + "/32", "dev", "lo");
    var fresh = network(ADDRESS);
    cluster.put(cluster.pod(UID).orElseThrow());
    until(() -> assertThat(rules(fresh)).contains("redirect to :15001"));
    // At once: nothing can go on where the pod's address is gone.
    until(() -> assertThat(ztunnel.requests).contains("del uid-of-a 0"));
    until(() -> assertThat(ztunnel.requests.getLast()).startsWith("add uid-of-a"));
  }

  @Test
  void aNewPodIsCapturedBeforeTheCacheKnowsIt() throws Exception {
    var ztunnel = ztunnel();
    cluster.label("shop", "ambient");
    cluster.store(pod);
    captures.captureNew(
        pod, network.path(), List.of(InetAddress.ofLiteral(ADDRESS)), Duration.ofSeconds(45));
    assertThat(ztunnel.joining).isEmpty();
    assertThat(rules()).contains("redirect to :15001");
    assertThat(hostTable()).contains(ADDRESS);
    until(() -> assertThat(cluster.redirection(pod)).isEqualTo("enabled"));
    cluster.put(cluster.fetch("shop", "a").orElseThrow());
    cluster.remove(pod);
    until(() -> assertThat(captures.allFree()).isTrue());
    until(() -> assertThat(hostTable()).doesNotContain(ADDRESS));
  }

  @Test
  void aNewPodWithoutAZtunnelIsHeldBack() throws Exception {
    cluster.label("shop", "ambient");
    cluster.store(pod);
    assertThatThrownBy(
            () -> captures.captureNew(pod, network.path(), List.of(), Duration.ofMillis(300)))
        .isInstanceOf(CaptureFailure.class)
        .hasMessageContaining("no ztunnel");
    assertThat(captures.allFree()).isTrue();
    assertThat(rules()).as("until the runtime takes it down").contains("redirect to :15001");
    ztunnel();
    captures.captureNew(pod, network.path(), List.of(), Duration.ofSeconds(45));
    until(() -> assertThat(cluster.redirection(pod)).isEqualTo("enabled"));
  }

  @Test
  void theNodesOwnNetworkIsNeverTaken() {
    assertThatThrownBy(
            () -> captures.captureNew(pod, "/proc/self/ns/net", List.of(), Duration.ofMillis(300)))
        .hasMessageContaining("/proc/self/ns/net");
  }

  private String rules() throws Exception {
    return rules(network);
  }

  private static String rules(TestNamespace of) throws Exception {
    return of.exec("nft", "list", "ruleset");
  }

  private static String hostTable() throws Exception {
    return Nftables.listTable("ambit_host").orElse("");
  }

  private static void until(ThrowingRunnable assertion) {
    await().atMost(Duration.ofSeconds(45)).untilAsserted(assertion);
  }
}
