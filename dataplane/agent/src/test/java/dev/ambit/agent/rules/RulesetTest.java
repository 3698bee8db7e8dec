package dev.ambit.agent.rules;

import static org.assertj.core.api.Assertions.assertThat;

import java.net.InetAddress;
import java.util.List;
import java.util.Set;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

class RulesetTest {
  @Test
  void capturedRedirectsOnlyFirstPacketsThatAreNotTheZtunnels() {
    var redirections =
        PodRuleset.CAPTURED
            .commands()
            .lines()
            .filter(line -> line.contains("redirect to"))
            .toList();
    assertThat(redirections)
        .hasSize(2)
        .allMatch(line -> line.contains("tcp flags & (fin | syn | rst | ack) == syn"))
        .allMatch(line -> line.contains("meta mark & 0xfff != 0x539"));
    assertThat(redirections.get(0)).endsWith(":15006").contains("tcp dport != 15008");
    assertThat(redirections.get(1)).endsWith(":15001");
  }

  @Test
  void dnsIsRedirectedInAZoneOfItsOwnUnlessItIsTheZtunnelsOrBetweenServers() {
    var lines = PodRuleset.CAPTURED_WITH_DNS.commands().lines().map(String::strip).toList();
    var question = "udp dport 53 udp sport != 53 meta mark & 0xfff != 0x539";
    assertThat(lines)
        .contains(
            question + " redirect to :15053",
            "oif != \"lo\" " + question + " ct zone set 1",
            "oif \"lo\" udp sport 15053 ct zone set 1",
            "tcp dport 53 tcp flags & (fin | syn | rst | ack) == syn meta mark & 0xfff != 0x539"
                + " redirect to :15053");
    assertThat(lines.indexOf(question + " redirect to :15053"))
        .isGreaterThan(lines.lastIndexOf("oif \"lo\" accept"))
        .isLessThan(lines.size() - 1);
    assertThat(PodRuleset.CAPTURED.commands()).doesNotContain("redirect to :15053");
    assertThat(PodRuleset.DRAINING.commands()).contains("udp sport 15053 ct zone set 1");
  }

  @Test
  void drainingRedirectsNothing() {
    assertThat(PodRuleset.DRAINING.commands())
        .doesNotContain("redirect to")
        .contains("type nat hook prerouting", "type nat hook output")
        .contains("meta mark set ct mark", "ct mark set");
  }

  @ParameterizedTest
  @EnumSource
  void everyRulesetReplacesTheOtherInOneTransaction(PodRuleset ruleset) {
    assertThat(ruleset.commands().lines().toList())
        .startsWith("add table inet ambit", "flush table inet ambit")
        .noneMatch(line -> line.startsWith("delete"));
  }

  @Test
  void theNodesTableNamesThePodsOfBothFamilies() {
    var commands =
        HostRules.commands(
            List.of(
                InetAddress.ofLiteral("10.0.0.2"),
                InetAddress.ofLiteral("10.0.0.1"),
                InetAddress.ofLiteral("fd00::1")));
    assertThat(commands)
        .contains("add element inet ambit_host pods4 { 10.0.0.1, 10.0.0.2 }")
        .contains("add element inet ambit_host pods6 { fd00:0:0:0:0:0:0:1 }");
    assertThat(HostRules.commands(List.of())).doesNotContain("add element");
  }

  @Test
  void readsTheElementsOfAListing() throws Exception {
    assertThat(
            HostRules.elements(
                """
                set pods4 {
                  elements = { 10.0.0.1,
                               10.0.0.2 }
                }
                set pods6 { elements = { fd00::1 } }
                """))
        .contains(
            Set.of(
                InetAddress.ofLiteral("10.0.0.1"),
                InetAddress.ofLiteral("10.0.0.2"),
                InetAddress.ofLiteral("fd00::1")));
    assertThat(HostRules.elements("set pods4 { }")).contains(Set.of());
  }

  @ParameterizedTest
  @ValueSource(strings = {"elements = { a.example }", "elements = { 10.0.0.0/8 }", "elements = { "})
  void whatIsNoSetOfAddressesIsNotAsWanted(String listing) throws Exception {
    assertThat(HostRules.elements(listing)).isEmpty();
  }
}
