package dev.ambit.k3s;

import static org.awaitility.Awaitility.await;

import dev.ambit.api.Conditions;
import dev.ambit.api.MeshEnrollment;
import dev.ambit.api.Phase;
import java.time.Duration;
import java.util.Objects;

/** Enrollments that users write, by the name {@code default} where none is said. */
record Enrollments(InstalledAmbit ambit, Sample sample) {
  void apply(String namespace, String spec) {
    apply(namespace, "default", spec);
  }

  void apply(String namespace, String name, String spec) {
    sample.apply(
        """
        apiVersion: ambit.dev/v1alpha1
        kind: MeshEnrollment
        metadata: {namespace: %s, name: %s}
        spec: {%s}
        """
            .formatted(namespace, name, spec));
  }

  void delete(String namespace, String name) {
    ambit.client().resources(MeshEnrollment.class).inNamespace(namespace).withName(name).delete();
  }

  MeshEnrollment awaitPhase(String namespace, Phase phase) {
    return ambit.awaitEnrollment(
        namespace, "default", "is " + phase.text(), e -> e.getStatus().phase() == phase);
  }

  static String reason(MeshEnrollment enrollment, String type) {
    return Conditions.find(enrollment.getStatus().conditions(), type).orElseThrow().getReason();
  }

  /** How many pods are marked as captured. */
  long redirected(String namespace) {
    return ambit.client().pods().inNamespace(namespace).list().getItems().stream()
        .map(
            pod ->
                Objects.requireNonNullElse(
                    pod.getMetadata().getAnnotations(), java.util.Map.<String, String>of()))
        .filter(annotations -> "enabled".equals(annotations.get(InstalledAmbit.REDIRECTION)))
        .count();
  }

  void awaitOut(String namespace) {
    await("no pod marked as captured")
        .atMost(Duration.ofSeconds(90))
        .until(() -> redirected(namespace) == 0);
  }
}
