package dev.ambit.agent.rules;

import static org.assertj.core.api.Assertions.assertThat;

import dev.ambit.agent.testing.TestNamespace;
import java.net.InetAddress;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** A node, one of its pods, and another pod whose traffic the node forwards. */
class HostRulesIT {
  private final HostRules rules = new HostRules();
  private TestNamespace node;
  private TestNamespace pod;
  private TestNamespace other;

  @BeforeEach
  void create() throws Exception {
    node = new TestNamespace("node");
    pod = new TestNamespace("pod");
    other = new TestNamespace("other");
    join("pod0", pod, 1);
    join("pod1", other, 2);
    node.exec("sysctl", "-qw", "net.ipv4.ip_forward=1", "net.ipv6.conf.all.forwarding=1");
  }

  private void join(String device, TestNamespace to, int net) throws Exception {
    TestNamespace.join(
        node,
        device,
        List.of("192.0." + net + ".1/24", "2001:db8:" + net + "::1/64"),
        to,
        "eth0",
        List.of("192.0." + net + ".2/24", "2001:db8:" + net + "::2/64"));
    to.ip("route", "add", "default", "via", "192.0." + net + ".1");
    to.ip("-6", "route", "add", "default", "via", "2001:db8:" + net + "::1");
  }

  @AfterEach
  void remove() throws Exception {
    node.close();
    pod.close();
    other.close();
  }

  @Test
  void theNodesOwnConnectionsToCapturedPodsHaveTheProbesAddressAndNoOthers() throws Exception {
    assertThat(sourceSeen(node, "192.0.1.2")).isEqualTo("192.0.1.1");
    onNode(() -> rules.put("uid", addresses("192.0.1.2", "2001:db8:1::2")));
    assertThat(sourceSeen(node, "192.0.1.2")).isEqualTo(ProbeAddress.IPV4);
    assertThat(sourceSeen(node, "2001:db8:1::2"))
        .isEqualTo(InetAddress.ofLiteral(ProbeAddress.IPV6).getHostAddress());
    assertThat(sourceSeen(other, "192.0.1.2")).as("forwarded").isEqualTo("192.0.2.2");
    assertThat(sourceSeen(other, "2001:db8:1::2"))
        .as("forwarded")
        .isEqualTo("2001:db8:2:0:0:0:0:2");

    onNode(() -> rules.remove("uid"));
    assertThat(sourceSeen(node, "192.0.1.2")).isEqualTo("192.0.1.1");
  }

  @Test
  void repairsAndUninstalls() throws Exception {
    onNode(() -> rules.put("uid", addresses("192.0.1.2", "2001:db8:1::2")));
    assertThat(node.call(rules::repair)).isFalse();
    node.exec("nft", "flush", "set", "inet", "ambit_host", "pods6");
    assertThat(node.call(rules::repair)).isTrue();
    assertThat(node.call(rules::repair)).isFalse();
    node.exec("nft", "flush", "ruleset");
    assertThat(node.call(rules::repair)).isTrue();
    assertThat(sourceSeen(node, "192.0.1.2")).isEqualTo(ProbeAddress.IPV4);
    onNode(rules::uninstall);
    onNode(rules::uninstall);
    assertThat(node.exec("nft", "list", "ruleset")).isEmpty();
  }

  @Test
  void anAgentThatStartsLeavesTheTableUntilItKnowsAllPods() throws Exception {
    onNode(() -> rules.put("uid", addresses("192.0.1.2")));
    var next = new HostRules();
    next.hold();
    onNode(() -> next.put("other", addresses("192.0.2.2")));
    assertThat(node.exec("nft", "list", "ruleset"))
        .contains("192.0.1.2")
        .doesNotContain("192.0.2.2");
    onNode(() -> next.put("uid", addresses("192.0.1.2")));
    onNode(next::resume);
    assertThat(node.exec("nft", "list", "ruleset")).contains("192.0.1.2").contains("192.0.2.2");
  }

  @Test
  void aNodeWithoutCapturedPodsNeedsNoTableAndNoRepair() throws Exception {
    var first = new HostRules();
    first.hold();
    onNode(first::resume);
    assertThat(node.call(first::repair)).isFalse();
    assertThat(node.exec("nft", "list", "ruleset")).isEmpty();

    onNode(() -> rules.put("uid", addresses("192.0.1.2")));
    onNode(() -> rules.remove("uid"));
    assertThat(node.call(rules::repair)).isFalse();
  }

  @Test
  void whatAnEarlierAgentLeftIsPutRightAtItsStartAndIsNoRepair() throws Exception {
    onNode(() -> rules.put("gone", addresses("192.0.1.2")));
    var next = new HostRules();
    next.hold();
    onNode(next::resume);
    assertThat(node.exec("nft", "list", "ruleset")).doesNotContain("192.0.1.2");
    assertThat(node.call(next::repair)).isFalse();
  }

  private interface Work {
    void run() throws Exception;
  }

  private void onNode(Work work) throws Exception {
    node.call(
        () -> {
          work.run();
          return null;
        });
  }

  private String sourceSeen(TestNamespace from, String address) throws Exception {
    try (var listener = pod.listen(8080);
        var connection = from.connect(address, 8080);
        var accepted = listener.accept()) {
      assertThat(connection.isConnected()).isTrue();
      return accepted.getInetAddress().getHostAddress();
    }
  }

  private static List<InetAddress> addresses(String... literals) {
    return Arrays.stream(literals).map(InetAddress::ofLiteral).toList();
  }
}
