package dev.ambit.ztunnel.policy;

import static dev.ambit.ztunnel.testing.MeshFixtures.bytes;
import static dev.ambit.ztunnel.testing.MeshFixtures.ip;
import static dev.ambit.ztunnel.testing.MeshFixtures.pod;
import static dev.ambit.ztunnel.testing.MeshFixtures.socket;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.google.protobuf.Empty;
import dev.ambit.protocol.security.Action;
import dev.ambit.protocol.security.Address;
import dev.ambit.protocol.security.Authorization;
import dev.ambit.protocol.security.Clause;
import dev.ambit.protocol.security.Match;
import dev.ambit.protocol.security.Rule;
import dev.ambit.protocol.security.Scope;
import dev.ambit.protocol.security.StringMatch;
import dev.ambit.ztunnel.identity.Identity;
import dev.ambit.ztunnel.state.InvalidResourceException;
import dev.ambit.ztunnel.state.MeshStore;
import dev.ambit.ztunnel.state.MeshWorkload;
import java.util.ArrayList;
import java.util.List;
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
                            StringMatch.newBuilder()
                                .setPresence(Empty.getDefaultInstance())))));
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
                            Address.newBuilder()
                                .setAddress(bytes("10.0.0.0"))
                                .setLength(30)))));
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
  void whatCannotBeEnforcedIsRejected() {
    assertRejected(policy("p", Scope.NAMESPACE, Action.DENY).setActionValue(7));
    assertRejected(policy("p", Scope.NAMESPACE, Action.DENY).setScopeValue(7));
    assertRejected(
        policy("p", Scope.NAMESPACE, Action.DENY)
            .addRules(
                rule(Match.newBuilder().addPrincipals(StringMatch.getDefaultInstance()))));
    assertRejected(
        policy("p", Scope.NAMESPACE, Action.DENY)
            .addRules(
                rule(
                    Match.newBuilder()
                        .addSourceIps(
                            Address.newBuilder().setAddress(bytes("10.0.0.1")).setLength(33)))));
  }

  private static void assertRejected(Authorization.Builder policy) {
    assertThatThrownBy(() -> Policy.of(policy.build()))
        .isInstanceOf(InvalidResourceException.class)
        .hasMessageContaining("shop/p");
  }
}
