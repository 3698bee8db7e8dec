package dev.ambit.operator.model;

import static org.assertj.core.api.Assertions.assertThat;

import dev.ambit.operator.model.PolicyEvaluation.Connection;
import dev.ambit.protocol.security.Authorization;
import io.fabric8.istio.api.api.security.v1beta1.AuthorizationPolicyAction;
import io.fabric8.istio.api.api.security.v1beta1.Condition;
import io.fabric8.istio.api.api.security.v1beta1.Operation;
import io.fabric8.istio.api.api.security.v1beta1.Rule;
import io.fabric8.istio.api.api.security.v1beta1.RuleFrom;
import io.fabric8.istio.api.api.security.v1beta1.RuleTo;
import io.fabric8.istio.api.api.security.v1beta1.Source;
import io.fabric8.istio.api.security.v1.AuthorizationPolicy;
import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.function.Consumer;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import org.jspecify.annotations.Nullable;

/**
 * What ztunnels are sent is never weaker than what was written: whatever the parts that layer 4
 * cannot see may mean, a connection that the policy would have refused is refused.
 */
class PolicyTranslatorPropertiesTest {
  private static final List<String> PRINCIPALS =
      List.of(
          "td/ns/a/sa/x",
          "td/ns/a/sa/y",
          "old/ns/a/sa/x",
          "other/ns/a/sa/x",
          "spiffe://td/ns/a/sa/x",
          "*",
          "td/*",
          "old/ns/*",
          "*/sa/x",
          "*mid*",
          "t*");
  private static final List<String> NAMESPACES = List.of("a", "b", "*", "a*", "*b", "*?*");
  private static final List<String> ACCOUNTS = List.of("x", "a/x", "b/y", "a/b/c", "*");
  private static final List<String> BLOCKS =
      List.of("10.0.0.0/8", "10.0.0.1", "fd00::/8", "bogus", "10.0.0.0/33", "0.0.0.0/0");
  private static final List<String> PORTS = List.of("80", "443", "0", "x", "70000");
  private static final List<String> TRUST_DOMAINS = List.of("td", "other", "*", "t*", "*d", "x/y");
  private static final List<String> ANYTHING = List.of("GET", "/path", "host", "*");

  private static final List<Connection> CONNECTIONS = connections();

  private static List<Connection> connections() {
    List<Connection> connections = new ArrayList<>();
    List<@Nullable String> principals = new ArrayList<>();
    for (String trustDomain : List.of("td", "old", "other", "third")) {
      for (String namespace : List.of("a", "b", "ab")) {
        for (String account : List.of("x", "y")) {
          principals.add(trustDomain + "/ns/" + namespace + "/sa/" + account);
        }
      }
    }
    principals.add(null);
    for (String principal : principals) {
      for (String ip : List.of("10.0.0.1", "10.9.9.9", "192.168.0.1", "fd00::1")) {
        for (int port : List.of(80, 443, 9000)) {
          connections.add(new Connection(principal, ip, ip, port));
        }
      }
    }
    return connections;
  }

  /** The trust domain "td" has another name. */
  private static PolicyTranslation translate(AuthorizationPolicy policy) {
    return PolicyTranslator.translate(policy, "root", new TrustDomains("td", List.of("old")));
  }

  @Property(tries = 600)
  void deniesAllThatTheWrittenPolicyDenies(@ForAll long seed) {
    AuthorizationPolicy policy = random(new Random(seed), AuthorizationPolicyAction.DENY);
    PolicyTranslation translation = translate(policy);
    Authorization sent = translation.authorization().orElseThrow();
    for (Connection connection : CONNECTIONS) {
      if (written(policy, connection, seed)) {
        assertThat(PolicyEvaluation.matches(sent, connection)).as("%s", connection).isTrue();
      }
    }
  }

  @Property(tries = 600)
  void allowsNothingThatTheWrittenPolicyDoesNotAllow(@ForAll long seed) {
    AuthorizationPolicy policy = random(new Random(seed), AuthorizationPolicyAction.ALLOW);
    Authorization sent = translate(policy).authorization().orElseThrow();
    for (Connection connection : CONNECTIONS) {
      if (PolicyEvaluation.matches(sent, connection)) {
        assertThat(written(policy, connection, seed)).as("%s", connection).isTrue();
      }
    }
  }

  @Property(tries = 600)
  void isExactWhereItReportsNothing(@ForAll long seed) {
    Random random = new Random(seed);
    AuthorizationPolicy policy =
        random(
            random,
            random.nextBoolean()
                ? AuthorizationPolicyAction.ALLOW
                : AuthorizationPolicyAction.DENY);
    PolicyTranslation translation = translate(policy);
    if (translation.report().verdict() == PolicyReport.Verdict.ACCEPTED) {
      for (Connection connection : CONNECTIONS) {
        assertThat(PolicyEvaluation.matches(translation.authorization().orElseThrow(), connection))
            .as("%s", connection)
            .isEqualTo(written(policy, connection, seed));
      }
    }
  }

  // --- The reference: what is written means what it says; what layer 4 cannot know may mean
  // anything.

  private static boolean written(AuthorizationPolicy policy, Connection connection, long seed) {
    return policy.getSpec().getRules().stream()
        .anyMatch(rule -> new Reference(connection, seed).rule(rule));
  }

  private record Reference(Connection connection, long seed) {
    boolean rule(Rule rule) {
      return (rule.getFrom().isEmpty()
              || rule.getFrom().stream().anyMatch(from -> source(from.getSource())))
          && (rule.getTo().isEmpty()
              || rule.getTo().stream().anyMatch(to -> operation(to.getOperation())))
          && rule.getWhen().stream().allMatch(this::condition);
    }

    boolean source(Source source) {
      String principal = connection.principal();
      String[] parts = principal == null ? new String[5] : principal.split("/", -1);
      Map<String, Object> other = source.getAdditionalProperties();
      boolean empty = source.equals(new Source());
      return (!empty || unknowable("empty source"))
          && both(
              source.getPrincipals(),
              source.getNotPrincipals(),
              value -> principal(value, principal))
          && both(
              source.getNamespaces(), source.getNotNamespaces(), value -> string(value, parts[2]))
          && both(
              source.getServiceAccounts(),
              source.getNotServiceAccounts(),
              value -> account(value, parts))
          && both(
              source.getIpBlocks(),
              source.getNotIpBlocks(),
              value -> block(value, connection.sourceIp()))
          && both(
              list(other, "trustDomains"),
              list(other, "notTrustDomains"),
              value -> trustDomain(value, parts[0]))
          && both(
              source.getRequestPrincipals(),
              source.getNotRequestPrincipals(),
              value -> unknowable("requestPrincipals" + value))
          && both(
              source.getRemoteIpBlocks(),
              source.getNotRemoteIpBlocks(),
              value -> unknowable("remoteIpBlocks" + value))
          && (!other.containsKey("fieldOfTheFuture") || unknowable("fieldOfTheFuture"));
    }

    boolean operation(Operation operation) {
      return (!operation.equals(new Operation()) || unknowable("empty operation"))
          && both(operation.getPorts(), operation.getNotPorts(), this::port)
          && both(
              operation.getMethods(),
              operation.getNotMethods(),
              value -> unknowable("methods" + value))
          && both(
              operation.getPaths(), operation.getNotPaths(), value -> unknowable("paths" + value))
          && both(
              operation.getHosts(), operation.getNotHosts(), value -> unknowable("hosts" + value));
    }

    boolean condition(Condition condition) {
      String principal = connection.principal();
      if (condition.getValues().isEmpty() && condition.getNotValues().isEmpty()) {
        return unknowable("empty condition");
      }
      java.util.function.Predicate<String> holds =
          switch (condition.getKey()) {
            case "source.ip" -> value -> block(value, connection.sourceIp());
            case "destination.ip" -> value -> block(value, connection.destinationIp());
            case "source.principal" -> value -> principal(value, principal);
            case "source.namespace" ->
                value -> string(value, principal == null ? null : principal.split("/", -1)[2]);
            case "destination.port" -> this::port;
            default -> value -> unknowable(condition.getKey() + value);
          };
      return both(condition.getValues(), condition.getNotValues(), holds);
    }

    private static boolean both(
        Collection<String> values,
        Collection<String> notValues,
        java.util.function.Predicate<String> holds) {
      return (values.isEmpty() || values.stream().anyMatch(holds))
          && notValues.stream().noneMatch(holds);
    }

    /** What is said of one name of the trust domain holds for all. */
    private boolean principal(String pattern, @Nullable String value) {
      return pattern.startsWith("spiffe://")
          ? unknowable(pattern)
          : pattern.startsWith("td/") || pattern.startsWith("old/")
              ? string(renamed(pattern), value == null ? null : renamed(value))
              : string(pattern, value);
    }

    private static String renamed(String principal) {
      return principal.startsWith("old/") ? "td/" + principal.substring(4) : principal;
    }

    private boolean string(String pattern, @Nullable String value) {
      if (pattern.length() > 1 && pattern.startsWith("*") && pattern.endsWith("*")) {
        return unknowable(pattern);
      }
      if (value == null) {
        return false;
      }
      if (pattern.equals("*")) {
        return true;
      }
      if (pattern.startsWith("*")) {
        return value.endsWith(pattern.substring(1));
      }
      return pattern.endsWith("*")
          ? value.startsWith(pattern.substring(0, pattern.length() - 1))
          : value.equals(pattern);
    }

    private boolean trustDomain(String pattern, @Nullable String value) {
      return pattern.contains("/") ? unknowable(pattern) : string(pattern, value);
    }

    private boolean account(String pattern, @Nullable String[] parts) {
      String[] wanted = pattern.split("/", -1);
      if (pattern.contains("*") || wanted.length > 2) {
        return unknowable(pattern);
      }
      String namespace = wanted.length == 1 ? "a" : wanted[0];
      return namespace.equals(parts[2]) && wanted[wanted.length - 1].equals(parts[4]);
    }

    private boolean block(String pattern, String ip) {
      return switch (pattern) {
        case "10.0.0.0/8" -> ip.startsWith("10.");
        case "10.0.0.1" -> ip.equals("10.0.0.1");
        case "fd00::/8" -> ip.startsWith("fd");
        case "0.0.0.0/0" -> !ip.contains(":");
        default -> unknowable(pattern);
      };
    }

    private boolean port(String pattern) {
      return switch (pattern) {
        case "80" -> connection.port() == 80;
        case "443" -> connection.port() == 443;
        default -> unknowable(pattern);
      };
    }

    /** Some answer, the same each time for the same connection. */
    private boolean unknowable(String what) {
      return new Random(seed ^ what.hashCode() * 31L ^ connection.hashCode()).nextBoolean();
    }

    private static List<String> list(Map<String, Object> other, String key) {
      return other.get(key) instanceof List<?> list
          ? list.stream().map(String::valueOf).toList()
          : List.of();
    }
  }

  // --- Random policies

  private static AuthorizationPolicy random(Random random, AuthorizationPolicyAction action) {
    List<Rule> rules = new ArrayList<>();
    for (int i = random.nextInt(3); i >= 0; i--) {
      rules.add(rule(random));
    }
    return new io.fabric8.istio.api.security.v1.AuthorizationPolicyBuilder()
        .withNewMetadata()
        .withNamespace("a")
        .withName("policy")
        .endMetadata()
        .withNewSpec()
        .withAction(action)
        .withRules(rules)
        .endSpec()
        .build();
  }

  private static Rule rule(Random random) {
    Rule rule = new Rule();
    List<RuleFrom> from = new ArrayList<>();
    for (int i = random.nextInt(3); i > 0; i--) {
      RuleFrom each = new RuleFrom();
      each.setSource(source(random));
      from.add(each);
    }
    List<RuleTo> to = new ArrayList<>();
    for (int i = random.nextInt(3); i > 0; i--) {
      RuleTo each = new RuleTo();
      each.setOperation(operation(random));
      to.add(each);
    }
    List<Condition> when = new ArrayList<>();
    for (int i = random.nextInt(4) - 1; i > 0; i--) {
      when.add(condition(random));
    }
    rule.setFrom(from);
    rule.setTo(to);
    rule.setWhen(when);
    return rule;
  }

  private static Source source(Random random) {
    Source source = new Source();
    maybe(random, PRINCIPALS, 3, source::setPrincipals);
    maybe(random, PRINCIPALS, 6, source::setNotPrincipals);
    maybe(random, NAMESPACES, 4, source::setNamespaces);
    maybe(random, NAMESPACES, 6, source::setNotNamespaces);
    maybe(random, ACCOUNTS, 6, source::setServiceAccounts);
    maybe(random, ACCOUNTS, 8, source::setNotServiceAccounts);
    maybe(random, BLOCKS, 5, source::setIpBlocks);
    maybe(random, BLOCKS, 8, source::setNotIpBlocks);
    maybe(random, ANYTHING, 12, source::setRequestPrincipals);
    maybe(random, ANYTHING, 16, source::setNotRequestPrincipals);
    maybe(random, ANYTHING, 16, source::setRemoteIpBlocks);
    maybe(random, ANYTHING, 16, source::setNotRemoteIpBlocks);
    maybe(random, TRUST_DOMAINS, 3, value -> source.setAdditionalProperty("trustDomains", value));
    maybe(
        random, TRUST_DOMAINS, 6, value -> source.setAdditionalProperty("notTrustDomains", value));
    maybe(random, ANYTHING, 20, value -> source.setAdditionalProperty("fieldOfTheFuture", value));
    return source;
  }

  private static Operation operation(Random random) {
    Operation operation = new Operation();
    maybe(random, PORTS, 2, operation::setPorts);
    maybe(random, PORTS, 4, operation::setNotPorts);
    maybe(random, ANYTHING, 8, operation::setMethods);
    maybe(random, ANYTHING, 12, operation::setNotMethods);
    maybe(random, ANYTHING, 12, operation::setPaths);
    maybe(random, ANYTHING, 16, operation::setNotPaths);
    maybe(random, ANYTHING, 16, operation::setHosts);
    maybe(random, ANYTHING, 16, operation::setNotHosts);
    return operation;
  }

  private static Condition condition(Random random) {
    Map<String, List<String>> keys =
        Map.of(
            "source.ip", BLOCKS,
            "destination.ip", BLOCKS,
            "source.principal", PRINCIPALS,
            "source.namespace", NAMESPACES,
            "destination.port", PORTS,
            "request.headers[x]", ANYTHING);
    String key = keys.keySet().stream().sorted().toList().get(random.nextInt(keys.size()));
    List<String> pool = keys.getOrDefault(key, ANYTHING);
    Condition condition = new Condition();
    condition.setKey(key);
    maybe(random, pool, 2, condition::setValues);
    maybe(random, pool, 2, condition::setNotValues);
    return condition;
  }

  private static void maybe(
      Random random, List<String> pool, int oneIn, Consumer<List<String>> field) {
    if (random.nextInt(oneIn) == 0) {
      List<String> values = new ArrayList<>();
      for (int i = random.nextInt(2); i >= 0; i--) {
        values.add(pool.get(random.nextInt(pool.size())));
      }
      field.accept(values);
    }
  }
}
