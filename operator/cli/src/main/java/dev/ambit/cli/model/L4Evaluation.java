package dev.ambit.cli.model;

import com.google.protobuf.ByteString;
import dev.ambit.operator.model.IpAddresses;
import dev.ambit.protocol.security.Action;
import dev.ambit.protocol.security.Address;
import dev.ambit.protocol.security.Authorization;
import dev.ambit.protocol.security.Clause;
import dev.ambit.protocol.security.Match;
import dev.ambit.protocol.security.Rule;
import dev.ambit.protocol.security.StringMatch;
import java.math.BigInteger;
import java.util.List;
import java.util.function.Predicate;
import org.jspecify.annotations.Nullable;

/** What a ztunnel makes of a connection by the policies that apply to its destination. */
public final class L4Evaluation {
  private L4Evaluation() {}

  /**
   * A connection.
   *
   * @param principal without {@code spiffe://}; absent for plaintext
   */
  public record Connection(
      @Nullable String principal, String sourceIp, String destinationIp, int port) {}

  /** What becomes of it. */
  public sealed interface Verdict {
    /**
     * It is let in.
     *
     * @param by the policy that allows it; absent where there is no ALLOW policy
     */
    record Allowed(@Nullable String by) implements Verdict {}

    /**
     * It is refused.
     *
     * @param by the policy that denies it; absent where there are ALLOW policies, and none matches
     */
    record Denied(@Nullable String by) implements Verdict {}
  }

  /** Judges by policies that all apply; those that are only tried are passed over. */
  public static Verdict judge(List<Authorization> policies, Connection connection) {
    List<Authorization> enforced = policies.stream().filter(each -> !each.getDryRun()).toList();
    for (Authorization policy : enforced) {
      if (policy.getAction() == Action.DENY && matches(policy, connection)) {
        return new Verdict.Denied(name(policy));
      }
    }
    List<Authorization> allowing =
        enforced.stream().filter(each -> each.getAction() == Action.ALLOW).toList();
    if (allowing.isEmpty()) {
      return new Verdict.Allowed(null);
    }
    for (Authorization policy : allowing) {
      if (matches(policy, connection)) {
        return new Verdict.Allowed(name(policy));
      }
    }
    return new Verdict.Denied(null);
  }

  /** A policy's name with its namespace. */
  public static String name(Authorization policy) {
    return policy.getNamespace() + "/" + policy.getName();
  }

  /** Whether any of the policy's rules matches. */
  public static boolean matches(Authorization policy, Connection connection) {
    return policy.getRulesList().stream().anyMatch(rule -> matches(rule, connection));
  }

  private static boolean matches(Rule rule, Connection connection) {
    return rule.getClausesList().stream().allMatch(clause -> matches(clause, connection));
  }

  private static boolean matches(Clause clause, Connection connection) {
    return clause.getMatchesCount() == 0
        || clause.getMatchesList().stream()
            .filter(match -> !match.equals(Match.getDefaultInstance()))
            .anyMatch(match -> matches(match, connection));
  }

  private static boolean matches(Match match, Connection connection) {
    String principal = connection.principal();
    String namespace = part(principal, 2);
    String account = part(principal, 4);
    return any(match.getPrincipalsList(), each -> matches(each, principal))
        && none(match.getNotPrincipalsList(), each -> matches(each, principal))
        && any(match.getNamespacesList(), each -> matches(each, namespace))
        && none(match.getNotNamespacesList(), each -> matches(each, namespace))
        && any(
            match.getServiceAccountsList(),
            each ->
                each.getNamespace().equals(namespace) && each.getServiceAccount().equals(account))
        && none(
            match.getNotServiceAccountsList(),
            each ->
                each.getNamespace().equals(namespace) && each.getServiceAccount().equals(account))
        && any(match.getSourceIpsList(), each -> contains(each, connection.sourceIp()))
        && none(match.getNotSourceIpsList(), each -> contains(each, connection.sourceIp()))
        && any(match.getDestinationIpsList(), each -> contains(each, connection.destinationIp()))
        && none(
            match.getNotDestinationIpsList(), each -> contains(each, connection.destinationIp()))
        && any(match.getDestinationPortsList(), each -> each == connection.port())
        && none(match.getNotDestinationPortsList(), each -> each == connection.port());
  }

  /** Of {@code trust-domain/ns/NAMESPACE/sa/ACCOUNT}. */
  private static @Nullable String part(@Nullable String principal, int index) {
    if (principal == null) {
      return null;
    }
    String[] parts = principal.split("/", -1);
    return index < parts.length ? parts[index] : null;
  }

  private static boolean matches(StringMatch match, @Nullable String value) {
    if (value == null || value.isEmpty()) {
      return false;
    }
    return switch (match.getMatchTypeCase()) {
      case EXACT -> value.equals(match.getExact());
      case PREFIX -> value.startsWith(match.getPrefix());
      case SUFFIX -> value.endsWith(match.getSuffix());
      case PRESENCE -> true;
      case MATCHTYPE_NOT_SET -> false;
    };
  }

  private static boolean contains(Address block, String ip) {
    ByteString address = IpAddresses.parse(ip).orElse(ByteString.EMPTY);
    if (address.isEmpty() || address.size() != block.getAddress().size()) {
      return false;
    }
    int shift = address.size() * 8 - block.getLength();
    return new BigInteger(1, address.toByteArray())
        .shiftRight(shift)
        .equals(new BigInteger(1, block.getAddress().toByteArray()).shiftRight(shift));
  }

  private static <T> boolean any(List<T> values, Predicate<T> holds) {
    return values.isEmpty() || values.stream().anyMatch(holds);
  }

  private static <T> boolean none(List<T> values, Predicate<T> holds) {
    return values.stream().noneMatch(holds);
  }
}
