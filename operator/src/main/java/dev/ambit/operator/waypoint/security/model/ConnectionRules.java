package dev.ambit.operator.waypoint.security.model;

import com.github.xds.core.v3.TypedExtensionConfig;
import com.github.xds.type.matcher.v3.Matcher;
import com.google.protobuf.Any;
import com.google.protobuf.Message;
import dev.ambit.operator.waypoint.model.FilterState;
import io.envoyproxy.envoy.config.rbac.v3.Action;
import io.envoyproxy.envoy.config.rbac.v3.RBAC;
import io.envoyproxy.envoy.extensions.matching.common_inputs.network.v3.DirectSourceIPInput;
import io.envoyproxy.envoy.extensions.matching.common_inputs.network.v3.FilterStateInput;
import io.envoyproxy.envoy.extensions.matching.input_matchers.ip.v3.Ip;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * Who may connect where, for the RBAC filter that judges a tunnel when it is asked for: a map from
 * destinations to what is decided of each. Destinations that are not in it are let pass.
 */
final class ConnectionRules {
  private ConnectionRules() {}

  /**
   * What is decided of a destination: denied where a rule of the first kind matches, and where
   * there are rules of the second kind, or a policy without any, and none matches.
   *
   * @param allow absent where there is no policy that allows
   */
  record Verdicts(List<RuleCondition> deny, Optional<List<RuleCondition>> allow) {
    /**
     * What an external authorizer would have to be asked about is denied, as it knows of requests.
     */
    static Verdicts enforced(ActionRules rules) {
      List<RuleCondition> deny = new ArrayList<>(rules.custom());
      deny.addAll(rules.deny());
      return new Verdicts(List.copyOf(deny), rules.allow());
    }

    boolean letsAllPass() {
      return deny.isEmpty() && allow.isEmpty();
    }
  }

  /** Lets all pass where there is no destination. */
  static Matcher matcher(Map<Destination, Verdicts> destinations) {
    Matcher.OnMatch pass = decision("no-policy", RBAC.Action.ALLOW);
    if (destinations.isEmpty()) {
      return Matcher.newBuilder().setOnNoMatch(pass).build();
    }
    Matcher.MatcherTree.MatchMap.Builder map = Matcher.MatcherTree.MatchMap.newBuilder();
    destinations.forEach(
        (destination, verdicts) ->
            map.putMap(destination.toString(), decide(verdicts, destination)));
    return Matcher.newBuilder()
        .setMatcherTree(
            Matcher.MatcherTree.newBuilder()
                .setInput(filterState(FilterState.DESTINATION))
                .setExactMatchMap(map))
        .setOnNoMatch(pass)
        .build();
  }

  private static Matcher.OnMatch decide(Verdicts verdicts, Destination destination) {
    Matcher.MatcherList.Builder list = Matcher.MatcherList.newBuilder();
    for (RuleCondition rule : verdicts.deny()) {
      Condition condition = destination.known(rule.whole());
      if (condition.equals(Condition.ALWAYS)) {
        // What follows is not reached.
        return end(list, decision(rule.name(), RBAC.Action.DENY));
      }
      if (!condition.equals(Condition.NEVER)) {
        list.addMatchers(field(condition, decision(rule.name(), RBAC.Action.DENY)));
      }
    }
    if (verdicts.allow().isEmpty()) {
      return end(list, decision("none-denies", RBAC.Action.ALLOW));
    }
    for (RuleCondition rule : verdicts.allow().get()) {
      Condition condition = destination.known(rule.whole());
      if (condition.equals(Condition.ALWAYS)) {
        return end(list, decision(rule.name(), RBAC.Action.ALLOW));
      }
      if (!condition.equals(Condition.NEVER)) {
        list.addMatchers(field(condition, decision(rule.name(), RBAC.Action.ALLOW)));
      }
    }
    return end(list, decision("none-allows", RBAC.Action.DENY));
  }

  private static Matcher.OnMatch end(Matcher.MatcherList.Builder list, Matcher.OnMatch otherwise) {
    return list.getMatchersCount() == 0
        ? otherwise
        : Matcher.OnMatch.newBuilder()
            .setMatcher(Matcher.newBuilder().setMatcherList(list).setOnNoMatch(otherwise))
            .build();
  }

  private static Matcher.MatcherList.FieldMatcher field(
      Condition condition, Matcher.OnMatch decision) {
    return Matcher.MatcherList.FieldMatcher.newBuilder()
        .setPredicate(predicate(condition))
        .setOnMatch(decision)
        .build();
  }

  private static Matcher.OnMatch decision(String name, RBAC.Action action) {
    return Matcher.OnMatch.newBuilder()
        .setAction(extension("action", Action.newBuilder().setName(name).setAction(action).build()))
        .build();
  }

  private static Matcher.MatcherList.Predicate predicate(Condition condition) {
    Matcher.MatcherList.Predicate.Builder predicate = Matcher.MatcherList.Predicate.newBuilder();
    return switch (condition) {
      case Condition.All(var conditions) -> predicate.setAndMatcher(predicates(conditions)).build();
      case Condition.Any(var conditions) -> predicate.setOrMatcher(predicates(conditions)).build();
      case Condition.Not(Condition inner) -> predicate.setNotMatcher(predicate(inner)).build();
      case Condition.Peer(TextMatch match) ->
          predicate
              .setSinglePredicate(
                  Matcher.MatcherList.Predicate.SinglePredicate.newBuilder()
                      .setInput(filterState(FilterState.PEER_PRINCIPAL))
                      .setValueMatch(string(match)))
              .build();
      case Condition.SourceAddress(AddressBlock block) ->
          predicate
              .setSinglePredicate(
                  Matcher.MatcherList.Predicate.SinglePredicate.newBuilder()
                      .setInput(extension("source", DirectSourceIPInput.getDefaultInstance()))
                      .setCustomMatch(
                          extension(
                              "block",
                              Ip.newBuilder()
                                  .addCidrRanges(Matchers.block(block))
                                  .setStatPrefix("policy")
                                  .build())))
              .build();
      case Condition.Constant _,
          Condition.DestinationAddress _,
          Condition.DestinationPort _,
          Condition.RemoteAddress _,
          Condition.ServerName _,
          Condition.Header _,
          Condition.Path _,
          Condition.Metadata _ ->
          throw new IllegalArgumentException("not of a connection: " + condition);
    };
  }

  private static Matcher.MatcherList.Predicate.PredicateList predicates(
      List<Condition> conditions) {
    Matcher.MatcherList.Predicate.PredicateList.Builder list =
        Matcher.MatcherList.Predicate.PredicateList.newBuilder();
    conditions.forEach(each -> list.addPredicate(predicate(each)));
    return list.build();
  }

  /** Envoy takes the one message for the other, of the same fields. */
  private static com.github.xds.type.matcher.v3.StringMatcher string(TextMatch match) {
    var matcher = com.github.xds.type.matcher.v3.StringMatcher.newBuilder();
    return switch (match) {
      case TextMatch.Exact(String text, boolean ignoreCase) ->
          matcher.setExact(text).setIgnoreCase(ignoreCase).build();
      case TextMatch.Prefix(String text, boolean ignoreCase) ->
          matcher.setPrefix(text).setIgnoreCase(ignoreCase).build();
      case TextMatch.Suffix(String text, boolean ignoreCase) ->
          matcher.setSuffix(text).setIgnoreCase(ignoreCase).build();
      case TextMatch.Pattern(String regex) -> matcher.setSafeRegex(regex(regex)).build();
      case TextMatch.Present() -> matcher.setSafeRegex(regex("(?s:.+)")).build();
    };
  }

  private static com.github.xds.type.matcher.v3.RegexMatcher regex(String regex) {
    return com.github.xds.type.matcher.v3.RegexMatcher.newBuilder()
        .setGoogleRe2(com.github.xds.type.matcher.v3.RegexMatcher.GoogleRE2.getDefaultInstance())
        .setRegex(regex)
        .build();
  }

  private static TypedExtensionConfig filterState(String key) {
    return extension(key, FilterStateInput.newBuilder().setKey(key).build());
  }

  private static TypedExtensionConfig extension(String name, Message config) {
    return TypedExtensionConfig.newBuilder().setName(name).setTypedConfig(Any.pack(config)).build();
  }
}
