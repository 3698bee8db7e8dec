package dev.ambit.operator.enrollment;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import dev.ambit.api.MeshEnrollment;
import dev.ambit.operator.EventRecorder;
import dev.ambit.operator.enrollment.model.PlaintextSightings;
import dev.ambit.operator.enrollment.model.Traffic;
import dev.ambit.operator.preflight.PreflightReader;
import dev.ambit.operator.proof.Proofs;
import io.fabric8.kubernetes.api.model.NamespaceBuilder;
import io.fabric8.kubernetes.client.KubernetesClient;
import io.fabric8.kubernetes.client.server.mock.EnableKubernetesMockClient;
import io.fabric8.kubernetes.client.utils.Serialization;
import io.javaoperatorsdk.operator.Operator;
import io.micrometer.core.instrument.simple.SimpleMeterRegistry;
import java.time.Duration;
import java.time.InstantSource;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import org.junit.jupiter.api.Test;

/** What goes on for an enrollment, against an API server in memory. */
@EnableKubernetesMockClient(crud = true, https = false)
class MeshEnrollmentReconcilerTest {
  private static final Duration SOON = Duration.ofSeconds(30);
  private static final String ROOT = "ambit-system";

  @SuppressWarnings("NullAway.Init") // Set by the extension.
  private KubernetesClient client;

  private final SimpleMeterRegistry registry = new SimpleMeterRegistry();
  private final Set<String> watched = ConcurrentHashMap.newKeySet();
  private final Set<String> counted = ConcurrentHashMap.newKeySet();

  private MeshEnrollmentReconciler reconciler(Proofs proofs) {
    return new MeshEnrollmentReconciler(
        ROOT,
        new EventRecorder(client, "operator-0", InstantSource.system()),
        new EnrollmentMetrics(registry),
        new PreflightReader(client, ROOT),
        new PlanReader(client, ROOT),
        new ZtunnelReports(
            new TrafficCounts() {
              @Override
              public Traffic since(String namespace, Set<String> nodes) {
                counted.add(namespace);
                return Traffic.NONE;
              }

              @Override
              public void kept(String namespace, Traffic told) {}

              @Override
              public void forget(String namespace) {
                counted.remove(namespace);
              }
            },
            new PlaintextWatch() {
              @Override
              public PlaintextSightings of(String namespace, Set<String> nodes) {
                watched.add(namespace);
                return PlaintextSightings.NOT_ASKED;
              }

              @Override
              public void forget(String namespace) {
                watched.remove(namespace);
              }
            }),
        proofs,
        _ -> Optional.empty(),
        InstantSource.system());
  }

  private boolean hasMetrics() {
    return registry.find("ambit.enrollment.stage").tag("namespace", "shop").gauge() != null;
  }

  @Test
  void nothingGoesOnForAnEnrollmentThatIsDeleted() {
    client
        .resource(new NamespaceBuilder().withNewMetadata().withName("shop").endMetadata().build())
        .create();
    MeshEnrollment enrollment =
        Serialization.unmarshal(
            """
            apiVersion: ambit.dev/v1alpha1
            kind: MeshEnrollment
            metadata: {name: default, namespace: shop}
            spec: {stage: L4, mtls: Strict, rollout: {abortAbove: {failedConnections: 1%}}}
            """,
            MeshEnrollment.class);
    client.resource(enrollment).create();
    try (var proofs = new Proofs(Optional::empty, registry)) {
      Operator operator =
          new Operator(
              overrider -> overrider.withKubernetesClient(client).withCloseClientOnStop(false));
      operator.register(reconciler(proofs));
      operator.start();
      try {
        await().atMost(SOON).until(() -> watched.contains("shop") && hasMetrics());
        assertThat(counted).containsExactly("shop");

        client.resource(enrollment).delete();
        await().atMost(SOON).until(() -> watched.isEmpty() && counted.isEmpty() && !hasMetrics());
      } finally {
        operator.stop();
      }
    }
  }
}
