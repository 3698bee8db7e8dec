package dev.ambit.operator;

import static org.assertj.core.api.Assertions.assertThat;

import dev.ambit.api.MeshEnrollment;
import io.fabric8.kubernetes.api.model.Event;
import io.fabric8.kubernetes.api.model.NamespaceBuilder;
import io.fabric8.kubernetes.api.model.ObjectMetaBuilder;
import io.fabric8.kubernetes.client.KubernetesClient;
import io.fabric8.kubernetes.client.server.mock.EnableKubernetesMockClient;
import java.time.Instant;
import org.junit.jupiter.api.Test;

@EnableKubernetesMockClient(crud = true, https = false)
class EventRecorderTest {
  @SuppressWarnings("NullAway.Init") // Set by the extension.
  private KubernetesClient client;

  private EventRecorder events() {
    return new EventRecorder(client, "operator-0", () -> Instant.parse("2026-11-22T12:00:00Z"));
  }

  private Event only(String namespace) {
    var all = client.v1().events().inNamespace(namespace).list().getItems();
    assertThat(all).hasSize(1);
    return all.getFirst();
  }

  @Test
  void anEventAboutANamespaceIsWhereThoseOfClusterScopedObjectsAre() {
    var shop =
        new NamespaceBuilder()
            .withNewMetadata()
            .withName("shop")
            .withUid("uid-of-shop")
            .endMetadata()
            .build();
    events().warning(shop, "UnknownDataplaneMode", "Set it to ambient or none.");
    var event = only("default");
    assertThat(event.getType()).isEqualTo("Warning");
    assertThat(event.getReason()).isEqualTo("UnknownDataplaneMode");
    var about = event.getInvolvedObject();
    assertThat(about.getKind()).isEqualTo("Namespace");
    assertThat(about.getName()).isEqualTo("shop");
    assertThat(about.getUid()).isEqualTo("uid-of-shop");
    // The API server refuses one whose object has a namespace unlike the event's.
    assertThat(about.getNamespace()).isNull();
  }

  @Test
  void anEventAboutANamespacedObjectIsBesideIt() {
    var enrollment = new MeshEnrollment();
    enrollment.setMetadata(
        new ObjectMetaBuilder().withNamespace("shop").withName("labels").build());
    events().normal(enrollment, "Capturing", "1 of 2 pods are not captured yet.");
    var event = only("shop");
    assertThat(event.getInvolvedObject().getKind()).isEqualTo("MeshEnrollment");
    assertThat(event.getInvolvedObject().getNamespace()).isEqualTo("shop");
  }
}
