package dev.ambit.operator.waypoint.life.model;

import static org.assertj.core.api.Assertions.assertThat;

import io.fabric8.kubernetes.api.model.apps.Deployment;
import io.fabric8.kubernetes.client.utils.Serialization;
import java.util.List;
import org.junit.jupiter.api.Test;

/** How far waypoints are with a change, and which may begin with one. */
class RolloutTest {
  private static Deployment deployment(String name, int updated, int replicas, int available) {
    return Serialization.unmarshal(
        """
        apiVersion: apps/v1
        kind: Deployment
        metadata: {namespace: shop, name: %s, generation: 2}
        spec: {replicas: 2}
        status: {observedGeneration: 2, updatedReplicas: %d, replicas: %d, availableReplicas: %d, readyReplicas: %d}
        """
            .formatted(name, updated, replicas, available, available),
        Deployment.class);
  }

  @Test
  void asManyChangeAtOnceAsTheMeshSays() {
    Deployment done = deployment("done", 2, 2, 2);
    Deployment starting = deployment("starting", 2, 2, 1);
    Deployment replacing = deployment("replacing", 2, 3, 2);
    Deployment unseen = deployment("unseen", 2, 2, 2);
    unseen.getStatus().setObservedGeneration(1L);

    assertThat(Rollout.waitsFor(List.of(done), List.of(), 1)).isEmpty();
    for (Deployment changing : List.of(starting, replacing, unseen)) {
      assertThat(Rollout.waitsFor(List.of(done, changing), List.of(), 1))
          .hasValueSatisfying(
              message -> assertThat(message).contains(changing.getMetadata().getName()));
      assertThat(Rollout.waitsFor(List.of(done, changing), List.of(), 2)).isEmpty();
    }
    assertThat(Rollout.waitsFor(List.of(deployment("broken", 2, 2, 0)), List.of(), 1))
        .as("one that does not serve holds up nobody")
        .isEmpty();
    assertThat(Rollout.waitsFor(List.of(starting, replacing, unseen), List.of(), 0)).isEmpty();
    assertThat(Rollout.waitsFor(List.of(done), List.of("shop/done"), 1))
        .as("one that has just begun and does not show it yet")
        .isPresent();
  }

  @Test
  void theNumberOfReplicasIsTheOperatorsWhileNobodyElseHasSetIt() {
    Deployment deployment = deployment("waypoint", 2, 2, 2);
    assertThat(Rollout.ownedReplicas(deployment, "ambit-operator")).isNull();
    Deployment owned =
        Serialization.unmarshal(
            """
            apiVersion: apps/v1
            kind: Deployment
            metadata:
              name: waypoint
              managedFields:
              - manager: ambit-operator
                operation: Apply
                fieldsType: FieldsV1
                fieldsV1: {"f:spec": {"f:replicas": {}}}
            spec: {replicas: 3}
            """,
            Deployment.class);
    assertThat(Rollout.ownedReplicas(owned, "ambit-operator")).isEqualTo(3);
    assertThat(Rollout.ownedReplicas(owned, "another")).isNull();
  }

  @Test
  void instancesAreCountedAsTheyAre() {
    assertThat(Rollout.instances(null)).isEqualTo(WaypointObservation.Instances.NONE);
    assertThat(Rollout.instances(deployment("waypoint", 2, 2, 2)))
        .isEqualTo(WaypointObservation.Instances.settled(2));
    assertThat(Rollout.instances(deployment("waypoint", 2, 3, 2)).changing()).isTrue();
    assertThat(Rollout.instances(deployment("waypoint", 2, 2, 1)).changing()).isTrue();
    assertThat(Rollout.instances(deployment("waypoint", 2, 2, 1)).ready()).isEqualTo(1);
  }
}
