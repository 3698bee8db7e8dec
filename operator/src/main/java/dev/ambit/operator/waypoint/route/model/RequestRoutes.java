package dev.ambit.operator.waypoint.route.model;

import com.google.protobuf.Any;
import com.google.protobuf.UInt32Value;
import dev.ambit.operator.waypoint.model.Backend;
import dev.ambit.operator.waypoint.model.MeshService;
import dev.ambit.operator.waypoint.model.RegularExpression;
import io.envoyproxy.envoy.config.route.v3.DirectResponseAction;
import io.envoyproxy.envoy.config.route.v3.RedirectAction;
import io.envoyproxy.envoy.config.route.v3.RedirectAction.RedirectResponseCode;
import io.envoyproxy.envoy.config.route.v3.RetryPolicy;
import io.envoyproxy.envoy.config.route.v3.Route;
import io.envoyproxy.envoy.config.route.v3.RouteAction;
import io.envoyproxy.envoy.config.route.v3.RouteAction.ClusterNotFoundResponseCode;
import io.envoyproxy.envoy.config.route.v3.WeightedCluster;
import io.envoyproxy.envoy.extensions.filters.http.stateful_session.v3.StatefulSessionPerRoute;
import io.envoyproxy.envoy.type.matcher.v3.RegexMatchAndSubstitute;
import io.fabric8.kubernetes.api.model.gatewayapi.v1.GRPCBackendRef;
import io.fabric8.kubernetes.api.model.gatewayapi.v1.GRPCRoute;
import io.fabric8.kubernetes.api.model.gatewayapi.v1.GRPCRouteRule;
import io.fabric8.kubernetes.api.model.gatewayapi.v1.HTTPBackendRef;
import io.fabric8.kubernetes.api.model.gatewayapi.v1.HTTPPathModifier;
import io.fabric8.kubernetes.api.model.gatewayapi.v1.HTTPRequestRedirectFilter;
import io.fabric8.kubernetes.api.model.gatewayapi.v1.HTTPRoute;
import io.fabric8.kubernetes.api.model.gatewayapi.v1.HTTPRouteFilter;
import io.fabric8.kubernetes.api.model.gatewayapi.v1.HTTPRouteRetry;
import io.fabric8.kubernetes.api.model.gatewayapi.v1.HTTPRouteRule;
import io.fabric8.kubernetes.api.model.gatewayapi.v1.HTTPRouteTimeouts;
import io.fabric8.kubernetes.api.model.gatewayapi.v1.HTTPURLRewriteFilter;
import io.fabric8.kubernetes.api.model.gatewayapi.v1.SessionPersistence;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/** Translates one HTTPRoute or GRPCRoute at one port of a service. */
final class RequestRoutes {
  static final String CORS_FILTER = "envoy.filters.http.cors";
  static final String SESSION_FILTER = "envoy.filters.http.stateful_session";

  /** A name that no cluster has: requests for it are answered as the route says. */
  private static final String NO_CLUSTER = "none";

  private static final int DEFAULT_ATTEMPTS = 1;

  /**
   * What the API asks a retry to be for, besides its codes. An endpoint that cannot be reached
   * shows as a reset, since it is dialled behind a connection inside Envoy, which always succeeds.
   */
  private static final String RETRY_ON =
      "connect-failure,refused-stream,reset,retriable-status-codes";

  private static final Pattern HOST =
      Pattern.compile("[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*");

  private final SourceRoute source;
  private final Optional<MeshService> parent;
  private final int port;
  private final BackendReferences references;
  private final Problems problems;
  private final List<RequestEntry> entries = new ArrayList<>();
  private final Set<Backend> backends = new HashSet<>();

  /**
   * A route at a port.
   *
   * @param parent that its author named, if it is a service
   * @param port that its requests were sent to
   */
  RequestRoutes(
      SourceRoute source,
      Optional<MeshService> parent,
      int port,
      BackendReferences references,
      Problems problems) {
    this.source = source;
    this.parent = parent;
    this.port = port;
    this.references = references;
    this.problems = problems;
  }

  /** What its author lists first comes first. */
  List<RequestEntry> entries() {
    return entries;
  }

  Set<Backend> backends() {
    return backends;
  }

  RequestRoutes translate() {
    switch (source.object()) {
      case HTTPRoute route when route.getSpec() != null -> {
        problems.unknown("spec", route.getSpec().getAdditionalProperties());
        List<HTTPRouteRule> rules = Lists.orEmpty(route.getSpec().getRules());
        // The API's default.
        rules = rules.isEmpty() ? List.of(new HTTPRouteRule()) : rules;
        for (int i = 0; i < rules.size(); i++) {
          HTTPRouteRule rule = rules.get(i);
          Problems.Rule problem = problems.rule(i, Optional.ofNullable(rule.getName()));
          rule(i, rule, problem, HttpMatches.of(Lists.orEmpty(rule.getMatches()), problem));
        }
      }
      case GRPCRoute route when route.getSpec() != null -> {
        problems.unknown("spec", route.getSpec().getAdditionalProperties());
        List<GRPCRouteRule> rules = Lists.orEmpty(route.getSpec().getRules());
        rules = rules.isEmpty() ? List.of(new GRPCRouteRule()) : rules;
        for (int i = 0; i < rules.size(); i++) {
          GRPCRouteRule rule = rules.get(i);
          Problems.Rule problem = problems.rule(i, Optional.ofNullable(rule.getName()));
          rule(i, http(rule), problem, GrpcMatches.of(Lists.orEmpty(rule.getMatches()), problem));
        }
      }
      default -> {}
    }
    return this;
  }

  /** All but its matches, as what it is in an HTTPRoute. */
  private static HTTPRouteRule http(GRPCRouteRule grpc) {
    HTTPRouteRule rule = new HTTPRouteRule();
    rule.setName(grpc.getName());
    rule.setFilters(Lists.orEmpty(grpc.getFilters()).stream().map(RuleFilters::ofGrpc).toList());
    rule.setBackendRefs(
        Lists.orEmpty(grpc.getBackendRefs()).stream().map(RequestRoutes::http).toList());
    rule.setSessionPersistence(grpc.getSessionPersistence());
    rule.setAdditionalProperties(grpc.getAdditionalProperties());
    return rule;
  }

  private static HTTPBackendRef http(GRPCBackendRef grpc) {
    HTTPBackendRef backend = new HTTPBackendRef();
    backend.setGroup(grpc.getGroup());
    backend.setKind(grpc.getKind());
    backend.setNamespace(grpc.getNamespace());
    backend.setName(grpc.getName());
    backend.setPort(grpc.getPort());
    backend.setWeight(grpc.getWeight());
    backend.setFilters(Lists.orEmpty(grpc.getFilters()).stream().map(RuleFilters::ofGrpc).toList());
    backend.setAdditionalProperties(grpc.getAdditionalProperties());
    return backend;
  }

  /** One backend of a rule, and what is done with its requests alone. */
  private record Share(Optional<Backend> backend, int weight, RuleFilters filters) {}

  /** What a rule makes of requests, whatever they fit it by. */
  private record Rule(
      RuleFilters filters,
      List<Share> shares,
      Optional<Duration> timeout,
      Optional<RetryPolicy> retry,
      Optional<StatefulSessionPerRoute> session) {}

  private void rule(
      int index, HTTPRouteRule rule, Problems.Rule problem, List<RequestMatch> matches) {
    String name =
        "%s/%s/%s/%s"
            .formatted(
                source.kind().text(),
                source.namespace(),
                source.name(),
                rule.getName() == null ? String.valueOf(index) : rule.getName());
    problem.unknown("", rule.getAdditionalProperties());
    List<HTTPBackendRef> references = Lists.orEmpty(rule.getBackendRefs());
    RuleFilters filters = filters(rule.getFilters(), problem, "filters");
    List<Share> shares = new ArrayList<>();
    for (int i = 0; i < references.size(); i++) {
      shares.add(
          share(references.get(i), references.size() > 1, problem, "backendRefs[" + i + "]"));
    }
    if (shares.size() == 1) {
      // What is done for its only backend is done for the rule.
      filters = both(filters, shares.getFirst().filters(), problem);
    }
    checkPaths(filters, matches, problem);
    if (filters.redirect().isPresent() && !references.isEmpty()) {
      problem.invalid(
          GatewayApi.INCOMPATIBLE_FILTERS,
          "filters",
          "requests that are redirected do not go to backends");
    }
    Optional<Duration> timeout = timeout(rule.getTimeouts(), problem);
    Rule translated =
        new Rule(
            filters,
            shares,
            timeout,
            retry(rule.getRetry(), rule.getTimeouts(), timeout, problem),
            session(rule.getSessionPersistence(), shares, name, problem));
    boolean answered = !problem.isInvalid() && filters.resolved();
    for (RequestMatch match : matches) {
      Route.Builder route = Route.newBuilder().setName(name).setMatch(match.match());
      if (answered) {
        act(translated, match, route);
      } else {
        fail(route);
      }
      entries.add(new RequestEntry(match.specificity(), route.build()));
    }
    if (answered) {
      backends.addAll(filters.mirrorBackends());
      shares.forEach(share -> share.backend().ifPresent(backends::add));
    }
  }

  private RuleFilters filters(
      @Nullable List<HTTPRouteFilter> filters, Problems.Rule problem, String field) {
    return RuleFilters.of(
        Lists.orEmpty(filters),
        problem,
        field,
        reference -> references.resolve(source, parent, reference));
  }

  private Share share(
      HTTPBackendRef reference, boolean oneOfSeveral, Problems.Rule problem, String field) {
    problem.unknown(field, reference.getAdditionalProperties());
    int weight = reference.getWeight() == null ? 1 : reference.getWeight();
    if (weight < 0 || weight > 1_000_000) {
      problem.unsupported(field + ".weight", "is not from 0 to 1000000");
    }
    RuleFilters filters = filters(reference.getFilters(), problem, field + ".filters");
    if (oneOfSeveral
        && (filters.redirect().isPresent()
            || filters.rewrite().map(HTTPURLRewriteFilter::getPath).isPresent()
            || !filters.mirrors().isEmpty()
            || filters.cors().isPresent())) {
      problem.invalid(
          GatewayApi.INCOMPATIBLE_FILTERS,
          field + ".filters",
          "one of several backends can have its own headers and host name; redirects, paths,"
              + " mirrors and CORS are the rule's");
    }
    if (oneOfSeveral && !filters.resolved()) {
      return new Share(Optional.empty(), weight, filters);
    }
    return switch (references.resolve(
        source,
        parent,
        new BackendReferences.Reference(
            reference.getGroup(),
            reference.getKind(),
            reference.getNamespace(),
            reference.getName(),
            reference.getPort()))) {
      case BackendReferences.Resolution.Found(Backend backend) ->
          new Share(Optional.of(backend), weight, filters);
      case BackendReferences.Resolution.Failed(String reason, String message) -> {
        problem.unresolved(reason, field, message);
        yield new Share(Optional.empty(), weight, filters);
      }
    };
  }

  private static RuleFilters both(RuleFilters rule, RuleFilters backend, Problems.Rule problem) {
    if ((rule.rewrite().isPresent() && backend.rewrite().isPresent())
        || (rule.redirect().isPresent() && backend.redirect().isPresent())
        || (rule.rewrite().isPresent() && backend.redirect().isPresent())
        || (rule.redirect().isPresent() && backend.rewrite().isPresent())
        || (rule.cors().isPresent() && backend.cors().isPresent())) {
      problem.invalid(
          GatewayApi.INCOMPATIBLE_FILTERS,
          "backendRefs[0].filters",
          "the rule has such a filter already");
    }
    Set<Backend> mirrorBackends = new HashSet<>(rule.mirrorBackends());
    mirrorBackends.addAll(backend.mirrorBackends());
    List<RouteAction.RequestMirrorPolicy> mirrors = new ArrayList<>(rule.mirrors());
    mirrors.addAll(backend.mirrors());
    return new RuleFilters(
        rule.request().then(backend.request()),
        rule.response().then(backend.response()),
        rule.redirect().or(backend::redirect),
        rule.rewrite().or(backend::rewrite),
        mirrors,
        mirrorBackends,
        rule.cors().or(backend::cors),
        rule.resolved() && backend.resolved());
  }

  private static void checkPaths(
      RuleFilters filters, List<RequestMatch> matches, Problems.Rule problem) {
    filters
        .redirect()
        .ifPresent(
            redirect -> {
              problem.unknown("filters.requestRedirect", redirect.getAdditionalProperties());
              checkPath(redirect.getPath(), matches, problem, "filters.requestRedirect.path");
              checkHost(redirect.getHostname(), problem, "filters.requestRedirect.hostname");
              String scheme = redirect.getScheme();
              if (scheme != null && !Set.of("http", "https").contains(scheme)) {
                problem.unsupported(
                    "filters.requestRedirect.scheme", "\"" + scheme + "\" is not http or https");
              }
              if (redirect.getPort() != null
                  && (redirect.getPort() < 1 || redirect.getPort() > 65535)) {
                problem.unsupported("filters.requestRedirect.port", "is not a port");
              }
              if (code(redirect).isEmpty()) {
                problem.unsupported(
                    "filters.requestRedirect.statusCode",
                    redirect.getStatusCode() + " is not 301, 302, 303, 307 or 308");
              }
            });
    filters
        .rewrite()
        .ifPresent(
            rewrite -> {
              problem.unknown("filters.urlRewrite", rewrite.getAdditionalProperties());
              checkPath(rewrite.getPath(), matches, problem, "filters.urlRewrite.path");
              checkHost(rewrite.getHostname(), problem, "filters.urlRewrite.hostname");
            });
  }

  private static void checkHost(@Nullable String hostname, Problems.Rule problem, String field) {
    if (hostname != null && (hostname.length() > 253 || !HOST.matcher(hostname).matches())) {
      problem.unsupported(field, "\"" + hostname + "\" is not a host name");
    }
  }

  private static void checkPath(
      @Nullable HTTPPathModifier path,
      List<RequestMatch> matches,
      Problems.Rule problem,
      String field) {
    if (path == null) {
      return;
    }
    problem.unknown(field, path.getAdditionalProperties());
    String type = path.getType() == null ? "" : path.getType();
    switch (type) {
      case "ReplaceFullPath" -> checkPath(path.getReplaceFullPath(), problem, field);
      case "ReplacePrefixMatch" -> {
        checkPath(path.getReplacePrefixMatch(), problem, field);
        if (matches.stream().anyMatch(match -> match.prefix().isEmpty())) {
          problem.unsupported(
              field, "ReplacePrefixMatch goes only with matches of the path's prefix");
        }
      }
      default -> problem.unsupported(field + ".type", "\"" + type + "\" is not known");
    }
  }

  private static void checkPath(@Nullable String value, Problems.Rule problem, String field) {
    if (value == null
        || value.length() > 1024
        || value.chars().anyMatch(character -> character <= ' ' || character >= 0x7f)) {
      problem.unsupported(field, "is not a path of at most 1024 characters");
    }
  }

  private static Optional<Duration> timeout(
      @Nullable HTTPRouteTimeouts timeouts, Problems.Rule problem) {
    if (timeouts == null) {
      return Optional.empty();
    }
    problem.unknown("timeouts", timeouts.getAdditionalProperties());
    Optional<Duration> request =
        duration(timeouts.getRequest(), problem, "timeouts.request").filter(RequestRoutes::counts);
    Optional<Duration> backend =
        duration(timeouts.getBackendRequest(), problem, "timeouts.backendRequest")
            .filter(RequestRoutes::counts);
    if (request.isPresent() && backend.isPresent() && backend.get().compareTo(request.get()) > 0) {
      problem.unsupported(
          "timeouts.backendRequest", "is longer than the request may take with all attempts");
    }
    return request;
  }

  private static boolean counts(Duration duration) {
    return !duration.isZero();
  }

  private static Optional<Duration> duration(
      @Nullable String text, Problems.Rule problem, String field) {
    if (text == null) {
      return Optional.empty();
    }
    Optional<Duration> duration = GatewayApi.duration(text);
    if (duration.isEmpty()) {
      problem.unsupported(field, "\"" + text + "\" is not a duration");
    }
    return duration;
  }

  private static Optional<RetryPolicy> retry(
      @Nullable HTTPRouteRetry retry,
      @Nullable HTTPRouteTimeouts timeouts,
      Optional<Duration> timeout,
      Problems.Rule problem) {
    Optional<Duration> attempt =
        Optional.ofNullable(timeouts)
            .map(HTTPRouteTimeouts::getBackendRequest)
            .flatMap(GatewayApi::duration)
            .filter(RequestRoutes::counts);
    if (retry == null && attempt.isEmpty()) {
      return Optional.empty();
    }
    RetryPolicy.Builder policy = RetryPolicy.newBuilder();
    attempt.ifPresent(duration -> policy.setPerTryTimeout(GatewayApi.proto(duration)));
    if (retry == null) {
      // When attempts are repeated is then as for routes that say nothing.
      return Optional.of(policy.build());
    }
    problem.unknown("retry", retry.getAdditionalProperties());
    int attempts = retry.getAttempts() == null ? DEFAULT_ATTEMPTS : retry.getAttempts();
    if (attempts < 1) {
      problem.unsupported("retry.attempts", "is less than 1");
    }
    policy.setRetryOn(RETRY_ON).setNumRetries(UInt32Value.of(Math.max(1, attempts)));
    List<Integer> codes = Lists.orEmpty(retry.getCodes());
    for (int i = 0; i < codes.size(); i++) {
      if (codes.get(i) < 400 || codes.get(i) > 599) {
        problem.unsupported("retry.codes[" + i + "]", codes.get(i) + " is not from 400 to 599");
      } else {
        policy.addRetriableStatusCodes(codes.get(i));
      }
    }
    Optional<Duration> backoff = duration(retry.getBackoff(), problem, "retry.backoff");
    backoff
        .filter(RequestRoutes::counts)
        .ifPresent(
            base ->
                policy.setRetryBackOff(
                    RetryPolicy.RetryBackOff.newBuilder().setBaseInterval(GatewayApi.proto(base))));
    if (backoff.isPresent() && timeout.isPresent() && backoff.get().compareTo(timeout.get()) >= 0) {
      problem.unenforced("retry.backoff", "the request ends before it is tried again");
    }
    return Optional.of(policy.build());
  }

  private static Optional<StatefulSessionPerRoute> session(
      @Nullable SessionPersistence session,
      List<Share> shares,
      String identity,
      Problems.Rule problem) {
    if (session == null) {
      return Optional.empty();
    }
    if (shares.size() > 1) {
      problem.unenforced(
          "sessionPersistence",
          "a session stays at one endpoint of a backend, but requests go to the several backends"
              + " of the rule by weight alone");
    }
    return Sessions.of(session, identity, problem);
  }

  /** What the API asks for where a backend is not there. */
  private void fail(Route.Builder route) {
    int status =
        switch (source.kind()) {
          // Envoy says UNAVAILABLE in gRPC.
          case GRPC -> 503;
          case HTTP, TLS, TCP -> 500;
        };
    route.setDirectResponse(DirectResponseAction.newBuilder().setStatus(status));
  }

  private void act(Rule rule, RequestMatch match, Route.Builder route) {
    RuleFilters filters = rule.filters();
    filters.cors().ifPresent(cors -> route.putTypedPerFilterConfig(CORS_FILTER, Any.pack(cors)));
    rule.session()
        .ifPresent(session -> route.putTypedPerFilterConfig(SESSION_FILTER, Any.pack(session)));
    if (filters.redirect().isPresent()) {
      headers(route, filters);
      route.setRedirect(redirect(filters.redirect().get(), match));
      return;
    }
    List<Share> weighted = rule.shares().stream().filter(share -> share.weight() > 0).toList();
    if (weighted.stream().noneMatch(share -> share.backend().isPresent())) {
      headers(route, filters);
      fail(route);
      return;
    }
    RouteAction.Builder action =
        RouteAction.newBuilder()
            .setClusterNotFoundResponseCode(
                switch (source.kind()) {
                  case GRPC -> ClusterNotFoundResponseCode.SERVICE_UNAVAILABLE;
                  case HTTP, TLS, TCP -> ClusterNotFoundResponseCode.INTERNAL_SERVER_ERROR;
                })
            .addAllRequestMirrorPolicies(filters.mirrors());
    PassThrough.timeout(action, rule.timeout());
    rule.retry().ifPresent(action::setRetryPolicy);
    rewrite(filters, match, action);
    if (rule.shares().size() == 1) {
      headers(route, filters);
      action.setCluster(cluster(weighted.getFirst()));
    } else {
      weighted(filters, weighted, action);
    }
    route.setRoute(action);
  }

  private static String cluster(Share share) {
    return share.backend().map(Backend::clusterName).orElse(NO_CLUSTER);
  }

  private static void headers(Route.Builder route, RuleFilters filters) {
    route
        .addAllRequestHeadersToAdd(filters.request().values())
        .addAllRequestHeadersToRemove(filters.request().removed())
        .addAllResponseHeadersToAdd(filters.response().values())
        .addAllResponseHeadersToRemove(filters.response().removed());
  }

  private static void weighted(
      RuleFilters filters, List<Share> shares, RouteAction.Builder action) {
    WeightedCluster.Builder clusters = WeightedCluster.newBuilder();
    for (Share share : shares) {
      HeaderChanges request = filters.request().then(share.filters().request());
      HeaderChanges response = filters.response().then(share.filters().response());
      WeightedCluster.ClusterWeight.Builder cluster =
          WeightedCluster.ClusterWeight.newBuilder()
              .setName(cluster(share))
              .setWeight(UInt32Value.of(share.weight()))
              .addAllRequestHeadersToAdd(request.values())
              .addAllRequestHeadersToRemove(request.removed())
              .addAllResponseHeadersToAdd(response.values())
              .addAllResponseHeadersToRemove(response.removed());
      share
          .filters()
          .rewrite()
          .map(HTTPURLRewriteFilter::getHostname)
          .or(() -> share.filters().request().host())
          .ifPresent(cluster::setHostRewriteLiteral);
      clusters.addClusters(cluster);
    }
    action.setWeightedClusters(clusters);
  }

  private static void rewrite(RuleFilters filters, RequestMatch match, RouteAction.Builder action) {
    filters
        .rewrite()
        .map(HTTPURLRewriteFilter::getHostname)
        .or(() -> filters.request().host())
        .ifPresent(action::setHostRewriteLiteral);
    HTTPPathModifier path = filters.rewrite().map(HTTPURLRewriteFilter::getPath).orElse(null);
    if (path == null) {
      return;
    }
    if (path.getReplaceFullPath() != null && "ReplaceFullPath".equals(path.getType())) {
      action.setRegexRewrite(whole(absolute(path.getReplaceFullPath())));
    } else {
      switch (prefix(path, match)) {
        case PrefixChange.Plain(String value) -> action.setPrefixRewrite(value);
        case PrefixChange.Expression(RegexMatchAndSubstitute expression) ->
            action.setRegexRewrite(expression);
        case PrefixChange.None() -> {}
      }
    }
  }

  private static String absolute(String path) {
    return path.startsWith("/") ? path : "/" + path;
  }

  private static RegexMatchAndSubstitute whole(String path) {
    return substitution("^/.*$", path.replace("\\", "\\\\"));
  }

  private static RegexMatchAndSubstitute substitution(String expression, String replacement) {
    return RegularExpression.of(expression).orElseThrow().replacedBy(replacement).orElseThrow();
  }

  /** How the prefix of a path is replaced. */
  private sealed interface PrefixChange {
    record Plain(String value) implements PrefixChange {}

    record Expression(RegexMatchAndSubstitute expression) implements PrefixChange {}

    record None() implements PrefixChange {}
  }

  /** By whole elements of the path: the API has a table of what comes out. */
  private static PrefixChange prefix(HTTPPathModifier path, RequestMatch match) {
    String asked = match.prefix().orElse("");
    String given = path.getReplacePrefixMatch() == null ? "" : path.getReplacePrefixMatch();
    String replacement = given.endsWith("/") ? given.substring(0, given.length() - 1) : given;
    if (asked.isEmpty()) {
      return replacement.isEmpty()
          ? new PrefixChange.None()
          : new PrefixChange.Plain(absolute(replacement) + "/");
    }
    return replacement.isEmpty()
        ? new PrefixChange.Expression(
            substitution("^" + com.google.re2j.Pattern.quote(asked) + "/?(.*)$", "/\\1"))
        : new PrefixChange.Plain(absolute(replacement));
  }

  private static Optional<RedirectResponseCode> code(HTTPRequestRedirectFilter redirect) {
    return switch (redirect.getStatusCode() == null ? 302 : redirect.getStatusCode()) {
      case 301 -> Optional.of(RedirectResponseCode.MOVED_PERMANENTLY);
      case 302 -> Optional.of(RedirectResponseCode.FOUND);
      case 303 -> Optional.of(RedirectResponseCode.SEE_OTHER);
      case 307 -> Optional.of(RedirectResponseCode.TEMPORARY_REDIRECT);
      case 308 -> Optional.of(RedirectResponseCode.PERMANENT_REDIRECT);
      default -> Optional.empty();
    };
  }

  private RedirectAction redirect(HTTPRequestRedirectFilter redirect, RequestMatch match) {
    RedirectAction.Builder action =
        RedirectAction.newBuilder()
            .setResponseCode(code(redirect).orElse(RedirectResponseCode.FOUND));
    String scheme = redirect.getScheme() == null ? "" : redirect.getScheme();
    if (!scheme.isEmpty()) {
      action.setSchemeRedirect(scheme);
    }
    if (redirect.getHostname() != null) {
      action.setHostRedirect(redirect.getHostname());
    }
    redirectPort(redirect, scheme).ifPresent(action::setPortRedirect);
    HTTPPathModifier path = redirect.getPath();
    if (path != null) {
      if ("ReplaceFullPath".equals(path.getType()) && path.getReplaceFullPath() != null) {
        action.setPathRedirect(absolute(path.getReplaceFullPath()));
      } else {
        switch (prefix(path, match)) {
          case PrefixChange.Plain(String value) -> action.setPrefixRewrite(value);
          case PrefixChange.Expression(RegexMatchAndSubstitute expression) ->
              action.setRegexRewrite(expression);
          case PrefixChange.None() -> {}
        }
      }
    }
    return action.build();
  }

  /** Empty where the port goes without saying. */
  private Optional<Integer> redirectPort(HTTPRequestRedirectFilter redirect, String scheme) {
    // Clients inside the mesh speak plain HTTP.
    int implied = scheme.equals("https") ? 443 : 80;
    int wanted =
        redirect.getPort() != null ? redirect.getPort() : scheme.isEmpty() ? port : implied;
    // Clients of another port than 80 have it in the request's host, from where Envoy would take
    // it.
    return wanted == implied && (port == 80 || redirect.getHostname() != null)
        ? Optional.empty()
        : Optional.of(wanted);
  }
}
