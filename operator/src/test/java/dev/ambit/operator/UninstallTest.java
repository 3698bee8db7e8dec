package dev.ambit.operator;

import static org.assertj.core.api.Assertions.assertThat;

import dev.ambit.api.AmbientMesh;
import dev.ambit.api.ClusterMeshEnrollment;
import dev.ambit.api.MeshEnrollment;
import dev.ambit.api.WellKnown;
import io.fabric8.kubernetes.api.model.ObjectMetaBuilder;
import io.fabric8.kubernetes.client.KubernetesClient;
import io.fabric8.kubernetes.client.server.mock.EnableKubernetesMockClient;
import java.time.Duration;
import org.junit.jupiter.api.Test;

@EnableKubernetesMockClient(crud = true)
@SuppressWarnings("NullAway.Init")
class UninstallTest {
  KubernetesClient client;

  private void create(String... finalizers) {
    AmbientMesh mesh = new AmbientMesh();
    mesh.setMetadata(
        new ObjectMetaBuilder()
            .withName(WellKnown.DEFAULT_NAME)
            .withFinalizers(finalizers)
            .build());
    client.resource(mesh).create();
  }

  @Test
  void theMeshIsDeleted() throws Exception {
    create();

    assertThat(Uninstall.remove(client, Duration.ofSeconds(10))).isTrue();
    assertThat(client.resources(AmbientMesh.class).list().getItems()).isEmpty();
  }

  @Test
  void aClusterWithoutMeshIsClean() throws Exception {
    assertThat(Uninstall.remove(client, Duration.ofSeconds(10))).isTrue();
  }

  @Test
  void aMeshThatIsStillOnNodesIsWaitedForAndThenReported() throws Exception {
    create(WellKnown.CLEANUP_FINALIZER);

    assertThat(Uninstall.remove(client, Duration.ofMillis(200))).isFalse();
  }

  @Test
  void whatTheOperatorKeepsInNamespacesIsWaitedForAndThenReported() throws Exception {
    var mirror = new MeshEnrollment();
    mirror.setMetadata(
        new ObjectMetaBuilder()
            .withNamespace("shop")
            .withName(WellKnown.MIRROR_NAME)
            .addToLabels(WellKnown.MIRROR, "true")
            .build());
    client.resource(mirror).create();
    assertThat(Uninstall.remove(client, Duration.ofMillis(200))).isFalse();
    client.resource(mirror).delete();
    var fleet = new ClusterMeshEnrollment();
    fleet.setMetadata(
        new ObjectMetaBuilder()
            .withName("platform")
            .withFinalizers(WellKnown.FLEET_FINALIZER)
            .build());
    client.resource(fleet).create();
    assertThat(Uninstall.remove(client, Duration.ofMillis(200))).isFalse();
  }

  @Test
  void aMeshOfOthersIsNotDeletedAndKeepsTheOperator() {
    assertThat(Uninstall.isAbsent(client)).isTrue();
    create();
    assertThat(Uninstall.isAbsent(client)).isFalse();
    assertThat(client.resources(AmbientMesh.class).list().getItems()).hasSize(1);
  }
}
