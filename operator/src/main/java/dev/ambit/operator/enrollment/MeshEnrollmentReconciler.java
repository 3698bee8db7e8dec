package dev.ambit.operator.enrollment;

import dev.ambit.api.AmbientMesh;
import dev.ambit.api.AmbientMeshSpec;
import dev.ambit.api.Conditions;
import dev.ambit.api.EffectiveEnrollment;
import dev.ambit.api.MeshEnrollment;
import dev.ambit.api.MeshEnrollmentStatus;
import dev.ambit.api.Stage;
import dev.ambit.api.WellKnown;
import dev.ambit.capture.DataplaneMode;
import dev.ambit.capture.NamespaceFacts;
import dev.ambit.capture.PodFacts;
import dev.ambit.operator.EventRecorder;
import dev.ambit.operator.StatusWriter;
import dev.ambit.operator.enrollment.model.Assessment;
import dev.ambit.operator.enrollment.model.EnrollmentObservation;
import dev.ambit.operator.enrollment.model.EnrollmentSource;
import dev.ambit.operator.enrollment.model.LabelContradiction;
import dev.ambit.operator.enrollment.model.PodCensus;
import dev.ambit.operator.enrollment.model.PodObservation;
import dev.ambit.operator.enrollment.model.Progress;
import dev.ambit.operator.enrollment.model.StatusReport;
import io.fabric8.kubernetes.api.model.HasMetadata;
import io.fabric8.kubernetes.api.model.Namespace;
import io.fabric8.kubernetes.api.model.ObjectMetaBuilder;
import io.fabric8.kubernetes.api.model.Pod;
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
import java.time.InstantSource;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.Set;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Says of every MeshEnrollment where its namespace is. It observes and reports; capturing is the
 * node agents' work.
 */
@ControllerConfiguration(name = "meshenrollment")
public final class MeshEnrollmentReconciler implements Reconciler<MeshEnrollment> {
  private static final Logger LOG = LoggerFactory.getLogger(MeshEnrollmentReconciler.class);
  private static final String BY_NAMESPACE = "ambit-namespace";

  private final String rootNamespace;
  private final EventRecorder events;
  private final EnrollmentMetrics metrics;
  private final InstantSource clock;
  private final StatusWriter<MeshEnrollmentStatus> statuses = new StatusWriter<>();

  private Caches caches = Caches.NONE;

  private record Caches(
      Optional<InformerEventSource<Pod, MeshEnrollment>> pods,
      Optional<InformerEventSource<Namespace, MeshEnrollment>> namespaces,
      Optional<InformerEventSource<AmbientMesh, MeshEnrollment>> meshes) {
    static final Caches NONE = new Caches(Optional.empty(), Optional.empty(), Optional.empty());
  }

  public MeshEnrollmentReconciler(
      String rootNamespace, EventRecorder events, EnrollmentMetrics metrics, InstantSource clock) {
    this.rootNamespace = rootNamespace;
    this.events = events;
    this.metrics = metrics;
    this.clock = clock;
  }

  @Override
  public List<EventSource<?, MeshEnrollment>> prepareEventSources(
      EventSourceContext<MeshEnrollment> context) {
    IndexerResourceCache<MeshEnrollment> enrollments = context.getPrimaryCache();
    enrollments.addIndexer(BY_NAMESPACE, MeshEnrollmentReconciler::namespaceOf);
    var pods =
        new InformerEventSource<>(
            InformerEventSourceConfiguration.from(Pod.class, MeshEnrollment.class)
                .withName("pods")
                .withSecondaryToPrimaryMapper(pod -> enrollmentsOf(namespace(pod), enrollments))
                .withPrimaryToSecondaryMapper(primary -> Set.of())
                .withOnUpdateFilter(MeshEnrollmentReconciler::concernsEnrollment)
                .build(),
            context);
    pods.addIndexers(Map.of(BY_NAMESPACE, MeshEnrollmentReconciler::namespaceOf));
    var namespaces =
        new InformerEventSource<>(
            InformerEventSourceConfiguration.from(Namespace.class, MeshEnrollment.class)
                .withName("namespaces")
                .withSecondaryToPrimaryMapper(
                    namespace -> enrollmentsOf(namespace.getMetadata().getName(), enrollments))
                .withPrimaryToSecondaryMapper(primary -> Set.of())
                .build(),
            context);
    var meshes =
        new InformerEventSource<>(
            InformerEventSourceConfiguration.from(AmbientMesh.class, MeshEnrollment.class)
                .withName("mesh")
                .withSecondaryToPrimaryMapper(
                    mesh ->
                        enrollments
                            .list()
                            .map(ResourceID::fromResource)
                            .collect(Collectors.toUnmodifiableSet()))
                .withPrimaryToSecondaryMapper(primary -> Set.of())
                .withOnUpdateFilter(
                    (mesh, before) ->
                        !Objects.equals(
                            mesh.getMetadata().getGeneration(),
                            before.getMetadata().getGeneration()))
                .build(),
            context);
    var siblings =
        new InformerEventSource<>(
            InformerEventSourceConfiguration.from(MeshEnrollment.class, MeshEnrollment.class)
                .withName("siblings")
                .withSecondaryToPrimaryMapper(
                    sibling -> enrollmentsOf(namespace(sibling), enrollments))
                .withPrimaryToSecondaryMapper(primary -> Set.of())
                .withOnUpdateFilter(
                    (sibling, before) ->
                        !Objects.equals(
                            sibling.getMetadata().getDeletionTimestamp(),
                            before.getMetadata().getDeletionTimestamp()))
                .build(),
            context);
    caches = new Caches(Optional.of(pods), Optional.of(namespaces), Optional.of(meshes));
    return List.of(pods, namespaces, meshes, siblings);
  }

  private static List<String> namespaceOf(HasMetadata object) {
    return List.of(namespace(object));
  }

  private static String namespace(HasMetadata object) {
    return object.getMetadata().getNamespace();
  }

  private static Set<ResourceID> enrollmentsOf(
      String namespace, IndexerResourceCache<MeshEnrollment> enrollments) {
    return enrollments.byIndex(BY_NAMESPACE, namespace).stream()
        .map(ResourceID::fromResource)
        .collect(Collectors.toUnmodifiableSet());
  }

  /** Most updates of pods change nothing that a status shows. */
  private static boolean concernsEnrollment(Pod pod, Pod before) {
    return !Objects.equals(PodFacts.of(pod), PodFacts.of(before))
        || !Objects.equals(ip(pod), ip(before))
        || !Objects.equals(
            pod.getMetadata().getDeletionTimestamp(), before.getMetadata().getDeletionTimestamp());
  }

  private static String ip(Pod pod) {
    return pod.getStatus() == null || pod.getStatus().getPodIP() == null
        ? ""
        : pod.getStatus().getPodIP();
  }

  @Override
  public UpdateControl<MeshEnrollment> reconcile(
      MeshEnrollment enrollment, Context<MeshEnrollment> context) {
    String namespaceName = namespace(enrollment);
    Optional<Namespace> namespace =
        caches.namespaces().flatMap(source -> source.get(new ResourceID(namespaceName)));
    if (namespace.isEmpty()
        || namespace.get().getMetadata().getDeletionTimestamp() != null
        || enrollment.getMetadata().getDeletionTimestamp() != null) {
      metrics.remove(namespaceName);
      return UpdateControl.noUpdate();
    }
    MeshEnrollmentStatus before = statuses.current(enrollment, enrollment.getStatus());
    EnrollmentObservation observed = observe(enrollment, before, namespace.get(), context);
    if (enrollment.isMirror() && observed.source() instanceof EnrollmentSource.Superseded) {
      // It is about to be deleted.
      return UpdateControl.noUpdate();
    }
    Progress progress = Assessment.of(observed);
    MeshEnrollmentStatus after =
        StatusReport.of(
            before, observed, progress, enrollment.getMetadata().getGeneration(), clock.instant());
    if (!(observed.source() instanceof EnrollmentSource.Superseded)) {
      metrics.set(namespaceName, progress.stage(), progress.phase(), observed.census().counts());
    }
    if (after.equals(before)) {
      return UpdateControl.noUpdate();
    }
    statuses.write(context.getClient(), enrollment, withStatus(enrollment, after), after);
    tell(enrollment, namespace.get(), before, observed, progress);
    return UpdateControl.noUpdate();
  }

  private EnrollmentObservation observe(
      MeshEnrollment enrollment,
      @Nullable MeshEnrollmentStatus before,
      Namespace namespace,
      Context<MeshEnrollment> context) {
    String name = namespace.getMetadata().getName();
    Map<String, String> labels =
        Objects.requireNonNullElse(namespace.getMetadata().getLabels(), Map.of());
    Optional<AmbientMesh> mesh =
        caches.meshes().flatMap(source -> source.get(new ResourceID(WellKnown.DEFAULT_NAME)));
    AmbientMeshSpec spec = mesh.map(AmbientMesh::effectiveSpec).orElse(AmbientMeshSpec.DEFAULTS);
    Set<String> excluded = new HashSet<>(spec.excludedNamespaces());
    excluded.add(rootNamespace);
    EnrollmentSource source = source(enrollment, context);
    NamespaceFacts facts =
        new NamespaceFacts(
            name,
            labels,
            excluded,
            source instanceof EnrollmentSource.User(Stage stage) ? stage : null);
    Stage reached = before == null || before.stage() == null ? Stage.NONE : before.stage();
    return new EnrollmentObservation(
        source,
        DataplaneMode.of(labels),
        labels.getOrDefault(WellKnown.DATAPLANE_MODE, ""),
        excluded.contains(name),
        mesh.isPresent() && mesh.get().getMetadata().getDeletionTimestamp() == null,
        spec.leaving().drainSeconds(),
        reached,
        census(facts));
  }

  private static EnrollmentSource source(
      MeshEnrollment enrollment, Context<MeshEnrollment> context) {
    Optional<MeshEnrollment> effective =
        EffectiveEnrollment.of(
            context.getPrimaryCache().byIndex(BY_NAMESPACE, namespace(enrollment)));
    String name = enrollment.getMetadata().getName();
    if (effective.isPresent() && !effective.get().getMetadata().getName().equals(name)) {
      return new EnrollmentSource.Superseded(effective.get().getMetadata().getName());
    }
    return enrollment.isMirror()
        ? new EnrollmentSource.Labels()
        : new EnrollmentSource.User(enrollment.effectiveSpec().stage());
  }

  private PodCensus census(NamespaceFacts namespace) {
    return caches
        .pods()
        .map(
            source ->
                PodCensus.of(
                    source.byIndex(BY_NAMESPACE, namespace.name()).stream()
                        .map(pod -> PodObservation.of(pod, namespace))
                        .toList()))
        .orElse(PodCensus.EMPTY);
  }

  private void tell(
      MeshEnrollment enrollment,
      Namespace namespace,
      @Nullable MeshEnrollmentStatus before,
      EnrollmentObservation observed,
      Progress progress) {
    if (StatusReport.isTransition(before, progress)) {
      LOG.atInfo()
          .addKeyValue("namespace", namespace(enrollment))
          .addKeyValue("name", enrollment.getMetadata().getName())
          .addKeyValue("stage", progress.stage().text())
          .addKeyValue("phase", progress.phase().text())
          .addKeyValue("reason", progress.reason())
          .log("enrollment moved on");
      switch (progress) {
        case Progress.Capturing capturing -> normal(enrollment, "Capturing", capturing);
        case Progress.Leaving leaving -> normal(enrollment, "Leaving", leaving);
        case Progress.Done done -> normal(enrollment, done.reason(), done);
        case Progress.Stalled stalled -> {
          events.warning(enrollment, stalled.reason(), stalled.message());
          if (observed.labelIsUnknown()) {
            // Whoever mistyped the label looks at what carries it.
            events.warning(namespace, stalled.reason(), stalled.message());
          }
        }
      }
    }
    boolean known =
        before != null && Conditions.holds(before.conditions(), LabelContradiction.CONDITION);
    if (!known) {
      LabelContradiction.in(observed)
          .ifPresent(
              contradiction ->
                  events.warning(
                      enrollment, LabelContradiction.CONDITION, contradiction.message()));
    }
  }

  private void normal(MeshEnrollment enrollment, String reason, Progress progress) {
    events.normal(enrollment, reason, progress.message());
  }

  /** A fresh object, so that applying it owns the status and nothing else. */
  private static MeshEnrollment withStatus(MeshEnrollment enrollment, MeshEnrollmentStatus status) {
    MeshEnrollment applied = new MeshEnrollment();
    applied.setMetadata(
        new ObjectMetaBuilder()
            .withNamespace(namespace(enrollment))
            .withName(enrollment.getMetadata().getName())
            .build());
    applied.setStatus(status);
    return applied;
  }
}
