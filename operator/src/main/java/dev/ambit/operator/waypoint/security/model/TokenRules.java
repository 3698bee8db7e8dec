package dev.ambit.operator.waypoint.security.model;

import com.google.protobuf.Duration;
import com.google.protobuf.Empty;
import dev.ambit.api.ProviderTimeout;
import dev.ambit.operator.waypoint.model.Backend;
import dev.ambit.operator.waypoint.model.MeshServices;
import io.envoyproxy.envoy.config.cluster.v3.Cluster;
import io.envoyproxy.envoy.config.core.v3.DataSource;
import io.envoyproxy.envoy.config.route.v3.RouteMatch;
import io.envoyproxy.envoy.extensions.filters.http.jwt_authn.v3.JwtAuthentication;
import io.envoyproxy.envoy.extensions.filters.http.jwt_authn.v3.JwtClaimToHeader;
import io.envoyproxy.envoy.extensions.filters.http.jwt_authn.v3.JwtHeader;
import io.envoyproxy.envoy.extensions.filters.http.jwt_authn.v3.JwtProvider;
import io.envoyproxy.envoy.extensions.filters.http.jwt_authn.v3.JwtRequirement;
import io.envoyproxy.envoy.extensions.filters.http.jwt_authn.v3.JwtRequirementAndList;
import io.envoyproxy.envoy.extensions.filters.http.jwt_authn.v3.JwtRequirementOrList;
import io.envoyproxy.envoy.extensions.filters.http.jwt_authn.v3.RequirementRule;
import io.fabric8.istio.api.api.security.v1beta1.ClaimToHeader;
import io.fabric8.istio.api.api.security.v1beta1.JWTHeader;
import io.fabric8.istio.api.api.security.v1beta1.JWTRule;
import io.fabric8.istio.api.security.v1.RequestAuthentication;
import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;
import org.jspecify.annotations.Nullable;

/**
 * RequestAuthentications as Envoy's filter of tokens has them: a request without a token passes,
 * one with a token that no issuer stands for is answered 401.
 *
 * @param clusters outside the mesh that keys are fetched from
 */
record TokenRules(JwtAuthentication filter, Set<Backend> backends, List<Cluster> clusters) {
  private static final Duration TIMEOUT = Duration.newBuilder().setSeconds(5).build();

  private static final java.time.Duration LONGEST = java.time.Duration.ofHours(1);

  /** Those claims that are lists written as one text, with blanks between. */
  private static final List<String> SPACED = List.of("scope", "permission");

  static TokenRules of(
      List<RequestAuthentication> policies, MeshServices services, String viewedFrom) {
    JwtAuthentication.Builder filter = JwtAuthentication.newBuilder().setBypassCorsPreflight(true);
    Set<Backend> backends = new LinkedHashSet<>();
    Map<String, Cluster> clusters = new TreeMap<>();
    List<String> names = new ArrayList<>();
    for (RequestAuthentication policy : policies) {
      List<JWTRule> rules = rules(policy);
      for (int i = 0; i < rules.size(); i++) {
        JWTRule rule = rules.get(i);
        if (rule == null || !hasIssuer(rule)) {
          continue;
        }
        Optional<KeySource> source = source(rule, services, viewedFrom);
        source.flatMap(KeySource::backend).ifPresent(backends::add);
        source
            .flatMap(KeySource::cluster)
            .ifPresent(cluster -> clusters.put(cluster.getName(), cluster));
        String name =
            policy.getMetadata().getNamespace() + "/" + policy.getMetadata().getName() + "/" + i;
        filter.putProviders(name, provider(rule, source));
        names.add(name);
      }
    }
    if (!names.isEmpty()) {
      filter.addRules(
          RequirementRule.newBuilder()
              .setMatch(RouteMatch.newBuilder().setPrefix("/"))
              .setRequires(names.size() == 1 ? MISSING : ofSeveral(names)));
    }
    return new TokenRules(filter.build(), backends, List.copyOf(clusters.values()));
  }

  /** A token that there is must be good. */
  private static final JwtRequirement MISSING =
      JwtRequirement.newBuilder().setAllowMissing(Empty.getDefaultInstance()).build();

  /**
   * A token that is good by one of the rules is enough, as for Istio, and the first rule of which
   * there is one says who the client is; where there is none, no rule may find a bad one.
   */
  private static JwtRequirement ofSeveral(List<String> names) {
    JwtRequirementOrList.Builder any = JwtRequirementOrList.newBuilder();
    JwtRequirementAndList.Builder all = JwtRequirementAndList.newBuilder();
    for (String name : names) {
      JwtRequirement one = JwtRequirement.newBuilder().setProviderName(name).build();
      any.addRequirements(one);
      all.addRequirements(
          JwtRequirement.newBuilder()
              .setRequiresAny(
                  JwtRequirementOrList.newBuilder().addRequirements(one).addRequirements(MISSING)));
    }
    any.addRequirements(JwtRequirement.newBuilder().setRequiresAll(all));
    return JwtRequirement.newBuilder().setRequiresAny(any).build();
  }

  private static JwtProvider provider(JWTRule rule, Optional<KeySource> source) {
    JwtProvider.Builder provider =
        JwtProvider.newBuilder()
            .setIssuer(rule.getIssuer())
            .setForward(Boolean.TRUE.equals(rule.getForwardOriginalToken()))
            .setPayloadInMetadata(Values.PAYLOAD)
            // VirtualServices can choose routes by claims, which are known only now.
            .setClearRouteCache(true)
            .setNormalizePayloadInMetadata(
                JwtProvider.NormalizePayload.newBuilder().addAllSpaceDelimitedClaims(spaced(rule)));
    provider.addAllAudiences(named(rule.getAudiences()));
    source.ifPresentOrElse(
        from -> provider.setRemoteJwks(from.remote()),
        () -> provider.setLocalJwks(DataSource.newBuilder().setInlineString(inlineKeys(rule))));
    for (JWTHeader header : orEmpty(rule.getFromHeaders())) {
      if (header != null && HeaderName.isOne(header.getName())) {
        provider.addFromHeaders(
            JwtHeader.newBuilder()
                .setName(header.getName())
                .setValuePrefix(header.getPrefix() == null ? "" : header.getPrefix()));
      }
    }
    provider.addAllFromParams(named(rule.getFromParams()));
    provider.addAllFromCookies(named(rule.getFromCookies()));
    if (HeaderName.isOne(rule.getOutputPayloadToHeader())) {
      provider.setForwardPayloadHeader(rule.getOutputPayloadToHeader());
    }
    for (ClaimToHeader output : orEmpty(rule.getOutputClaimToHeaders())) {
      if (output != null
          && HeaderName.isOne(output.getHeader())
          && output.getClaim() != null
          && !output.getClaim().isEmpty()) {
        provider.addClaimToHeaders(
            JwtClaimToHeader.newBuilder()
                .setHeaderName(output.getHeader())
                .setClaimName(output.getClaim()));
      }
    }
    return provider.build();
  }

  private static List<String> named(@Nullable List<String> texts) {
    return orEmpty(texts).stream().filter(text -> text != null && !text.isEmpty()).toList();
  }

  private static List<String> spaced(JWTRule rule) {
    List<String> own = orEmpty(rule.getSpaceDelimitedClaims());
    return own.isEmpty() ? SPACED : own;
  }

  private static String inlineKeys(JWTRule rule) {
    String keys = rule.getJwks();
    return keys != null && KeySet.isUsable(keys) ? keys : KeySet.OF_NOBODY;
  }

  /** Empty where keys are not fetched. */
  private static Optional<KeySource> source(
      JWTRule rule, MeshServices services, String viewedFrom) {
    boolean inline = rule.getJwks() != null && !rule.getJwks().isEmpty();
    return inline || rule.getJwksUri() == null || rule.getJwksUri().isEmpty()
        ? Optional.empty()
        : KeySource.of(rule.getJwksUri(), timeout(rule).orElse(TIMEOUT), services, viewedFrom);
  }

  private static boolean hasIssuer(JWTRule rule) {
    return rule.getIssuer() != null && !rule.getIssuer().isEmpty();
  }

  private static Optional<Duration> timeout(JWTRule rule) {
    String text = rule.getTimeout();
    if (text == null || !text.matches("([0-9]{1,9}(ms|s|m|h))+")) {
      return Optional.empty();
    }
    try {
      java.time.Duration timeout = ProviderTimeout.parse(text);
      return timeout.isPositive() && timeout.compareTo(LONGEST) <= 0
          ? Optional.of(
              Duration.newBuilder()
                  .setSeconds(timeout.getSeconds())
                  .setNanos(timeout.getNano())
                  .build())
          : Optional.empty();
    } catch (IllegalArgumentException _) {
      return Optional.empty();
    }
  }

  /** What of a policy is not as it is written. */
  static List<Finding> findings(RequestAuthentication policy) {
    List<Finding> findings = new ArrayList<>();
    List<JWTRule> rules = rules(policy);
    for (int i = 0; i < rules.size(); i++) {
      String path = "spec.jwtRules[" + i + "]";
      JWTRule rule = rules.get(i);
      if (rule == null || !hasIssuer(rule)) {
        findings.add(new Finding(path + ".issuer", "is missing, so the rule is left out"));
        continue;
      }
      boolean inline = rule.getJwks() != null && !rule.getJwks().isEmpty();
      boolean remote = rule.getJwksUri() != null && !rule.getJwksUri().isEmpty();
      if (inline && remote) {
        findings.add(new Finding(path + ".jwksUri", "is not looked at, since there is jwks"));
      }
      if (inline && !KeySet.isUsable(rule.getJwks())) {
        findings.add(
            new Finding(
                path + ".jwks",
                "is no JSON Web Key Set with a public key, so every token of this issuer is"
                    + " refused"));
      } else if (inline && KeySet.hasSecret(rule.getJwks())) {
        findings.add(
            new Finding(
                path + ".jwks",
                "has a secret key, with which whoever reads this policy can make tokens"));
      }
      if (!inline && !remote) {
        findings.add(
            new Finding(
                path,
                "has neither jwks nor jwksUri, and keys are not looked for at the issuer, so every"
                    + " token of this issuer is refused; name its jwks_uri as jwksUri"));
      }
      if (!inline && remote && !KeySource.isAddress(rule.getJwksUri())) {
        findings.add(
            new Finding(
                path + ".jwksUri",
                "is no address of http or https, so every token of this issuer is refused"));
      }
      if (rule.getTimeout() != null && timeout(rule).isEmpty()) {
        findings.add(
            new Finding(path + ".timeout", "is no duration such as 5s; it is taken for 5s"));
      }
      findings.addAll(badHeaders(path, rule));
      for (String field : unknown(rule.getAdditionalProperties())) {
        findings.add(new Finding(path + "." + field, "is not known and is not looked at"));
      }
    }
    return List.copyOf(findings);
  }

  private static List<Finding> badHeaders(String path, JWTRule rule) {
    List<Finding> findings = new ArrayList<>();
    List<JWTHeader> from = orEmpty(rule.getFromHeaders());
    for (int i = 0; i < from.size(); i++) {
      if (from.get(i) == null || !HeaderName.isOne(from.get(i).getName())) {
        findings.add(
            new Finding(
                path + ".fromHeaders[" + i + "].name",
                "is no name of a header, and is not looked at"));
      }
    }
    String payload = rule.getOutputPayloadToHeader();
    if (payload != null && !payload.isEmpty() && !HeaderName.isOne(payload)) {
      findings.add(
          new Finding(path + ".outputPayloadToHeader", "is no name of a header, and is not set"));
    }
    List<ClaimToHeader> outputs = orEmpty(rule.getOutputClaimToHeaders());
    for (int i = 0; i < outputs.size(); i++) {
      ClaimToHeader output = outputs.get(i);
      if (output == null
          || !HeaderName.isOne(output.getHeader())
          || output.getClaim() == null
          || output.getClaim().isEmpty()) {
        findings.add(
            new Finding(
                path + ".outputClaimToHeaders[" + i + "]",
                "names no header and claim, and is not set"));
      }
    }
    return findings;
  }

  private static Set<String> unknown(@Nullable Map<String, Object> fields) {
    return fields == null ? Set.of() : fields.keySet();
  }

  private static List<JWTRule> rules(RequestAuthentication policy) {
    return policy.getSpec() == null ? List.of() : orEmpty(policy.getSpec().getJwtRules());
  }

  private static <T> List<T> orEmpty(@Nullable List<T> list) {
    return list == null ? List.of() : list;
  }
}
