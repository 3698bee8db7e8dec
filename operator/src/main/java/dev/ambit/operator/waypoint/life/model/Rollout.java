package dev.ambit.operator.waypoint.life.model;

import io.fabric8.kubernetes.api.model.ManagedFieldsEntry;
import io.fabric8.kubernetes.api.model.apps.Deployment;
import io.fabric8.kubernetes.api.model.apps.DeploymentCondition;
import io.fabric8.kubernetes.api.model.apps.DeploymentStatus;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/** How far Deployments are with what they were last asked for. */
public final class Rollout {
  private Rollout() {}

  /** Whether instances of what was asked before are still there, or new ones are not ready. */
  static boolean underWay(Deployment deployment) {
    DeploymentStatus status = deployment.getStatus();
    if (status == null
        || !Objects.equals(
            status.getObservedGeneration(), deployment.getMetadata().getGeneration())) {
      return true;
    }
    int wanted = count(deployment.getSpec().getReplicas());
    return count(status.getUpdatedReplicas()) < wanted
        || count(status.getReplicas()) > count(status.getUpdatedReplicas())
        || count(status.getAvailableReplicas()) < count(status.getUpdatedReplicas());
  }

  /** What of the mesh's defaults a Deployment was made from. */
  public static Optional<String> revision(Deployment deployment) {
    Map<String, String> annotations = deployment.getMetadata().getAnnotations();
    return annotations == null
        ? Optional.empty()
        : Optional.ofNullable(annotations.get(WaypointObjects.REVISION));
  }

  /**
   * Whether a waypoint that serves is changing. One that has no instance that serves is not spared
   * anything by waiting, nor does it tell anything of the change: it may be new, or broken by what
   * its own namespace says.
   */
  private static boolean changes(Deployment deployment) {
    return underWay(deployment)
        && deployment.getStatus() != null
        && count(deployment.getStatus().getReadyReplicas()) > 0;
  }

  /**
   * Why an upgrade has to wait; nothing where it may begin.
   *
   * @param others all other waypoints' Deployments
   * @param begun "namespace/name" of those whose upgrade has begun and may not show yet
   * @param atOnce how many may change at the same time; 0 for all
   */
  public static Optional<String> waitsFor(List<Deployment> others, List<String> begun, int atOnce) {
    if (atOnce == 0) {
      return Optional.empty();
    }
    List<String> changing =
        Stream.concat(
                others.stream()
                    .filter(Rollout::changes)
                    .map(
                        deployment ->
                            deployment.getMetadata().getNamespace()
                                + "/"
                                + deployment.getMetadata().getName()),
                begun.stream())
            .distinct()
            .sorted()
            .toList();
    return changing.size() < atOnce
        ? Optional.empty()
        : Optional.of(
            "The upgrade waits for waypoint "
                + String.join(", ", changing.stream().limit(3).toList())
                + (changing.size() > 3 ? " and others" : "")
                + " (spec.waypoint.upgradesAtOnce of the AmbientMesh is "
                + atOnce
                + ").");
  }

  /** How many instances there are. */
  public static WaypointObservation.Instances instances(@Nullable Deployment deployment) {
    if (deployment == null) {
      return WaypointObservation.Instances.NONE;
    }
    DeploymentStatus status = deployment.getStatus();
    int wanted =
        deployment.getSpec().getReplicas() == null ? 1 : deployment.getSpec().getReplicas();
    if (status == null) {
      return new WaypointObservation.Instances(wanted, 0, 0, true, Optional.empty());
    }
    boolean seen =
        Objects.equals(status.getObservedGeneration(), deployment.getMetadata().getGeneration());
    return new WaypointObservation.Instances(
        wanted,
        count(status.getReadyReplicas()),
        seen ? Math.min(count(status.getUpdatedReplicas()), count(status.getReadyReplicas())) : 0,
        underWay(deployment),
        status.getConditions() == null
            ? Optional.empty()
            : status.getConditions().stream()
                .filter(
                    condition ->
                        "ReplicaFailure".equals(condition.getType())
                            && "True".equals(condition.getStatus()))
                .map(DeploymentCondition::getMessage)
                .findFirst());
  }

  /**
   * The number of replicas that this field manager has applied and nobody has changed since.
   *
   * @param manager of server-side apply
   */
  public static @Nullable Integer ownedReplicas(Deployment deployment, String manager) {
    List<ManagedFieldsEntry> fields = deployment.getMetadata().getManagedFields();
    boolean owned =
        fields != null
            && fields.stream()
                .filter(
                    entry ->
                        manager.equals(entry.getManager())
                            && "Apply".equals(entry.getOperation())
                            && entry.getFieldsV1() != null)
                .map(entry -> entry.getFieldsV1().getAdditionalProperties().get("f:spec"))
                .anyMatch(spec -> spec instanceof Map<?, ?> map && map.containsKey("f:replicas"));
    return owned ? deployment.getSpec().getReplicas() : null;
  }

  private static int count(@Nullable Integer value) {
    return value == null ? 0 : value;
  }
}
