package dev.ambit.operator.enrollment;

import static org.assertj.core.api.Assertions.assertThat;

import dev.ambit.api.MeshEnrollment;
import dev.ambit.api.MeshEnrollmentStatus;
import dev.ambit.operator.enrollment.model.EnrollmentGateway;
import dev.ambit.operator.enrollment.model.WaypointState;
import io.fabric8.kubernetes.client.KubernetesClient;
import io.fabric8.kubernetes.client.server.mock.EnableKubernetesMockClient;
import io.fabric8.kubernetes.client.server.mock.KubernetesMockServer;
import io.fabric8.kubernetes.client.utils.Serialization;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import org.junit.jupiter.api.Test;

/** What is asked of the API server about an enrollment's waypoint. */
@EnableKubernetesMockClient(crud = true)
class EnrollmentWaypointsTest {
  private static final Instant NOW = Instant.parse("2026-11-22T12:00:00Z");

  @SuppressWarnings("NullAway.Init") // set by the extension
  private KubernetesClient client;

  @SuppressWarnings("NullAway.Init") // set by the extension
  private KubernetesMockServer server;

  private final EnrollmentWaypoints waypoints = new EnrollmentWaypoints();

  private static MeshEnrollment enrollment() {
    return Serialization.unmarshal(
        """
        apiVersion: ambit.dev/v1alpha1
        kind: MeshEnrollment
        metadata: {name: default, namespace: shop, uid: u}
        spec: {stage: L7, waypoint: {name: gate}}
        """,
        MeshEnrollment.class);
  }

  private WaypointState read(Instant now) {
    return waypoints.read(client, enrollment(), MeshEnrollmentStatus.NOTHING_YET, List.of(), now);
  }

  @Test
  void manyLooksAtOnceAskOnce() {
    assertThat(read(NOW)).isEqualTo(WaypointState.NONE);
    read(NOW.plusMillis(900));
    assertThat(server.getRequestCount()).isEqualTo(1);
    read(NOW.plusSeconds(1));
    assertThat(server.getRequestCount()).isEqualTo(2);
  }

  @Test
  void whatIsThereAsItIsAskedForIsNotToBeMade() {
    var gateway = EnrollmentGateway.of(enrollment());
    client.resource(gateway).create();
    assertThat(read(NOW).made()).isTrue();

    gateway.getMetadata().getLabels().put("istio.io/waypoint-for", "all");
    client.resource(gateway).update();
    assertThat(read(NOW.plus(Duration.ofSeconds(2))).made()).isFalse();
    // What was known is not believed once something was done.
    waypoints.remove(client, "shop", List.of("gate"));
    assertThat(read(NOW.plus(Duration.ofSeconds(2)))).isEqualTo(WaypointState.NONE);
  }

  @Test
  void somebodyElsesIsLeftAsItIs() {
    var gateway = EnrollmentGateway.of(enrollment());
    gateway.getMetadata().setOwnerReferences(List.of());
    gateway.getMetadata().getLabels().clear();
    client.resource(gateway).create();
    assertThat(read(NOW).made()).isTrue();
  }
}
