package dev.ambit.operator.waypoint.life;

import dev.ambit.api.AmbientMesh;
import dev.ambit.api.AmbientMeshSpec;
import dev.ambit.api.Conditions;
import dev.ambit.api.WellKnown;
import dev.ambit.operator.EventRecorder;
import dev.ambit.operator.FieldManager;
import dev.ambit.operator.StatusWriter;
import dev.ambit.operator.model.Revision;
import dev.ambit.operator.waypoint.life.model.GatewayReport;
import dev.ambit.operator.waypoint.life.model.GivenAddresses;
import dev.ambit.operator.waypoint.life.model.InvalidParametersException;
import dev.ambit.operator.waypoint.life.model.Rollout;
import dev.ambit.operator.waypoint.life.model.WaypointClass;
import dev.ambit.operator.waypoint.life.model.WaypointFacts;
import dev.ambit.operator.waypoint.life.model.WaypointLabels;
import dev.ambit.operator.waypoint.life.model.WaypointListener;
import dev.ambit.operator.waypoint.life.model.WaypointObjects;
import dev.ambit.operator.waypoint.life.model.WaypointObservation;
import dev.ambit.operator.waypoint.life.model.WaypointObservation.Problem;
import dev.ambit.operator.waypoint.life.model.WaypointRequest;
import dev.ambit.operator.waypoint.model.EnvoyBootstrap;
import io.fabric8.kubernetes.api.model.Condition;
import io.fabric8.kubernetes.api.model.ConfigMap;
import io.fabric8.kubernetes.api.model.HasMetadata;
import io.fabric8.kubernetes.api.model.Service;
import io.fabric8.kubernetes.api.model.ServiceAccount;
import io.fabric8.kubernetes.api.model.apps.Deployment;
import io.fabric8.kubernetes.api.model.autoscaling.v2.HorizontalPodAutoscaler;
import io.fabric8.kubernetes.api.model.discovery.v1.Endpoint;
import io.fabric8.kubernetes.api.model.gatewayapi.v1.Gateway;
import io.fabric8.kubernetes.api.model.gatewayapi.v1.GatewayBuilder;
import io.fabric8.kubernetes.api.model.gatewayapi.v1.GatewayClass;
import io.fabric8.kubernetes.api.model.gatewayapi.v1.GatewaySpecAddress;
import io.fabric8.kubernetes.api.model.gatewayapi.v1.GatewayStatus;
import io.fabric8.kubernetes.api.model.gatewayapi.v1.GatewayStatusAddress;
import io.fabric8.kubernetes.api.model.gatewayapi.v1.GatewayStatusAddressBuilder;
import io.fabric8.kubernetes.api.model.policy.v1.PodDisruptionBudget;
import io.fabric8.kubernetes.client.KubernetesClient;
import io.fabric8.kubernetes.client.KubernetesClientException;
import io.javaoperatorsdk.operator.api.config.informer.Informer;
import io.javaoperatorsdk.operator.api.config.informer.InformerEventSourceConfiguration;
import io.javaoperatorsdk.operator.api.reconciler.Context;
import io.javaoperatorsdk.operator.api.reconciler.ControllerConfiguration;
import io.javaoperatorsdk.operator.api.reconciler.EventSourceContext;
import io.javaoperatorsdk.operator.api.reconciler.EventSourceUtils;
import io.javaoperatorsdk.operator.api.reconciler.Reconciler;
import io.javaoperatorsdk.operator.api.reconciler.UpdateControl;
import io.javaoperatorsdk.operator.processing.dependent.workflow.Workflow;
import io.javaoperatorsdk.operator.processing.dependent.workflow.WorkflowBuilder;
import io.javaoperatorsdk.operator.processing.event.ResourceID;
import io.javaoperatorsdk.operator.processing.event.source.EventSource;
import io.javaoperatorsdk.operator.processing.event.source.IndexerResourceCache;
import io.javaoperatorsdk.operator.processing.event.source.filter.OnUpdateFilter;
import io.javaoperatorsdk.operator.processing.event.source.inbound.SimpleInboundEventSource;
import io.javaoperatorsdk.operator.processing.event.source.informer.InformerEventSource;
import java.net.HttpURLConnection;
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
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Makes a waypoint of each Gateway of a class that Ambit serves, and says on it how it is. */
@ControllerConfiguration(
    name = "waypoint",
    fieldManager = FieldManager.NAME,
    generationAwareEventProcessing = false,
    informer = @Informer(onUpdateFilter = GatewayReconciler.Concerning.class))
public final class GatewayReconciler implements Reconciler<Gateway> {
  private static final Logger LOG = LoggerFactory.getLogger(GatewayReconciler.class);

  /**
   * The operator may read a ConfigMap that it is told the name of, and not watch all there are, so
   * it looks again after this time.
   */
  private static final Duration PARAMETERS_CHECK = Duration.ofSeconds(10);

  /** What is in the way may go, and others' upgrades end. */
  private static final Duration RETRY = Duration.ofSeconds(5);

  /** With which the API server says that it will not do what it is asked. */
  private static final Set<Integer> REFUSALS =
      Set.of(
          HttpURLConnection.HTTP_BAD_REQUEST,
          HttpURLConnection.HTTP_FORBIDDEN,
          HttpURLConnection.HTTP_CONFLICT,
          // Unprocessable content.
          422);

  private final String rootNamespace;
  private final String clusterDomain;
  private final WaypointNews news;
  private final EventRecorder events;
  private final InstantSource clock;
  private final StatusWriter<GatewayStatus> statuses = new StatusWriter<>();
  private final WaypointDependent<Deployment> deployments;
  private final WaypointDependent<Service> services;
  private final List<WaypointDependent<?>> dependents;
  private final Workflow<Gateway> workflow;

  // Guarded by itself: those whose upgrade has begun, until it shows in the cache.
  private final Map<ResourceID, String> begun = new java.util.HashMap<>();

  private @Nullable Caches caches;

  private record Caches(
      InformerEventSource<AmbientMesh, Gateway> meshes,
      InformerEventSource<GatewayClass, Gateway> classes,
      InformerEventSource<Service, Gateway> istio,
      InformerEventSource<ConfigMap, Gateway> defaults) {}

  public GatewayReconciler(
      String rootNamespace,
      String clusterDomain,
      WaypointNews news,
      EventRecorder events,
      InstantSource clock) {
    this.rootNamespace = rootNamespace;
    this.clusterDomain = clusterDomain;
    this.news = news;
    this.events = events;
    this.clock = clock;
    var accounts =
        new WaypointDependent<>(
            ServiceAccount.class, (objects, _) -> Optional.of(objects.serviceAccount()));
    this.services =
        new WaypointDependent<>(Service.class, (objects, _) -> Optional.of(objects.service()));
    this.deployments =
        new WaypointDependent<>(
            Deployment.class,
            (objects, actual) ->
                Optional.of(
                    objects.deployment(
                        actual.isPresent(),
                        actual
                            .map(each -> Rollout.ownedReplicas(each, FieldManager.NAME))
                            .orElse(null))));
    var budgets =
        new WaypointDependent<>(
            PodDisruptionBudget.class, (objects, _) -> objects.disruptionBudget());
    var autoscalers =
        new WaypointDependent<>(
            HorizontalPodAutoscaler.class, (objects, _) -> objects.autoscaler());
    this.dependents = List.of(autoscalers, deployments, budgets, services, accounts);
    this.workflow =
        new WorkflowBuilder<Gateway>()
            .addDependentResource(accounts)
            .addDependentResource(services)
            .addDependentResourceAndConfigure(deployments)
            // As somebody else's account a waypoint could be acted for by others.
            .dependsOn(accounts)
            .addDependentResourceAndConfigure(budgets)
            .withReconcilePrecondition(budgets.isWanted())
            .addDependentResourceAndConfigure(autoscalers)
            .dependsOn(deployments)
            .withReconcilePrecondition(autoscalers.isWanted())
            .withThrowExceptionFurther(false)
            .build();
  }

  @Override
  public List<EventSource<?, Gateway>> prepareEventSources(EventSourceContext<Gateway> context) {
    IndexerResourceCache<Gateway> gateways = context.getPrimaryCache();
    var meshes =
        new InformerEventSource<>(
            InformerEventSourceConfiguration.from(AmbientMesh.class, Gateway.class)
                .withName("mesh")
                .withSecondaryToPrimaryMapper(mesh -> all(gateways))
                .withPrimaryToSecondaryMapper(primary -> Set.of())
                .withOnUpdateFilter(GatewayReconciler::changed)
                .build(),
            context);
    var classes =
        new InformerEventSource<>(
            InformerEventSourceConfiguration.from(GatewayClass.class, Gateway.class)
                .withName("classes")
                .withSecondaryToPrimaryMapper(
                    gatewayClass -> ofClass(gateways, gatewayClass.getMetadata().getName()))
                .withPrimaryToSecondaryMapper(primary -> Set.of())
                .build(),
            context);
    var istio =
        new InformerEventSource<>(
            InformerEventSourceConfiguration.from(Service.class, Gateway.class)
                .withName("istio")
                .withLabelSelector(GatewayClassReconciler.ISTIO_SERVICES)
                .withSecondaryToPrimaryMapper(
                    service -> ofClass(gateways, WaypointClass.ISTIO_NAME))
                .withPrimaryToSecondaryMapper(primary -> Set.of())
                .build(),
            context);
    var defaults =
        new InformerEventSource<>(
            InformerEventSourceConfiguration.from(ConfigMap.class, Gateway.class)
                .withName("defaults")
                .withNamespaces(rootNamespace)
                .withLabelSelector(ParameterSource.DEFAULTS_FOR_CLASS)
                .withSecondaryToPrimaryMapper(map -> all(gateways))
                .withPrimaryToSecondaryMapper(primary -> Set.of())
                .build(),
            context);
    caches = new Caches(meshes, classes, istio, defaults);
    List<EventSource<?, Gateway>> sources =
        new ArrayList<>(EventSourceUtils.eventSourcesFromWorkflow(context, workflow));
    sources.addAll(List.of(meshes, classes, istio, defaults, new NewsSource(news)));
    return sources;
  }

  /** Has a Gateway looked at when the control plane knows something else of it. */
  private static final class NewsSource extends SimpleInboundEventSource<Gateway> {
    private final WaypointNews news;
    private @Nullable AutoCloseable subscription;

    NewsSource(WaypointNews news) {
      super("news");
      this.news = news;
    }

    @Override
    public synchronized void start() {
      super.start();
      subscription =
          news.onChange(
              gateway -> {
                int slash = gateway.indexOf('/');
                propagateEvent(
                    new ResourceID(gateway.substring(slash + 1), gateway.substring(0, slash)));
              });
    }

    @Override
    public synchronized void stop() {
      super.stop();
      AutoCloseable present = subscription;
      subscription = null;
      if (present != null) {
        try {
          present.close();
        } catch (Exception e) {
          throw new IllegalStateException("cannot leave a list", e);
        }
      }
    }
  }

  private WaypointFacts facts(Gateway gateway) {
    return news.of(gateway.getMetadata().getNamespace() + "/" + gateway.getMetadata().getName());
  }

  private static boolean changed(HasMetadata now, HasMetadata before) {
    return !Objects.equals(now.getMetadata().getGeneration(), before.getMetadata().getGeneration())
        || !Objects.equals(
            now.getMetadata().getDeletionTimestamp(), before.getMetadata().getDeletionTimestamp());
  }

  /** Another spec, an end, or a label that makes it another control plane's, or Ambit's again. */
  public static final class Concerning implements OnUpdateFilter<Gateway> {
    @Override
    public boolean accept(Gateway now, Gateway before) {
      return changed(now, before) || Revision.isOurs(now) != Revision.isOurs(before);
    }
  }

  private static Set<ResourceID> all(IndexerResourceCache<Gateway> gateways) {
    return gateways.list().map(ResourceID::fromResource).collect(Collectors.toUnmodifiableSet());
  }

  private static Set<ResourceID> ofClass(IndexerResourceCache<Gateway> gateways, String name) {
    return gateways
        .list(gateway -> name.equals(gateway.getSpec().getGatewayClassName()))
        .map(ResourceID::fromResource)
        .collect(Collectors.toUnmodifiableSet());
  }

  private Caches caches() {
    return Objects.requireNonNull(caches, "prepareEventSources comes first");
  }

  @Override
  public UpdateControl<Gateway> reconcile(Gateway gateway, Context<Gateway> context) {
    Optional<AmbientMesh> mesh = caches().meshes().get(new ResourceID(WellKnown.DEFAULT_NAME));
    AmbientMeshSpec spec = mesh.map(AmbientMesh::effectiveSpec).orElse(AmbientMeshSpec.DEFAULTS);
    if (gateway.getMetadata().getDeletionTimestamp() != null) {
      forget(gateway);
      return UpdateControl.noUpdate();
    }
    if (!Revision.isOurs(gateway)) {
      // As where its class is left to another: what serves goes on serving.
      forget(gateway);
      return UpdateControl.noUpdate();
    }
    switch (classOf(gateway, spec)) {
      case WaypointClass.Served() -> {}
      case WaypointClass.Unrelated() -> {
        forget(gateway);
        dismantle(gateway, context);
        return UpdateControl.noUpdate();
      }
      // What serves goes on serving: who takes over finds it, and a class may come back.
      case WaypointClass.Left(String _) -> {
        return UpdateControl.noUpdate();
      }
      case WaypointClass.Missing() -> {
        return UpdateControl.noUpdate();
      }
    }
    boolean installed =
        mesh.filter(each -> each.getMetadata().getDeletionTimestamp() == null).isPresent();
    boolean managed =
        gateway.getSpec().getAddresses() == null || gateway.getSpec().getAddresses().isEmpty();
    Making made = installed && managed ? make(gateway, spec, context) : Making.NOTHING_TO_DO;
    WaypointObservation observed =
        managed
            ? ofManaged(gateway, installed, made, context)
            : ofUnmanaged(gateway, installed, context.getClient());
    if (!managed
        && installed
        && !observed.addresses().isEmpty()
        && !GivenAddresses.leadTo(
            gateway, services.getSecondaryResource(gateway, context), clusterDomain)) {
      dismantle(gateway, context);
    }
    report(gateway, observed, context);
    return next(gateway, observed, managed);
  }

  private WaypointClass classOf(Gateway gateway, AmbientMeshSpec spec) {
    return WaypointClass.of(
        caches()
            .classes()
            .get(new ResourceID(gateway.getSpec().getGatewayClassName()))
            .orElse(null),
        caches().istio().list().findAny().isPresent(),
        spec.waypoint().serveIstioClass(),
        FieldManager.NAME);
  }

  /** Removes what was made for a Gateway whose instances the operator is to make no more. */
  private void dismantle(Gateway gateway, Context<Gateway> context) {
    for (WaypointDependent<?> dependent : dependents) {
      dependent
          .getSecondaryResource(gateway, context)
          .filter(object -> WaypointLabels.isOf(object, gateway))
          .ifPresent(
              object -> {
                context.getClient().resource(object).delete();
                LOG.atInfo()
                    .addKeyValue("namespace", object.getMetadata().getNamespace())
                    .addKeyValue("name", object.getMetadata().getName())
                    .addKeyValue("kind", object.getKind())
                    .log("removed what a Gateway no longer asks for");
              });
    }
  }

  private static UpdateControl<Gateway> next(
      Gateway gateway, WaypointObservation observed, boolean managed) {
    UpdateControl<Gateway> control = UpdateControl.noUpdate();
    if (observed.waitsFor().isPresent()
        || observed.problem().orElse(null) instanceof Problem.Occupied) {
      return control.rescheduleAfter(RETRY);
    }
    return !managed || ParameterSource.named(gateway) || observed.problem().isPresent()
        ? control.rescheduleAfter(PARAMETERS_CHECK)
        : control;
  }

  // --- What the waypoint consists of

  /** What came of making a waypoint's objects. */
  private record Making(Optional<Problem> problem, Optional<String> waitsFor) {
    static final Making NOTHING_TO_DO = new Making(Optional.empty(), Optional.empty());
  }

  private Making make(Gateway gateway, AmbientMeshSpec spec, Context<Gateway> context) {
    List<WaypointListener> listeners = GatewayReport.listeners(gateway);
    if (listeners.isEmpty()) {
      return Making.NOTHING_TO_DO;
    }
    WaypointObjects objects;
    try {
      objects =
          WaypointObjects.of(
              new WaypointRequest(
                  gateway,
                  listeners,
                  spec.waypoint(),
                  bootstrap(gateway, spec).files(),
                  ParameterSource.of(gateway, caches().defaults().list(), context.getClient())));
    } catch (InvalidParametersException e) {
      return new Making(
          Optional.of(new Problem.Parameters(String.valueOf(e.getMessage()))), Optional.empty());
    }
    Optional<String> waits = waitsFor(gateway, objects, spec, context);
    if (waits.isPresent()) {
      return new Making(Optional.empty(), waits);
    }
    WaypointDependent.want(objects, context);
    Map<?, Exception> failures = workflow.reconcile(gateway, context).getErroredDependents();
    return new Making(
        failures.entrySet().stream()
            .flatMap(
                failed ->
                    failed.getKey() instanceof WaypointDependent<?> dependent
                        ? Stream.of(
                            problem(gateway, dependent, failed.getValue(), context.getClient()))
                        : Stream.<Problem>empty())
            .findFirst(),
        Optional.empty());
  }

  private EnvoyBootstrap bootstrap(Gateway gateway, AmbientMeshSpec spec) {
    return new EnvoyBootstrap(
        gateway.getMetadata().getNamespace(),
        gateway.getMetadata().getName(),
        gateway.getMetadata().getName(),
        spec.trustDomain(),
        clusterDomain,
        "ambit-operator." + rootNamespace + ".svc",
        EnvoyBootstrap.Settings.DEFAULT);
  }

  /** Only what the mesh brings about waits; what is asked of one waypoint is done at once. */
  private Optional<String> waitsFor(
      Gateway gateway, WaypointObjects objects, AmbientMeshSpec spec, Context<Gateway> context) {
    Optional<Deployment> actual = deployments.getSecondaryResource(gateway, context);
    ResourceID id = ResourceID.fromResource(gateway);
    Optional<String> revision = Rollout.revision(objects.deployment());
    synchronized (begun) {
      forgetWhatShows();
      if (actual.isEmpty()
          || Rollout.revision(actual.get()).equals(revision)
          || revision.equals(Optional.ofNullable(begun.get(id)))) {
        return Optional.empty();
      }
      Set<ResourceID> own = Set.of(id);
      Optional<String> waits =
          Rollout.waitsFor(
              all().stream().filter(each -> !own.contains(ResourceID.fromResource(each))).toList(),
              begun.keySet().stream()
                  .filter(each -> !each.equals(id))
                  .map(each -> each.getNamespace().orElse("") + "/" + each.getName())
                  .toList(),
              spec.waypoint().upgradesAtOnce());
      if (waits.isEmpty()) {
        begun.put(id, revision.orElse(""));
      }
      return waits;
    }
  }

  private List<Deployment> all() {
    return deployments.eventSource().stream().flatMap(source -> source.list()).toList();
  }

  private void forgetWhatShows() {
    Set<ResourceID> shown = new HashSet<>();
    for (Deployment deployment : all()) {
      ResourceID id = ResourceID.fromResource(deployment);
      if (begun.containsKey(id)
          && Rollout.revision(deployment).equals(Optional.ofNullable(begun.get(id)))) {
        shown.add(id);
      }
    }
    begun.keySet().removeAll(shown);
  }

  private void forget(Gateway gateway) {
    synchronized (begun) {
      begun.remove(ResourceID.fromResource(gateway));
    }
  }

  /**
   * What a person has to do something about; all else is thrown, to be tried again.
   *
   * @throws RuntimeException where the failure will pass
   */
  private static Problem problem(
      Gateway gateway, WaypointDependent<?> dependent, Exception failure, KubernetesClient client) {
    Throwable cause = failure;
    while (!(cause instanceof KubernetesClientException) && cause.getCause() != null) {
      cause = cause.getCause();
    }
    String object =
        dependent.name()
            + " "
            + gateway.getMetadata().getNamespace()
            + "/"
            + gateway.getMetadata().getName();
    if (cause instanceof KubernetesClientException refused
        && REFUSALS.contains(refused.getCode())) {
      // One of ours would be in the cache, and not in the way of its own creation.
      if (dependent.isAnothers(gateway, client)) {
        return new Problem.Occupied(
            object
                + " was not made for this Gateway and is left alone; give the Gateway another"
                + " name, or remove it");
      }
      if (refused.getCode() != HttpURLConnection.HTTP_CONFLICT) {
        return new Problem.Refused(
            "The API server refuses "
                + object
                + ": "
                + (refused.getStatus() == null
                    ? refused.getMessage()
                    : refused.getStatus().getMessage()));
      }
    }
    throw failure instanceof RuntimeException unchecked
        ? unchecked
        : new IllegalStateException(object + " cannot be applied", failure);
  }

  // --- What is seen of it

  private WaypointObservation ofManaged(
      Gateway gateway, boolean installed, Making made, Context<Gateway> context) {
    Optional<Deployment> deployment = deployments.getSecondaryResource(gateway, context);
    boolean reachable = services.getSecondaryResource(gateway, context).isPresent();
    return new WaypointObservation(
        gateway,
        installed,
        made.problem(),
        Rollout.instances(deployment.orElse(null)),
        made.waitsFor(),
        reachable ? List.of(address(gateway)) : List.of(),
        true,
        facts(gateway));
  }

  private GatewayStatusAddress address(Gateway gateway) {
    return new GatewayStatusAddressBuilder()
        .withType("Hostname")
        .withValue(GivenAddresses.ownHostname(gateway, clusterDomain))
        .build();
  }

  /** Somebody else's instances can be used where the Service that is named has a ready endpoint. */
  private WaypointObservation ofUnmanaged(
      Gateway gateway, boolean installed, KubernetesClient client) {
    List<GatewayStatusAddress> usable = new ArrayList<>();
    for (GatewaySpecAddress address : gateway.getSpec().getAddresses()) {
      String type = address.getType() == null ? "IPAddress" : address.getType();
      boolean known = type.equals("IPAddress") || type.equals("Hostname");
      if (known
          && address.getValue() != null
          && (type.equals("IPAddress") || hasReadyEndpoint(gateway, address.getValue(), client))) {
        usable.add(
            new GatewayStatusAddressBuilder().withType(type).withValue(address.getValue()).build());
      }
    }
    return new WaypointObservation(
        gateway,
        installed,
        Optional.empty(),
        WaypointObservation.Instances.settled(usable.size()),
        Optional.empty(),
        usable,
        false,
        facts(gateway));
  }

  private boolean hasReadyEndpoint(Gateway gateway, String hostname, KubernetesClient client) {
    String suffix = ".svc." + clusterDomain;
    String[] parts =
        hostname.endsWith(suffix)
            ? hostname.substring(0, hostname.length() - suffix.length()).split("\\.", -1)
            : new String[0];
    // Of another namespace it is not this Gateway's to say who is its waypoint.
    if (parts.length != 2 || !parts[1].equals(gateway.getMetadata().getNamespace())) {
      return false;
    }
    return client
        .discovery()
        .v1()
        .endpointSlices()
        .inNamespace(parts[1])
        .withLabel("kubernetes.io/service-name", parts[0])
        .list()
        .getItems()
        .stream()
        .flatMap(
            slice ->
                slice.getEndpoints() == null
                    ? Stream.<Endpoint>empty()
                    : slice.getEndpoints().stream())
        .anyMatch(
            endpoint ->
                endpoint.getConditions() != null
                    && Boolean.TRUE.equals(endpoint.getConditions().getReady()));
  }

  // --- What is said of it

  private void report(Gateway gateway, WaypointObservation observed, Context<Gateway> context) {
    GatewayStatus before = statuses.current(gateway, GatewayReport.ours(gateway.getStatus()));
    GatewayStatus after = GatewayReport.of(before, observed, clock.instant());
    if (after.equals(before)) {
      return;
    }
    Gateway applied =
        new GatewayBuilder()
            .withNewMetadata()
            .withNamespace(gateway.getMetadata().getNamespace())
            .withName(gateway.getMetadata().getName())
            .endMetadata()
            .withStatus(after)
            .build();
    statuses.write(context.getClient(), gateway, applied, after);
    tell(gateway, before, after);
  }

  private void tell(Gateway gateway, @Nullable GatewayStatus before, GatewayStatus after) {
    List<Condition> last =
        before == null || before.getConditions() == null ? List.of() : before.getConditions();
    for (Condition condition : after.getConditions()) {
      Optional<Condition> was = Conditions.find(last, condition.getType());
      boolean same =
          was.filter(
                  each ->
                      Objects.equals(each.getStatus(), condition.getStatus())
                          && Objects.equals(each.getReason(), condition.getReason()))
              .isPresent();
      if (same) {
        continue;
      }
      LOG.atInfo()
          .addKeyValue("namespace", gateway.getMetadata().getNamespace())
          .addKeyValue("name", gateway.getMetadata().getName())
          .addKeyValue("condition", condition.getType())
          .addKeyValue("status", condition.getStatus())
          .addKeyValue("reason", condition.getReason())
          .log("a waypoint's condition changed");
      boolean wasTrue = was.filter(each -> "True".equals(each.getStatus())).isPresent();
      boolean isTrue = "True".equals(condition.getStatus());
      switch (String.valueOf(condition.getReason())) {
        case "Pending", "RollingOut", "Waiting", "UpToDate" -> {
          if (wasTrue && "Pending".equals(condition.getReason())) {
            events.warning(gateway, "NoInstances", condition.getMessage());
          }
        }
        default -> {
          if (isTrue) {
            events.normal(gateway, condition.getReason(), condition.getMessage());
          } else {
            events.warning(gateway, condition.getReason(), condition.getMessage());
          }
        }
      }
    }
  }

  /** Removes all that was made for waypoints, when the mesh goes. Pods drain as they always do. */
  public static void removeAll(KubernetesClient client) {
    List<HasMetadata> objects = new ArrayList<>();
    objects.addAll(
        client
            .autoscaling()
            .v2()
            .horizontalPodAutoscalers()
            .inAnyNamespace()
            .withLabelSelector(WaypointLabels.SELECTOR)
            .list()
            .getItems());
    objects.addAll(
        client
            .apps()
            .deployments()
            .inAnyNamespace()
            .withLabelSelector(WaypointLabels.SELECTOR)
            .list()
            .getItems());
    objects.addAll(
        client
            .policy()
            .v1()
            .podDisruptionBudget()
            .inAnyNamespace()
            .withLabelSelector(WaypointLabels.SELECTOR)
            .list()
            .getItems());
    objects.addAll(
        client
            .services()
            .inAnyNamespace()
            .withLabelSelector(WaypointLabels.SELECTOR)
            .list()
            .getItems());
    objects.addAll(
        client
            .serviceAccounts()
            .inAnyNamespace()
            .withLabelSelector(WaypointLabels.SELECTOR)
            .list()
            .getItems());
    objects.forEach(object -> client.resource(object).delete());
  }
}
