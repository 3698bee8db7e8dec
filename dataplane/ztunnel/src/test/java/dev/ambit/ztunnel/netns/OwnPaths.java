package dev.ambit.ztunnel.netns;

import static org.assertj.core.api.Assertions.assertThat;

import dev.ambit.ztunnel.netns.WaypointMesh.Waypoint;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.stream.Collectors;

/**
 * Requests of several principals at once, over connections that are aborted at random, to a service
 * at which each may ask for its own paths alone.
 *
 * <p>A path is {@code /of/OWNER/by/ASKER/NUMBER}, so that each line of a log tells who should stand
 * in it, and what should have been decided.
 */
final class OwnPaths {
  private static final int THREADS = 12;
  private static final int NO_ANSWER = 0;

  private final List<Pod> principals;
  private final InetSocketAddress service;
  private final AtomicInteger number = new AtomicInteger();
  private final Map<String, Integer> answered = new ConcurrentHashMap<>();
  private final List<String> wrong = new CopyOnWriteArrayList<>();

  OwnPaths(List<Pod> principals, InetSocketAddress service) {
    this.principals = principals;
    this.service = service;
  }

  /** Of an AuthorizationPolicy. */
  static String rules(List<Pod> principals) {
    return principals.stream()
        .map(
            pod ->
                """
                  - from: [{source: {principals: [%s]}}]
                    to: [{operation: {paths: ["/of/%s/*"]}}]
                """
                    .formatted(
                        pod.identity().substring("spiffe://".length()), pod.serviceAccount()))
        .collect(Collectors.joining());
  }

  /** Asks until that many requests were answered. */
  void ask(int requests) throws InterruptedException {
    List<Thread> threads = new ArrayList<>();
    for (int i = 0; i < THREADS; i++) {
      Pod from = principals.get(i % principals.size());
      Random random = new Random(i);
      threads.add(Thread.ofPlatform().start(() -> ask(requests, from, random)));
    }
    for (Thread thread : threads) {
      thread.join();
    }
  }

  private void ask(int requests, Pod from, Random random) {
    while (answered.size() < requests && wrong.isEmpty()) {
      try (Web.Connection connection = Web.connect(from, service)) {
        for (int n = random.nextInt(6); n > 0; n--) {
          String path = path(from, random);
          Web.Message answer = connection.get(path);
          answered.put(path, answer.status());
          if (answer.status() != due(path)
              || answer.status() == 200 && !answer.body().contains("URI=" + from.identity())) {
            wrong.add(from + " at " + path + ": " + answer);
          }
        }
        if (random.nextBoolean()) {
          connection.send(path(from, random));
          if (random.nextBoolean()) {
            // In the midst of the answer.
            connection.in().read();
          }
          connection.client().reset();
        }
      } catch (IOException failed) {
        wrong.add(from + ": " + failed);
      }
    }
  }

  private String path(Pod from, Random random) {
    Pod owner = random.nextInt(3) == 0 ? principals.get(random.nextInt(principals.size())) : from;
    return "/of/%s/by/%s/%d"
        .formatted(owner.serviceAccount(), from.serviceAccount(), number.incrementAndGet());
  }

  private static int due(String path) {
    String[] parts = path.split("/", -1);
    return parts[2].equals(parts[4]) ? 200 : 403;
  }

  private String asker(String path) {
    String account = path.split("/", -1)[4];
    return principals.stream()
        .filter(pod -> pod.serviceAccount().equals(account))
        .map(Pod::identity)
        .findFirst()
        .orElseThrow();
  }

  /** What came out otherwise than it should. */
  List<String> wrong() {
    return wrong;
  }

  /** The statuses of the answers by path. */
  Map<String, Integer> answered() {
    return answered;
  }

  /**
   * The statuses in a waypoint's log by path, 0 where a client was gone before its answer. Fails
   * where a line has another's name, or tells of a decision that is not that path's.
   */
  Map<String, Integer> logged(Waypoint waypoint) {
    Map<String, Integer> statuses = new HashMap<>();
    for (String line : waypoint.envoy().log()) {
      if (!line.contains("\"path\":\"/of/")) {
        continue;
      }
      Map<String, String> fields = LogLine.parse(line).fields();
      String path = fields.getOrDefault("path", "");
      int status = Integer.parseInt(fields.getOrDefault("response_code", ""));
      assertThat(fields.get("source_principal")).as(line).isEqualTo(asker(path));
      assertThat(status).as(line).isIn(due(path), NO_ANSWER);
      assertThat(statuses.put(path, status)).as("what was logged before of %s", path).isNull();
    }
    return statuses;
  }

  /** How many requests of each principal ended with which status, as "PRINCIPAL STATUS". */
  Map<String, Long> countsOf(Map<String, Integer> statuses) {
    return statuses.entrySet().stream()
        .collect(
            Collectors.groupingBy(
                entry -> asker(entry.getKey()) + " " + entry.getValue(), Collectors.counting()));
  }

  /** The same as a waypoint counted it, for requests to a service. */
  static Map<String, Long> counted(Waypoint waypoint, String service, List<Pod> principals)
      throws IOException {
    List<String> identities = principals.stream().map(Pod::identity).toList();
    String counters =
        waypoint
            .inspect("/stats/prometheus")
            .body()
            .lines()
            .filter(line -> line.startsWith("istio_requests_total{"))
            .collect(Collectors.joining("\n"));
    return Metrics.parse(counters).samples().stream()
        .filter(
            sample ->
                service.equals(sample.labels().get("destination_service_name"))
                    && identities.contains(sample.labels().get("source_principal")))
        .collect(
            Collectors.groupingBy(
                sample ->
                    sample.labels().get("source_principal")
                        + " "
                        + sample.labels().get("response_code"),
                Collectors.summingLong(sample -> (long) sample.value())));
  }
}
