package dev.ambit.operator.fleet;

import dev.ambit.api.AmbientMesh;
import dev.ambit.api.AmbientMeshSpec;
import dev.ambit.api.ClusterMeshEnrollment;
import dev.ambit.api.ClusterMeshEnrollmentStatus;
import dev.ambit.api.MeshEnrollment;
import dev.ambit.api.MeshEnrollmentSpec;
import dev.ambit.api.WellKnown;
import dev.ambit.operator.EventRecorder;
import dev.ambit.operator.FieldManager;
import dev.ambit.operator.NamespaceGone;
import dev.ambit.operator.StatusWriter;
import dev.ambit.operator.fleet.model.Claims;
import dev.ambit.operator.fleet.model.FleetAction;
import dev.ambit.operator.fleet.model.FleetChild;
import dev.ambit.operator.fleet.model.FleetEnrollment;
import dev.ambit.operator.fleet.model.FleetNamespace;
import dev.ambit.operator.fleet.model.FleetNews;
import dev.ambit.operator.fleet.model.FleetObservation;
import dev.ambit.operator.fleet.model.FleetPlan;
import dev.ambit.operator.fleet.model.FleetStatusReport;
import dev.ambit.operator.fleet.model.Standing;
import io.fabric8.kubernetes.api.model.HasMetadata;
import io.fabric8.kubernetes.api.model.Namespace;
import io.fabric8.kubernetes.client.KubernetesClient;
import io.fabric8.kubernetes.client.KubernetesClientException;
import io.javaoperatorsdk.operator.api.config.informer.InformerEventSourceConfiguration;
import io.javaoperatorsdk.operator.api.reconciler.Context;
import io.javaoperatorsdk.operator.api.reconciler.ControllerConfiguration;
import io.javaoperatorsdk.operator.api.reconciler.EventSourceContext;
import io.javaoperatorsdk.operator.api.reconciler.PrimaryUpdateAndCacheUtils;
import io.javaoperatorsdk.operator.api.reconciler.Reconciler;
import io.javaoperatorsdk.operator.api.reconciler.UpdateControl;
import io.javaoperatorsdk.operator.processing.event.ResourceID;
import io.javaoperatorsdk.operator.processing.event.source.EventSource;
import io.javaoperatorsdk.operator.processing.event.source.IndexerResourceCache;
import io.javaoperatorsdk.operator.processing.event.source.filter.OnUpdateFilter;
import io.javaoperatorsdk.operator.processing.event.source.informer.InformerEventSource;
import java.time.Duration;
import java.time.InstantSource;
import java.util.ArrayList;
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
 * Takes the namespaces of each ClusterMeshEnrollment into the mesh in its waves, by a
 * MeshEnrollment in each, and out of it before it goes.
 *
 * <p>It looks after its finalizer itself: without an AmbientMesh there is none, so that nothing
 * hangs in a cluster that Ambit has been removed from.
 */
@ControllerConfiguration(name = "clustermeshenrollment", triggerReconcilerOnAllEvents = true)
public final class ClusterMeshEnrollmentReconciler implements Reconciler<ClusterMeshEnrollment> {
  private static final Logger LOG = LoggerFactory.getLogger(ClusterMeshEnrollmentReconciler.class);
  private static final String BY_NAMESPACE = "ambit-namespace";

  /** Beyond the time that connections may take to end. */
  private static final Duration LEAVING_GRACE = Duration.ofMinutes(5);

  private final String rootNamespace;
  private final EventRecorder events;
  private final InstantSource clock;
  private final StatusWriter<ClusterMeshEnrollmentStatus> statuses = new StatusWriter<>();

  private @Nullable Caches caches;

  private record Caches(
      InformerEventSource<Namespace, ClusterMeshEnrollment> namespaces,
      InformerEventSource<MeshEnrollment, ClusterMeshEnrollment> enrollments,
      InformerEventSource<AmbientMesh, ClusterMeshEnrollment> meshes) {}

  public ClusterMeshEnrollmentReconciler(
      String rootNamespace, EventRecorder events, InstantSource clock) {
    this.rootNamespace = rootNamespace;
    this.events = events;
    this.clock = clock;
  }

  @Override
  public List<EventSource<?, ClusterMeshEnrollment>> prepareEventSources(
      EventSourceContext<ClusterMeshEnrollment> context) {
    IndexerResourceCache<ClusterMeshEnrollment> fleets = context.getPrimaryCache();
    var namespaces =
        concerningAll(
            Namespace.class,
            "namespaces",
            (now, before) ->
                !labels(now).equals(labels(before)) || isDeleted(now) != isDeleted(before),
            context);
    var enrollments =
        new InformerEventSource<>(
            InformerEventSourceConfiguration.from(MeshEnrollment.class, ClusterMeshEnrollment.class)
                .withName("enrollments")
                .withSecondaryToPrimaryMapper(enrollment -> concerned(enrollment, fleets))
                .withPrimaryToSecondaryMapper(primary -> Set.of())
                .withOnUpdateFilter(ClusterMeshEnrollmentReconciler::concernsFleet)
                .build(),
            context);
    enrollments.addIndexers(
        Map.of(BY_NAMESPACE, enrollment -> List.of(enrollment.getMetadata().getNamespace())));
    var meshes =
        concerningAll(
            AmbientMesh.class, "mesh", ClusterMeshEnrollmentReconciler::asksForOther, context);
    var siblings =
        concerningAll(
            ClusterMeshEnrollment.class,
            "siblings",
            ClusterMeshEnrollmentReconciler::asksForOther,
            context);
    caches = new Caches(namespaces, enrollments, meshes);
    return List.of(namespaces, enrollments, meshes, siblings);
  }

  private static <T extends HasMetadata>
      InformerEventSource<T, ClusterMeshEnrollment> concerningAll(
          Class<T> kind,
          String name,
          OnUpdateFilter<T> filter,
          EventSourceContext<ClusterMeshEnrollment> context) {
    IndexerResourceCache<ClusterMeshEnrollment> fleets = context.getPrimaryCache();
    return new InformerEventSource<>(
        InformerEventSourceConfiguration.from(kind, ClusterMeshEnrollment.class)
            .withName(name)
            .withSecondaryToPrimaryMapper(object -> all(fleets))
            .withPrimaryToSecondaryMapper(primary -> Set.of())
            .withOnUpdateFilter(filter)
            .build(),
        context);
  }

  private static boolean asksForOther(HasMetadata now, HasMetadata before) {
    return !Objects.equals(now.getMetadata().getGeneration(), before.getMetadata().getGeneration());
  }

  private static Set<ResourceID> all(IndexerResourceCache<ClusterMeshEnrollment> fleets) {
    return fleets.list().map(ResourceID::fromResource).collect(Collectors.toUnmodifiableSet());
  }

  /** A fleet's own concerns that fleet; a user's, all of them, since it takes a namespace away. */
  private static Set<ResourceID> concerned(
      MeshEnrollment enrollment, IndexerResourceCache<ClusterMeshEnrollment> fleets) {
    if (enrollment.isMirror()) {
      return Set.of();
    }
    return enrollment
        .fleet()
        .map(fleet -> Set.of(new ResourceID(fleet)))
        .orElseGet(() -> all(fleets));
  }

  /** Most updates of statuses count pods, which a fleet does not. */
  private static boolean concernsFleet(MeshEnrollment now, MeshEnrollment before) {
    return !FleetChild.of(now, true).standsAs(FleetChild.of(before, true))
        || !now.fleet().equals(before.fleet())
        || now.inForce().isPresent() != before.inForce().isPresent();
  }

  private static boolean isDeleted(HasMetadata object) {
    return object.getMetadata().getDeletionTimestamp() != null;
  }

  private static Map<String, String> labels(Namespace namespace) {
    return Objects.requireNonNullElse(namespace.getMetadata().getLabels(), Map.of());
  }

  private Caches caches() {
    return Objects.requireNonNull(caches, "event sources are prepared before reconciling");
  }

  @Override
  public UpdateControl<ClusterMeshEnrollment> reconcile(
      ClusterMeshEnrollment fleet, Context<ClusterMeshEnrollment> context) {
    String name = fleet.getMetadata().getName();
    boolean deleting = isDeleted(fleet);
    if (context.isPrimaryResourceDeleted() || (deleting && !hasFinalizer(fleet))) {
      statuses.forget(fleet);
      return UpdateControl.noUpdate();
    }
    Optional<AmbientMesh> mesh = mesh();
    boolean installed = mesh.filter(each -> !isDeleted(each)).isPresent();
    if (!deleting && installed != hasFinalizer(fleet)) {
      // What this writes comes back as an event.
      var unused =
          installed
              ? PrimaryUpdateAndCacheUtils.addFinalizer(context, WellKnown.FLEET_FINALIZER)
              : PrimaryUpdateAndCacheUtils.removeFinalizer(context, WellKnown.FLEET_FINALIZER);
    }
    ClusterMeshEnrollmentStatus before =
        Objects.requireNonNullElse(
            statuses.current(fleet, fleet.getStatus()), ClusterMeshEnrollmentStatus.NOTHING_YET);
    AmbientMeshSpec settings =
        mesh.map(AmbientMesh::effectiveSpec).orElse(AmbientMeshSpec.DEFAULTS);
    FleetObservation observed =
        new FleetObservation(
            fleet.effectiveSpec(),
            fleet.getMetadata().getGeneration(),
            before,
            deleting,
            installed,
            Duration.ofSeconds(settings.leaving().drainSeconds()).plus(LEAVING_GRACE),
            namespaces(fleet, settings, context.getPrimaryCache().list().toList()),
            clock.instant());
    FleetPlan plan = FleetPlan.of(observed);
    plan.actions().forEach(action -> perform(action, fleet, context.getClient()));
    ClusterMeshEnrollmentStatus after = FleetStatusReport.of(observed, plan);
    if (!after.equals(before)) {
      statuses.write(
          context.getClient(),
          fleet,
          StatusWriter.applied(new ClusterMeshEnrollment(), fleet, after),
          after);
      FleetNews.of(before, after).forEach(news -> tell(fleet, news));
    }
    if (deleting && observed.namespaces().stream().noneMatch(FleetNamespace::hasChild)) {
      var unused = PrimaryUpdateAndCacheUtils.removeFinalizer(context, WellKnown.FLEET_FINALIZER);
      LOG.atInfo().addKeyValue("name", name).log("the fleet has left the mesh");
      return UpdateControl.noUpdate();
    }
    return plan.again()
        .map(
            at ->
                UpdateControl.<ClusterMeshEnrollment>noUpdate()
                    .rescheduleAfter(atLeastSoon(Duration.between(clock.instant(), at))))
        .orElseGet(UpdateControl::noUpdate);
  }

  private static Duration atLeastSoon(Duration left) {
    Duration soon = Duration.ofMillis(500);
    return left.compareTo(soon) < 0 ? soon : left.plus(soon);
  }

  private static boolean hasFinalizer(ClusterMeshEnrollment fleet) {
    return fleet.hasFinalizer(WellKnown.FLEET_FINALIZER);
  }

  private Optional<AmbientMesh> mesh() {
    return caches().meshes().get(new ResourceID(WellKnown.DEFAULT_NAME));
  }

  private List<FleetNamespace> namespaces(
      ClusterMeshEnrollment fleet, AmbientMeshSpec mesh, List<ClusterMeshEnrollment> fleets) {
    Set<String> excluded = new HashSet<>(mesh.excludedNamespaces());
    excluded.add(rootNamespace);
    String name = fleet.getMetadata().getName();
    List<FleetNamespace> found = new ArrayList<>();
    caches()
        .namespaces()
        .list()
        .filter(namespace -> !isDeleted(namespace))
        .forEach(
            namespace -> {
              String at = namespace.getMetadata().getName();
              Map<String, String> labels = labels(namespace);
              List<MeshEnrollment> enrollments = caches().enrollments().byIndex(BY_NAMESPACE, at);
              FleetChild child = child(name, at);
              boolean selected = Claims.selects(fleet, labels);
              if (selected || (child != null && child.mine())) {
                found.add(
                    new FleetNamespace(
                        at,
                        labels,
                        Standing.of(
                            name, selected, excluded.contains(at), labels, enrollments, fleets),
                        child));
              }
            });
    return found;
  }

  /** The cache is ahead of the API server's events by what this has applied. */
  private @Nullable FleetChild child(String fleet, String namespace) {
    return cached(namespace)
        .flatMap(
            enrollment ->
                enrollment.fleet().map(owner -> FleetChild.of(enrollment, owner.equals(fleet))))
        .orElse(null);
  }

  private void perform(FleetAction action, ClusterMeshEnrollment fleet, KubernetesClient client) {
    try {
      switch (action) {
        case FleetAction.Apply(String namespace, MeshEnrollmentSpec spec) ->
            apply(fleet, namespace, spec, client);
        case FleetAction.Delete(String namespace) -> delete(fleet, namespace, client);
      }
    } catch (KubernetesClientException e) {
      if (!NamespaceGone.isCauseOf(e)) {
        throw e;
      }
    }
  }

  private void apply(
      ClusterMeshEnrollment fleet,
      String namespace,
      MeshEnrollmentSpec spec,
      KubernetesClient client) {
    Optional<MeshEnrollment> seen = cached(namespace);
    MeshEnrollment now = FieldManager.apply(client, FleetEnrollment.of(fleet, namespace, spec));
    ResourceID id = ResourceID.fromResource(now);
    seen.ifPresentOrElse(
        before -> caches().enrollments().handleRecentResourceUpdate(id, now, before),
        () -> caches().enrollments().handleRecentResourceCreate(id, now));
    LOG.atInfo()
        .addKeyValue("fleet", fleet.getMetadata().getName())
        .addKeyValue("namespace", namespace)
        .addKeyValue("stage", spec.stage().text())
        .addKeyValue("paused", spec.paused())
        .log("applied the MeshEnrollment of a fleet's namespace");
  }

  private void delete(ClusterMeshEnrollment fleet, String namespace, KubernetesClient client) {
    Optional<MeshEnrollment> seen = cached(namespace);
    if (seen.isEmpty()) {
      return;
    }
    var unused =
        client
            .resources(MeshEnrollment.class)
            .inNamespace(namespace)
            .withName(WellKnown.FLEET_NAME)
            .delete();
    LOG.atInfo()
        .addKeyValue("fleet", fleet.getMetadata().getName())
        .addKeyValue("namespace", namespace)
        .log("deleted the MeshEnrollment of a fleet's namespace");
  }

  private Optional<MeshEnrollment> cached(String namespace) {
    return caches().enrollments().get(new ResourceID(WellKnown.FLEET_NAME, namespace));
  }

  private void tell(ClusterMeshEnrollment fleet, FleetNews news) {
    LOG.atInfo()
        .addKeyValue("name", fleet.getMetadata().getName())
        .addKeyValue("reason", news.reason())
        .addKeyValue("message", news.message())
        .log("fleet moved on");
    if (news.warning()) {
      events.warning(fleet, news.reason(), news.message());
    } else {
      events.normal(fleet, news.reason(), news.message());
    }
  }
}
