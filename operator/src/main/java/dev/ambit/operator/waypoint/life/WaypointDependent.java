package dev.ambit.operator.waypoint.life;

import dev.ambit.operator.waypoint.life.model.WaypointLabels;
import dev.ambit.operator.waypoint.life.model.WaypointObjects;
import io.fabric8.kubernetes.api.model.HasMetadata;
import io.fabric8.kubernetes.api.model.gatewayapi.v1.Gateway;
import io.fabric8.kubernetes.client.KubernetesClient;
import io.fabric8.kubernetes.client.utils.Serialization;
import io.javaoperatorsdk.operator.api.config.informer.InformerConfiguration;
import io.javaoperatorsdk.operator.api.reconciler.Context;
import io.javaoperatorsdk.operator.api.reconciler.dependent.DependentResource;
import io.javaoperatorsdk.operator.processing.dependent.kubernetes.CRUDKubernetesDependentResource;
import io.javaoperatorsdk.operator.processing.dependent.kubernetes.KubernetesDependentResourceConfigBuilder;
import io.javaoperatorsdk.operator.processing.dependent.workflow.Condition;
import io.javaoperatorsdk.operator.processing.event.ResourceID;
import java.util.Optional;

/**
 * One of the objects that a waypoint consists of. It is named as the Gateway, and never taken over:
 * one of that name that was not made for this Gateway is in the way.
 */
final class WaypointDependent<R extends HasMetadata>
    extends CRUDKubernetesDependentResource<R, Gateway> {
  private final Part<R> part;

  /** Which object it is. */
  interface Part<R> {
    /**
     * The object as it should be; nothing where there should be none.
     *
     * @param actual as it is
     */
    Optional<R> of(WaypointObjects objects, Optional<R> actual);
  }

  WaypointDependent(Class<R> type, Part<R> part) {
    super(type, type.getSimpleName());
    this.part = part;
    configureWith(
        new KubernetesDependentResourceConfigBuilder<R>()
            .withUseSSA(true)
            .withKubernetesDependentInformerConfig(
                InformerConfiguration.builder(type)
                    .withName(type.getSimpleName())
                    .withLabelSelector(WaypointLabels.SELECTOR)
                    .withWatchAllNamespaces()
                    .build())
            .build());
  }

  /** Hands over what this reconciliation is to bring about. */
  static void want(WaypointObjects objects, Context<Gateway> context) {
    context.managedWorkflowAndDependentResourceContext().put(WaypointObjects.class, objects);
  }

  private Optional<R> wanted(Gateway gateway, Context<Gateway> context) {
    return part.of(
        context
            .managedWorkflowAndDependentResourceContext()
            .getMandatory(WaypointObjects.class, WaypointObjects.class),
        getSecondaryResource(gateway, context));
  }

  @Override
  protected R desired(Gateway gateway, Context<Gateway> context) {
    // A copy, since the framework writes into it.
    return Serialization.clone(
        wanted(gateway, context)
            .orElseThrow(
                () -> new IllegalStateException(name() + " is asked for where none is wanted")));
  }

  /** Met where there should be one; where it is not, the object is removed. */
  Condition<R, Gateway> isWanted() {
    return (DependentResource<R, Gateway> _, Gateway gateway, Context<Gateway> context) ->
        wanted(gateway, context).isPresent();
  }

  /** Whether an object of its name is there that was not made for this Gateway. */
  boolean isAnothers(Gateway gateway, KubernetesClient client) {
    R present =
        client
            .resources(resourceType())
            .inNamespace(gateway.getMetadata().getNamespace())
            .withName(gateway.getMetadata().getName())
            .get();
    return present != null && !WaypointLabels.isOf(present, gateway);
  }

  @Override
  protected ResourceID targetSecondaryResourceID(Gateway gateway, Context<Gateway> context) {
    return ResourceID.fromResource(gateway);
  }

  @Override
  protected boolean addOwnerReference() {
    // It has one, that makes the Gateway its controller.
    return false;
  }
}
