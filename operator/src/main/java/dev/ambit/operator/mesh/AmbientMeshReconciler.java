package dev.ambit.operator.mesh;

import dev.ambit.api.AmbientMesh;
import dev.ambit.api.AmbientMeshSpec;
import dev.ambit.api.AmbientMeshStatus;
import dev.ambit.api.Conditions;
import dev.ambit.api.MeshEnrollment;
import dev.ambit.api.MeshEnrollmentStatus;
import dev.ambit.api.Stage;
import dev.ambit.api.StageCounts;
import dev.ambit.api.WellKnown;
import dev.ambit.operator.CommonLabels;
import dev.ambit.operator.EventRecorder;
import dev.ambit.operator.FieldManager;
import dev.ambit.operator.StatusWriter;
import dev.ambit.operator.enrollment.EnrollmentWaypoints;
import dev.ambit.operator.install.NodeComponents;
import dev.ambit.operator.install.model.AgentDaemonSet;
import dev.ambit.operator.install.model.RevocationConfigMap;
import dev.ambit.operator.install.model.ZtunnelDaemonSet;
import dev.ambit.operator.mesh.model.AuthorityVerdict;
import dev.ambit.operator.mesh.model.CleanupProgress;
import dev.ambit.operator.mesh.model.ComponentState;
import dev.ambit.operator.mesh.model.MeshObservation;
import dev.ambit.operator.mesh.model.MeshProgress;
import dev.ambit.operator.mesh.model.MeshStatusReport;
import dev.ambit.operator.mesh.model.RevocationVerdict;
import dev.ambit.operator.waypoint.life.GatewayReconciler;
import dev.ambit.operator.waypoint.telemetry.model.Providers;
import io.fabric8.kubernetes.api.model.Condition;
import io.fabric8.kubernetes.api.model.ConfigMap;
import io.fabric8.kubernetes.api.model.HasMetadata;
import io.fabric8.kubernetes.api.model.Pod;
import io.fabric8.kubernetes.api.model.Secret;
import io.fabric8.kubernetes.api.model.apps.DaemonSet;
import io.fabric8.kubernetes.client.KubernetesClient;
import io.javaoperatorsdk.operator.api.config.informer.FieldSelectorBuilder;
import io.javaoperatorsdk.operator.api.config.informer.InformerEventSourceConfiguration;
import io.javaoperatorsdk.operator.api.reconciler.Cleaner;
import io.javaoperatorsdk.operator.api.reconciler.Context;
import io.javaoperatorsdk.operator.api.reconciler.ControllerConfiguration;
import io.javaoperatorsdk.operator.api.reconciler.DeleteControl;
import io.javaoperatorsdk.operator.api.reconciler.EventSourceContext;
import io.javaoperatorsdk.operator.api.reconciler.Reconciler;
import io.javaoperatorsdk.operator.api.reconciler.UpdateControl;
import io.javaoperatorsdk.operator.processing.event.ResourceID;
import io.javaoperatorsdk.operator.processing.event.source.EventSource;
import io.javaoperatorsdk.operator.processing.event.source.informer.InformerEventSource;
import java.time.Duration;
import java.time.Instant;
import java.time.InstantSource;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.Set;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Installs the mesh on the nodes, says how it is doing, and takes it off again. */
@ControllerConfiguration(name = "ambientmesh", finalizerName = WellKnown.CLEANUP_FINALIZER)
public final class AmbientMeshReconciler implements Reconciler<AmbientMesh>, Cleaner<AmbientMesh> {
  private static final Logger LOG = LoggerFactory.getLogger(AmbientMeshReconciler.class);
  private static final Set<ResourceID> THE_MESH = Set.of(new ResourceID(WellKnown.DEFAULT_NAME));

  /** Agents tell when they are done; this is for the deadline. */
  private static final Duration CLEANUP_CHECK = Duration.ofSeconds(15);

  /** Certificates expire without anything being changed. */
  private static final Duration AUTHORITY_CHECK = Duration.ofHours(1);

  private final String rootNamespace;
  private final AuthorityInspection authority;
  private final RevocationInspection revocations;
  private final NodeComponents components;
  private final EventRecorder events;
  private final InstantSource clock;
  private final StatusWriter<AmbientMeshStatus> statuses = new StatusWriter<>();

  private @Nullable Caches caches;

  private record Caches(
      InformerEventSource<DaemonSet, AmbientMesh> daemonSets,
      InformerEventSource<Pod, AmbientMesh> agents,
      InformerEventSource<Secret, AmbientMesh> secrets,
      InformerEventSource<ConfigMap, AmbientMesh> revocations,
      InformerEventSource<MeshEnrollment, AmbientMesh> enrollments) {}

  public AmbientMeshReconciler(
      String rootNamespace,
      AuthorityInspection authority,
      EventRecorder events,
      InstantSource clock) {
    this.rootNamespace = rootNamespace;
    this.authority = authority;
    this.revocations = new RevocationInspection(rootNamespace, clock);
    this.components = new NodeComponents(rootNamespace);
    this.events = events;
    this.clock = clock;
  }

  @Override
  public List<EventSource<?, AmbientMesh>> prepareEventSources(
      EventSourceContext<AmbientMesh> context) {
    var daemonSets =
        new InformerEventSource<>(
            inRootNamespace(DaemonSet.class, "daemonsets")
                .withLabelSelector(CommonLabels.PART_OF + "=" + CommonLabels.AMBIT)
                .build(),
            context);
    var agents =
        new InformerEventSource<>(
            inRootNamespace(Pod.class, "agents")
                .withLabelSelector(CommonLabels.NAME + "=" + AgentDaemonSet.NAME)
                .withOnUpdateFilter((pod, before) -> isClean(pod) != isClean(before))
                .build(),
            context);
    var secrets =
        new InformerEventSource<>(inRootNamespace(Secret.class, "secrets").build(), context);
    var revocationLists =
        new InformerEventSource<>(
            inRootNamespace(ConfigMap.class, "revocations")
                .withFieldSelector(
                    new FieldSelectorBuilder()
                        .withField("metadata.name", WellKnown.REVOCATION_CONFIG_MAP)
                        .build())
                .build(),
            context);
    var enrollments =
        new InformerEventSource<>(
            InformerEventSourceConfiguration.from(MeshEnrollment.class, AmbientMesh.class)
                .withName("enrollments")
                .withSecondaryToPrimaryMapper(enrollment -> THE_MESH)
                .withPrimaryToSecondaryMapper(primary -> Set.of())
                .withOnUpdateFilter((now, before) -> !stage(now).equals(stage(before)))
                .build(),
            context);
    caches = new Caches(daemonSets, agents, secrets, revocationLists, enrollments);
    return List.of(daemonSets, agents, secrets, revocationLists, enrollments);
  }

  private <T extends HasMetadata> InformerEventSourceConfiguration.Builder<T> inRootNamespace(
      Class<T> type, String name) {
    return InformerEventSourceConfiguration.from(type, AmbientMesh.class)
        .withName(name)
        .withNamespaces(rootNamespace)
        .withSecondaryToPrimaryMapper(object -> THE_MESH)
        .withPrimaryToSecondaryMapper(primary -> Set.of());
  }

  private static boolean isClean(Pod agent) {
    Map<String, String> annotations = agent.getMetadata().getAnnotations();
    return annotations != null && "true".equals(annotations.get(WellKnown.AGENT_CLEAN));
  }

  private static Optional<Stage> stage(MeshEnrollment enrollment) {
    return Optional.ofNullable(enrollment.getStatus()).map(MeshEnrollmentStatus::stage);
  }

  @Override
  public UpdateControl<AmbientMesh> reconcile(AmbientMesh mesh, Context<AmbientMesh> context) {
    AmbientMeshStatus before = statuses.current(mesh, mesh.getStatus());
    MeshObservation observed = observe(mesh, before);
    MeshProgress progress = MeshProgress.of(observed);
    boolean installable =
        switch (progress) {
          case MeshProgress.Ready ignored -> true;
          case MeshProgress.RollingOut ignored -> true;
          case MeshProgress.Stalled stalled -> stalled.installable();
        };
    if (installable) {
      components.apply(mesh, this::daemonSet, context);
      distributeRevocations(mesh, observed.revocations(), context.getClient());
    }
    AmbientMeshStatus after =
        MeshStatusReport.of(
            before, observed, progress, mesh.getMetadata().getGeneration(), clock.instant());
    if (!after.equals(before)) {
      statuses.write(
          context.getClient(), mesh, StatusWriter.applied(new AmbientMesh(), mesh, after), after);
      tell(mesh, before, progress);
      tellRevocations(mesh, before, after);
    }
    return UpdateControl.<AmbientMesh>noUpdate().rescheduleAfter(AUTHORITY_CHECK);
  }

  private void distributeRevocations(
      AmbientMesh mesh, RevocationVerdict verdict, KubernetesClient client) {
    Optional<String> actual =
        caches()
            .revocations()
            .get(new ResourceID(WellKnown.REVOCATION_CONFIG_MAP, rootNamespace))
            .map(ConfigMap::getData)
            .map(data -> data.getOrDefault(WellKnown.REVOCATION_KEY, ""))
            .filter(present -> !present.isEmpty());
    verdict
        .change(actual)
        .ifPresent(
            pem -> {
              FieldManager.apply(client, RevocationConfigMap.of(mesh, rootNamespace, pem));
              LOG.atInfo()
                  .addKeyValue("namespace", rootNamespace)
                  .addKeyValue("name", WellKnown.REVOCATION_CONFIG_MAP)
                  .addKeyValue("cleared", pem.isEmpty())
                  .log("applied the revocation lists");
            });
  }

  private MeshObservation observe(AmbientMesh mesh, @Nullable AmbientMeshStatus before) {
    AmbientMeshSpec spec = mesh.effectiveSpec();
    String name = mesh.getMetadata().getName();
    Optional<String> problem =
        Stream.concat(Stream.of(spec.trustDomain()), spec.trustDomainAliases().stream())
            .flatMap(trustDomain -> authority.trustDomainProblem(trustDomain).stream())
            .findFirst();
    boolean looked = WellKnown.DEFAULT_NAME.equals(name) && problem.isEmpty();
    return new MeshObservation(
        name,
        spec.trustDomain(),
        problem.orElse(null),
        before == null ? null : before.trustDomain(),
        looked
            ? authority.inspect(spec, before == null ? null : before.ca(), this::secret)
            : new AuthorityVerdict.Unusable(
                "NotLookedAt", "The certificate authority is not looked at."),
        looked ? revocations.inspect(spec, this::secret) : new RevocationVerdict.Unknown(),
        ComponentState.of(daemonSet(ZtunnelDaemonSet.NAME).orElse(null)),
        ComponentState.of(daemonSet(AgentDaemonSet.NAME).orElse(null)),
        stageCounts(),
        Providers.findings(spec));
  }

  private Caches caches() {
    return Objects.requireNonNull(caches, "event sources are prepared before reconciling");
  }

  private Optional<DaemonSet> daemonSet(String name) {
    return caches().daemonSets().get(new ResourceID(name, rootNamespace));
  }

  private Optional<Secret> secret(String name) {
    return caches().secrets().get(new ResourceID(name, rootNamespace));
  }

  private StageCounts stageCounts() {
    int none = 0;
    int l4 = 0;
    int l7 = 0;
    for (Optional<Stage> stage :
        caches().enrollments().list().map(AmbientMeshReconciler::stage).toList()) {
      if (stage.isPresent()) {
        switch (stage.get()) {
          case NONE -> none++;
          case L4 -> l4++;
          case L7 -> l7++;
        }
      }
    }
    return new StageCounts(none, l4, l7);
  }

  private void tell(AmbientMesh mesh, @Nullable AmbientMeshStatus before, MeshProgress progress) {
    String reasonBefore =
        before == null
            ? ""
            : Conditions.find(before.conditions(), Conditions.READY)
                .map(condition -> condition.getReason())
                .orElse("");
    if (reasonBefore.equals(progress.reason())) {
      return;
    }
    LOG.atInfo()
        .addKeyValue("name", mesh.getMetadata().getName())
        .addKeyValue("reason", progress.reason())
        .addKeyValue("message", progress.message())
        .log("mesh moved on");
    switch (progress) {
      case MeshProgress.Ready ready -> events.normal(mesh, ready.reason(), ready.message());
      case MeshProgress.RollingOut rolling ->
          events.normal(mesh, rolling.reason(), rolling.message());
      case MeshProgress.Stalled stalled ->
          events.warning(mesh, stalled.reason(), stalled.message());
    }
  }

  private void tellRevocations(
      AmbientMesh mesh, @Nullable AmbientMeshStatus before, AmbientMeshStatus after) {
    Optional<Condition> was =
        Conditions.find(
            before == null ? List.of() : before.conditions(), Conditions.REVOCATIONS_DISTRIBUTED);
    Optional<Condition> is =
        Conditions.find(after.conditions(), Conditions.REVOCATIONS_DISTRIBUTED);
    if (is.isEmpty() || was.map(Condition::getMessage).equals(is.map(Condition::getMessage))) {
      return;
    }
    Condition now = is.get();
    if ("True".equals(now.getStatus())) {
      events.normal(mesh, now.getReason(), now.getMessage());
    } else {
      events.warning(mesh, now.getReason(), now.getMessage());
      LOG.atWarn()
          .addKeyValue("name", mesh.getMetadata().getName())
          .addKeyValue("message", now.getMessage())
          .log("cannot use the revocation lists");
    }
  }

  @Override
  public DeleteControl cleanup(AmbientMesh mesh, Context<AmbientMesh> context) {
    if (!WellKnown.DEFAULT_NAME.equals(mesh.getMetadata().getName())) {
      return DeleteControl.defaultDelete();
    }
    CleanupProgress progress =
        CleanupProgress.of(
            nodes(),
            Instant.parse(mesh.getMetadata().getDeletionTimestamp()),
            Duration.ofSeconds(mesh.effectiveSpec().leaving().drainSeconds()),
            clock.instant());
    return switch (progress) {
      case CleanupProgress.Waiting waiting -> {
        tellWaiting(mesh, waiting, context.getClient());
        yield DeleteControl.noFinalizerRemoval().rescheduleAfter(CLEANUP_CHECK.toMillis());
      }
      case CleanupProgress.Clean ignored -> {
        remove(context.getClient());
        events.normal(mesh, "Removed", "The mesh is off all nodes.");
        yield DeleteControl.defaultDelete();
      }
      case CleanupProgress.GivenUp(String message) -> {
        remove(context.getClient());
        events.warning(mesh, "NodesNotClean", message);
        LOG.atWarn().addKeyValue("name", mesh.getMetadata().getName()).log(message);
        yield DeleteControl.defaultDelete();
      }
    };
  }

  /** Waypoints go with what they are made for, and not before pods have left. */
  private void remove(KubernetesClient client) {
    EnrollmentWaypoints.removeAll(client);
    GatewayReconciler.removeAll(client);
    components.remove(client);
  }

  private CleanupProgress.Nodes nodes() {
    Optional<DaemonSet> agents = daemonSet(AgentDaemonSet.NAME);
    List<String> clean = new ArrayList<>();
    List<String> unclean = new ArrayList<>();
    caches()
        .agents()
        .list()
        .filter(pod -> pod.getSpec() != null && pod.getSpec().getNodeName() != null)
        .forEach(pod -> (isClean(pod) ? clean : unclean).add(pod.getSpec().getNodeName()));
    List<String> enrolled =
        caches()
            .enrollments()
            .list()
            .filter(AmbientMeshReconciler::hasCapturedPods)
            .map(enrollment -> enrollment.getMetadata().getNamespace())
            .distinct()
            .sorted()
            .toList();
    return new CleanupProgress.Nodes(
        agents.isPresent(),
        ComponentState.of(agents.orElse(null)).nodes(),
        clean,
        unclean.stream().sorted().toList(),
        enrolled);
  }

  private static boolean hasCapturedPods(MeshEnrollment enrollment) {
    MeshEnrollmentStatus status = enrollment.getStatus();
    return status != null && status.pods() != null && status.pods().captured() > 0;
  }

  private void tellWaiting(
      AmbientMesh mesh, CleanupProgress.Waiting waiting, KubernetesClient client) {
    AmbientMeshStatus before = statuses.current(mesh, mesh.getStatus());
    AmbientMeshStatus after =
        MeshStatusReport.leaving(
            before, waiting, mesh.getMetadata().getGeneration(), clock.instant());
    if (after.equals(before)) {
      return;
    }
    boolean first =
        before == null
            || Conditions.find(before.conditions(), Conditions.READY)
                .filter(condition -> "NodesNotClean".equals(condition.getReason()))
                .isEmpty();
    statuses.write(client, mesh, StatusWriter.applied(new AmbientMesh(), mesh, after), after);
    if (first) {
      events.normal(mesh, "Leaving", waiting.message());
    }
  }
}
