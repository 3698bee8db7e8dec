package dev.ambit.ztunnel.policy;

import static dev.ambit.ztunnel.testing.MeshFixtures.bytes;
import static dev.ambit.ztunnel.testing.MeshFixtures.ip;
import static dev.ambit.ztunnel.testing.MeshFixtures.pod;
import static dev.ambit.ztunnel.testing.MeshFixtures.socket;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.google.protobuf.ByteString;
import com.google.protobuf.Empty;
import com.google.protobuf.UnknownFieldSet;
import dev.ambit.protocol.security.Action;
import dev.ambit.protocol.security.Address;
import dev.ambit.protocol.security.Authorization;
import dev.ambit.protocol.security.Clause;
import dev.ambit.protocol.security.Match;
import dev.ambit.protocol.security.Rule;
import dev.ambit.protocol.security.Scope;
import dev.ambit.protocol.security.ServiceAccountMatch;
import dev.ambit.protocol.security.StringMatch;
import dev.ambit.protocol.workload.Extension;
import dev.ambit.ztunnel.identity.Identity;
import dev.ambit.ztunnel.identity.TrustDomains;
import dev.ambit.ztunnel.state.InvalidResourceException;
import dev.ambit.ztunnel.state.MeshStore;
import dev.ambit.ztunnel.state.MeshWorkload;
import java.net.Inet6Address;
import java.net.InetAddress;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.concurrent.atomic.AtomicInteger;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;

class PolicyStoreTest {
  private static final Identity CLIENT = new Identity("cluster.local", "shop", "client");

  private final MeshStore mesh = new MeshStore();
  private final List<String> dryRuns = new ArrayList<>();
  private final PolicyStore store =
      new PolicyStore(mesh, (policy, wouldDeny, input) -> dryRuns.add(policy + "=" + wouldDeny));

  private void put(Authorization.Builder... policies) {
    List<Policy> compiled = new ArrayList<>();
    for (Authorization.Builder policy : policies) {
      compiled.add(Policy.of(policy.build()));
    }
    store.apply(compiled, List.of());
  }

  private MeshWorkload server(String... policies) {
    MeshWorkload server =
        MeshWorkload.of(
            pod("shop", "server", "10.0.0.2")
                .addAllAuthorizationPolicies(List.of(policies))
                .build());
    mesh.apply(List.of(server), List.of(), List.of());
    return server;
  }

  private Verdict judge(MeshWorkload server, @Nullable Identity source) {
    return store.authorize(input(server, source));
  }

  private static PolicyInput input(MeshWorkload server, @Nullable Identity source) {
    return new PolicyInput(server, source, ip("10.0.0.1"), socket("10.0.0.2", 8080));
  }

  private static Authorization.Builder policy(String name, Scope scope, Action action) {
    return Authorization.newBuilder()
        .setName(name)
        .setNamespace("shop")
        .setScope(scope)
        .setAction(action);
  }

  private static Rule rule(Match.Builder... matches) {
    Clause.Builder clause = Clause.newBuilder();
    for (Match.Builder match : matches) {
      clause.addMatches(match);
    }
    return Rule.newBuilder().addClauses(clause).build();
  }

  private static StringMatch exact(String value) {
    return StringMatch.newBuilder().setExact(value).build();
  }

  private static Match.Builder fromClient() {
    return Match.newBuilder().addPrincipals(exact(CLIENT.principal()));
  }

  @Test
  void withoutPoliciesAllIsAllowed() {
    assertThat(judge(server(), null)).isEqualTo(Verdict.ALLOWED);
  }

  @Test
  void anAllowingPolicyDeniesTheRest() {
    put(policy("allow", Scope.NAMESPACE, Action.ALLOW).addRules(rule(fromClient())));
    MeshWorkload server = server();
    assertThat(judge(server, CLIENT)).isEqualTo(Verdict.ALLOWED);
    assertThat(judge(server, null)).isInstanceOf(Verdict.Denied.class);
    assertThat(judge(server, new Identity("cluster.local", "shop", "other")))
        .isInstanceOf(Verdict.Denied.class);
  }

  @Test
  void anAllowingPolicyWithoutRulesDeniesAll() {
    put(policy("nothing", Scope.NAMESPACE, Action.ALLOW));
    assertThat(judge(server(), CLIENT)).isInstanceOf(Verdict.Denied.class);
  }

  @Test
  void aDenyingPolicyComesBeforeAllowingOnes() {
    put(
        policy("allow", Scope.NAMESPACE, Action.ALLOW).addRules(rule(fromClient())),
        policy("deny", Scope.NAMESPACE, Action.DENY)
            .addRules(rule(Match.newBuilder().addDestinationPorts(8080))));
    assertThat(judge(server(), CLIENT))
        .isInstanceOfSatisfying(
            Verdict.Denied.class, denied -> assertThat(denied.policy()).isEqualTo("shop/deny"));
  }

  @Test
  void policiesOfOtherNamespacesAreNoMatter() {
    put(policy("deny", Scope.NAMESPACE, Action.DENY).setNamespace("elsewhere").addRules(all()));
    assertThat(judge(server(), CLIENT)).isEqualTo(Verdict.ALLOWED);
    put(policy("deny", Scope.GLOBAL, Action.DENY).setNamespace("root").addRules(all()));
    assertThat(judge(server(), CLIENT)).isInstanceOf(Verdict.Denied.class);
  }

  private static Rule all() {
    return Rule.getDefaultInstance();
  }

  @Test
  void aSelectingPolicyIsForThoseThatReferToIt() {
    put(policy("deny", Scope.WORKLOAD_SELECTOR, Action.DENY).addRules(all()));
    assertThat(judge(server(), CLIENT)).isEqualTo(Verdict.ALLOWED);
    assertThat(judge(server("shop/deny"), CLIENT)).isInstanceOf(Verdict.Denied.class);
  }

  @Test
  void aPolicyThatHasNotArrivedDenies() {
    MeshWorkload server = server("shop/late");
    assertThat(judge(server, CLIENT))
        .isInstanceOfSatisfying(
            Verdict.Denied.class, denied -> assertThat(denied.policy()).isEqualTo("shop/late"));
    put(policy("late", Scope.WORKLOAD_SELECTOR, Action.ALLOW).addRules(rule(fromClient())));
    assertThat(judge(server, CLIENT)).isEqualTo(Verdict.ALLOWED);
    store.apply(List.of(), List.of("shop/late"));
    assertThat(judge(server, CLIENT)).isInstanceOf(Verdict.Denied.class);
  }

  @Test
  void strictMutualTlsRefusesPlainText() {
    put(
        policy("istio_converted_static_strict", Scope.WORKLOAD_SELECTOR, Action.DENY)
            .addRules(
                rule(
                    Match.newBuilder()
                        .addNotPrincipals(
                            StringMatch.newBuilder().setPresence(Empty.getDefaultInstance())))));
    MeshWorkload server = server("shop/istio_converted_static_strict");
    assertThat(judge(server, null)).isInstanceOf(Verdict.Denied.class);
    assertThat(judge(server, CLIENT)).isEqualTo(Verdict.ALLOWED);
  }

  @Test
  void theWorkloadAsItIsNowCounts() {
    MeshWorkload before = server();
    server("shop/missing");
    assertThat(judge(before, CLIENT)).isInstanceOf(Verdict.Denied.class);
  }

  @Test
  void addressesAreMatchedByBlock() {
    put(
        policy("block", Scope.NAMESPACE, Action.DENY)
            .addRules(
                rule(
                    Match.newBuilder()
                        .addSourceIps(
                            Address.newBuilder().setAddress(bytes("10.0.0.0")).setLength(30)))));
    MeshWorkload server = server();
    assertThat(judge(server, CLIENT)).isInstanceOf(Verdict.Denied.class);
    assertThat(
            store.authorize(
                new PolicyInput(server, CLIENT, ip("10.0.0.4"), socket("10.0.0.2", 8080))))
        .isEqualTo(Verdict.ALLOWED);
    assertThat(
            store.authorize(
                new PolicyInput(server, CLIENT, ip("fd00::1"), socket("fd00::2", 8080))))
        .isEqualTo(Verdict.ALLOWED);
  }

  @Test
  void dryRunsAreReportedAndNotEnforced() {
    put(policy("trial", Scope.NAMESPACE, Action.DENY).setDryRun(true).addRules(all()));
    MeshWorkload server = server();
    assertThat(judge(server, CLIENT)).isEqualTo(Verdict.ALLOWED);
    assertThat(dryRuns).containsExactly("shop/trial=true");
    assertThat(store.reauthorize(input(server, CLIENT))).isEqualTo(Verdict.ALLOWED);
    assertThat(dryRuns).hasSize(1);
  }

  @Test
  void aDryRunAllowanceTellsWhomItWouldShutOut() {
    put(
        policy("trial", Scope.NAMESPACE, Action.ALLOW)
            .setDryRun(true)
            .addRules(rule(fromClient())));
    MeshWorkload server = server();
    assertThat(judge(server, CLIENT)).isEqualTo(Verdict.ALLOWED);
    assertThat(judge(server, null)).isEqualTo(Verdict.ALLOWED);
    assertThat(dryRuns).containsExactly("shop/trial=false", "shop/trial=true");
  }

  @Test
  void listenersHearOfPoliciesAndReferences() {
    AtomicInteger changes = new AtomicInteger();
    Authorizer.Registration registration = store.onChange(changes::incrementAndGet);
    put(policy("a", Scope.NAMESPACE, Action.DENY));
    assertThat(changes).hasValue(1);
    server();
    assertThat(changes).as("no policy is referred to").hasValue(1);
    server("shop/a");
    assertThat(changes).hasValue(2);
    registration.close();
    put(policy("b", Scope.NAMESPACE, Action.DENY));
    assertThat(changes).hasValue(2);
  }

  @Test
  void aPolicyMayChangeItsScope() {
    put(policy("p", Scope.NAMESPACE, Action.DENY).addRules(all()));
    MeshWorkload server = server();
    assertThat(judge(server, CLIENT)).isInstanceOf(Verdict.Denied.class);
    put(policy("p", Scope.WORKLOAD_SELECTOR, Action.DENY).addRules(all()));
    assertThat(judge(server, CLIENT)).isEqualTo(Verdict.ALLOWED);
  }

  @Test
  void whatIsNotKnownMakesItStricterAndIsComplainedOf() {
    UnknownFieldSet later =
        UnknownFieldSet.newBuilder()
            .addField(99, UnknownFieldSet.Field.newBuilder().addVarint(1).build())
            .build();
    Address tooLong = Address.newBuilder().setAddress(bytes("10.0.0.1")).setLength(33).build();
    StringMatch noKind = StringMatch.getDefaultInstance();
    List<Match.Builder> matches =
        List.of(
            Match.newBuilder().addPrincipals(noKind),
            fromClient().addNotPrincipals(noKind),
            fromClient().addNamespaces(noKind),
            fromClient().addNotNamespaces(noKind),
            fromClient().addSourceIps(tooLong),
            fromClient().addNotSourceIps(tooLong),
            fromClient().addDestinationIps(tooLong),
            fromClient().addNotDestinationIps(tooLong),
            fromClient().addNotPrincipals(noKind.toBuilder().setUnknownFields(later)),
            fromClient()
                .addNotServiceAccounts(ServiceAccountMatch.newBuilder().setUnknownFields(later)),
            fromClient().addExtensions(Extension.newBuilder().setName("later")),
            Match.newBuilder().setUnknownFields(later));
    List<Rule> rules = new ArrayList<>();
    for (Match.Builder match : matches) {
      rules.add(rule(match));
    }
    rules.add(rule(fromClient()).toBuilder().setUnknownFields(later).build());
    rules.add(
        Rule.newBuilder()
            .addClauses(Clause.newBuilder().addMatches(fromClient()).setUnknownFields(later))
            .build());
    for (Rule rule : rules) {
      assertStricter(policy("p", Scope.NAMESPACE, Action.ALLOW).addRules(rule));
      assertStricter(policy("p", Scope.NAMESPACE, Action.DENY).addRules(rule));
    }
    assertStricter(
        policy("p", Scope.NAMESPACE, Action.ALLOW)
            .addRules(rule(fromClient()))
            .setUnknownFields(later));
    assertStricter(policy("p", Scope.NAMESPACE, Action.DENY).setUnknownFields(later));
    assertStricter(
        policy("p", Scope.NAMESPACE, Action.ALLOW).setActionValue(7).addRules(rule(fromClient())));
    assertStricter(
        policy("p", Scope.WORKLOAD_SELECTOR, Action.DENY)
            .setScopeValue(7)
            .addRules(rule(fromClient())));
  }

  private void assertStricter(Authorization.Builder policy) {
    Policy compiled = Policy.of(policy.build());
    assertThat(compiled.complaint()).contains("shop/p");
    store.apply(List.of(compiled), List.of());
    assertThat(judge(server(), CLIENT)).as("%s", policy).isInstanceOf(Verdict.Denied.class);
  }

  @Test
  void aPolicyWithoutANameIsRejected() {
    assertThatThrownBy(() -> Policy.of(Authorization.getDefaultInstance()))
        .isInstanceOf(InvalidResourceException.class)
        .hasMessageContaining("no name");
  }

  @Test
  void callersWithMappedAddressesAreOfTheAddressesThatTheyStandFor() throws Exception {
    byte[] mapped = ByteString.fromHex("00000000000000000000ffff0a000001").toByteArray();
    InetAddress caller = Inet6Address.getByAddress(null, mapped, -1);
    assertThat(caller).isInstanceOf(Inet6Address.class);
    put(
        policy("block", Scope.NAMESPACE, Action.DENY)
            .addRules(
                rule(
                    Match.newBuilder()
                        .addSourceIps(
                            Address.newBuilder().setAddress(bytes("10.0.0.0")).setLength(24)))));
    assertThat(store.authorize(new PolicyInput(server(), CLIENT, caller, socket("10.0.0.2", 8080))))
        .isInstanceOf(Verdict.Denied.class);
  }

  @Test
  void blocksOfMappedAddressesAreOfTheAddressesThatTheyStandFor() {
    ByteString mapped = ByteString.fromHex("00000000000000000000ffff").concat(bytes("10.0.0.0"));
    put(
        policy("block", Scope.NAMESPACE, Action.DENY)
            .addRules(
                rule(
                    Match.newBuilder()
                        .addSourceIps(Address.newBuilder().setAddress(mapped).setLength(104)))));
    assertThat(judge(server(), CLIENT)).isInstanceOf(Verdict.Denied.class);
  }

  @Test
  void aliasesOfTheTrustDomainAreNamedByPoliciesLikeItself() {
    TrustDomains domains = new TrustDomains(Set.of("old.example"));
    Identity renamed = new Identity("old.example", "shop", "client");
    Identity foreign = new Identity("elsewhere.example", "shop", "client");
    Authorization allow =
        policy("allow", Scope.NAMESPACE, Action.ALLOW).addRules(rule(fromClient())).build();
    store.apply(List.of(Policy.of(allow, domains)), List.of());
    MeshWorkload server = server();
    assertThat(judge(server, CLIENT)).isEqualTo(Verdict.ALLOWED);
    assertThat(judge(server, renamed)).isEqualTo(Verdict.ALLOWED);
    assertThat(judge(server, foreign)).isInstanceOf(Verdict.Denied.class);

    for (String named : List.of(CLIENT.principal(), renamed.principal())) {
      Authorization deny =
          policy("deny", Scope.NAMESPACE, Action.DENY)
              .addRules(rule(Match.newBuilder().addPrincipals(exact(named))))
              .build();
      store.apply(List.of(Policy.of(deny, domains)), List.of());
      assertThat(judge(server, CLIENT)).isInstanceOf(Verdict.Denied.class);
      assertThat(judge(server, renamed)).isInstanceOf(Verdict.Denied.class);
    }
    Authorization allButClient =
        policy("allow", Scope.NAMESPACE, Action.ALLOW)
            .addRules(rule(Match.newBuilder().addNotPrincipals(exact(CLIENT.principal()))))
            .build();
    store.apply(List.of(Policy.of(allButClient, domains)), List.of("shop/deny"));
    assertThat(judge(server, renamed)).isInstanceOf(Verdict.Denied.class);
    assertThat(judge(server, foreign)).isEqualTo(Verdict.ALLOWED);
  }

  @Test
  void aWorkloadIsGuardedByEnforcedPoliciesAlone() {
    MeshWorkload free = server();
    assertThat(store.guards(free)).isFalse();
    assertThat(store.guards(server("shop/unknown"))).isTrue();

    put(
        Authorization.newBuilder()
            .setName("named")
            .setNamespace("shop")
            .setScope(Scope.WORKLOAD_SELECTOR)
            .setAction(Action.DENY));
    assertThat(store.guards(server("shop/named"))).isTrue();
    assertThat(store.guards(server())).isFalse();

    put(
        Authorization.newBuilder()
            .setName("of-namespace")
            .setNamespace("shop")
            .setScope(Scope.NAMESPACE)
            .setAction(Action.ALLOW));
    assertThat(store.guards(server())).isTrue();
  }
}
