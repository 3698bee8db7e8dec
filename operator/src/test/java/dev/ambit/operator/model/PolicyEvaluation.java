package dev.ambit.operator.model;

import com.google.protobuf.ByteString;
import dev.ambit.protocol.security.Address;
import dev.ambit.protocol.security.Authorization;
import dev.ambit.protocol.security.Clause;
import dev.ambit.protocol.security.Match;
import dev.ambit.protocol.security.Rule;
import dev.ambit.protocol.security.StringMatch;
import java.math.BigInteger;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * Whether an authorization matches a connection, as plainly as ztunnels' rules can be written down.
 */
final class PolicyEvaluation {
  private PolicyEvaluation() {}

  /** A connection; the principal is absent for plaintext. */
  record Connection(@Nullable String principal, String sourceIp, String destinationIp, int port) {}

  static boolean matches(Authorization policy, Connection connection) {
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
        && any(match.getSourceIpsList(), each -> matches(each, connection.sourceIp()))
        && none(match.getNotSourceIpsList(), each -> matches(each, connection.sourceIp()))
        && any(match.getDestinationIpsList(), each -> matches(each, connection.destinationIp()))
        && none(match.getNotDestinationIpsList(), each -> matches(each, connection.destinationIp()))
        && any(match.getDestinationPortsList(), each -> each == connection.port())
        && none(match.getNotDestinationPortsList(), each -> each == connection.port());
  }

  private static @Nullable String part(@Nullable String principal, int index) {
    return principal == null ? null : principal.split("/", -1)[index];
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

  static boolean matches(Address block, String ip) {
    ByteString address = IpAddresses.parse(ip).orElseThrow();
    if (address.size() != block.getAddress().size()) {
      return false;
    }
    int shift = address.size() * 8 - block.getLength();
    return new BigInteger(1, address.toByteArray())
        .shiftRight(shift)
        .equals(new BigInteger(1, block.getAddress().toByteArray()).shiftRight(shift));
  }

  private static <T> boolean any(List<T> values, java.util.function.Predicate<T> holds) {
    return values.isEmpty() || values.stream().anyMatch(holds);
  }

  private static <T> boolean none(List<T> values, java.util.function.Predicate<T> holds) {
    return values.stream().noneMatch(holds);
  }
}
