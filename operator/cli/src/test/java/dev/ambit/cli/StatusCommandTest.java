package dev.ambit.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import dev.ambit.cli.output.Json;
import java.time.Duration;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

class StatusCommandTest {
  private static final Duration SOON = Duration.ofSeconds(30);

  private final CommandLineFixture ambit = new CommandLineFixture();

  @AfterEach
  void close() {
    ambit.close();
  }

  private CommandLineFixture installed() {
    ambit.server.put(CommandLineFixture.resource("mesh.yaml"));
    return ambit;
  }

  @Test
  void every_enrolled_namespace_is_shown() {
    installed().run("status").exits(ExitCode.OK).printed("status.txt");
  }

  @Test
  void one_namespace_is_shown_with_its_conditions_nodes_waypoints_and_excluded_pods() {
    installed().run("status", "shop").exits(ExitCode.OK).printed("status-shop.txt");
  }

  @Test
  void what_is_watched_is_shown_again_when_it_changes_and_not_before() throws Exception {
    CommandLineFixture.Running status = installed().start("status", "plain", "--watch");
    await().atMost(SOON).until(() -> status.out().contains("Namespace plain is not enrolled."));
    ambit.server.put(
        """
        apiVersion: ambit.dev/v1alpha1
        kind: MeshEnrollment
        metadata: {name: default, namespace: plain, generation: 1}
        spec: {stage: L4}
        status: {observedGeneration: 1, stage: None, phase: Capturing}
        """);
    await().atMost(SOON).until(() -> status.out().contains("Capturing"));
    assertThat(status.out()).containsOnlyOnce("is not enrolled");
    status.thread().interrupt();
    assertThat(status.thread().join(SOON)).as("ends once interrupted").isTrue();
  }

  @Test
  void a_namespace_that_is_not_enrolled_says_how_it_would_be() {
    assertThat(installed().run("status", "plain").exits(ExitCode.OK).out())
        .contains("Namespace plain is not enrolled. `ambit enroll plain` enrolls it.");
  }

  @Test
  void what_is_stalled_or_not_ready_makes_it_end_with_findings() {
    installed()
        .server
        .put(
            """
            apiVersion: ambit.dev/v1alpha1
            kind: MeshEnrollment
            metadata: {name: default, namespace: plain, generation: 1}
            spec: {stage: L4}
            status:
              observedGeneration: 1
              stage: None
              phase: Stalled
              conditions:
              - {type: Stalled, status: "True", reason: NoAmbientMesh, message: There is none.}
            ---
            apiVersion: v1
            kind: Pod
            metadata: {name: ambit-ztunnel-b, namespace: ambit-system, labels: {app.kubernetes.io/name: ambit-ztunnel}}
            spec: {nodeName: node-2}
            status: {phase: Running, conditions: [{type: Ready, status: "False"}]}
            """);
    assertThat(ambit.run("status").exits(ExitCode.FINDINGS).out())
        .contains("Stalled")
        .containsPattern("node-2 +ambit-ztunnel-b +no +ambit-agent-b +yes");
  }

  @Test
  void steps_proof_and_findings_are_shown_where_the_operator_tells_of_them() {
    installed()
        .server
        .put(
            """
            apiVersion: ambit.dev/v1alpha1
            kind: MeshEnrollment
            metadata: {name: default, namespace: plain, generation: 1}
            spec: {stage: L4}
            status:
              observedGeneration: 1
              stage: L4
              phase: Baking
              rollout: {step: 1, steps: 3, summary: 1/3}
              pods: {total: 10, captured: 1, proven: 1, excluded: 0}
              findings:
              - {severity: Warning, reason: HostNetwork, object: Pod plain/x, message: It stays outside.}
            """);
    assertThat(ambit.run("status", "plain").out())
        .containsPattern("PHASE +STEP +PODS +CAPTURED +PROVEN")
        .containsPattern("Baking +1/3 +10 +1 +1")
        .containsPattern("Warning +HostNetwork +Pod plain/x +It stays outside.");
  }

  private static final String FLEET =
      """
      apiVersion: ambit.dev/v1alpha1
      kind: ClusterMeshEnrollment
      metadata: {name: platform, generation: 1}
      spec: {template: {stage: L7}}
      status:
        observedGeneration: 1
        namespaces: {selected: 9, done: 4, moving: 2, waiting: 1, failed: 1, held: 1, leaving: 0}
        wave: {name: canary, summary: 1/3}
        held:
        - {namespace: bank, reason: RolloutAborted, message: Too many connections failed.}
        conditions:
        - {type: Ready, status: "False", reason: TooManyFailed, message: One failed.}
        - {type: Stalled, status: "True", reason: TooManyFailed, message: One failed.}
      """;

  @Test
  void fleets_are_shown_with_their_counts_and_the_namespaces_that_they_hold() {
    installed().server.put(FLEET);
    assertThat(ambit.run("status").exits(ExitCode.FINDINGS).out())
        .containsPattern("platform +L7 +1/3 +9 +4 +2 +1 +1 +1 +False +TooManyFailed")
        .containsPattern("bank +RolloutAborted +Too many connections failed.");
    assertThat(ambit.run("status", "shop").exits(ExitCode.OK).out()).doesNotContain("platform");
  }

  @Test
  void who_may_not_see_fleets_is_shown_namespaces_all_the_same() {
    installed().server.refuse("/apis/ambit.dev/v1alpha1/clustermeshenrollments", 403);
    assertThat(ambit.run("status").exits(ExitCode.OK).out()).contains("shop");
  }

  @Test
  void programs_get_json_and_yaml() throws Exception {
    installed();
    var json = Json.parse(ambit.run("status", "-o", "json").exits(ExitCode.OK).out());
    assertThat(json.at("/enrollments/0/namespace").asText()).isEqualTo("bank");
    assertThat(json.at("/enrollments/1/excludedPods/0/reason").asText()).isEqualTo("HostNetwork");
    assertThat(ambit.run("status", "-n", "shop", "-o", "yaml").exits(ExitCode.OK).out())
        .contains("namespace: \"shop\"")
        .contains("trustDomain: \"cluster.local\"");
  }

  @Test
  void colours_are_for_terminals_that_want_them() {
    installed();
    assertThat(ambit.run("status").out()).doesNotContain("\u001b");
    ambit.terminal = true;
    assertThat(ambit.run("status").out()).contains("\u001b[32m");
    ambit.variables = java.util.Map.of("NO_COLOR", "1");
    assertThat(ambit.run("status").out()).doesNotContain("\u001b");
  }

  @Test
  void a_cluster_without_ambit_is_told_to_install_it() {
    var result = ambit.run("status").exits(ExitCode.REFUSED);
    assertThat(result.err()).contains("install Ambit first").hasLineCount(1);
  }

  @Test
  void an_unknown_namespace_is_refused() {
    assertThat(installed().run("status", "nowhere").exits(ExitCode.REFUSED).err())
        .isEqualTo("ambit: there is no namespace 'nowhere'\n");
  }

  @Test
  void an_api_server_that_is_not_there_has_its_own_exit_code() {
    ambit.server.close();
    assertThat(ambit.run("status").exits(ExitCode.UNREACHABLE).err())
        .startsWith("ambit: the API server does not answer")
        .hasLineCount(1);
  }

  @Test
  void a_refusal_by_the_api_server_says_what_was_refused() {
    installed().server.refuse("/apis/ambit.dev/v1alpha1/meshenrollments", 403);
    assertThat(ambit.run("status").exits(ExitCode.REFUSED).err()).contains("is refused");
  }

  @Test
  void wrong_usage_has_its_own_exit_code() {
    assertThat(ambit.plain("status", "--wrong").exits(ExitCode.USAGE).err())
        .contains("ambit: Unknown option: '--wrong'")
        .contains("`ambit status --help`");
    assertThat(ambit.plain("nothing").exits(ExitCode.USAGE).err()).contains("nothing");
    assertThat(ambit.plain().exits(ExitCode.USAGE).err()).contains("Exit codes");
    ambit.run("status", "--kubeconfig=" + ambit.folder.resolve("absent")).exits(ExitCode.USAGE);
    assertThat(ambit.run("status", "--context", "absent").exits(ExitCode.USAGE).err())
        .contains("no context 'absent'");
    ambit.run("status", "-o", "xml").exits(ExitCode.USAGE);
  }

  @Test
  void the_version_is_that_of_the_command_line_and_of_what_is_installed() {
    assertThat(ambit.plain("version", "--client").exits(ExitCode.OK).out()).contains("ambit:");
    installed()
        .server
        .put(
            """
            apiVersion: apps/v1
            kind: Deployment
            metadata: {name: ambit-operator, namespace: ambit-system, labels: {app.kubernetes.io/part-of: ambit}}
            spec: {template: {spec: {containers: [{name: operator, image: "ghcr.io/ambit-mesh/operator:0.1.0"}]}}}
            """);
    assertThat(ambit.run("version").exits(ExitCode.OK).out())
        .contains("v1.36.3+k3s1")
        .containsPattern("ambit-operator +ghcr.io/ambit-mesh/operator:0.1.0");
  }
}
