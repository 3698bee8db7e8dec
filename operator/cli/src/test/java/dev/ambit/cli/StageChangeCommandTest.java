package dev.ambit.cli;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.ambit.cli.output.Json;
import java.time.InstantSource;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

class StageChangeCommandTest {
  private final CommandLineFixture ambit = new CommandLineFixture();

  @BeforeEach
  void install() {
    ambit.server.put(CommandLineFixture.resource("mesh.yaml"));
  }

  @AfterEach
  void close() {
    ambit.close();
  }

  private static void status(ObjectNode object, String stage, boolean ready, String message) {
    object.set(
        "status",
        Json.tree(
            Map.of(
                "observedGeneration",
                object.at("/metadata/generation").asLong(),
                "stage",
                stage,
                "phase",
                ready ? "Done" : "Stalled",
                "pods",
                Map.of("total", 2, "captured", 2, "excluded", 0),
                "conditions",
                List.of(
                    Map.of("type", "Ready", "status", ready ? "True" : "False", "message", message),
                    Map.of("type", "Stalled", "status", ready ? "False" : "True")))));
  }

  @Test
  void enroll_applies_a_mesh_enrollment_with_a_field_manager_of_its_own() {
    var result = ambit.run("enroll", "plain").exits(ExitCode.OK);
    assertThat(result.out()).contains("MeshEnrollment plain/default asks for stage L4 now.");
    assertThat(ambit.server.writes)
        .containsExactly(
            "/apis/ambit.dev/v1alpha1/namespaces/plain/meshenrollments/default by ambit-cli"
                + " force=false {\"stage\":\"L4\"}");
  }

  @Test
  void what_is_asked_for_already_is_not_written_again() {
    assertThat(ambit.run("enroll", "bank").exits(ExitCode.OK).out()).contains("already");
    assertThat(ambit.run("leave", "plain").exits(ExitCode.OK).out()).contains("is not enrolled");
    assertThat(ambit.server.writes).isEmpty();
  }

  @Test
  void waiting_ends_when_the_namespace_is_there() {
    ambit.server.onApply = object -> status(object, "L4", true, "All pods are captured.");
    var result = ambit.run("enroll", "plain", "--wait").exits(ExitCode.OK);
    assertThat(result.out()).contains("All pods are captured.");
    ambit.server.onApply = object -> status(object, "None", true, "No pod is captured.");
    assertThat(ambit.run("leave", "plain", "--wait").exits(ExitCode.OK).out())
        .contains("No pod is captured.");
  }

  @Test
  void waiting_shows_how_far_it_is_beside_the_result() throws Exception {
    ambit.server.onApply = object -> status(object, "L4", true, "Done.");
    ambit.clock = InstantSource.system();
    var result = ambit.run("enroll", "bank", "--wait", "--timeout", "1s", "-o", "json");
    result.exits(ExitCode.TIMEOUT);
    assertThat(result.err())
        .startsWith("Capturing, 5 of 12 pods captured\n")
        .contains("ambit: namespace bank is not at stage L4 after 1s")
        .contains("7 pods are still to be captured.");
    var json =
        Json.parse(ambit.run("enroll", "plain", "--wait", "-o", "json").exits(ExitCode.OK).out());
    assertThat(json.at("/changed").asBoolean()).isTrue();
    assertThat(json.at("/status/ready").asText()).isEqualTo("True");
  }

  @Test
  void an_enrollment_that_is_stalled_ends_with_its_message() {
    ambit.server.onApply = object -> status(object, "None", false, "It cannot be.");
    assertThat(ambit.run("enroll", "plain", "--wait").exits(ExitCode.FINDINGS).out())
        .contains("It cannot be.");
  }

  @Test
  void a_label_that_says_otherwise_is_named_with_the_remedy() {
    assertThat(ambit.run("leave", "shop").exits(ExitCode.REFUSED).err())
        .contains("`kubectl label namespace shop istio.io/dataplane-mode-`")
        .hasLineCount(1);
    ambit.server.put(
        """
        apiVersion: v1
        kind: Namespace
        metadata: {name: opted, labels: {istio.io/dataplane-mode: none}}
        """);
    assertThat(ambit.run("enroll", "opted").exits(ExitCode.REFUSED).err())
        .contains("istio.io/dataplane-mode=none");
    assertThat(ambit.server.writes).isEmpty();
  }

  @Test
  void another_enrollment_that_counts_is_named() {
    ambit.server.put(
        """
        apiVersion: ambit.dev/v1alpha1
        kind: MeshEnrollment
        metadata: {name: ours, namespace: plain, creationTimestamp: "2026-11-29T09:00:00Z"}
        spec: {stage: L4}
        """);
    assertThat(ambit.run("leave", "plain").exits(ExitCode.REFUSED).err())
        .contains("MeshEnrollment plain/ours counts there and asks for stage L4");
    ambit.run("enroll", "plain").exits(ExitCode.OK);
    assertThat(ambit.server.writes).isEmpty();
  }

  @Test
  void an_enrollment_that_is_paused_or_a_dry_run_is_not_waited_for() {
    ambit.server.put(
        """
        apiVersion: ambit.dev/v1alpha1
        kind: MeshEnrollment
        metadata: {name: default, namespace: plain}
        spec: {stage: L4, dryRun: true}
        """);
    assertThat(ambit.run("enroll", "plain", "--wait").exits(ExitCode.REFUSED).err())
        .contains("MeshEnrollment plain/default has spec.dryRun");
  }

  @Test
  void a_field_of_another_manager_is_taken_over_only_when_asked() {
    ambit.server.conflict =
        "Apply failed with 1 conflict: conflict with \"argocd-controller\": .spec.stage";
    assertThat(ambit.run("leave", "bank").exits(ExitCode.REFUSED).err())
        .contains("argocd-controller")
        .contains("--force");
    ambit.run("leave", "bank", "--force").exits(ExitCode.OK);
  }

  @Test
  void a_namespace_that_is_never_captured_and_a_cluster_without_mesh_are_refused() {
    assertThat(ambit.run("enroll", "kube-system").exits(ExitCode.REFUSED).err())
        .contains("never captured");
    ambit.server.remove("/apis/ambit.dev/v1alpha1/ambientmeshes/default");
    assertThat(ambit.run("enroll", "plain").exits(ExitCode.REFUSED).err())
        .contains("there is no AmbientMesh");
  }

  @Test
  void stages_and_times_that_do_not_exist_are_wrong_usage() {
    assertThat(ambit.run("enroll", "plain", "--stage", "L9").exits(ExitCode.USAGE).err())
        .contains("there is no stage 'L9': it is one of None, L4");
    ambit.run("enroll", "plain", "--timeout", "soon").exits(ExitCode.USAGE);
  }

  @Test
  void a_namespace_of_a_fleet_is_moved_by_the_fleet() {
    ambit.server.put(
        """
        apiVersion: ambit.dev/v1alpha1
        kind: MeshEnrollment
        metadata: {name: fleet, namespace: plain, generation: 1, labels: {ambit.dev/fleet: platform}}
        spec: {stage: L4}
        """);
    assertThat(ambit.run("leave", "plain").exits(ExitCode.REFUSED).err())
        .contains("ClusterMeshEnrollment platform decides for namespace plain")
        .contains("named default, which wins");
  }
}
