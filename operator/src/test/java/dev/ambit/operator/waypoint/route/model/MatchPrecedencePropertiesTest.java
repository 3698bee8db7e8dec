package dev.ambit.operator.waypoint.route.model;

import static dev.ambit.operator.waypoint.route.model.RouteMesh.http;
import static org.assertj.core.api.Assertions.assertThat;

import io.envoyproxy.envoy.config.route.v3.QueryParameterMatcher;
import io.envoyproxy.envoy.config.route.v3.Route;
import io.envoyproxy.envoy.config.route.v3.RouteMatch;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;
import net.jqwik.api.Arbitraries;
import net.jqwik.api.Arbitrary;
import net.jqwik.api.Combinators;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.Provide;

/**
 * The first route of Envoy's that fits a request is of the match that the Gateway API prefers: of
 * all that fit, the one with the exact path, else the longest prefix, then with a method, then with
 * the most headers, then with the most parameters, then of the oldest route, then of the first by
 * name, then the first as listed.
 */
class MatchPrecedencePropertiesTest {
  private static final List<String> PATHS = List.of("/", "/a", "/a/", "/a/b", "/ab", "/a/b/c");

  record Match(
      boolean exact,
      String path,
      Optional<String> method,
      Set<String> headers,
      Set<String> params) {
    boolean fits(Request request) {
      String prefix = path.endsWith("/") ? path.substring(0, path.length() - 1) : path;
      boolean pathFits =
          exact
              ? request.path().equals(path)
              : request.path().equals(prefix) || request.path().startsWith(prefix + "/");
      return pathFits
          && method.map(request.method()::equals).orElse(true)
          && request.headers().containsAll(headers)
          && request.params().containsAll(params);
    }

    int pathLength() {
      return exact || path.equals("/") || !path.endsWith("/") ? path.length() : path.length() - 1;
    }

    String yaml() {
      return "{path: {type: %s, value: %s}%s, headers: [%s], queryParams: [%s]}"
          .formatted(
              exact ? "Exact" : "PathPrefix",
              path,
              method.map(each -> ", method: " + each).orElse(""),
              names(headers),
              names(params));
    }

    private static String names(Set<String> names) {
      return String.join(
          ", ", names.stream().sorted().map(name -> "{name: " + name + ", value: x}").toList());
    }
  }

  record Source(int age, String name, List<List<Match>> rules) {}

  record Request(String path, String method, Set<String> headers, Set<String> params) {}

  /** One that may be chosen, by all that counts. */
  record Candidate(Match match, Source source, int rule, int index) {}

  @Provide
  Arbitrary<Match> matches() {
    return Combinators.combine(
            Arbitraries.of(true, false),
            Arbitraries.of(PATHS),
            Arbitraries.of("GET", "POST").optional(),
            Arbitraries.of("h1", "h2", "h3").set().ofMaxSize(3),
            Arbitraries.of("p1", "p2").set().ofMaxSize(2))
        .as(Match::new);
  }

  @Provide
  Arbitrary<List<Source>> sources() {
    Arbitrary<List<List<Match>>> rules =
        matches().list().ofMinSize(1).ofMaxSize(3).list().ofMinSize(1).ofMaxSize(3);
    return Combinators.combine(
            Arbitraries.integers().between(1, 3), Arbitraries.of("a", "b", "c", "d"), rules)
        .as(Source::new)
        .list()
        .uniqueElements(Source::name)
        .ofMinSize(1)
        .ofMaxSize(4);
  }

  @Provide
  Arbitrary<Request> requests() {
    return Combinators.combine(
            Arbitraries.of("/", "/a", "/a/", "/a/b", "/a/b/", "/ab", "/a/b/c", "/abc"),
            Arbitraries.of("GET", "POST", "PUT"),
            Arbitraries.of("h1", "h2", "h3").set(),
            Arbitraries.of("p1", "p2").set())
        .as(Request::new);
  }

  @Property(tries = 500)
  void theFirstThatFitsIsThePreferred(
      @ForAll("sources") List<Source> sources, @ForAll("requests") Request request) {
    RouteMesh mesh = new RouteMesh().service("web", http(80)).service("v1", http(80));
    List<Candidate> candidates = new ArrayList<>();
    for (Source source : sources) {
      StringBuilder rules = new StringBuilder();
      for (int rule = 0; rule < source.rules().size(); rule++) {
        rules.append("  - matches:\n");
        for (int index = 0; index < source.rules().get(rule).size(); index++) {
          Match match = source.rules().get(rule).get(index);
          rules.append("    - ").append(match.yaml()).append('\n');
          if (match.fits(request)) {
            candidates.add(new Candidate(match, source, rule, index));
          }
        }
        rules.append("    backendRefs: [{name: v1, port: 80}]\n");
      }
      mesh.apply(
          """
          apiVersion: gateway.networking.k8s.io/v1
          kind: HTTPRoute
          metadata: {name: %s, namespace: shop, creationTimestamp: "2026-01-0%dT00:00:00Z"}
          spec:
            parentRefs: [{group: "", kind: Service, name: web}]
            rules:
          %s
          """
              .formatted(source.name(), source.age(), rules));
    }
    Optional<String> preferred =
        candidates.stream()
            .min(
                Comparator.comparing((Candidate candidate) -> !candidate.match().exact())
                    .thenComparing(candidate -> -candidate.match().pathLength())
                    .thenComparing(candidate -> candidate.match().method().isEmpty())
                    .thenComparing(candidate -> -candidate.match().headers().size())
                    .thenComparing(candidate -> -candidate.match().params().size())
                    .thenComparing(candidate -> candidate.source().age())
                    .thenComparing(candidate -> candidate.source().name())
                    .thenComparing(Candidate::rule)
                    .thenComparing(Candidate::index))
            .map(chosen -> "HTTPRoute/shop/" + chosen.source().name() + "/" + chosen.rule());
    assertThat(
            mesh.web(80).orElseThrow().virtualHosts().getFirst().getRoutesList().stream()
                .filter(route -> fits(route.getMatch(), request))
                .findFirst()
                .map(Route::getName))
        .isEqualTo(preferred);
  }

  /** As Envoy does it. */
  private static boolean fits(RouteMatch match, Request request) {
    boolean path =
        switch (match.getPathSpecifierCase()) {
          case PATH -> request.path().equals(match.getPath());
          case PREFIX -> request.path().startsWith(match.getPrefix());
          case PATH_SEPARATED_PREFIX ->
              request.path().equals(match.getPathSeparatedPrefix())
                  || request.path().startsWith(match.getPathSeparatedPrefix() + "/");
          default -> throw new AssertionError(match);
        };
    Map<String, String> headers = new TreeMap<>(Map.of(":method", request.method()));
    request.headers().forEach(name -> headers.put(name, "x"));
    return path
        && match.getHeadersList().stream()
            .allMatch(
                header -> header.getStringMatch().getExact().equals(headers.get(header.getName())))
        && match.getQueryParametersList().stream()
            .map(QueryParameterMatcher::getName)
            .allMatch(request.params()::contains);
  }
}
