package dev.ambit.operator.waypoint.security.model;

import dev.ambit.operator.model.TrustDomains;
import io.fabric8.istio.api.api.security.v1beta1.AuthorizationPolicyAction;
import io.fabric8.istio.api.api.security.v1beta1.Operation;
import io.fabric8.istio.api.api.security.v1beta1.Rule;
import io.fabric8.istio.api.api.security.v1beta1.RuleFrom;
import io.fabric8.istio.api.api.security.v1beta1.RuleTo;
import io.fabric8.istio.api.api.security.v1beta1.Source;
import io.fabric8.istio.api.security.v1.AuthorizationPolicy;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.function.BiFunction;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;

/**
 * The rules of an AuthorizationPolicy as conditions. What a layer does not see, and what nobody
 * understands, counts as not matching where the policy allows and as matching where it denies.
 */
final class PolicyRules {
  private static final String HEADERS = "request.headers";
  private static final String CLAIMS = "request.auth.claims";
  private static final String FILTERS = "experimental.envoy.filters.";

  private final AuthorizationPolicy policy;
  private final TrustDomains trustDomains;
  private final Layer layer;
  private final Rounding rounding;
  private final List<Finding> findings = new ArrayList<>();

  private PolicyRules(
      AuthorizationPolicy policy, TrustDomains trustDomains, Layer layer, Rounding rounding) {
    this.policy = policy;
    this.trustDomains = trustDomains;
    this.layer = layer;
    this.rounding = rounding;
  }

  /**
   * What came of a policy.
   *
   * @param rules those that can match at all
   */
  record Result(List<RuleCondition> rules, List<Finding> findings) {}

  static Result of(AuthorizationPolicy policy, TrustDomains trustDomains, Layer layer) {
    Rounding rounding =
        switch (action(policy)) {
          case ALLOW -> Rounding.DOWN;
          case DENY, CUSTOM, AUDIT -> Rounding.UP;
        };
    return new PolicyRules(policy, trustDomains, layer, rounding).read();
  }

  static AuthorizationPolicyAction action(AuthorizationPolicy policy) {
    return policy.getSpec() == null || policy.getSpec().getAction() == null
        ? AuthorizationPolicyAction.ALLOW
        : policy.getSpec().getAction();
  }

  private Result read() {
    List<RuleCondition> rules = new ArrayList<>();
    if (policy.getSpec() != null) {
      for (String field : orEmpty(policy.getSpec().getAdditionalProperties()).keySet()) {
        findings.add(new Finding("spec." + field, "is not known and is not looked at"));
      }
      List<Rule> written = orEmpty(policy.getSpec().getRules());
      for (int i = 0; i < written.size(); i++) {
        RuleCondition rule = rule(i, written.get(i));
        if (!rule.never()) {
          rules.add(rule);
        }
      }
    }
    return new Result(List.copyOf(rules), List.copyOf(findings));
  }

  /** As Istio names it, and so as logs and metrics do. */
  private String name(int index) {
    return "ns["
        + policy.getMetadata().getNamespace()
        + "]-policy["
        + policy.getMetadata().getName()
        + "]-rule["
        + index
        + "]";
  }

  private RuleCondition rule(int index, @Nullable Rule rule) {
    String path = "spec.rules[" + index + "]";
    if (rule == null) {
      // "- {}" without its braces: as empty as that.
      return new RuleCondition(name(index), Condition.ALWAYS, Condition.ALWAYS);
    }
    List<Condition> sources = new ArrayList<>();
    List<Condition> operations = new ArrayList<>();
    unknown(path, rule.getAdditionalProperties(), operations);
    List<RuleFrom> from = orEmpty(rule.getFrom());
    if (!from.isEmpty()) {
      List<Condition> any = new ArrayList<>();
      for (int i = 0; i < from.size(); i++) {
        any.add(source(path + ".from[" + i + "]", from.get(i)));
      }
      sources.add(Condition.any(any));
    }
    List<RuleTo> to = orEmpty(rule.getTo());
    if (!to.isEmpty()) {
      List<Condition> any = new ArrayList<>();
      for (int i = 0; i < to.size(); i++) {
        any.add(operation(path + ".to[" + i + "]", to.get(i)));
      }
      operations.add(Condition.any(any));
    }
    List<io.fabric8.istio.api.api.security.v1beta1.Condition> when = orEmpty(rule.getWhen());
    for (int i = 0; i < when.size(); i++) {
      when(path + ".when[" + i + "]", when.get(i), sources, operations);
    }
    return new RuleCondition(name(index), Condition.all(sources), Condition.all(operations));
  }

  private Condition source(String fromPath, @Nullable RuleFrom from) {
    String path = fromPath + ".source";
    List<Condition> all = new ArrayList<>();
    Source source = from == null ? null : from.getSource();
    if (from != null) {
      unknown(fromPath, from.getAdditionalProperties(), all);
    }
    if (source == null) {
      all.add(undecided(path, "is empty"));
      return Condition.all(all);
    }
    Field account =
        seen(value -> Values.serviceAccount(policy.getMetadata().getNamespace(), value));
    boolean touched =
        add(
                all,
                path + ".principals",
                seen(this::principal),
                source.getPrincipals(),
                source.getNotPrincipals())
            | add(
                all,
                path + ".namespaces",
                seen(Values::namespace),
                source.getNamespaces(),
                source.getNotNamespaces())
            | add(
                all,
                path + ".serviceAccounts",
                account,
                source.getServiceAccounts(),
                source.getNotServiceAccounts())
            | add(
                all,
                path + ".ipBlocks",
                seen(Values::sourceBlock),
                source.getIpBlocks(),
                source.getNotIpBlocks())
            | add(
                all,
                path + ".requestPrincipals",
                token(http(Values::requestPrincipal)),
                source.getRequestPrincipals(),
                source.getNotRequestPrincipals())
            | add(
                all,
                path + ".remoteIpBlocks",
                http(Values::remoteBlock),
                source.getRemoteIpBlocks(),
                source.getNotRemoteIpBlocks());
    Field trustDomain = seen(this::trustDomain);
    for (Map.Entry<String, Object> other : orEmpty(source.getAdditionalProperties()).entrySet()) {
      String field = path + "." + other.getKey();
      switch (other.getKey()) {
        case "trustDomains" -> addAny(all, field, trustDomain, strings(other.getValue()));
        case "notTrustDomains" -> addNone(all, field, trustDomain, strings(other.getValue()));
        default -> all.add(undecided(field, "is not known"));
      }
      touched = true;
    }
    if (!touched) {
      all.add(undecided(path, "is empty"));
    }
    return Condition.all(all);
  }

  private Condition operation(String toPath, @Nullable RuleTo to) {
    String path = toPath + ".operation";
    List<Condition> all = new ArrayList<>();
    Operation operation = to == null ? null : to.getOperation();
    if (to != null) {
      unknown(toPath, to.getAdditionalProperties(), all);
    }
    if (operation == null) {
      all.add(undecided(path, "is empty"));
      return Condition.all(all);
    }
    boolean touched =
        add(all, path + ".ports", seen(Values::port), operation.getPorts(), operation.getNotPorts())
            | add(
                all,
                path + ".hosts",
                http(Values::host),
                operation.getHosts(),
                operation.getNotHosts())
            | add(
                all,
                path + ".methods",
                http(Values::method),
                operation.getMethods(),
                operation.getNotMethods())
            | add(
                all,
                path + ".paths",
                http(Values::path),
                operation.getPaths(),
                operation.getNotPaths());
    for (String field : orEmpty(operation.getAdditionalProperties()).keySet()) {
      all.add(undecided(path + "." + field, "is not known"));
      touched = true;
    }
    if (!touched) {
      all.add(undecided(path, "is empty"));
    }
    return Condition.all(all);
  }

  private void when(
      String path,
      io.fabric8.istio.api.api.security.v1beta1.@Nullable Condition condition,
      List<Condition> sources,
      List<Condition> operations) {
    if (condition == null || condition.getKey() == null) {
      operations.add(undecided(path, "is empty"));
      return;
    }
    unknown(path, condition.getAdditionalProperties(), operations);
    String key = condition.getKey();
    boolean destination =
        key.startsWith("destination.") || key.equals("connection.sni") || key.startsWith(FILTERS);
    List<Condition> side = destination ? operations : sources;
    Optional<Field> field = field(key);
    if (field.isEmpty()) {
      side.add(undecided(path + ".key", "\"" + key + "\" is not known"));
      return;
    }
    List<String> values = orEmpty(condition.getValues());
    List<String> notValues = orEmpty(condition.getNotValues());
    if (!(addAny(side, path + ".values", field.get(), values)
        | addNone(side, path + ".notValues", field.get(), notValues))) {
      side.add(undecided(path, "has no values"));
    }
  }

  private Optional<Condition> principal(String value) {
    return Values.principal(trustDomains, value);
  }

  private Optional<Condition> trustDomain(String value) {
    return Values.trustDomain(trustDomains, value);
  }

  private Optional<Field> field(String key) {
    return switch (key) {
      case "source.ip" -> Optional.of(seen(Values::sourceBlock));
      case "source.namespace" -> Optional.of(seen(Values::namespace));
      case "source.principal" -> Optional.of(seen(this::principal));
      case "source.serviceAccount" ->
          Optional.of(
              seen(value -> Values.serviceAccount(policy.getMetadata().getNamespace(), value)));
      case "source.trustDomain" -> Optional.of(seen(this::trustDomain));
      case "remote.ip" -> Optional.of(http(Values::remoteBlock));
      case "destination.ip" -> Optional.of(seen(Values::destinationBlock));
      case "destination.port" -> Optional.of(seen(Values::port));
      case "connection.sni" -> Optional.of(http(Values::serverName));
      case "request.auth.principal" -> Optional.of(token(http(Values::requestPrincipal)));
      case "request.auth.audiences" -> Optional.of(claim(List.of("aud")));
      case "request.auth.presenter" -> Optional.of(claim(List.of("azp")));
      default -> {
        if (key.startsWith(HEADERS)) {
          yield brackets(key.substring(HEADERS.length()))
              .filter(names -> names.size() == 1 && HeaderName.isOneOrPseudo(names.getFirst()))
              .map(names -> header(names.getFirst()));
        }
        if (key.startsWith(CLAIMS)) {
          yield brackets(key.substring(CLAIMS.length())).map(this::claim);
        }
        if (key.startsWith(FILTERS)) {
          int bracket = key.indexOf('[');
          yield bracket < 0
              ? Optional.empty()
              : brackets(key.substring(bracket))
                  .map(
                      names -> {
                        String filter = key.substring("experimental.".length(), bracket);
                        return http((value, round) -> Values.metadata(filter, names, value, round));
                      });
        }
        yield Optional.empty();
      }
    };
  }

  private Field header(String name) {
    // HTTP/2 has it as a pseudo header, and HTTP/1.1's becomes that one.
    String header = name.equalsIgnoreCase("host") ? ":authority" : name;
    return http((value, round) -> Values.header(header, value, round));
  }

  private Field claim(List<String> path) {
    return token(http((value, round) -> Values.claim(path, value, round)));
  }

  /** "[a][b]" as a and b. */
  private static Optional<List<String>> brackets(String text) {
    List<String> names = new ArrayList<>();
    int at = 0;
    while (at < text.length()) {
      int end = text.indexOf(']', at);
      if (text.charAt(at) != '[' || end < 0 || end == at + 1) {
        return Optional.empty();
      }
      String name = text.substring(at + 1, end);
      if (name.indexOf('[') >= 0) {
        return Optional.empty();
      }
      names.add(name);
      at = end + 1;
    }
    return names.isEmpty() ? Optional.empty() : Optional.of(List.copyOf(names));
  }

  // --- Fields

  /**
   * How the values of a field are read.
   *
   * @param unseen why this layer does not see the field, where it does not
   */
  private record Field(
      BiFunction<String, Rounding, Optional<Condition>> reader, Optional<String> unseen) {}

  private static Field seen(BiFunction<String, Rounding, Optional<Condition>> reader) {
    return new Field(reader, Optional.empty());
  }

  private static Field seen(Function<String, Optional<Condition>> reader) {
    return seen((value, _) -> reader.apply(value));
  }

  /** One that only requests have. */
  private Field http(BiFunction<String, Rounding, Optional<Condition>> reader) {
    return new Field(
        reader,
        switch (layer) {
          case HTTP -> Optional.empty();
          case TCP -> Optional.of("is not seen where a port is not HTTP");
        });
  }

  private Field http(Function<String, Optional<Condition>> reader) {
    return http((value, _) -> reader.apply(value));
  }

  /** One of a request's token, which is looked at only after the external authorizer was asked. */
  private Field token(Field field) {
    return field.unseen().isEmpty() && action(policy) == AuthorizationPolicyAction.CUSTOM
        ? new Field(
            field.reader(), Optional.of("is not known yet when the external authorizer is asked"))
        : field;
  }

  /**
   * Adds a field and its twin with "not" before it.
   *
   * @return whether either is set
   */
  private boolean add(
      List<Condition> into,
      String path,
      Field field,
      @Nullable List<String> values,
      @Nullable List<String> notValues) {
    int dot = path.lastIndexOf('.') + 1;
    String not =
        path.substring(0, dot)
            + "not"
            + path.substring(dot, dot + 1).toUpperCase(Locale.ROOT)
            + path.substring(dot + 1);
    return addAny(into, path, field, values) | addNone(into, not, field, notValues);
  }

  private boolean addAny(
      List<Condition> into, String path, Field field, @Nullable List<String> values) {
    if (values == null || values.isEmpty()) {
      return false;
    }
    into.add(anyOf(path, field, values, rounding));
    return true;
  }

  private boolean addNone(
      List<Condition> into, String path, Field field, @Nullable List<String> values) {
    if (values == null || values.isEmpty()) {
      return false;
    }
    into.add(Condition.not(anyOf(path, field, values, rounding.flipped())));
    return true;
  }

  private Condition anyOf(String path, Field field, List<String> values, Rounding round) {
    if (field.unseen().isPresent()) {
      report(path, field.unseen().get());
      return round.undecided();
    }
    List<Condition> any = new ArrayList<>();
    for (String value : values) {
      Optional<Condition> read =
          value == null ? Optional.empty() : field.reader().apply(value, round);
      if (read.isEmpty()) {
        report(path, "\"" + value + "\" is not a value that is understood");
      }
      any.add(read.orElseGet(round::undecided));
    }
    return Condition.any(any);
  }

  /** A constraint of which nothing is known. */
  private Condition undecided(String path, String why) {
    report(path, why);
    return rounding.undecided();
  }

  /** Fields that our types do not know may narrow what the policy means. */
  private void unknown(String path, @Nullable Map<String, Object> fields, List<Condition> into) {
    for (String field : orEmpty(fields).keySet()) {
      into.add(undecided(path + "." + field, "is not known"));
    }
  }

  private void report(String path, String why) {
    String effect =
        switch (action(policy)) {
          case ALLOW -> ", so it allows nothing";
          case DENY -> ", so it is taken to match and more is denied";
          case CUSTOM -> ", so it is taken to match and more is asked for";
          case AUDIT -> ", so it is taken to match and more is audited";
        };
    findings.add(new Finding(path, why + effect));
  }

  private static List<String> strings(@Nullable Object value) {
    if (!(value instanceof List<?> list)) {
      // Not what it should be: one value that nothing will understand.
      return List.of("");
    }
    return list.stream().map(String::valueOf).toList();
  }

  private static <T> List<T> orEmpty(@Nullable List<T> list) {
    return list == null ? List.of() : list;
  }

  private static Map<String, Object> orEmpty(@Nullable Map<String, Object> map) {
    return map == null ? Map.of() : map;
  }
}
