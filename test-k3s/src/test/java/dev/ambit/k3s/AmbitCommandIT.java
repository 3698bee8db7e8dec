package dev.ambit.k3s;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.util.ArrayList;
import java.util.Map;
import java.util.zip.ZipFile;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** The command line against a cluster: a namespace's way into the mesh and out of it. */
@ExtendWith(ClusterExtension.class)
class AmbitCommandIT {
  private static final Logger LOG = LoggerFactory.getLogger(AmbitCommandIT.class);
  private static final String NAMESPACE = "command";

  private static InstalledAmbit installed;
  private static AmbitCommand ambit;
  private static Sample sample;

  @BeforeAll
  static void start(TwoNodeCluster cluster) {
    installed = InstalledAmbit.on(cluster);
    ambit = new AmbitCommand(cluster);
    sample = new Sample(installed.client());
    pods(NAMESPACE);
  }

  /** A namespace with two pods, one on each node; the server's address. */
  private static String pods(String namespace) {
    sample.namespace(namespace, Map.of());
    String server =
        sample.server(namespace, "server", installed.node(1), 8080).getStatus().getPodIP();
    sample.client(namespace, "client", installed.node(0));
    return server;
  }

  private static CommandResult run(int exitCode, String... arguments) {
    CommandResult result = ambit.run(arguments);
    assertThat(result.exitCode())
        .as("%s: %s%s", String.join(" ", arguments), result.output(), result.error())
        .isEqualTo(exitCode);
    return result;
  }

  @Test
  void a_namespace_is_taken_into_the_mesh_explained_and_taken_out_again() {
    assertThat(run(0, "explain", NAMESPACE + "/server").output()).contains("not in the mesh");
    assertThat(run(0, "enroll", NAMESPACE, "--wait").output()).contains("stage L4 now");
    await("the server is captured")
        .atMost(InstalledAmbit.SOON)
        .untilAsserted(
            () ->
                assertThat(run(0, "explain", NAMESPACE + "/server").output())
                    .contains("captured, as it should be")
                    .containsPattern("MeshEnrollment +here +default asks for stage L4"));
    await("the status shows both pods")
        .atMost(InstalledAmbit.SOON)
        .untilAsserted(
            () ->
                assertThat(run(0, "status", NAMESPACE).output())
                    .containsPattern(NAMESPACE + " +default +L4 +L4 +Done .*2 +2 "));
    assertThat(run(0, "status", NAMESPACE, "-o", "json").output()).contains("\"captured\" : 2");

    assertThat(run(0, "leave", NAMESPACE, "--wait").output()).contains("stage None now");
    await("the server has left")
        .atMost(InstalledAmbit.SOON)
        .untilAsserted(
            () ->
                assertThat(run(0, "explain", NAMESPACE + "/server").output())
                    .contains("not in the mesh"));
  }

  @Test
  void an_installed_mesh_passes_its_check() {
    // Other tests may have disturbed it a moment ago.
    await("nothing is wrong")
        .atMost(InstalledAmbit.SOON)
        .untilAsserted(
            () ->
                assertThat(run(0, "check").output())
                    .containsPattern("ok +Mesh +The AmbientMesh is ready")
                    .containsPattern("ok +Components +ambit-ztunnel: 2 of 2 ready")
                    .contains("0 errors"));
    run(0, "check", "--pre", "-o", "yaml");
  }

  @Test
  void ztunnels_show_certificates_connections_and_what_they_were_told() {
    String namespace = "command-dumps";
    String server = pods(namespace);
    run(0, "enroll", namespace, "--wait");
    sample.keep(namespace, "keeper", installed.node(0), server, 8080);
    assertThat(run(0, "certs", namespace + "/server").output())
        .contains("spiffe://cluster.local/ns/" + namespace + "/sa/server")
        .contains("Available");
    await("the open connection is shown at both ends")
        .atMost(InstalledAmbit.SOON)
        .untilAsserted(
            () ->
                assertThat(run(0, "connections", "-n", namespace).output())
                    .containsPattern(
                        namespace
                            + "/server .*inbound .*HBONE +spiffe://cluster.local/ns/"
                            + namespace)
                    .containsPattern(namespace + "/keeper .*outbound"));
    assertThat(run(0, "proxy-config", "workloads", "-n", namespace).output())
        .containsPattern(namespace + " +server .*HBONE +Healthy");
    assertThat(
            run(0, "explain", "traffic", namespace + "/client", namespace + "/server:8080")
                .output())
        .contains("The connection is let in.")
        .containsPattern("HBONE +spiffe://cluster.local/ns/" + namespace);
    assertThat(run(0, "plan", namespace, "--stage", "None").output())
        .containsPattern("would leave: .*server");
    installed.client().pods().inNamespace(namespace).withName("keeper").delete();
    run(0, "leave", namespace);
  }

  @Test
  void a_policy_is_tried_on_what_was_seen() throws Exception {
    String namespace = "command-authz";
    String server = pods(namespace);
    run(0, "enroll", namespace, "--wait");
    Files.writeString(
        ambit.folder().resolve("policy.yaml"),
        """
        apiVersion: security.istio.io/v1
        kind: AuthorizationPolicy
        metadata: {name: nobody, namespace: %s}
        spec: {action: ALLOW, rules: [{from: [{source: {principals: [cluster.local/ns/no/sa/body]}}]}]}
        """
            .formatted(namespace));
    await("a connection that was seen would have been denied")
        .atMost(InstalledAmbit.SOON)
        .untilAsserted(
            () -> {
              sample.request(namespace, "client", server, 8080, "x").orThrow();
              assertThat(run(1, "authz", "simulate", "-f", "policy.yaml").output())
                  .containsPattern(
                      namespace + "/client +.*" + namespace + "/server +8080 +Allowed +Denied");
            });
    run(0, "leave", namespace);
  }

  @Test
  void a_bug_report_has_logs_and_dumps_and_no_keys() throws Exception {
    run(0, "bug-report", "-f", "report.zip");
    var contents = new StringBuilder();
    var names = new ArrayList<String>();
    try (var zip = new ZipFile(ambit.folder().resolve("report.zip").toFile())) {
      for (var entry : zip.stream().toList()) {
        names.add(entry.getName());
        contents.append(
            new String(zip.getInputStream(entry).readAllBytes(), StandardCharsets.UTF_8));
      }
    }
    assertThat(names)
        .contains("versions.json", "objects/ambientmeshes.json")
        .anyMatch(name -> name.matches("ambit-system/dumps/ambit-ztunnel-.*"))
        .anyMatch(name -> name.matches("ambit-system/logs/ambit-operator-.*"))
        .doesNotContain("errors.txt");
    assertThat(contents).doesNotContain("PRIVATE KEY").doesNotContain("eyJhbGciOi");
  }

  @Test
  void kubectl_finds_it_as_a_plugin() throws Exception {
    var link = Checkout.root().resolve("operator/bin/kubectl-ambit");
    var process = new ProcessBuilder(link.toString(), "version", "--client").start();
    assertThat(new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8))
        .contains("ambit:");
    assertThat(process.waitFor()).isZero();
  }

  @Test
  void kubectl_completes_it() throws Exception {
    var link = Checkout.root().resolve("operator/bin/kubectl_complete-ambit");
    var process = new ProcessBuilder(link.toString(), "proxy-config", "list").start();
    assertThat(new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8))
        .isEqualTo("listeners\n:4\n");
    assertThat(process.waitFor()).isZero();
  }

  @Test
  void a_waypoint_shows_what_it_was_told() {
    String namespace = "command-waypoint";
    pods(namespace);
    run(0, "enroll", namespace, "--stage", "L7", "--wait", "--timeout", "3m");
    var pod =
        installed
            .client()
            .pods()
            .inNamespace(namespace)
            .withLabel("gateway.networking.k8s.io/gateway-name", "waypoint")
            .list()
            .getItems()
            .getFirst()
            .getMetadata()
            .getName();
    assertThat(run(0, "proxy-config", "listeners", namespace + "/" + pod).output())
        .containsPattern("connect_terminate +.*:15008");
    await("the service's endpoint is there")
        .atMost(InstalledAmbit.SOON)
        .untilAsserted(
            () ->
                assertThat(run(0, "proxy-config", "endpoints", namespace + "/" + pod).output())
                    .containsPattern(namespace + "/server_.*:8080 +HEALTHY"));
    assertThat(run(0, "proxy-config", "clusters", namespace + "/" + pod).output())
        .contains(namespace + "/server_");
    assertThat(run(0, "proxy-config", "routes", namespace + "/" + pod).output())
        .contains("tunnels");
    run(0, "leave", namespace);
  }

  @Test
  void a_start_is_measured() {
    LOG.info(
        "The fastest of five, in ms: `ambit version --client` {}, `ambit status` {}, `ambit check` {}",
        fastest("version", "--client"),
        fastest("status"),
        fastest("check"));
  }

  private static long fastest(String... arguments) {
    long fastest = Long.MAX_VALUE;
    for (int i = 0; i < 5; i++) {
      long begin = System.nanoTime();
      ambit.run(arguments);
      fastest = Math.min(fastest, System.nanoTime() - begin);
    }
    return fastest / 1_000_000;
  }
}
