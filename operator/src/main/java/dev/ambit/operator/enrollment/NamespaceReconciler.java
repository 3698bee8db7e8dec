package dev.ambit.operator.enrollment;

import dev.ambit.api.AmbientMesh;
import dev.ambit.api.EffectiveEnrollment;
import dev.ambit.api.MeshEnrollment;
import dev.ambit.api.MeshEnrollmentSpec;
import dev.ambit.api.Stage;
import dev.ambit.api.WellKnown;
import dev.ambit.capture.ControlPlaneRevision;
import dev.ambit.capture.DataplaneMode;
import dev.ambit.operator.CommonLabels;
import dev.ambit.operator.FieldManager;
import dev.ambit.operator.NamespaceGone;
import dev.ambit.operator.enrollment.model.MirrorDecision;
import io.fabric8.kubernetes.api.model.Namespace;
import io.fabric8.kubernetes.api.model.ObjectMetaBuilder;
import io.fabric8.kubernetes.client.KubernetesClient;
import io.fabric8.kubernetes.client.KubernetesClientException;
import io.javaoperatorsdk.operator.api.config.informer.InformerEventSourceConfiguration;
import io.javaoperatorsdk.operator.api.reconciler.Context;
import io.javaoperatorsdk.operator.api.reconciler.ControllerConfiguration;
import io.javaoperatorsdk.operator.api.reconciler.EventSourceContext;
import io.javaoperatorsdk.operator.api.reconciler.Reconciler;
import io.javaoperatorsdk.operator.api.reconciler.UpdateControl;
import io.javaoperatorsdk.operator.processing.event.ResourceID;
import io.javaoperatorsdk.operator.processing.event.source.EventSource;
import io.javaoperatorsdk.operator.processing.event.source.IndexerResourceCache;
import io.javaoperatorsdk.operator.processing.event.source.informer.InformerEventSource;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.Set;
import java.util.stream.Collectors;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Keeps a MeshEnrollment that mirrors the labels of each labelled namespace without a user's own,
 * so that the list of MeshEnrollments shows every enrolled namespace. Namespaces themselves are
 * never written.
 */
@ControllerConfiguration(name = "namespace-mirror")
public final class NamespaceReconciler implements Reconciler<Namespace> {
  private static final Logger LOG = LoggerFactory.getLogger(NamespaceReconciler.class);
  private static final String BY_NAMESPACE = "ambit-namespace";

  private final EnrollmentMetrics metrics;
  private Optional<InformerEventSource<MeshEnrollment, Namespace>> enrollments = Optional.empty();
  private Optional<InformerEventSource<AmbientMesh, Namespace>> meshes = Optional.empty();

  public NamespaceReconciler(EnrollmentMetrics metrics) {
    this.metrics = metrics;
  }

  @Override
  public List<EventSource<?, Namespace>> prepareEventSources(
      EventSourceContext<Namespace> context) {
    var source =
        new InformerEventSource<>(
            InformerEventSourceConfiguration.from(MeshEnrollment.class, Namespace.class)
                .withName("enrollments")
                .withSecondaryToPrimaryMapper(
                    enrollment -> Set.of(new ResourceID(enrollment.getMetadata().getNamespace())))
                .withPrimaryToSecondaryMapper(primary -> Set.of())
                .build(),
            context);
    source.addIndexers(
        Map.of(BY_NAMESPACE, enrollment -> List.of(enrollment.getMetadata().getNamespace())));
    enrollments = Optional.of(source);
    IndexerResourceCache<Namespace> namespaces = context.getPrimaryCache();
    var mesh =
        new InformerEventSource<>(
            InformerEventSourceConfiguration.from(AmbientMesh.class, Namespace.class)
                .withName("mesh")
                .withSecondaryToPrimaryMapper(
                    each ->
                        namespaces
                            .list()
                            .map(ResourceID::fromResource)
                            .collect(Collectors.toUnmodifiableSet()))
                .withPrimaryToSecondaryMapper(primary -> Set.of())
                .withOnUpdateFilter((now, before) -> false)
                .build(),
            context);
    meshes = Optional.of(mesh);
    return List.of(source, mesh);
  }

  @Override
  public UpdateControl<Namespace> reconcile(Namespace namespace, Context<Namespace> context) {
    String name = namespace.getMetadata().getName();
    List<MeshEnrollment> all =
        enrollments.map(source -> source.byIndex(BY_NAMESPACE, name)).orElse(List.of());
    if (all.isEmpty()) {
      metrics.remove(name);
    }
    Optional<MeshEnrollment> mirror = all.stream().filter(MeshEnrollment::isMirror).findFirst();
    Map<String, String> labels =
        Objects.requireNonNullElse(namespace.getMetadata().getLabels(), Map.of());
    MirrorDecision decision =
        MirrorDecision.of(
            // What another control plane takes into its mesh has no mirror here.
            ControlPlaneRevision.isOurs(labels) ? DataplaneMode.of(labels) : DataplaneMode.ABSENT,
            meshes
                .flatMap(source -> source.get(new ResourceID(WellKnown.DEFAULT_NAME)))
                .isPresent(),
            EffectiveEnrollment.of(all).isPresent() || isNameTaken(all),
            namespace.getMetadata().getDeletionTimestamp() != null,
            mirror
                .map(
                    object ->
                        new MirrorDecision.Mirror(
                            object.effectiveSpec().stage(),
                            object.getMetadata().getGeneration(),
                            object.getStatus()))
                .orElse(null));
    try {
      switch (decision) {
        case MirrorDecision.Apply(Stage stage) -> apply(context.getClient(), name, stage);
        case MirrorDecision.Delete ignored -> delete(context.getClient(), name);
        case MirrorDecision.Leave ignored -> {}
      }
    } catch (KubernetesClientException e) {
      if (!NamespaceGone.isCauseOf(e)) {
        throw e;
      }
    }
    return UpdateControl.noUpdate();
  }

  /** By a user's that only plans, which would be written over. */
  private static boolean isNameTaken(List<MeshEnrollment> all) {
    return all.stream()
        .filter(each -> WellKnown.MIRROR_NAME.equals(each.getMetadata().getName()))
        .anyMatch(each -> !each.isMirror());
  }

  private static void apply(KubernetesClient client, String namespace, Stage stage) {
    Map<String, String> labels = new HashMap<>(CommonLabels.of(WellKnown.MIRROR_NAME));
    labels.put(WellKnown.MIRROR, "true");
    MeshEnrollment mirror = new MeshEnrollment();
    mirror.setMetadata(
        new ObjectMetaBuilder()
            .withNamespace(namespace)
            .withName(WellKnown.MIRROR_NAME)
            .withLabels(labels)
            .build());
    mirror.setSpec(MeshEnrollmentSpec.of(stage));
    FieldManager.apply(client, mirror);
    LOG.atInfo()
        .addKeyValue("namespace", namespace)
        .addKeyValue("name", WellKnown.MIRROR_NAME)
        .addKeyValue("stage", stage.text())
        .log("mirrored the namespace's labels into a MeshEnrollment");
  }

  private static void delete(KubernetesClient client, String namespace) {
    client
        .resources(MeshEnrollment.class)
        .inNamespace(namespace)
        .withName(WellKnown.MIRROR_NAME)
        .delete();
    LOG.atInfo()
        .addKeyValue("namespace", namespace)
        .addKeyValue("name", WellKnown.MIRROR_NAME)
        .log("deleted the mirror of the namespace's labels");
  }
}
