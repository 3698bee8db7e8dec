package dev.ambit.ztunnel.policy;

import com.google.protobuf.ByteString;
import dev.ambit.protocol.security.Address;
import dev.ambit.protocol.security.Authorization;
import dev.ambit.protocol.security.Clause;
import dev.ambit.protocol.security.Match;
import dev.ambit.protocol.security.Rule;
import dev.ambit.protocol.security.ServiceAccountMatch;
import dev.ambit.protocol.security.StringMatch;
import dev.ambit.ztunnel.identity.Identity;
import dev.ambit.ztunnel.state.Addresses;
import dev.ambit.ztunnel.state.InvalidResourceException;
import java.net.InetAddress;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Predicate;
import org.jspecify.annotations.Nullable;

/**
 * One authorization policy, compiled once so that judging a connection only compares.
 *
 * @param name {@code namespace/name}
 * @param namespace the policy's namespace
 * @param scope which workloads it speaks for
 * @param action what a match does
 * @param dryRun judged and reported, never enforced
 * @param proto the control plane's form, for inspection
 */
public record Policy(
    String name,
    String namespace,
    Scope scope,
    Action action,
    boolean dryRun,
    List<Predicate<PolicyInput>> rules,
    Authorization proto) {

  /** Which workloads a policy speaks for. */
  public enum Scope {
    /** All of the mesh. */
    MESH,
    /** Those of the policy's namespace. */
    NAMESPACE,
    /** Those that refer to it. */
    SELECTED
  }

  /** What a match does. */
  public enum Action {
    ALLOW,
    DENY
  }

  /** Whether any rule matches; a policy without rules never does. */
  boolean matches(PolicyInput input) {
    for (int i = 0; i < rules.size(); i++) {
      if (rules.get(i).test(input)) {
        return true;
      }
    }
    return false;
  }

  /**
   * Compiles the control plane's form.
   *
   * @throws InvalidResourceException where it cannot be enforced as it stands
   */
  public static Policy of(Authorization proto) {
    String name = proto.getNamespace() + "/" + proto.getName();
    if (proto.getName().isEmpty()) {
      throw new InvalidResourceException("policy '" + name + "' has no name");
    }
    List<Predicate<PolicyInput>> rules = new ArrayList<>(proto.getRulesCount());
    for (Rule rule : proto.getRulesList()) {
      rules.add(rule(rule, name));
    }
    Scope scope =
        switch (proto.getScope()) {
          case GLOBAL -> Scope.MESH;
          case NAMESPACE -> Scope.NAMESPACE;
          case WORKLOAD_SELECTOR -> Scope.SELECTED;
          case UNRECOGNIZED -> throw unknown(name, "scope", proto.getScopeValue());
        };
    Action action =
        switch (proto.getAction()) {
          case ALLOW -> Action.ALLOW;
          case DENY -> Action.DENY;
          case UNRECOGNIZED -> throw unknown(name, "action", proto.getActionValue());
        };
    return new Policy(
        name, proto.getNamespace(), scope, action, proto.getDryRun(), List.copyOf(rules), proto);
  }

  private static InvalidResourceException unknown(String policy, String what, int value) {
    return new InvalidResourceException(
        "policy '" + policy + "' has " + what + " " + value + ", which is not known");
  }

  /** All clauses have to hold; with none the rule matches everything. */
  private static Predicate<PolicyInput> rule(Rule rule, String policy) {
    List<Predicate<PolicyInput>> clauses = new ArrayList<>(rule.getClausesCount());
    for (Clause clause : rule.getClausesList()) {
      clauses.add(clause(clause, policy));
    }
    return all(clauses);
  }

  /** One match has to hold; with none the clause holds. A match without fields is passed over. */
  private static Predicate<PolicyInput> clause(Clause clause, String policy) {
    if (clause.getMatchesCount() == 0) {
      return input -> true;
    }
    List<Predicate<PolicyInput>> matches = new ArrayList<>(clause.getMatchesCount());
    for (Match match : clause.getMatchesList()) {
      List<Predicate<PolicyInput>> fields = fields(match, policy);
      if (!fields.isEmpty()) {
        matches.add(all(fields));
      }
    }
    return any(matches);
  }

  private static List<Predicate<PolicyInput>> fields(Match match, String policy) {
    List<Predicate<PolicyInput>> fields = new ArrayList<>();
    add(fields, strings(match.getNamespacesList(), policy, Policy::sourceNamespace), false);
    add(fields, strings(match.getNotNamespacesList(), policy, Policy::sourceNamespace), true);
    add(fields, accounts(match.getServiceAccountsList()), false);
    add(fields, accounts(match.getNotServiceAccountsList()), true);
    add(fields, strings(match.getPrincipalsList(), policy, Policy::sourcePrincipal), false);
    add(fields, strings(match.getNotPrincipalsList(), policy, Policy::sourcePrincipal), true);
    add(fields, blocks(match.getSourceIpsList(), policy, PolicyInput::sourceIp), false);
    add(fields, blocks(match.getNotSourceIpsList(), policy, PolicyInput::sourceIp), true);
    add(fields, blocks(match.getDestinationIpsList(), policy, Policy::destinationIp), false);
    add(fields, blocks(match.getNotDestinationIpsList(), policy, Policy::destinationIp), true);
    add(fields, ports(match.getDestinationPortsList()), false);
    add(fields, ports(match.getNotDestinationPortsList()), true);
    return fields;
  }

  private static void add(
      List<Predicate<PolicyInput>> fields, List<Predicate<PolicyInput>> values, boolean negated) {
    if (!values.isEmpty()) {
      Predicate<PolicyInput> oneOf = any(values);
      fields.add(negated ? oneOf.negate() : oneOf);
    }
  }

  private interface Text {
    @Nullable String of(PolicyInput input);
  }

  private interface Ip {
    InetAddress of(PolicyInput input);
  }

  private static @Nullable String sourceNamespace(PolicyInput input) {
    Identity source = input.source();
    return source == null ? null : source.namespace();
  }

  private static @Nullable String sourcePrincipal(PolicyInput input) {
    Identity source = input.source();
    return source == null ? null : source.principal();
  }

  private static InetAddress destinationIp(PolicyInput input) {
    return input.destinationAddress().getAddress();
  }

  /** A caller without identity matches none, not even presence. */
  private static List<Predicate<PolicyInput>> strings(
      List<StringMatch> values, String policy, Text text) {
    List<Predicate<PolicyInput>> matchers = new ArrayList<>(values.size());
    for (StringMatch value : values) {
      Predicate<String> matcher =
          switch (value.getMatchTypeCase()) {
            case EXACT -> value.getExact()::equals;
            case PREFIX -> {
              String prefix = value.getPrefix();
              yield actual -> actual.startsWith(prefix);
            }
            case SUFFIX -> {
              String suffix = value.getSuffix();
              yield actual -> actual.endsWith(suffix);
            }
            case PRESENCE -> actual -> !actual.isEmpty();
            case MATCHTYPE_NOT_SET ->
                throw new InvalidResourceException(
                    "policy '" + policy + "' has a string match of no known kind");
          };
      matchers.add(
          input -> {
            String actual = text.of(input);
            return actual != null && matcher.test(actual);
          });
    }
    return matchers;
  }

  private static List<Predicate<PolicyInput>> accounts(List<ServiceAccountMatch> values) {
    List<Predicate<PolicyInput>> matchers = new ArrayList<>(values.size());
    for (ServiceAccountMatch value : values) {
      String namespace = value.getNamespace();
      String serviceAccount = value.getServiceAccount();
      matchers.add(
          input -> {
            Identity source = input.source();
            return source != null
                && source.namespace().equals(namespace)
                && source.serviceAccount().equals(serviceAccount);
          });
    }
    return matchers;
  }

  private static List<Predicate<PolicyInput>> blocks(List<Address> values, String policy, Ip ip) {
    List<Predicate<PolicyInput>> matchers = new ArrayList<>(values.size());
    for (Address value : values) {
      ByteString bytes = value.getAddress();
      boolean wellFormed =
          (bytes.size() == 4 || bytes.size() == 16)
              && value.getLength() >= 0
              && value.getLength() <= bytes.size() * 8;
      if (!wellFormed) {
        throw new InvalidResourceException(
            "policy '"
                + policy
                + "' has an address block of "
                + bytes.size()
                + " bytes and prefix length "
                + Integer.toUnsignedString(value.getLength()));
      }
      byte[] prefix = bytes.toByteArray();
      int length = value.getLength();
      matchers.add(
          input ->
              Addresses.samePrefix(
                  prefix, Addresses.canonical(ip.of(input)).getAddress(), length));
    }
    return matchers;
  }

  private static List<Predicate<PolicyInput>> ports(List<Integer> values) {
    List<Predicate<PolicyInput>> matchers = new ArrayList<>(values.size());
    for (int port : values) {
      matchers.add(input -> input.destinationAddress().getPort() == port);
    }
    return matchers;
  }

  private static Predicate<PolicyInput> all(List<Predicate<PolicyInput>> parts) {
    if (parts.size() == 1) {
      return parts.getFirst();
    }
    List<Predicate<PolicyInput>> copy = List.copyOf(parts);
    return input -> {
      for (int i = 0; i < copy.size(); i++) {
        if (!copy.get(i).test(input)) {
          return false;
        }
      }
      return true;
    };
  }

  private static Predicate<PolicyInput> any(List<Predicate<PolicyInput>> parts) {
    if (parts.size() == 1) {
      return parts.getFirst();
    }
    List<Predicate<PolicyInput>> copy = List.copyOf(parts);
    return input -> {
      for (int i = 0; i < copy.size(); i++) {
        if (copy.get(i).test(input)) {
          return true;
        }
      }
      return false;
    };
  }
}
