package dev.ambit.operator.enrollment;

import dev.ambit.api.AmbientMesh;
import dev.ambit.api.AmbientMeshSpec;
import dev.ambit.api.Conditions;
import dev.ambit.api.EffectiveEnrollment;
import dev.ambit.api.EnrollmentPlan;
import dev.ambit.api.Finding;
import dev.ambit.api.InForce;
import dev.ambit.api.MeshEnrollment;
import dev.ambit.api.MeshEnrollmentSpec;
import dev.ambit.api.MeshEnrollmentStatus;
import dev.ambit.api.Phase;
import dev.ambit.api.Stage;
import dev.ambit.api.WellKnown;
import dev.ambit.capture.DataplaneMode;
import dev.ambit.capture.PodFacts;
import dev.ambit.operator.EventRecorder;
import dev.ambit.operator.StatusWriter;
import dev.ambit.operator.enrollment.model.Assessment;
import dev.ambit.operator.enrollment.model.EnrolledPods;
import dev.ambit.operator.enrollment.model.EnrollmentGateway;
import dev.ambit.operator.enrollment.model.EnrollmentObservation;
import dev.ambit.operator.enrollment.model.EnrollmentSource;
import dev.ambit.operator.enrollment.model.JudgedPolicy;
import dev.ambit.operator.enrollment.model.LabelContradiction;
import dev.ambit.operator.enrollment.model.MtlsObservation;
import dev.ambit.operator.enrollment.model.PlaintextSightings;
import dev.ambit.operator.enrollment.model.Progress;
import dev.ambit.operator.enrollment.model.Proof;
import dev.ambit.operator.enrollment.model.Rhythm;
import dev.ambit.operator.enrollment.model.StatusReport;
import dev.ambit.operator.enrollment.model.StrictRefusals;
import dev.ambit.operator.enrollment.model.WaypointState;
import dev.ambit.operator.model.MtlsPolicies;
import dev.ambit.operator.preflight.PreflightReader;
import dev.ambit.operator.preflight.model.Plans;
import dev.ambit.operator.preflight.model.Preflight;
import dev.ambit.operator.preflight.model.PreflightFacts;
import dev.ambit.operator.proof.Proofs;
import io.fabric8.kubernetes.api.model.HasMetadata;
import io.fabric8.kubernetes.api.model.Namespace;
import io.fabric8.kubernetes.api.model.Pod;
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
import io.javaoperatorsdk.operator.processing.event.source.inbound.SimpleInboundEventSource;
import io.javaoperatorsdk.operator.processing.event.source.informer.InformerEventSource;
import java.time.Instant;
import java.time.InstantSource;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Says of every MeshEnrollment where its namespace is, and releases it step by step. Capturing is
 * the node agents' work.
 */
@ControllerConfiguration(name = "meshenrollment", triggerReconcilerOnAllEvents = true)
public final class MeshEnrollmentReconciler implements Reconciler<MeshEnrollment> {
  private static final Logger LOG = LoggerFactory.getLogger(MeshEnrollmentReconciler.class);
  private static final String BY_NAMESPACE = "ambit-namespace";

  private final String rootNamespace;
  private final EventRecorder events;
  private final EnrollmentMetrics metrics;
  private final PreflightReader preflight;
  private final PlanReader plans;
  private final ZtunnelReports ztunnels;
  private final Proofs proofs;
  private final SecurityPolicies policies;
  private final InstantSource clock;
  private final EnrollmentWaypoints waypoints = new EnrollmentWaypoints();
  private final Map<ResourceID, Checked> checked = new ConcurrentHashMap<>();
  private final StatusWriter<MeshEnrollmentStatus> statuses = new StatusWriter<>();

  private Caches caches = Caches.NONE;

  /** When this term first found that the replica serves. */
  private volatile @Nullable Instant servingSince;

  private record Caches(
      Optional<InformerEventSource<Pod, MeshEnrollment>> pods,
      Optional<InformerEventSource<Namespace, MeshEnrollment>> namespaces,
      Optional<InformerEventSource<AmbientMesh, MeshEnrollment>> meshes) {
    static final Caches NONE = new Caches(Optional.empty(), Optional.empty(), Optional.empty());
  }

  /**
   * Reconciles, for as long as this replica leads.
   *
   * @param preflight reads what is checked
   * @param plans reads what plans tell besides
   * @param ztunnels what ztunnels tell of namespaces
   * @param proofs proves captured pods
   * @param policies what policies there are, and what waypoints make of them
   */
  public MeshEnrollmentReconciler(
      String rootNamespace,
      EventRecorder events,
      EnrollmentMetrics metrics,
      PreflightReader preflight,
      PlanReader plans,
      ZtunnelReports ztunnels,
      Proofs proofs,
      SecurityPolicies policies,
      InstantSource clock) {
    this.proofs = proofs;
    this.policies = policies;
    this.preflight = preflight;
    this.plans = plans;
    this.ztunnels = ztunnels;
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
                                before.getMetadata().getDeletionTimestamp())
                            || sibling.onlyPlans() != before.onlyPlans()
                            || !sibling.inForce().equals(before.inForce()))
                .build(),
            context);
    caches = new Caches(Optional.of(pods), Optional.of(namespaces), Optional.of(meshes));
    var proven = new SimpleInboundEventSource<MeshEnrollment>("proofs");
    proofs.onChange(
        namespace ->
            enrollmentsOf(namespace, enrollments)
                .forEach(enrollment -> propagate(proven, enrollment)));
    return List.of(pods, namespaces, meshes, siblings, proven);
  }

  private static void propagate(
      SimpleInboundEventSource<MeshEnrollment> source, ResourceID enrollment) {
    if (source.isRunning()) {
      source.propagateEvent(enrollment);
    }
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
        caches
            .namespaces()
            .flatMap(source -> source.get(new ResourceID(namespaceName)))
            .filter(each -> each.getMetadata().getDeletionTimestamp() == null);
    if (context.isPrimaryResourceDeleted()
        || namespace.isEmpty()
        || enrollment.getMetadata().getDeletionTimestamp() != null) {
      forget(enrollment, namespace.isPresent() ? others(enrollment, context) : List.of());
      return UpdateControl.noUpdate();
    }
    MeshEnrollmentStatus before =
        Objects.requireNonNullElse(
            statuses.current(enrollment, enrollment.getStatus()), MeshEnrollmentStatus.NOTHING_YET);
    EnrollmentSource source = source(enrollment, context);
    if (enrollment.isMirror() && source instanceof EnrollmentSource.Superseded) {
      // It is about to be deleted.
      return UpdateControl.noUpdate();
    }
    EnrolledPods pods = pods(namespace.get(), before);
    Checked checked = check(enrollment, source, pods);
    WaypointState waypoint =
        source instanceof EnrollmentSource.User && EnrollmentWaypoints.concern(enrollment, before)
            ? waypoints.read(
                context.getClient(),
                enrollment,
                before,
                instances(pods, enrollment),
                clock.instant())
            : WaypointState.NONE;
    EnrollmentObservation observed =
        observe(enrollment, before, source, namespace.get(), pods, waypoint, checked, context);
    Assessment assessment = Assessment.of(observed);
    if (assessment.removeLeftovers()) {
      waypoints.remove(context.getClient(), namespaceName, waypoint.leftovers());
    }
    if (assessment.makeWaypoint() && !waypoint.made()) {
      makeWaypoint(context.getClient(), enrollment);
    }
    MeshEnrollmentStatus after = StatusReport.of(observed, assessment, checked.plan());
    askNextWaypoint(namespaceName, before, after);
    Progress progress = assessment.progress();
    if (counts(source)) {
      metrics.set(namespaceName, progress.stage(), progress.phase(), assessment.census().counts());
    }
    if (!after.equals(before)) {
      statuses.write(
          context.getClient(),
          enrollment,
          StatusWriter.applied(new MeshEnrollment(), enrollment, after),
          after);
      tell(enrollment, namespace.get(), observed, progress, after);
    }
    ztunnels.kept(ResourceID.fromResource(enrollment), observed.traffic());
    return UpdateControl.<MeshEnrollment>noUpdate()
        .rescheduleAfter(Rhythm.next(assessment, clock.instant()));
  }

  /** Whether it knows what is to go through it; what it said before it was the next counts not. */
  private void askNextWaypoint(
      String namespace, MeshEnrollmentStatus before, MeshEnrollmentStatus after) {
    String next = after.inForce() == null ? null : after.inForce().nextWaypoint();
    if (next != null) {
      String nextBefore = before.inForce() == null ? null : before.inForce().nextWaypoint();
      proofs.askWaypoints(namespace, !next.equals(nextBefore));
    }
  }

  /** Nothing goes on for an enrollment that is no more, nor for a namespace that has no other. */
  private void forget(MeshEnrollment enrollment, List<MeshEnrollment> others) {
    ResourceID id = ResourceID.fromResource(enrollment);
    checked.remove(id);
    statuses.forget(enrollment);
    ztunnels.forget(id);
    if (others.stream().allMatch(MeshEnrollment::onlyPlans)) {
      metrics.remove(namespace(enrollment));
    }
    if (others.isEmpty()) {
      proofs.targets(namespace(enrollment), List.of(), false);
    }
  }

  private static List<MeshEnrollment> others(
      MeshEnrollment enrollment, Context<MeshEnrollment> context) {
    return context.getPrimaryCache().byIndex(BY_NAMESPACE, namespace(enrollment)).stream()
        .filter(each -> !each.getMetadata().getName().equals(enrollment.getMetadata().getName()))
        .toList();
  }

  /** Where it fails, the status says that there is no Gateway, and it is tried again. */
  private void makeWaypoint(KubernetesClient client, MeshEnrollment enrollment) {
    try {
      waypoints.make(client, enrollment);
    } catch (KubernetesClientException e) {
      LOG.atWarn()
          .addKeyValue("namespace", namespace(enrollment))
          .addKeyValue("name", enrollment.getMetadata().getName())
          .addKeyValue("reason", e.getMessage())
          .log("cannot make the Gateway of an enrollment");
      if (enrollment.getStatus() != null
          && enrollment.getStatus().phase() != Phase.BINDING_WAYPOINT) {
        events.warning(enrollment, "WaypointNotMade", String.valueOf(e.getMessage()));
      }
    }
  }

  /** Plans and what does not count are no news of the namespace. */
  private static boolean counts(EnrollmentSource source) {
    return switch (source) {
      case EnrollmentSource.Labels ignored -> true;
      case EnrollmentSource.User ignored -> true;
      case EnrollmentSource.Plan ignored -> false;
      case EnrollmentSource.Superseded ignored -> false;
    };
  }

  private AmbientMeshSpec meshSpec() {
    return mesh().map(AmbientMesh::effectiveSpec).orElse(AmbientMeshSpec.DEFAULTS);
  }

  private Optional<AmbientMesh> mesh() {
    return caches.meshes().flatMap(source -> source.get(new ResourceID(WellKnown.DEFAULT_NAME)));
  }

  private EnrolledPods pods(Namespace namespace, MeshEnrollmentStatus before) {
    String name = namespace.getMetadata().getName();
    Set<String> excluded = new HashSet<>(meshSpec().excludedNamespaces());
    excluded.add(rootNamespace);
    EnrolledPods unproven =
        new EnrolledPods(
            name,
            Objects.requireNonNullElse(namespace.getMetadata().getLabels(), Map.of()),
            excluded,
            caches.pods().map(source -> source.byIndex(BY_NAMESPACE, name)).orElse(List.of()),
            Map.of());
    return unproven.with(proofs(unproven, before));
  }

  private Map<String, Proof> proofs(EnrolledPods pods, MeshEnrollmentStatus before) {
    String namespace = pods.namespace();
    String trustDomain = meshSpec().trustDomain();
    List<Proofs.Target> targets =
        Stream.concat(
                pods.workloads().stream().map(pod -> target(pod, false, trustDomain)),
                pods.waypoints().stream().map(pod -> target(pod, true, trustDomain)))
            .filter(target -> !target.ip().isEmpty())
            .toList();
    boolean proven = Conditions.holds(before.conditions(), Conditions.PROVEN);
    proofs.targets(namespace, targets, proven);
    Map<String, Proof> known = new HashMap<>(proofs.of(namespace));
    if (proven && !proofs.isSettled(namespace)) {
      // What the last leader has proven holds until this one has tried it.
      targets.forEach(target -> known.putIfAbsent(target.uid(), Proof.HOLDS));
    }
    return known;
  }

  private static List<Proof> instances(EnrolledPods pods, MeshEnrollment enrollment) {
    String name = enrollment.effectiveSpec().effectiveWaypoint().name();
    return pods.waypoints().stream()
        .filter(
            pod -> name.equals(pod.getMetadata().getLabels().get(EnrollmentGateway.INSTANCE_OF)))
        .map(pods::proof)
        .toList();
  }

  private static Proofs.Target target(Pod pod, boolean waypoint, String trustDomain) {
    String account = pod.getSpec() == null ? null : pod.getSpec().getServiceAccountName();
    return new Proofs.Target(
        pod.getMetadata().getUid(),
        namespace(pod),
        ip(pod),
        "spiffe://"
            + trustDomain
            + "/ns/"
            + namespace(pod)
            + "/sa/"
            + (account == null || account.isEmpty() ? "default" : account),
        waypoint);
  }

  /** What preflight has found, and when; read again as the enrollment's rhythm has it. */
  private record Checked(
      long generation,
      Instant at,
      List<Finding> findings,
      @Nullable EnrollmentPlan plan,
      PlanReader.@Nullable Counted counted,
      MtlsPolicies mtls) {
    static final Checked NOTHING =
        new Checked(-1, Instant.EPOCH, List.of(), null, null, MtlsPolicies.NONE);
  }

  private Checked check(MeshEnrollment enrollment, EnrollmentSource source, EnrolledPods pods) {
    MeshEnrollmentSpec spec =
        switch (source) {
          case EnrollmentSource.Superseded ignored -> null;
          case EnrollmentSource.Labels ignored -> enrollment.effectiveSpec();
          case EnrollmentSource.User(MeshEnrollmentSpec user) -> user;
          case EnrollmentSource.Plan(MeshEnrollmentSpec plan) -> plan;
        };
    ResourceID id = ResourceID.fromResource(enrollment);
    if (spec == null || (spec.stage() == Stage.NONE && !spec.dryRun())) {
      checked.remove(id);
      return Checked.NOTHING;
    }
    Checked last = checked.getOrDefault(id, Checked.NOTHING);
    Instant now = clock.instant();
    MeshEnrollmentStatus status = enrollment.getStatus();
    if (last.generation() == enrollment.getMetadata().getGeneration()
        && now.isBefore(last.at().plus(Rhythm.findings(status == null ? null : status.phase())))) {
      return last;
    }
    PreflightFacts facts =
        preflight.read(
            new PreflightFacts.Target(
                pods.namespace(),
                pods.namespaceLabels(),
                spec.stage(),
                spec.effectiveWaypoint(),
                spec.effectiveRollout().steps().size(),
                spec.mtls(),
                meshSpec().mtls(),
                PreflightFacts.Datagrams.of(
                    meshSpec().udp(),
                    spec.udp(),
                    status == null || status.inForce() == null ? null : status.inForce().udp())),
            pods.capturable(),
            pods.pods());
    PlanReader.Counted counted = null;
    EnrollmentPlan plan = null;
    if (spec.dryRun()) {
      EnrollmentPlan told = status == null ? null : status.plan();
      counted =
          plans.connections(
              last.counted(), told == null ? null : told.connections(), pods, facts.sockets(), now);
      plan =
          Plans.of(facts, spec.stage(), spec.effectiveRollout())
              .with(
                  spec.stage() == Stage.L7 ? plans.waypoint(enrollment, meshSpec()) : null,
                  counted.connections());
    }
    Checked next =
        new Checked(
            enrollment.getMetadata().getGeneration(),
            now,
            spec.stage() == Stage.NONE ? List.of() : Preflight.of(facts),
            plan,
            counted,
            MtlsPolicies.of(pods.namespace(), facts.peerAuthentications(), facts.capturable()));
    checked.put(id, next);
    return next;
  }

  private EnrollmentObservation observe(
      MeshEnrollment enrollment,
      MeshEnrollmentStatus before,
      EnrollmentSource source,
      Namespace namespace,
      EnrolledPods pods,
      WaypointState waypoint,
      Checked checked,
      Context<MeshEnrollment> context) {
    DataplaneMode mode = DataplaneMode.of(pods.namespaceLabels());
    ResourceID id = ResourceID.fromResource(enrollment);
    PlaintextSightings sightings = ztunnels.plaintext(id, source, before, pods.nodes());
    Optional<List<JudgedPolicy>> known = policies.of(pods.namespace());
    if (servingSince == null && known.isPresent()) {
      servingSince = clock.instant();
    }
    return new EnrollmentObservation(
        source,
        enrollment.getMetadata().getGeneration(),
        before,
        mode,
        pods.namespaceLabels().getOrDefault(WellKnown.DATAPLANE_MODE, ""),
        EffectiveEnrollment.inForce(others(enrollment, context))
            .map(InForce::cut)
            .orElseGet(() -> EnrollmentObservation.cutOf(mode)),
        pods.excludedNamespaces().contains(namespace.getMetadata().getName()),
        mesh().filter(mesh -> mesh.getMetadata().getDeletionTimestamp() == null).isPresent(),
        meshSpec().leaving().drainSeconds(),
        pods,
        waypoint,
        StrictRefusals.with(checked.findings(), enrollment.effectiveSpec().mtls(), sightings),
        ztunnels.traffic(id, source, before, pods.nodes()),
        new MtlsObservation(sightings, checked.mtls(), carriesUdp(enrollment)),
        rootNamespace,
        known,
        Optional.ofNullable(servingSince),
        clock.instant());
  }

  private boolean carriesUdp(MeshEnrollment enrollment) {
    return meshSpec().udp() && !Boolean.FALSE.equals(enrollment.effectiveSpec().udp());
  }

  private static EnrollmentSource source(
      MeshEnrollment enrollment, Context<MeshEnrollment> context) {
    Optional<MeshEnrollment> effective =
        EffectiveEnrollment.of(
            context.getPrimaryCache().byIndex(BY_NAMESPACE, namespace(enrollment)));
    String name = enrollment.getMetadata().getName();
    if (!enrollment.isMirror() && enrollment.onlyPlans()) {
      return new EnrollmentSource.Plan(enrollment.effectiveSpec());
    }
    if (effective.isPresent() && !effective.get().getMetadata().getName().equals(name)) {
      return new EnrollmentSource.Superseded(
          effective.get().getMetadata().getName(), effective.get().inForce().isPresent());
    }
    return enrollment.isMirror()
        ? new EnrollmentSource.Labels()
        : new EnrollmentSource.User(enrollment.effectiveSpec());
  }

  private void tell(
      MeshEnrollment enrollment,
      Namespace namespace,
      EnrollmentObservation observed,
      Progress progress,
      MeshEnrollmentStatus after) {
    MeshEnrollmentStatus before = observed.before();
    if (StatusReport.isTransition(before, progress)) {
      LOG.atInfo()
          .addKeyValue("namespace", namespace(enrollment))
          .addKeyValue("name", enrollment.getMetadata().getName())
          .addKeyValue("stage", progress.stage().text())
          .addKeyValue("phase", progress.phase().text())
          .addKeyValue("reason", progress.reason())
          .log("enrollment moved on");
      switch (progress) {
        case Progress.Planned planned -> normal(enrollment, "Planned", planned);
        case Progress.Preflight preflight ->
            events.warning(enrollment, preflight.reason(), preflight.message());
        case Progress.Proving proving -> normal(enrollment, "Proving", proving);
        case Progress.Baking baking -> normal(enrollment, "Baking", baking);
        case Progress.BindingWaypoint binding -> normal(enrollment, "BindingWaypoint", binding);
        case Progress.UnbindingWaypoint unbinding ->
            normal(enrollment, "UnbindingWaypoint", unbinding);
        case Progress.Paused paused -> normal(enrollment, "Paused", paused);
        case Progress.RollingBack back -> events.warning(enrollment, back.reason(), back.message());
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
    tellLostProof(enrollment, before, after);
    tellStrict(enrollment, before, after);
    boolean known = Conditions.holds(before.conditions(), LabelContradiction.CONDITION);
    if (!known) {
      LabelContradiction.in(observed)
          .ifPresent(
              contradiction ->
                  events.warning(
                      enrollment, LabelContradiction.CONDITION, contradiction.message()));
    }
  }

  /** Pods that only begin are no news. */
  private void tellLostProof(
      MeshEnrollment enrollment, MeshEnrollmentStatus before, MeshEnrollmentStatus after) {
    boolean had = Conditions.holds(before.conditions(), Conditions.PROVEN);
    Conditions.find(after.conditions(), Conditions.PROVEN)
        .filter(condition -> had && "PodsNotProven".equals(condition.getReason()))
        .filter(condition -> !condition.getMessage().contains(Proof.UNTRIED.problem()))
        .ifPresent(condition -> events.warning(enrollment, "ProofLost", condition.getMessage()));
  }

  private void tellStrict(
      MeshEnrollment enrollment, MeshEnrollmentStatus before, MeshEnrollmentStatus after) {
    boolean was = Conditions.holds(before.conditions(), Conditions.MTLS_STRICT);
    Conditions.find(after.conditions(), Conditions.MTLS_STRICT)
        .filter(condition -> !was && "True".equals(condition.getStatus()))
        .ifPresent(
            condition -> events.normal(enrollment, Conditions.MTLS_STRICT, condition.getMessage()));
  }

  private void normal(MeshEnrollment enrollment, String reason, Progress progress) {
    events.normal(enrollment, reason, progress.message());
  }
}
