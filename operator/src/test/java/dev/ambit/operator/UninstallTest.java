package dev.ambit.operator;

import static org.assertj.core.api.Assertions.assertThat;

import dev.ambit.api.AmbientMesh;
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
  void theMeshIsDeleted() {
    create();

    assertThat(Uninstall.remove(client, Duration.ofSeconds(10))).isTrue();
    assertThat(client.resources(AmbientMesh.class).list().getItems()).isEmpty();
  }

  @Test
  void aClusterWithoutMeshIsClean() {
    assertThat(Uninstall.remove(client, Duration.ofSeconds(10))).isTrue();
  }

  @Test
  void aMeshThatIsStillOnNodesIsWaitedForAndThenReported() {
    create(WellKnown.CLEANUP_FINALIZER);

    assertThat(Uninstall.remove(client, Duration.ofMillis(200))).isFalse();
  }
}
