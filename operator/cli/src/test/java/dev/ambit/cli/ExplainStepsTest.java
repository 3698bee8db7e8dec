package dev.ambit.cli;

import static org.assertj.core.api.Assertions.assertThat;

import dev.ambit.capture.PodNumber;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/** Pods are explained by what the operator has released, and not by what is asked for. */
class ExplainStepsTest {
  private final CommandLineFixture ambit = new CommandLineFixture();

  @AfterEach
  void close() {
    ambit.close();
  }

  private String explain(int cut) {
    ambit.server.put(CommandLineFixture.resource("mesh.yaml"));
    ambit.server.put(
        """
        apiVersion: ambit.dev/v1alpha1
        kind: MeshEnrollment
        metadata: {name: default, namespace: bank}
        spec: {stage: L4, rollout: {steps: [{pods: 10%%}, {pods: 100%%}]}}
        status: {inForce: {cut: %d}}
        ---
        apiVersion: v1
        kind: Pod
        metadata: {name: till, namespace: bank}
        spec: {nodeName: node-1}
        status: {phase: Running, podIP: 10.42.0.9}
        """
            .formatted(cut));
    return ambit.run("explain", "bank/till").out();
  }

  @Test
  void a_pod_whose_step_has_not_come_is_held() {
    assertThat(explain(Math.max(1, PodNumber.of("bank", "till") - 1)))
        .contains("The pod is captured once its step of the rollout has come.")
        .containsPattern("decision: +Held")
        .containsPattern(
            "MeshEnrollment +here +default asks for stage L4, step by step, and this pod's step has not come");
  }

  @Test
  void a_pod_whose_step_has_come_should_be_captured() {
    assertThat(explain(PodNumber.of("bank", "till") + 1))
        .contains("The pod should be captured")
        .contains("this pod's step has come");
  }

  @Test
  void an_enrollment_that_is_not_released_decides_nothing_yet() {
    explain(0);
    ambit.server.put(
        """
        apiVersion: ambit.dev/v1alpha1
        kind: MeshEnrollment
        metadata: {name: default, namespace: bank}
        spec: {stage: L4}
        """);
    assertThat(ambit.run("explain", "bank/till").exits(ExitCode.OK).out())
        .containsPattern("MeshEnrollment +- +default asks for stage L4, not released yet");
  }
}
