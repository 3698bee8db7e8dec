package dev.ambit.operator.waypoint.security.model;

import static org.assertj.core.api.Assertions.assertThat;

import dev.ambit.operator.waypoint.testing.EnvoyProcess;
import io.fabric8.istio.api.security.v1.AuthorizationPolicy;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.function.Function;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * Policies and requests by chance: the real Envoy, given what is made of the policies, judges as a
 * plain model of them does, which knows nothing of how they are made into rules for Envoy.
 */
class PolicyModelIT {
  private static final int SETS = 30;
  private static final int REQUESTS = 40;

  private static final List<String> NAMESPACES = List.of("default", "other", "team-a");
  private static final List<String> ACCOUNTS = List.of("client", "robot");
  private static final List<String> METHODS = List.of("GET", "POST", "DELETE");
  private static final List<String> PATHS = List.of("/a", "/a/b", "/ab", "/b/a", "/info");
  private static final List<String> HOSTS = List.of("x.example", "y.example", "x.test");
  private static final List<String> ENVIRONMENTS = List.of("prod", "test", "preprod");

  // --- The model

  private record Request(
      String namespace, String account, String method, String path, String host, String env) {
    String principal() {
      return "cluster.local/ns/" + namespace + "/sa/" + account;
    }

    RawHttp.Request asSent() {
      return RawHttp.Request.of(method, path, "host: " + host, "x-env: " + env)
          .with(SecurityEnvoy.PEER, "spiffe://" + principal());
    }
  }

  /** Of what a field names, one has to fit; of what its opposite names, none may. */
  private record Field(
      String name, List<String> values, List<String> notValues, Function<Request, String> of) {
    boolean fits(Request request) {
      String actual = of.apply(request);
      return (values.isEmpty() || values.stream().anyMatch(value -> fits(value, actual)))
          && notValues.stream().noneMatch(value -> fits(value, actual));
    }

    private static boolean fits(String value, String actual) {
      if (value.equals("*")) {
        return !actual.isEmpty();
      }
      if (value.endsWith("*")) {
        return actual.startsWith(value.substring(0, value.length() - 1));
      }
      return value.startsWith("*") ? actual.endsWith(value.substring(1)) : actual.equals(value);
    }

    /** As a policy has it. */
    Stream<String> yaml() {
      String opposite = "not" + Character.toUpperCase(name.charAt(0)) + name.substring(1);
      return Stream.of(
              values.isEmpty() ? "" : name + ": " + quoted(values),
              notValues.isEmpty() ? "" : opposite + ": " + quoted(notValues))
          .filter(text -> !text.isEmpty());
    }

    private static String quoted(List<String> values) {
      return values.stream().collect(Collectors.joining("', '", "['", "']"));
    }
  }

  private record Rule(List<List<Field>> from, List<List<Field>> to, List<Field> when) {
    boolean fits(Request request) {
      return (from.isEmpty() || from.stream().anyMatch(source -> all(source, request)))
          && (to.isEmpty() || to.stream().anyMatch(operation -> all(operation, request)))
          && all(when, request);
    }

    private static boolean all(List<Field> fields, Request request) {
      return fields.stream().allMatch(field -> field.fits(request));
    }

    String yaml() {
      List<String> parts = new ArrayList<>();
      if (!from.isEmpty()) {
        parts.add("from: " + entries("source", from));
      }
      if (!to.isEmpty()) {
        parts.add("to: " + entries("operation", to));
      }
      if (!when.isEmpty()) {
        parts.add(
            "when: "
                + when.stream()
                    .map(
                        field ->
                            "{key: 'request.headers[x-env]', "
                                + field.yaml().collect(Collectors.joining(", "))
                                + "}")
                    .collect(Collectors.joining(", ", "[", "]")));
      }
      return "{" + String.join(", ", parts) + "}";
    }

    private static String entries(String name, List<List<Field>> alternatives) {
      return alternatives.stream()
          .map(
              fields ->
                  "{"
                      + name
                      + ": {"
                      + fields.stream().flatMap(Field::yaml).collect(Collectors.joining(", "))
                      + "}}")
          .collect(Collectors.joining(", ", "[", "]"));
    }
  }

  private record Policy(boolean denies, List<Rule> rules) {
    boolean fits(Request request) {
      return rules.stream().anyMatch(rule -> rule.fits(request));
    }

    String yaml() {
      return "action: %s\nrules: %s\n"
          .formatted(
              denies ? "DENY" : "ALLOW",
              rules.stream().map(Rule::yaml).collect(Collectors.joining(", ", "[", "]")));
    }
  }

  private static int status(List<Policy> policies, Request request) {
    boolean denied = policies.stream().anyMatch(each -> each.denies() && each.fits(request));
    boolean restricted = policies.stream().anyMatch(each -> !each.denies());
    boolean allowed = policies.stream().anyMatch(each -> !each.denies() && each.fits(request));
    return denied || (restricted && !allowed) ? 403 : 200;
  }

  // --- Chance

  private final List<String> wrong = new ArrayList<>();
  private Random random = new Random(0);

  private <T> T one(List<T> of) {
    return of.get(random.nextInt(of.size()));
  }

  private Request request() {
    return new Request(
        one(NAMESPACES), one(ACCOUNTS), one(METHODS), one(PATHS), one(HOSTS), one(ENVIRONMENTS));
  }

  /** Whole, or one of its ends. */
  private String pattern(String text) {
    int cut = 1 + random.nextInt(Math.max(1, text.length() - 1));
    return switch (random.nextInt(8)) {
      case 0 -> "*";
      case 1, 2 -> text.substring(0, cut) + "*";
      case 3, 4 -> "*" + text.substring(cut);
      default -> text;
    };
  }

  private List<String> patterns(Function<Request, String> of) {
    return IntStream.rangeClosed(0, random.nextInt(2))
        .mapToObj(_ -> pattern(of.apply(request())))
        .distinct()
        .toList();
  }

  private Field field(String name, Function<Request, String> of) {
    List<String> values = random.nextInt(3) > 0 ? patterns(of) : List.of();
    List<String> notValues = values.isEmpty() || random.nextInt(4) == 0 ? patterns(of) : List.of();
    return new Field(name, values, notValues, of);
  }

  private List<Field> some(List<Field> fields) {
    List<Field> chosen = new ArrayList<>(fields);
    java.util.Collections.shuffle(chosen, random);
    return chosen.subList(0, 1 + random.nextInt(2));
  }

  private List<Field> source() {
    return some(
        List.of(field("principals", Request::principal), field("namespaces", Request::namespace)));
  }

  private List<Field> operation() {
    return some(
        List.of(
            field("methods", Request::method),
            field("paths", Request::path),
            field("hosts", Request::host)));
  }

  private <T> List<T> upTo(int most, java.util.function.Supplier<T> of) {
    return Stream.generate(of).limit(random.nextInt(most + 1)).toList();
  }

  private Rule rule() {
    return new Rule(
        upTo(2, this::source),
        upTo(2, this::operation),
        random.nextInt(3) == 0 ? List.of(field("values", Request::env)) : List.of());
  }

  private List<Policy> policies() {
    return Stream.generate(() -> new Policy(random.nextInt(3) == 0, upTo(3, this::rule)))
        .limit(1 + random.nextInt(3))
        .toList();
  }

  @ParameterizedTest
  @ValueSource(longs = {1, 2, 3})
  void envoyJudgesAsTheModelDoes(long seed, @TempDir Path folder) throws IOException {
    random = new Random(seed);
    List<List<Policy>> sets = Stream.generate(this::policies).limit(SETS).toList();
    SecurityEnvoy configuration = new SecurityEnvoy();
    for (int i = 0; i < sets.size(); i++) {
      List<Policy> set = sets.get(i);
      AuthorizationPolicy[] written =
          IntStream.range(0, set.size())
              .mapToObj(n -> Policies.policy("p" + n, set.get(n).yaml()))
              .toArray(AuthorizationPolicy[]::new);
      configuration.listener("set-" + i, Policies.security(written).slots());
    }
    int allowed = 0;
    try (EnvoyProcess envoy = configuration.start(folder)) {
      for (int i = 0; i < sets.size(); i++) {
        int port = envoy.port("set-" + i);
        for (int n = 0; n < REQUESTS; n++) {
          Request request = request();
          int expected = status(sets.get(i), request);
          int actual = RawHttp.once(port, request.asSent()).status();
          allowed += expected == 200 ? 1 : 0;
          if (actual != expected) {
            wrong.add(
                request
                    + " got "
                    + actual
                    + " under "
                    + sets.get(i).stream().map(Policy::yaml).toList());
          }
        }
      }
    }
    assertThat(wrong).isEmpty();
    // Else it would say little.
    assertThat(allowed).isBetween(SETS * REQUESTS / 10, SETS * REQUESTS * 9 / 10);
  }
}
