package dev.ambit.k3s;

import static dev.ambit.k3s.InstalledAmbit.isTrue;
import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.ambit.api.ClusterMeshEnrollment;
import dev.ambit.api.ClusterMeshEnrollmentStatus;
import dev.ambit.api.Conditions;
import dev.ambit.api.MeshEnrollment;
import io.fabric8.kubernetes.api.model.HasMetadata;
import io.fabric8.kubernetes.api.model.NamespaceBuilder;
import io.fabric8.kubernetes.api.model.Pod;
import io.fabric8.kubernetes.client.readiness.Readiness;
import io.fabric8.kubernetes.client.utils.Serialization;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Base64;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.TreeMap;
import java.util.function.Function;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;

/**
 * A fleet of many namespaces whose nodes are simulated: how long it takes, what it asks of the API
 * server, how much memory it costs, and that nothing is written where nothing changes. Few
 * namespaces in a test run; {@code make bench-enrollment} has as many as it is told.
 */
@ExtendWith(ClusterExtension.class)
class EnrollmentScaleIT {
  private static final int NAMESPACES = Integer.getInteger("ambit.scale.namespaces", 8);
  private static final int PODS = Integer.getInteger("ambit.scale.pods", 40);
  private static final int NODES = Integer.getInteger("ambit.scale.nodes", 2);
  private static final Duration SETTLED =
      Duration.ofSeconds(Integer.getInteger("ambit.scale.settled", 75));
  private static final Path REPORT =
      Path.of(System.getProperty("ambit.scale.report", "target/scale/results.md"));
  private static final Duration PATIENCE = Duration.ofMinutes(2).plusSeconds(3L * NAMESPACES);
  private static final String LABEL = "scale";

  /** What the operator asks of the API server, by the flow schema that it falls under. */
  private static final String SCHEMAS =
      Stream.of(
              schema("leases", 300, "*", "coordination.k8s.io", "leases"),
              // They judge what others ask of the operator, and leave nothing behind.
              schema("reviews", 301, "create", "authentication.k8s.io", "tokenreviews"),
              schema("events", 302, "*", "events.k8s.io", "events"),
              schema("writes", 303, "create, update, patch, delete", "*", "*"),
              schema("reads", 304, "get, list, watch", "*", "*"))
          .collect(Collectors.joining("---\n"));

  private static String schema(
      String name, int precedence, String verbs, String group, String resource) {
    return """
    apiVersion: flowcontrol.apiserver.k8s.io/v1
    kind: FlowSchema
    metadata: {name: scale-%s}
    spec:
      matchingPrecedence: %d
      priorityLevelConfiguration: {name: workload-high}
      distinguisherMethod: {type: ByUser}
      rules:
      - subjects: [{kind: ServiceAccount, serviceAccount: {namespace: ambit-system, name: ambit-operator}}]
        resourceRules: [{verbs: [%s], apiGroups: ["%s"], resources: ["%s"], namespaces: ["*"], clusterScope: true}]
    """
        .formatted(name, precedence, verbs.replace("*", "\"*\""), group, resource);
  }

  private final List<String> report = new ArrayList<>();

  private static InstalledAmbit ambit;
  private static Sample sample;

  @BeforeAll
  static void install(TwoNodeCluster cluster) {
    ClusterExtension.require(
        System.getProperty("user.name").equals("root")
            && Files.exists(Path.of("/proc/self/ns/net")),
        "root on the machine that the container engine runs on, for simulated pods");
    ClusterExtension.awaitOthersGone(cluster);
    ambit = InstalledAmbit.on(cluster);
    sample = new Sample(ambit.client());
  }

  @Test
  void a_fleet_joins_and_nothing_is_written_once_it_is_there(TwoNodeCluster cluster)
      throws IOException, InterruptedException {
    var server = cluster.nodes().getFirst();
    var host = internalAddress(server.name());
    sample.apply(SCHEMAS);
    try (var nodes = new SimulatedNodes(ambit.client(), NODES, host)) {
      var identities = populate(nodes);
      var tunnels = tunnels(cluster, host, identities);
      try {
        joinAndSettle(identities.size());
      } finally {
        ambit.client().resources(ClusterMeshEnrollment.class).withName("scale").delete();
        tunnels.destroy();
        tunnels.waitFor();
      }
      ambit.client().namespaces().withLabel(LABEL).delete();
    } finally {
      ambit.client().load(stream(SCHEMAS)).delete();
      cluster
          .nodes()
          .forEach(
              node ->
                  node.shell(
                      "ip route del local 10.200.0.0/16 dev lo; ip route del 10.200.0.0/16"));
      Files.createDirectories(Objects.requireNonNull(REPORT.toAbsolutePath().getParent()));
      Files.write(REPORT, report);
      System.out.println(String.join(System.lineSeparator(), report));
    }
    await("the namespaces are gone")
        .atMost(PATIENCE)
        .until(() -> ambit.client().namespaces().withLabel(LABEL).list().getItems().isEmpty());
    await("the mesh is whole again")
        .atMost(PATIENCE)
        .until(
            () -> isTrue(Objects.requireNonNull(ambit.mesh().getStatus()).conditions(), "Ready"));
  }

  private void joinAndSettle(int pods) {
    long idle = memory();
    var before = requests();
    long begin = System.nanoTime();
    sample.apply(
        """
        apiVersion: ambit.dev/v1alpha1
        kind: ClusterMeshEnrollment
        metadata: {name: scale}
        spec:
          namespaces: {matchExpressions: [{key: scale, operator: Exists}]}
          waves: [{name: canary, share: 5%}, {name: half, share: 50%}, {name: rest}]
          maxConcurrent: 20
          template: {stage: L4}
        """);
    var done = awaitFleet();
    double seconds = (System.nanoTime() - begin) / 1e9;
    var spent = requests(before);
    assertThat(Objects.requireNonNull(done.namespaces()).done()).isEqualTo(NAMESPACES);
    assertThat(proven()).isEqualTo(pods);
    row("namespaces, pods, nodes", NAMESPACES + ", " + pods + ", " + NODES);
    row("until all are proven, s", "%.1f".formatted(seconds));
    spent.forEach(
        (kind, count) -> row("requests a pod: " + kind, "%.2f".formatted((double) count / pods)));
    row("memory of the larger operator before, MiB", Long.toString(idle >> 20));
    row("memory of the larger operator after, MiB", Long.toString(memory() >> 20));

    // The last of the status is written a moment after the last handshake.
    pause(Duration.ofSeconds(15));
    var objects = objects();
    var settled = requests();
    pause(SETTLED);
    var idling = requests(settled);
    idling.forEach(
        (kind, count) ->
            row(
                "requests in %d s of nothing: %s".formatted(SETTLED.toSeconds(), kind),
                Long.toString(count)));
    assertThat(writtenSince(objects)).isEmpty();
    assertThat(idling.get("writes")).isZero();

    restartOperators();
    settled = requests();
    pause(SETTLED);
    row(
        "writes in %d s of two operators that have just started".formatted(SETTLED.toSeconds()),
        String.valueOf(requests(settled).get("writes")));
    assertThat(writtenSince(objects)).isEmpty();

    begin = System.nanoTime();
    ambit.client().resources(ClusterMeshEnrollment.class).withName("scale").delete();
    await("the fleet has left")
        .atMost(PATIENCE)
        .pollInterval(Duration.ofMillis(500))
        .until(
            () ->
                ambit.client().resources(ClusterMeshEnrollment.class).withName("scale").get()
                    == null);
    row("until all have left, s", "%.1f".formatted((System.nanoTime() - begin) / 1e9));
  }

  private void row(String what, String value) {
    report.add("| %s | %s |".formatted(what, value));
  }

  private static void pause(Duration time) {
    try {
      Thread.sleep(time);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new AssertionError(e);
    }
  }

  private static java.io.InputStream stream(String text) {
    return new java.io.ByteArrayInputStream(text.getBytes(java.nio.charset.StandardCharsets.UTF_8));
  }

  private String internalAddress(String node) {
    return ambit.client().nodes().withName(node).require().getStatus().getAddresses().stream()
        .filter(address -> address.getType().equals("InternalIP"))
        .map(address -> address.getAddress())
        .filter(address -> !address.contains(":"))
        .findFirst()
        .orElseThrow();
  }

  /** Makes namespaces with pods that run, and returns the pods' identities by their addresses. */
  private Map<String, String> populate(SimulatedNodes nodes) {
    var identities = new TreeMap<String, String>();
    var pods = new ArrayList<Pod>();
    for (int i = 0; i < PODS; i++) {
      var namespace = "scale-" + i % NAMESPACES;
      var name = "pod-" + i / NAMESPACES;
      identities.put(
          nodes.address(namespace, name), "spiffe://cluster.local/ns/" + namespace + "/sa/app");
      pods.add(pod(namespace, name, nodes.name(i)));
    }
    IntStream.range(0, NAMESPACES)
        .parallel()
        .forEach(
            i -> {
              var name = "scale-" + i;
              create(
                  new NamespaceBuilder()
                      .withNewMetadata()
                      .withName(name)
                      .addToLabels(LABEL, "yes")
                      .endMetadata()
                      .build());
              sample.serviceAccount(name, "app");
            });
    pods.parallelStream().forEach(this::create);
    await("all pods run")
        .atMost(PATIENCE)
        .pollInterval(Duration.ofSeconds(1))
        .until(
            () ->
                ambit
                        .client()
                        .pods()
                        .inAnyNamespace()
                        .withLabel("simulated")
                        .list()
                        .getItems()
                        .stream()
                        .filter(Readiness::isPodReady)
                        .count()
                    == PODS);
    return identities;
  }

  private void create(HasMetadata object) {
    ambit.client().resource(object).serverSideApply();
  }

  private static Pod pod(String namespace, String name, String node) {
    return new io.fabric8.kubernetes.api.model.PodBuilder()
        .withNewMetadata()
        .withNamespace(namespace)
        .withName(name)
        .addToLabels("simulated", "yes")
        .endMetadata()
        .withNewSpec()
        .withNodeName(node)
        .withServiceAccountName("app")
        .withAutomountServiceAccountToken(false)
        .addNewContainer()
        .withName("app")
        .withImage("simulated")
        .endContainer()
        .endSpec()
        .build();
  }

  /** Their addresses are the first node's own, which the other is told, and no other machine is. */
  private Process tunnels(TwoNodeCluster cluster, String host, Map<String, String> identities)
      throws IOException {
    var server = cluster.nodes().getFirst();
    server.exec("ip", "route", "replace", "local", "10.200.0.0/16", "dev", "lo").orThrow();
    cluster
        .nodes()
        .getLast()
        .exec("ip", "route", "replace", "10.200.0.0/16", "via", host)
        .orThrow();
    var secret =
        ambit.client().secrets().inNamespace(InstalledAmbit.ROOT).withName("ambit-ca").require();
    var folder = Files.createTempDirectory("ambit-scale-");
    var authority = folder.resolve("authority.pem");
    Files.writeString(
        authority,
        Stream.of("ca-cert.pem", "ca-key.pem")
            .map(key -> new String(Base64.getDecoder().decode(secret.getData().get(key))))
            .collect(Collectors.joining("\n")));
    var list = folder.resolve("identities");
    Files.write(
        list,
        identities.entrySet().stream().map(each -> each.getKey() + " " + each.getValue()).toList());
    var target = Checkout.root().resolve("test-k3s/target");
    var process =
        new ProcessBuilder(
                "nsenter",
                "--net=/proc/" + server.processId() + "/ns/net",
                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "-cp",
                target.resolve("test-classes")
                    + ":"
                    + Files.readString(target.resolve("test-classpath")),
                SimulatedTunnels.class.getName(),
                authority.toString(),
                list.toString())
            .redirectError(ProcessBuilder.Redirect.INHERIT)
            .start();
    var line = process.inputReader().readLine();
    Files.delete(authority);
    Files.delete(list);
    Files.delete(folder);
    assertThat(line).as("what the simulated tunnels say first").isEqualTo("serving");
    return process;
  }

  private ClusterMeshEnrollmentStatus awaitFleet() {
    var fleet = ambit.client().resources(ClusterMeshEnrollment.class).withName("scale");
    await("the fleet is ready")
        .atMost(PATIENCE)
        .pollInterval(Duration.ofMillis(500))
        .untilAsserted(
            () -> {
              var now = fleet.require();
              assertThat(Objects.requireNonNull(now.getStatus()).observedGeneration())
                  .isEqualTo(now.getMetadata().getGeneration());
              assertThat(isTrue(now.getStatus().conditions(), Conditions.READY))
                  .as("%s", now.getStatus())
                  .isTrue();
            });
    return fleet.require().getStatus();
  }

  private int proven() {
    return ambit
        .client()
        .resources(MeshEnrollment.class)
        .inAnyNamespace()
        .list()
        .getItems()
        .stream()
        .filter(each -> each.getMetadata().getNamespace().startsWith("scale-"))
        .mapToInt(each -> InstalledAmbit.pods(each).proven())
        .sum();
  }

  /** What has come, changed or gone: as it was, and as it is. */
  private List<String> writtenSince(Map<String, HasMetadata> before) {
    var now = objects();
    return Stream.concat(before.keySet().stream(), now.keySet().stream())
        .distinct()
        .filter(name -> !version(before.get(name)).equals(version(now.get(name))))
        .map(
            name ->
                Serialization.asYaml(before.get(name))
                    + "became "
                    + Serialization.asYaml(now.get(name)))
        .toList();
  }

  private static String version(@Nullable HasMetadata object) {
    return object == null ? "none" : object.getMetadata().getResourceVersion();
  }

  /** All that an operator writes and that others do not. */
  private Map<String, HasMetadata> objects() {
    var client = ambit.client();
    return Stream.of(
            client.resources(MeshEnrollment.class).inAnyNamespace().list().getItems(),
            client.resources(ClusterMeshEnrollment.class).list().getItems(),
            client.namespaces().withLabel(LABEL).list().getItems(),
            client.pods().inAnyNamespace().withLabel("simulated").list().getItems(),
            client.configMaps().inAnyNamespace().list().getItems(),
            client.apps().daemonSets().inNamespace(InstalledAmbit.ROOT).list().getItems())
        .flatMap(List::stream)
        .collect(
            Collectors.toMap(
                each ->
                    each.getKind()
                        + " "
                        + each.getMetadata().getNamespace()
                        + "/"
                        + each.getMetadata().getName(),
                Function.<HasMetadata>identity(),
                (one, other) -> one,
                TreeMap::new));
  }

  /** How many the API server has taken so far of each kind. */
  private Map<String, Long> requests() {
    var counts = new TreeMap<String, Long>();
    ambit
        .client()
        .raw("/metrics")
        .lines()
        .filter(line -> line.startsWith("apiserver_flowcontrol_dispatched_requests_total{"))
        .forEach(
            line -> {
              int name = line.indexOf("flow_schema=\"scale-");
              if (name >= 0) {
                int begin = name + "flow_schema=\"scale-".length();
                counts.merge(
                    line.substring(begin, line.indexOf('"', begin)),
                    (long) Double.parseDouble(line.substring(line.lastIndexOf(' ') + 1)),
                    Long::sum);
              }
            });
    Stream.of("reads", "writes").forEach(kind -> counts.putIfAbsent(kind, 0L));
    return counts;
  }

  private Map<String, Long> requests(Map<String, Long> since) {
    var counts = new TreeMap<String, Long>();
    requests().forEach((kind, count) -> counts.put(kind, count - since.getOrDefault(kind, 0L)));
    return counts;
  }

  /** Resident, in bytes, as the kubelets count it: of the operator that takes more. */
  private long memory() {
    long most = 0;
    for (var node : ambit.cluster().nodes()) {
      try {
        JsonNode summary =
            new ObjectMapper()
                .readTree(
                    ambit.client().raw("/api/v1/nodes/" + node.name() + "/proxy/stats/summary"));
        for (JsonNode pod : summary.path("pods")) {
          if (pod.path("podRef").path("name").asText().startsWith("ambit-operator-")) {
            most = Math.max(most, pod.path("memory").path("rssBytes").asLong());
          }
        }
      } catch (IOException e) {
        throw new AssertionError(e);
      }
    }
    return most;
  }

  private void restartOperators() {
    var operators =
        ambit
            .client()
            .pods()
            .inNamespace(InstalledAmbit.ROOT)
            .withLabel("app.kubernetes.io/name", "ambit-operator");
    var before =
        operators.list().getItems().stream().map(pod -> pod.getMetadata().getName()).toList();
    operators.delete();
    await("two other operators")
        .atMost(Waypoint.PATIENCE)
        .pollInterval(Duration.ofSeconds(1))
        .until(
            () -> {
              var now = operators.list().getItems();
              return now.size() == 2
                  && now.stream().allMatch(Readiness::isPodReady)
                  && now.stream().noneMatch(pod -> before.contains(pod.getMetadata().getName()));
            });
  }
}
