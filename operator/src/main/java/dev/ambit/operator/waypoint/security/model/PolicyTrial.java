package dev.ambit.operator.waypoint.security.model;

import dev.ambit.operator.model.TrustDomains;
import io.fabric8.istio.api.api.security.v1beta1.AuthorizationPolicyAction;
import io.fabric8.istio.api.security.v1.AuthorizationPolicy;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.regex.PatternSyntaxException;
import org.jspecify.annotations.Nullable;

/**
 * What policies that are attached to one service would make of a request of which only that is
 * known which an access log keeps. Where a rule turns on something else, the answer is that nobody
 * knows.
 */
public final class PolicyTrial {
  /**
   * A request as a log has it.
   *
   * @param principal the client's SPIFFE URI; null where it showed none
   * @param sourceAddress where the connection came from; null where the log does not say
   * @param path with its query
   * @param port of the service
   */
  public record SeenRequest(
      @Nullable String principal,
      @Nullable String sourceAddress,
      String method,
      String path,
      String authority,
      int port) {}

  /** What would become of it. */
  public sealed interface Outcome {
    /**
     * It is let in.
     *
     * @param rule the one that allows it; empty where no policy has anything against it
     */
    record Allowed(String rule) implements Outcome {}

    /**
     * It is refused.
     *
     * @param rule the one that denies it; empty where none allows it
     */
    record Denied(String rule) implements Outcome {}

    /** It turns on what the log does not have, of this rule. */
    record Unknown(String rule) implements Outcome {}
  }

  private enum Truth {
    FALSE,
    UNKNOWN,
    TRUE;

    Truth not() {
      return values()[2 - ordinal()];
    }

    static Truth of(boolean holds) {
      return holds ? TRUE : FALSE;
    }
  }

  /** A policy's rules. */
  private record Judge(AuthorizationPolicyAction action, List<RuleCondition> rules) {}

  private final List<Judge> judges = new ArrayList<>();
  private final List<String> notes = new ArrayList<>();

  /**
   * A trial of these policies, all of which count.
   *
   * @param policies that are attached to the service, its waypoint or the waypoint's class
   */
  public PolicyTrial(List<AuthorizationPolicy> policies, TrustDomains trustDomains) {
    for (AuthorizationPolicy policy : policies) {
      PolicyRules.Result read = PolicyRules.of(policy, trustDomains, Layer.HTTP);
      judges.add(new Judge(PolicyRules.action(policy), read.rules()));
      for (Finding finding : read.findings()) {
        notes.add(
            policy.getMetadata().getNamespace()
                + "/"
                + policy.getMetadata().getName()
                + ": "
                + finding.path()
                + " "
                + finding.effect());
      }
    }
  }

  /** What of the policies waypoints do not do as it is written. */
  public List<String> notes() {
    return List.copyOf(notes);
  }

  /**
   * Judges as a waypoint does: what is denied, then what is asked of others, then what is allowed.
   */
  public Outcome judge(SeenRequest request) {
    Optional<String> denied = first(AuthorizationPolicyAction.DENY, request, Truth.TRUE);
    if (denied.isPresent()) {
      return new Outcome.Denied(denied.get());
    }
    boolean allowsSome =
        judges.stream().anyMatch(each -> each.action() == AuthorizationPolicyAction.ALLOW);
    Optional<String> allowed = first(AuthorizationPolicyAction.ALLOW, request, Truth.TRUE);
    Optional<String> perhapsAllowed =
        first(AuthorizationPolicyAction.ALLOW, request, Truth.UNKNOWN);
    if (allowsSome && allowed.isEmpty() && perhapsAllowed.isEmpty()) {
      return new Outcome.Denied("");
    }
    Optional<String> unknown =
        first(AuthorizationPolicyAction.DENY, request, Truth.UNKNOWN)
            // What an external authorizer would have said, nobody knows.
            .or(() -> first(AuthorizationPolicyAction.CUSTOM, request, Truth.TRUE))
            .or(() -> first(AuthorizationPolicyAction.CUSTOM, request, Truth.UNKNOWN))
            .or(() -> allowed.isPresent() || !allowsSome ? Optional.empty() : perhapsAllowed);
    return unknown.isPresent()
        ? new Outcome.Unknown(unknown.get())
        : new Outcome.Allowed(allowed.orElse(""));
  }

  private Optional<String> first(
      AuthorizationPolicyAction action, SeenRequest request, Truth wanted) {
    return judges.stream()
        .filter(judge -> judge.action() == action)
        .flatMap(judge -> judge.rules().stream())
        .filter(rule -> truth(rule.whole(), request) == wanted)
        .map(RuleCondition::name)
        .findFirst();
  }

  private static Truth truth(Condition condition, SeenRequest request) {
    return switch (condition) {
      case Condition.Constant(boolean holds) -> Truth.of(holds);
      case Condition.All(List<Condition> all) ->
          all.stream()
              .map(each -> truth(each, request))
              .reduce(Truth.TRUE, (one, other) -> one.compareTo(other) < 0 ? one : other);
      case Condition.Any(List<Condition> any) ->
          any.stream()
              .map(each -> truth(each, request))
              .reduce(Truth.FALSE, (one, other) -> one.compareTo(other) > 0 ? one : other);
      case Condition.Not(Condition inner) -> truth(inner, request).not();
      case Condition.Peer(TextMatch match) -> text(match, request.principal());
      case Condition.SourceAddress(AddressBlock block) ->
          request.sourceAddress() == null
              ? Truth.UNKNOWN
              : Truth.of(block.contains(request.sourceAddress()));
      case Condition.DestinationPort(int port) -> Truth.of(port == request.port());
      case Condition.Path(TextMatch match) -> text(match, withoutQuery(request.path()));
      case Condition.Header(String name, TextMatch match) ->
          switch (name) {
            case ":method" -> text(match, request.method());
            case ":authority", "host" -> text(match, request.authority());
            case ":path" -> text(match, request.path());
            default -> Truth.UNKNOWN;
          };
      case Condition.RemoteAddress _,
          Condition.DestinationAddress _,
          Condition.ServerName _,
          Condition.Metadata _ ->
          Truth.UNKNOWN;
    };
  }

  private static String withoutQuery(String path) {
    int query = path.indexOf('?');
    return query < 0 ? path : path.substring(0, query);
  }

  private static Truth text(TextMatch match, @Nullable String text) {
    if (text == null) {
      return Truth.FALSE;
    }
    return switch (match) {
      case TextMatch.Exact(String wanted, boolean ignoreCase) ->
          Truth.of(ignoreCase ? text.equalsIgnoreCase(wanted) : text.equals(wanted));
      case TextMatch.Prefix(String wanted, boolean ignoreCase) ->
          Truth.of(text.regionMatches(ignoreCase, 0, wanted, 0, wanted.length()));
      case TextMatch.Suffix(String wanted, boolean ignoreCase) ->
          Truth.of(
              text.regionMatches(
                  ignoreCase, text.length() - wanted.length(), wanted, 0, wanted.length()));
      case TextMatch.Pattern(String regex) -> pattern(regex, text);
      case TextMatch.Present _ -> Truth.of(!text.isEmpty());
    };
  }

  private static Truth pattern(String regex, String text) {
    try {
      return Truth.of(
          java.util.regex.Pattern.compile(regex, java.util.regex.Pattern.DOTALL)
              .matcher(text)
              .matches());
    } catch (PatternSyntaxException e) {
      // One of RE2's own.
      return Truth.UNKNOWN;
    }
  }
}
