package dev.ambit.ztunnel.policy;

import static dev.ambit.ztunnel.testing.MeshFixtures.ip;
import static dev.ambit.ztunnel.testing.MeshFixtures.pod;
import static org.assertj.core.api.Assertions.assertThat;

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
import dev.ambit.ztunnel.state.MeshStore;
import dev.ambit.ztunnel.state.MeshWorkload;
import java.math.BigInteger;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.Random;
import java.util.function.Predicate;
import java.util.stream.IntStream;
import net.jqwik.api.Arbitraries;
import net.jqwik.api.Arbitrary;
import net.jqwik.api.Combinators;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.Provide;
import org.jspecify.annotations.Nullable;

/**
 * Compiled policies against the rules of evaluation written down once more, as plainly as can be.
 */
class PolicyModelTest {
  private static final List<String> NAMESPACES = List.of("a", "ab", "b");
  private static final List<String> ACCOUNTS = List.of("x", "y");
  private static final List<String> ADDRESSES =
      List.of("10.0.0.1", "10.0.0.2", "10.1.0.1", "fd00::1", "fd00::2");
  private static final List<Integer> PORTS = List.of(80, 443);
  private static final UnknownFieldSet LATER =
      UnknownFieldSet.newBuilder()
          .addField(99, UnknownFieldSet.Field.newBuilder().addVarint(1).build())
          .build();

  @Property(tries = 3000)
  void verdictsAreTheModels(
      @ForAll("policies") List<Authorization> policies,
      @ForAll("identities") Optional<Identity> source,
      @ForAll("addresses") String sourceIp,
      @ForAll("addresses") String destinationIp,
      @ForAll("ports") int port,
      @ForAll boolean refersToMissing) {
    List<Authorization> named = new ArrayList<>();
    for (int i = 0; i < policies.size(); i++) {
      named.add(policies.get(i).toBuilder().setName("p" + i).build());
    }
    List<String> references = new ArrayList<>();
    for (Authorization policy : named) {
      if (policy.getScope() == Scope.WORKLOAD_SELECTOR) {
        references.add(policy.getNamespace() + "/" + policy.getName());
      }
    }
    if (refersToMissing) {
      references.add("a/missing");
    }
    MeshWorkload destination =
        MeshWorkload.of(pod("a", "server").addAllAuthorizationPolicies(references).build());
    PolicyStore store = new PolicyStore(new MeshStore(), (policy, wouldDeny, input) -> {});
    store.apply(named.stream().map(Policy::of).toList(), List.of());
    PolicyInput input =
        new PolicyInput(
            destination,
            source.orElse(null),
            ip(sourceIp),
            new InetSocketAddress(ip(destinationIp), port));

    boolean allowed = store.authorize(input) instanceof Verdict.Allowed;

    assertThat(allowed).isEqualTo(!refersToMissing && model(named, input));
  }

  /**
   * Whatever of a policy is not understood, a connection that it denied before is still denied. (A
   * scope that is not understood says nothing of what it was, so only that of a namespace is.)
   */
  @Property(tries = 3000)
  void whatIsNotUnderstoodOnlyMakesStricter(
      @ForAll("policies") List<Authorization> policies,
      @ForAll("identities") Optional<Identity> source,
      @ForAll("addresses") String sourceIp,
      @ForAll("ports") int port,
      @ForAll Random random) {
    MeshWorkload destination = MeshWorkload.of(pod("a", "server").build());
    PolicyInput input =
        new PolicyInput(
            destination,
            source.orElse(null),
            ip(sourceIp),
            new InetSocketAddress(ip("10.0.0.1"), port));
    PolicyStore plain = new PolicyStore(new MeshStore(), (policy, wouldDeny, judged) -> {});
    PolicyStore vague = new PolicyStore(new MeshStore(), (policy, wouldDeny, judged) -> {});
    for (int i = 0; i < policies.size(); i++) {
      Authorization policy = policies.get(i).toBuilder().setName("p" + i).build();
      plain.apply(List.of(Policy.of(policy)), List.of());
      Policy changed = Policy.of(blurred(policy, random));
      assertThat(changed.complaint()).isNotNull();
      vague.apply(List.of(changed), List.of());
    }

    if (plain.authorize(input) instanceof Verdict.Denied) {
      assertThat(vague.authorize(input)).isInstanceOf(Verdict.Denied.class);
    }
  }

  /** The policy with something in it that this version does not know. */
  private static Authorization blurred(Authorization policy, Random random) {
    Authorization.Builder blurred = policy.toBuilder();
    if (policy.getScope() == Scope.NAMESPACE && random.nextInt(8) == 0) {
      return blurred.setScopeValue(9).build();
    }
    if (random.nextInt(8) == 0) {
      return blurred.setActionValue(9).build();
    }
    if (blurred.getRulesCount() == 0 || random.nextInt(8) == 0) {
      return blurred.setUnknownFields(LATER).build();
    }
    Rule.Builder rule = blurred.getRulesBuilder(random.nextInt(blurred.getRulesCount()));
    if (rule.getClausesCount() == 0 || random.nextInt(8) == 0) {
      rule.setUnknownFields(LATER);
      return blurred.build();
    }
    Clause.Builder clause = rule.getClausesBuilder(random.nextInt(rule.getClausesCount()));
    if (clause.getMatchesCount() == 0 || random.nextInt(8) == 0) {
      clause.setUnknownFields(LATER);
      return blurred.build();
    }
    Match.Builder match = clause.getMatchesBuilder(random.nextInt(clause.getMatchesCount()));
    StringMatch text = StringMatch.newBuilder().setUnknownFields(LATER).build();
    Address block = Address.newBuilder().setLength(9).build();
    ServiceAccountMatch account = ServiceAccountMatch.newBuilder().setUnknownFields(LATER).build();
    // In a field that has no values yet a first one is a condition more; else it is a value more,
    // which in a rule that denies widens, and in one that allows does not.
    switch (random.nextInt(6)) {
      case 0 -> match.setUnknownFields(LATER);
      case 1 -> match.addNotNamespaces(text);
      case 2 -> match.addNotPrincipals(text);
      case 3 -> match.addNotServiceAccounts(account);
      case 4 -> match.addNotSourceIps(block);
      default -> match.addExtensions(Extension.newBuilder().setName("later"));
    }
    return blurred.build();
  }

  private static boolean model(List<Authorization> policies, PolicyInput input) {
    List<Authorization> inForce =
        policies.stream()
            .filter(p -> !p.getDryRun())
            .filter(p -> p.getScope() != Scope.NAMESPACE || p.getNamespace().equals("a"))
            .toList();
    Predicate<Authorization> matches =
        p -> p.getRulesList().stream().anyMatch(rule -> ruleMatches(rule, input));
    if (inForce.stream().filter(p -> p.getAction() == Action.DENY).anyMatch(matches)) {
      return false;
    }
    List<Authorization> allowing =
        inForce.stream().filter(p -> p.getAction() == Action.ALLOW).toList();
    return allowing.isEmpty() || allowing.stream().anyMatch(matches);
  }

  private static boolean ruleMatches(Rule rule, PolicyInput input) {
    return rule.getClausesList().stream()
        .allMatch(
            clause ->
                clause.getMatchesCount() == 0
                    || clause.getMatchesList().stream()
                        .filter(match -> !match.equals(Match.getDefaultInstance()))
                        .anyMatch(match -> matchMatches(match, input)));
  }

  private static boolean matchMatches(Match match, PolicyInput input) {
    Identity source = input.source();
    String namespace = source == null ? null : source.namespace();
    String principal =
        source == null
            ? null
            : source.trustDomain() + "/ns/" + source.namespace() + "/sa/" + source.serviceAccount();
    Predicate<ServiceAccountMatch> account =
        m ->
            source != null
                && m.getNamespace().equals(source.namespace())
                && m.getServiceAccount().equals(source.serviceAccount());
    InetAddress destination = input.destinationAddress().getAddress();
    int port = input.destinationAddress().getPort();
    return field(match.getNamespacesList(), m -> text(m, namespace))
        && notField(match.getNotNamespacesList(), m -> text(m, namespace))
        && field(match.getServiceAccountsList(), account)
        && notField(match.getNotServiceAccountsList(), account)
        && field(match.getPrincipalsList(), m -> text(m, principal))
        && notField(match.getNotPrincipalsList(), m -> text(m, principal))
        && field(match.getSourceIpsList(), m -> contains(m, input.sourceIp()))
        && notField(match.getNotSourceIpsList(), m -> contains(m, input.sourceIp()))
        && field(match.getDestinationIpsList(), m -> contains(m, destination))
        && notField(match.getNotDestinationIpsList(), m -> contains(m, destination))
        && field(match.getDestinationPortsList(), p -> p == port)
        && notField(match.getNotDestinationPortsList(), p -> p == port);
  }

  private static <T> boolean field(List<T> values, Predicate<T> matches) {
    return values.isEmpty() || values.stream().anyMatch(matches);
  }

  private static <T> boolean notField(List<T> values, Predicate<T> matches) {
    return values.stream().noneMatch(matches);
  }

  private static boolean text(StringMatch match, @Nullable String actual) {
    if (actual == null) {
      return false;
    }
    return switch (match.getMatchTypeCase()) {
      case EXACT -> actual.equals(match.getExact());
      case PREFIX -> actual.startsWith(match.getPrefix());
      case SUFFIX -> actual.endsWith(match.getSuffix());
      case PRESENCE -> !actual.isEmpty();
      case MATCHTYPE_NOT_SET -> throw new AssertionError();
    };
  }

  private static boolean contains(Address block, InetAddress address) {
    byte[] bytes = address.getAddress();
    if (bytes.length != block.getAddress().size()) {
      return false;
    }
    int shift = bytes.length * 8 - block.getLength();
    return new BigInteger(1, bytes)
        .shiftRight(shift)
        .equals(new BigInteger(1, block.getAddress().toByteArray()).shiftRight(shift));
  }

  @Provide
  Arbitrary<List<Authorization>> policies() {
    return policy().list().ofMaxSize(4);
  }

  private static Arbitrary<Authorization> policy() {
    return Combinators.combine(
            rule().list().ofMaxSize(3),
            Arbitraries.of(Scope.GLOBAL, Scope.NAMESPACE, Scope.WORKLOAD_SELECTOR),
            Arbitraries.of(Action.ALLOW, Action.DENY),
            Arbitraries.of(true, false, false, false),
            Arbitraries.of("a", "b"))
        .as(
            (rules, scope, action, dryRun, namespace) ->
                Authorization.newBuilder()
                    .setNamespace(namespace)
                    .setScope(scope)
                    .setAction(action)
                    .setDryRun(dryRun)
                    .addAllRules(rules)
                    .build());
  }

  private static Arbitrary<Rule> rule() {
    return match()
        .list()
        .ofMaxSize(3)
        .map(matches -> Clause.newBuilder().addAllMatches(matches).build())
        .list()
        .ofMaxSize(3)
        .map(clauses -> Rule.newBuilder().addAllClauses(clauses).build());
  }

  private static Arbitrary<Match> match() {
    Arbitrary<List<Integer>> which =
        Arbitraries.of(IntStream.range(0, 12).boxed().toList()).list().ofMaxSize(3);
    return Combinators.combine(
            which,
            text(NAMESPACES).list().ofMinSize(1).ofMaxSize(2),
            text(List.of(
                    "cluster.local/ns/a/sa/x",
                    "cluster.local/ns/ab/sa/y",
                    "cluster.local/",
                    "/sa/x"))
                .list()
                .ofMinSize(1)
                .ofMaxSize(2),
            account().list().ofMinSize(1).ofMaxSize(2),
            block().list().ofMinSize(1).ofMaxSize(2),
            Arbitraries.of(PORTS).list().ofMinSize(1).ofMaxSize(2))
        .as(PolicyModelTest::match);
  }

  private static Match match(
      List<Integer> which,
      List<StringMatch> namespaces,
      List<StringMatch> principals,
      List<ServiceAccountMatch> accounts,
      List<Address> blocks,
      List<Integer> ports) {
    Match.Builder match = Match.newBuilder();
    for (int field : which) {
      switch (field) {
        case 0 -> match.addAllNamespaces(namespaces);
        case 1 -> match.addAllNotNamespaces(namespaces);
        case 2 -> match.addAllServiceAccounts(accounts);
        case 3 -> match.addAllNotServiceAccounts(accounts);
        case 4 -> match.addAllPrincipals(principals);
        case 5 -> match.addAllNotPrincipals(principals);
        case 6 -> match.addAllSourceIps(blocks);
        case 7 -> match.addAllNotSourceIps(blocks);
        case 8 -> match.addAllDestinationIps(blocks);
        case 9 -> match.addAllNotDestinationIps(blocks);
        case 10 -> match.addAllDestinationPorts(ports);
        case 11 -> match.addAllNotDestinationPorts(ports);
        default -> throw new AssertionError(field);
      }
    }
    return match.build();
  }

  private static Arbitrary<StringMatch> text(List<String> values) {
    return Combinators.combine(Arbitraries.of(values), Arbitraries.integers().between(0, 3))
        .as(
            (value, kind) ->
                switch (kind) {
                  case 0 -> StringMatch.newBuilder().setExact(value).build();
                  case 1 -> StringMatch.newBuilder().setPrefix(value).build();
                  case 2 -> StringMatch.newBuilder().setSuffix(value).build();
                  default ->
                      StringMatch.newBuilder().setPresence(Empty.getDefaultInstance()).build();
                });
  }

  private static Arbitrary<ServiceAccountMatch> account() {
    return Combinators.combine(Arbitraries.of(NAMESPACES), Arbitraries.of(ACCOUNTS))
        .as(
            (namespace, name) ->
                ServiceAccountMatch.newBuilder()
                    .setNamespace(namespace)
                    .setServiceAccount(name)
                    .build());
  }

  private static Arbitrary<Address> block() {
    return Combinators.combine(Arbitraries.of(ADDRESSES), Arbitraries.integers().between(0, 128))
        .as(
            (address, length) -> {
              byte[] bytes = ip(address).getAddress();
              return Address.newBuilder()
                  .setAddress(ByteString.copyFrom(bytes))
                  .setLength(Math.min(length, bytes.length * 8))
                  .build();
            });
  }

  @Provide
  Arbitrary<Optional<Identity>> identities() {
    return Combinators.combine(Arbitraries.of(NAMESPACES), Arbitraries.of(ACCOUNTS))
        .as((namespace, name) -> new Identity("cluster.local", namespace, name))
        .optional(0.8);
  }

  @Provide
  Arbitrary<String> addresses() {
    return Arbitraries.of(ADDRESSES);
  }

  @Provide
  Arbitrary<Integer> ports() {
    return Arbitraries.of(PORTS);
  }
}
