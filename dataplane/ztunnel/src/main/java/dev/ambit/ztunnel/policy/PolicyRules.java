package dev.ambit.ztunnel.policy;

import com.google.protobuf.ByteString;
import com.google.protobuf.MessageOrBuilder;
import dev.ambit.protocol.security.Address;
import dev.ambit.protocol.security.Authorization;
import dev.ambit.protocol.security.Clause;
import dev.ambit.protocol.security.Match;
import dev.ambit.protocol.security.Rule;
import dev.ambit.protocol.security.ServiceAccountMatch;
import dev.ambit.protocol.security.StringMatch;
import dev.ambit.ztunnel.identity.Identity;
import dev.ambit.ztunnel.identity.TrustDomains;
import dev.ambit.ztunnel.state.Addresses;
import java.net.InetAddress;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.function.Predicate;
import org.jspecify.annotations.Nullable;

/**
 * Compiles a policy's rules into comparisons.
 *
 * @param denies whether the policy denies: decides what is stricter where something is not
 *     understood
 * @param domains under which principals a caller may be named
 * @param unknown what was not understood is added here
 */
record PolicyRules(boolean denies, TrustDomains domains, List<String> unknown) {
  private static final int MAPPED_PREFIX = 96;
  private static final byte[] MAPPED = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, -1, -1};

  List<Predicate<PolicyInput>> compile(Authorization proto) {
    if (isUnknown(proto, "a field of the policy")) {
      return denies ? List.of(input -> true) : List.of();
    }
    List<Predicate<PolicyInput>> rules = new ArrayList<>(proto.getRulesCount());
    for (Rule rule : proto.getRulesList()) {
      rules.add(rule(rule));
    }
    return List.copyOf(rules);
  }

  /**
   * The principals of which a caller has to be one for any rule to match, of a policy of which all
   * is understood; null where others may match, too.
   */
  static @Nullable Set<String> callers(Authorization proto) {
    Set<String> all = new HashSet<>();
    for (Rule rule : proto.getRulesList()) {
      Set<String> ofRule = callers(rule);
      if (ofRule == null) {
        return null;
      }
      all.addAll(ofRule);
    }
    return Set.copyOf(all);
  }

  /** All clauses have to hold, so those of any clause will do. */
  private static @Nullable Set<String> callers(Rule rule) {
    for (Clause clause : rule.getClausesList()) {
      Set<String> ofClause = callers(clause);
      if (ofClause != null) {
        return ofClause;
      }
    }
    return null;
  }

  private static @Nullable Set<String> callers(Clause clause) {
    Set<String> all = new HashSet<>();
    for (Match match : clause.getMatchesList()) {
      if (match.getPrincipalsCount() == 0) {
        return null;
      }
      for (StringMatch principal : match.getPrincipalsList()) {
        if (!principal.hasExact()) {
          return null;
        }
        all.add(principal.getExact());
      }
    }
    return clause.getMatchesCount() == 0 ? null : all;
  }

  private static boolean isUnknown(MessageOrBuilder message) {
    return !message.getUnknownFields().asMap().isEmpty();
  }

  private boolean isUnknown(MessageOrBuilder message, String what) {
    if (!isUnknown(message)) {
      return false;
    }
    unknown.add(what + " (" + message.getUnknownFields().asMap().keySet() + ")");
    return true;
  }

  /** All clauses have to hold; with none the rule matches everything. */
  private Predicate<PolicyInput> rule(Rule rule) {
    if (isUnknown(rule, "a field of a rule")) {
      return input -> denies;
    }
    List<Predicate<PolicyInput>> clauses = new ArrayList<>(rule.getClausesCount());
    for (Clause clause : rule.getClausesList()) {
      clauses.add(clause(clause));
    }
    return all(clauses);
  }

  /** One match has to hold; with none the clause holds. A match without fields is passed over. */
  private Predicate<PolicyInput> clause(Clause clause) {
    if (isUnknown(clause, "a field of a clause")) {
      return input -> denies;
    }
    if (clause.getMatchesCount() == 0) {
      return input -> true;
    }
    List<Predicate<PolicyInput>> matches = new ArrayList<>(clause.getMatchesCount());
    for (Match match : clause.getMatchesList()) {
      List<Predicate<PolicyInput>> fields = fields(match);
      if (!fields.isEmpty()) {
        matches.add(all(fields));
      }
    }
    return any(matches);
  }

  private List<Predicate<PolicyInput>> fields(Match match) {
    List<Predicate<PolicyInput>> fields = new ArrayList<>();
    if (isUnknown(match, "a field of a match")) {
      fields.add(input -> denies);
    }
    if (match.getExtensionsCount() > 0) {
      unknown.add("an extension of a match");
      fields.add(input -> denies);
    }
    add(fields, namespaces(match.getNamespacesList(), false), false);
    add(fields, namespaces(match.getNotNamespacesList(), true), true);
    add(fields, accounts(match.getServiceAccountsList(), false), false);
    add(fields, accounts(match.getNotServiceAccountsList(), true), true);
    add(fields, principals(match.getPrincipalsList(), false), false);
    add(fields, principals(match.getNotPrincipalsList(), true), true);
    add(fields, blocks(match.getSourceIpsList(), PolicyInput::sourceIp, false), false);
    add(fields, blocks(match.getNotSourceIpsList(), PolicyInput::sourceIp, true), true);
    add(fields, blocks(match.getDestinationIpsList(), PolicyRules::destinationIp, false), false);
    add(fields, blocks(match.getNotDestinationIpsList(), PolicyRules::destinationIp, true), true);
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

  /** What a value that is not understood counts as, so that its field is the stricter for it. */
  private Predicate<PolicyInput> unknownValue(String what, boolean negated) {
    unknown.add(what);
    boolean matches = denies != negated;
    return input -> matches;
  }

  private interface Ip {
    InetAddress of(PolicyInput input);
  }

  private static InetAddress destinationIp(PolicyInput input) {
    return input.destinationAddress().getAddress();
  }

  private @Nullable Predicate<String> text(StringMatch value) {
    if (isUnknown(value)) {
      return null;
    }
    return switch (value.getMatchTypeCase()) {
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
      case MATCHTYPE_NOT_SET -> null;
    };
  }

  /** A caller without identity matches none, not even presence. */
  private List<Predicate<PolicyInput>> namespaces(List<StringMatch> values, boolean negated) {
    List<Predicate<PolicyInput>> matchers = new ArrayList<>(values.size());
    for (StringMatch value : values) {
      Predicate<String> matcher = text(value);
      if (matcher == null) {
        matchers.add(unknownValue("a kind of string match", negated));
        continue;
      }
      matchers.add(
          input -> {
            Identity source = input.source();
            return source != null && matcher.test(source.namespace());
          });
    }
    return matchers;
  }

  /** A caller without identity matches none, not even presence. */
  private List<Predicate<PolicyInput>> principals(List<StringMatch> values, boolean negated) {
    List<Predicate<PolicyInput>> matchers = new ArrayList<>(values.size());
    for (StringMatch value : values) {
      Predicate<String> matcher = text(value);
      if (matcher == null) {
        matchers.add(unknownValue("a kind of string match", negated));
      } else if (domains.aliases().isEmpty() && value.hasExact()) {
        String exact = value.getExact();
        matchers.add(
            input -> {
              Identity source = input.source();
              return source != null && source.hasPrincipal(exact);
            });
      } else if (domains.aliases().isEmpty()) {
        matchers.add(
            input -> {
              Identity source = input.source();
              return source != null && matcher.test(source.principal());
            });
      } else {
        matchers.add(input -> matchesAny(matcher, input));
      }
    }
    return matchers;
  }

  private boolean matchesAny(Predicate<String> matcher, PolicyInput input) {
    Identity source = input.source();
    if (source != null) {
      String own = input.destination().identity().trustDomain();
      for (String principal : domains.principals(own, source)) {
        if (matcher.test(principal)) {
          return true;
        }
      }
    }
    return false;
  }

  private List<Predicate<PolicyInput>> accounts(List<ServiceAccountMatch> values, boolean negated) {
    List<Predicate<PolicyInput>> matchers = new ArrayList<>(values.size());
    for (ServiceAccountMatch value : values) {
      if (isUnknown(value)) {
        matchers.add(unknownValue("a field of a service account match", negated));
        continue;
      }
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

  private List<Predicate<PolicyInput>> blocks(List<Address> values, Ip ip, boolean negated) {
    List<Predicate<PolicyInput>> matchers = new ArrayList<>(values.size());
    for (Address value : values) {
      matchers.add(block(value, ip, negated));
    }
    return matchers;
  }

  private Predicate<PolicyInput> block(Address value, Ip ip, boolean negated) {
    ByteString bytes = value.getAddress();
    boolean wellFormed =
        !isUnknown(value)
            && (bytes.size() == 4 || bytes.size() == 16)
            && value.getLength() >= 0
            && value.getLength() <= bytes.size() * 8;
    if (!wellFormed) {
      return unknownValue(
          "an address block of "
              + bytes.size()
              + " bytes and prefix length "
              + Integer.toUnsignedString(value.getLength()),
          negated);
    }
    byte[] address = bytes.toByteArray();
    // Addresses that are compared are never of the mapped form, so neither may a block be.
    boolean mapped =
        address.length == 16
            && value.getLength() >= MAPPED_PREFIX
            && Arrays.equals(address, 0, MAPPED.length, MAPPED, 0, MAPPED.length);
    byte[] prefix = mapped ? Arrays.copyOfRange(address, MAPPED.length, 16) : address;
    int length = mapped ? value.getLength() - MAPPED_PREFIX : value.getLength();
    return input ->
        Addresses.samePrefix(prefix, Addresses.canonical(ip.of(input)).getAddress(), length);
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
