package dev.ambit.k3s;

import static org.awaitility.Awaitility.await;

import dev.ambit.api.AmbientMesh;
import dev.ambit.api.MeshEnrollment;
import dev.ambit.api.PodCounts;
import io.fabric8.kubernetes.api.model.Condition;
import io.fabric8.kubernetes.api.model.Pod;
import io.fabric8.kubernetes.api.model.apps.DaemonSetBuilder;
import io.fabric8.kubernetes.client.KubernetesClient;
import io.fabric8.kubernetes.client.dsl.base.PatchContext;
import io.fabric8.kubernetes.client.dsl.base.PatchType;
import io.fabric8.kubernetes.client.readiness.Readiness;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.Objects;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.Predicate;
import org.jspecify.annotations.Nullable;

/** A two-node cluster with Ambit installed by its chart, one for all tests of a run. */
final class InstalledAmbit {
  static final String ROOT = "ambit-system";
  static final String MODE = "istio.io/dataplane-mode";
  static final String REDIRECTION = "ambient.istio.io/redirection";
  static final Duration SOON = Duration.ofSeconds(60);

  private static @Nullable InstalledAmbit instance;

  private final TwoNodeCluster cluster;
  private final KubernetesClient client;

  private InstalledAmbit(TwoNodeCluster cluster) {
    this.cluster = cluster;
    this.client = cluster.client();
  }

  /** Ambit on this run's cluster, installed by the first test that asks. */
  static synchronized InstalledAmbit on(TwoNodeCluster cluster) {
    // Where failed tests are run once more, that is on a cluster of their own.
    if (instance == null || instance.cluster != cluster) {
      var started = new InstalledAmbit(cluster);
      started.install();
      instance = started;
    }
    return instance;
  }

  TwoNodeCluster cluster() {
    return cluster;
  }

  KubernetesClient client() {
    return client;
  }

  String node(int index) {
    return cluster.nodes().get(index).name();
  }

  private void install() {
    for (var image : List.of("operator", "ztunnel", "agent", "waypoint", "sample")) {
      cluster.load(Checkout.root().resolve(".build/images/" + image + ".tar"));
    }
    installGatewayApi();
    installChart();
  }

  /** Takes Ambit away as a user does; {@link #installChart} brings it back. */
  void uninstallChart() {
    helm("uninstall", "ambit", "--namespace", ROOT, "--wait", "--timeout", "5m");
  }

  /** Installs Ambit by its chart and waits until its mesh is ready. */
  void installChart() {
    helm(
        "upgrade",
        "--install",
        "ambit",
        Checkout.root().resolve("helm/ambit").toString(),
        "--namespace",
        ROOT,
        "--create-namespace",
        "--set",
        "platform=k3s,mesh.waypoint.image=ghcr.io/ambit-mesh/waypoint:0.1.0",
        "--wait",
        "--timeout",
        "5m");
    await("AmbientMesh default ready")
        .atMost(Duration.ofMinutes(4))
        .pollInterval(Duration.ofMillis(500))
        .untilAsserted(
            () -> {
              var mesh = mesh();
              var status = mesh.getStatus();
              if (status == null || !isTrue(status.conditions(), "Ready")) {
                throw new AssertionError("not ready: " + status);
              }
            });
  }

  /** The CRDs that {@code test-k3s/bin/gateway-api} gets, as a user installs them. */
  private void installGatewayApi() {
    try (var files = Files.list(Checkout.root().resolve(".build/gateway-api"))) {
      for (Path file : files.filter(each -> each.toString().endsWith(".yaml")).sorted().toList()) {
        try (var yaml = Files.newInputStream(file)) {
          client.load(yaml).forceConflicts().serverSideApply();
        }
      }
    } catch (IOException e) {
      throw new AssertionError("run test-k3s/bin/gateway-api first", e);
    }
  }

  /** Runs helm against the cluster. */
  String helm(String... arguments) {
    var command = new java.util.ArrayList<String>();
    var built = Checkout.root().resolve(".build/bin/helm");
    command.add(Files.isExecutable(built) ? built.toString() : "helm");
    command.addAll(List.of(arguments));
    try {
      var kubeconfig = Files.createTempFile("kubeconfig", ".yaml");
      Files.writeString(kubeconfig, cluster.kubeconfig());
      command.addAll(List.of("--kubeconfig", kubeconfig.toString()));
      Path log = Files.createTempFile("helm", ".log");
      int exit =
          new ProcessBuilder(command)
              .redirectErrorStream(true)
              .redirectOutput(log.toFile())
              .start()
              .waitFor();
      var output = Files.readString(log);
      if (exit != 0) {
        throw new AssertionError(String.join(" ", command) + " failed: " + output);
      }
      return output;
    } catch (IOException e) {
      throw new AssertionError(command.getFirst() + " cannot run", e);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new AssertionError(e);
    }
  }

  AmbientMesh mesh() {
    return client.resources(AmbientMesh.class).withName("default").require();
  }

  /** Merges that into the mesh. */
  AmbientMesh patchMesh(String patch) {
    return client
        .resources(AmbientMesh.class)
        .withName("default")
        .patch(PatchContext.of(PatchType.JSON_MERGE), patch);
  }

  static boolean isTrue(List<Condition> conditions, String type) {
    return conditions.stream()
        .anyMatch(c -> c.getType().equals(type) && c.getStatus().equals("True"));
  }

  /** The counts of an enrollment's pods; zeroes where it has none yet. */
  static PodCounts pods(MeshEnrollment enrollment) {
    var status = enrollment.getStatus();
    var counts = status == null ? null : status.pods();
    return counts == null ? new PodCounts(0, 0, 0, 0, 0) : counts;
  }

  @Nullable MeshEnrollment enrollment(String namespace, String name) {
    return client.resources(MeshEnrollment.class).inNamespace(namespace).withName(name).get();
  }

  /** Waits until the namespace's enrollment of that name looks as asked. */
  MeshEnrollment awaitEnrollment(
      String namespace, String name, String what, Predicate<MeshEnrollment> test) {
    await("MeshEnrollment " + namespace + "/" + name + " " + what)
        .atMost(SOON)
        .pollInterval(Duration.ofMillis(300))
        .untilAsserted(
            () -> {
              var enrollment = enrollment(namespace, name);
              if (enrollment == null || enrollment.getStatus() == null || !test.test(enrollment)) {
                throw new AssertionError(
                    "is " + (enrollment == null ? "absent" : enrollment.getStatus()));
              }
            });
    return Objects.requireNonNull(enrollment(namespace, name));
  }

  /** Labels the namespace and waits until so many pods are captured. */
  MeshEnrollment enroll(Sample sample, String namespace, int captured) {
    sample.label(namespace, MODE, "ambient");
    return awaitEnrollment(
        namespace,
        "labels",
        "has " + captured + " pods captured",
        e -> isTrue(e.getStatus().conditions(), "Ready") && pods(e).captured() == captured);
  }

  /** The ztunnel of a node. */
  Pod ztunnel(String node) {
    return daemon("ambit-ztunnel-", node);
  }

  /**
   * Has all ztunnels replaced, and waits for that.
   *
   * @return how many of one node were ready together at most
   */
  int replaceZtunnels() {
    var before = ztunnels().stream().map(pod -> pod.getMetadata().getUid()).toList();
    client
        .apps()
        .daemonSets()
        .inNamespace(ROOT)
        .withName("ambit-ztunnel")
        .edit(
            daemonSet ->
                new DaemonSetBuilder(daemonSet)
                    .editSpec()
                    .editTemplate()
                    .editOrNewMetadata()
                    .addToAnnotations("kubectl.kubernetes.io/restartedAt", Instant.now().toString())
                    .endMetadata()
                    .endTemplate()
                    .endSpec()
                    .build());
    var together = new AtomicInteger();
    await("every ztunnel replaced")
        .atMost(Duration.ofSeconds(300))
        .ignoreExceptions()
        .until(
            () -> {
              var now = ztunnels();
              for (int node = 0; node < 2; node++) {
                var name = node(node);
                int running =
                    (int)
                        now.stream()
                            .filter(pod -> name.equals(pod.getSpec().getNodeName()))
                            .filter(Readiness::isPodReady)
                            .count();
                together.accumulateAndGet(running, Math::max);
              }
              return now.size() == 2
                  && now.stream().allMatch(Readiness::isPodReady)
                  && now.stream().noneMatch(pod -> before.contains(pod.getMetadata().getUid()));
            });
    return together.get();
  }

  private List<Pod> ztunnels() {
    return client.pods().inNamespace(ROOT).list().getItems().stream()
        .filter(pod -> pod.getMetadata().getName().startsWith("ambit-ztunnel-"))
        .toList();
  }

  Pod agent(String node) {
    return daemon("ambit-agent-", node);
  }

  private Pod daemon(String prefix, String node) {
    return client.pods().inNamespace(ROOT).list().getItems().stream()
        .filter(p -> p.getMetadata().getName().startsWith(prefix))
        .filter(p -> node.equals(p.getSpec().getNodeName()))
        .filter(p -> p.getMetadata().getDeletionTimestamp() == null)
        .findFirst()
        .orElseThrow(() -> new AssertionError("no " + prefix + " on " + node));
  }

  String logOf(Pod pod) {
    return client
        .pods()
        .inNamespace(pod.getMetadata().getNamespace())
        .withName(pod.getMetadata().getName())
        .getLog();
  }

  /** How many replicas of the operator serve, those that end aside. */
  long readyOperators() {
    return client
        .pods()
        .inNamespace(ROOT)
        .withLabel("app.kubernetes.io/name", "ambit-operator")
        .list()
        .getItems()
        .stream()
        .filter(pod -> pod.getMetadata().getDeletionTimestamp() == null)
        .filter(Readiness::isPodReady)
        .count();
  }

  /** Kills both replicas of the operator; others are made in their place. */
  void killOperators() {
    client
        .pods()
        .inNamespace(ROOT)
        .withLabel("app.kubernetes.io/name", "ambit-operator")
        .withGracePeriod(0)
        .delete();
  }

  /** Lines of the access log of a node's ztunnel that hold all the texts. */
  List<String> accessLog(String node, String... texts) {
    return logOf(ztunnel(node))
        .lines()
        .filter(line -> List.of(texts).stream().allMatch(line::contains))
        .toList();
  }

  boolean captured(String namespace, String pod) {
    return "enabled"
        .equals(
            client
                .pods()
                .inNamespace(namespace)
                .withName(pod)
                .require()
                .getMetadata()
                .getAnnotations()
                .get(REDIRECTION));
  }
}
