package dev.ambit.agent.cluster;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import dev.ambit.api.AmbientMesh;
import dev.ambit.api.InForce;
import dev.ambit.api.MeshEnrollment;
import dev.ambit.api.MeshEnrollmentSpec;
import dev.ambit.api.MeshEnrollmentStatus;
import dev.ambit.api.Stage;
import dev.ambit.capture.CaptureDecision;
import dev.ambit.capture.PodNumber;
import io.fabric8.kubernetes.api.model.NamespaceBuilder;
import io.fabric8.kubernetes.api.model.ObjectMetaBuilder;
import io.fabric8.kubernetes.api.model.Pod;
import io.fabric8.kubernetes.api.model.PodBuilder;
import io.fabric8.kubernetes.client.KubernetesClient;
import io.fabric8.kubernetes.client.dsl.NonDeletingOperation;
import io.fabric8.kubernetes.client.server.mock.EnableKubernetesMockClient;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.atomic.AtomicInteger;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

@Timeout(60)
@EnableKubernetesMockClient(crud = true)
class KubernetesClusterTest {
  private final List<String> changedPods = new CopyOnWriteArrayList<>();
  private final AtomicInteger meshChanges = new AtomicInteger();

  @SuppressWarnings("NullAway.Init") // Set by the extension.
  private KubernetesClient client;

  private KubernetesCluster cluster;

  @BeforeEach
  void start() {
    namespace("shop", Map.of("istio.io/dataplane-mode", "ambient"));
    namespace("plain", Map.of());
    namespace("ambit-system", Map.of("istio.io/dataplane-mode", "ambient"));
    cluster =
        new KubernetesCluster(
            client,
            // The mock server does not know the field by which a node's pods are chosen.
            client.pods().inAnyNamespace().runnableInformer(0),
            "node-1",
            "ambit-system",
            "agent-1",
            changedPods::add,
            meshChanges::incrementAndGet);
    cluster.start();
    await().until(cluster::synced);
  }

  @AfterEach
  void close() {
    cluster.close();
  }

  private void namespace(String name, Map<String, String> labels) {
    client
        .resource(
            new NamespaceBuilder()
                .withNewMetadata()
                .withName(name)
                .withLabels(labels)
                .endMetadata()
                .build())
        .createOr(NonDeletingOperation::update);
  }

  private Pod pod(String namespace, String name, Map<String, String> labels) {
    return client
        .resource(
            new PodBuilder()
                .withNewMetadata()
                .withNamespace(namespace)
                .withName(name)
                .withLabels(labels)
                .endMetadata()
                .withNewSpec()
                .withNodeName("node-1")
                .endSpec()
                .build())
        .create();
  }

  private void enroll(String namespace, Stage stage, @Nullable Integer cut) {
    var enrollment = new MeshEnrollment();
    enrollment.setMetadata(
        new ObjectMetaBuilder().withNamespace(namespace).withName("default").build());
    enrollment.setSpec(MeshEnrollmentSpec.of(stage));
    if (cut != null) {
      enrollment.setStatus(
          MeshEnrollmentStatus.NOTHING_YET.withInForce(
              new InForce(cut, null, null, null, null, null)));
    }
    client.resource(enrollment).createOr(NonDeletingOperation::update);
    if (cut != null) {
      client.resource(enrollment).updateStatus();
    }
  }

  @Test
  void labelsAndEnrollmentsDecideAndChangesAreTold() {
    var pod = pod("plain", "a", Map.of());
    var uid = pod.getMetadata().getUid();
    await().untilAsserted(() -> assertThat(cluster.pod(uid)).isPresent());
    assertThat(cluster.decide(pod)).isEqualTo(CaptureDecision.NOT_ENROLLED);
    assertThat(cluster.enrolledNamespaces()).containsExactly("shop");

    changedPods.clear();
    namespace("plain", Map.of("istio.io/dataplane-mode", "ambient"));
    await().untilAsserted(() -> assertThat(changedPods).contains(uid));
    assertThat(cluster.decide(pod)).isEqualTo(CaptureDecision.CAPTURED);
    assertThat(cluster.enrolledNamespaces()).containsExactly("plain", "shop");

    changedPods.clear();
    enroll("plain", Stage.NONE, 0);
    await()
        .untilAsserted(
            () -> assertThat(cluster.decide(pod)).isEqualTo(CaptureDecision.NOT_ENROLLED));
    assertThat(changedPods).contains(uid);

    var labelled = pod("plain", "b", Map.of("istio.io/dataplane-mode", "ambient"));
    await()
        .untilAsserted(
            () -> assertThat(cluster.enrolledNamespaces()).containsExactly("plain", "shop"));
    assertThat(cluster.decide(labelled)).isEqualTo(CaptureDecision.CAPTURED);
    assertThat(cluster.decide(pod("ambit-system", "operator", Map.of())))
        .isInstanceOf(CaptureDecision.Excluded.class);
  }

  @Test
  void anEnrollmentTakesNoMorePodsThanTheOperatorHasReleased() {
    var a = pod("plain", "a", Map.of());
    var b = pod("plain", "b", Map.of());
    enroll("plain", Stage.L4, null);
    assertThat(cluster.decide(a)).isEqualTo(CaptureDecision.NOT_ENROLLED);

    int first = PodNumber.of("plain", "a");
    int second = PodNumber.of("plain", "b");
    enroll("plain", Stage.L4, Math.min(first, second) + 1);
    await()
        .untilAsserted(
            () ->
                assertThat(List.of(cluster.decide(a), cluster.decide(b)))
                    .containsExactlyInAnyOrder(CaptureDecision.CAPTURED, CaptureDecision.HELD));
    // A pod that may not have been released must not be held back while the agent is away.
    assertThat(cluster.enrolledNamespaces()).containsExactly("shop");

    enroll("plain", Stage.L4, PodNumber.ALL);
    await()
        .untilAsserted(
            () -> assertThat(cluster.enrolledNamespaces()).containsExactly("plain", "shop"));
    assertThat(cluster.decide(a)).isEqualTo(CaptureDecision.CAPTURED);
    assertThat(cluster.decide(b)).isEqualTo(CaptureDecision.CAPTURED);
  }

  @Test
  void theMeshComesAndGoes() {
    assertThat(cluster.mesh()).isInstanceOf(MeshState.Absent.class);
    var mesh = new AmbientMesh();
    mesh.setMetadata(
        new ObjectMetaBuilder().withName("default").withFinalizers("ambit.dev/cleanup").build());
    client.resource(mesh).create();
    await().untilAsserted(() -> assertThat(cluster.mesh()).isInstanceOf(MeshState.Present.class));
    client.resources(AmbientMesh.class).withName("default").delete();
    await().untilAsserted(() -> assertThat(cluster.mesh()).isInstanceOf(MeshState.Leaving.class));
    assertThat(meshChanges.get()).isPositive();
  }

  @Test
  void warnsOnceOfTheSame() {
    var pod = pod("shop", "a", Map.of());
    cluster.warn(pod, "ZtunnelUnavailable", "message");
    cluster.warn(pod, "ZtunnelUnavailable", "message");
    var events = client.v1().events().inNamespace("shop").list().getItems();
    assertThat(events).hasSize(1);
    assertThat(events.getFirst().getInvolvedObject().getName()).isEqualTo("a");
  }
}
