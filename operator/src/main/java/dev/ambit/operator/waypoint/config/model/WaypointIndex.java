package dev.ambit.operator.waypoint.config.model;

import com.github.xds.core.v3.CidrRange;
import com.google.protobuf.Message;
import dev.ambit.operator.FieldManager;
import dev.ambit.operator.model.IpAddresses;
import dev.ambit.operator.model.NamespaceSelection;
import dev.ambit.operator.model.ObjectCondition;
import dev.ambit.operator.model.Revision;
import dev.ambit.operator.waypoint.life.model.WaypointClass;
import dev.ambit.operator.waypoint.life.model.WaypointFacts;
import dev.ambit.operator.waypoint.model.Backend;
import dev.ambit.operator.waypoint.model.MeshService;
import dev.ambit.operator.waypoint.model.MeshServices;
import dev.ambit.operator.waypoint.model.ObjectReference;
import dev.ambit.operator.waypoint.model.PortProtocol;
import dev.ambit.operator.waypoint.model.ServicePort;
import dev.ambit.operator.waypoint.model.WaypointGateway;
import dev.ambit.operator.waypoint.route.model.ConnectionRoutes;
import dev.ambit.operator.waypoint.route.model.GatewayRoutes;
import dev.ambit.operator.waypoint.route.model.HttpPortRoutes;
import dev.ambit.operator.waypoint.route.model.ParentWaypoint;
import dev.ambit.operator.waypoint.route.model.RouteObjects;
import dev.ambit.operator.waypoint.route.model.RouteParents;
import dev.ambit.operator.waypoint.route.model.RouteStatus;
import dev.ambit.operator.waypoint.route.model.Routing;
import dev.ambit.operator.waypoint.route.model.ServiceBinding;
import dev.ambit.operator.waypoint.route.model.ServiceRoutes;
import dev.ambit.operator.waypoint.security.model.AttachedPolicies;
import dev.ambit.operator.waypoint.security.model.ConnectSecurity;
import dev.ambit.operator.waypoint.security.model.Destination;
import dev.ambit.operator.waypoint.security.model.PolicyIndex;
import dev.ambit.operator.waypoint.security.model.PolicyTargets;
import dev.ambit.operator.waypoint.security.model.SecurityReport;
import dev.ambit.operator.waypoint.security.model.SecuritySettings;
import dev.ambit.operator.waypoint.security.model.ServiceSecurity;
import dev.ambit.operator.waypoint.security.model.Target;
import dev.ambit.operator.waypoint.telemetry.model.ChainTelemetry;
import dev.ambit.operator.waypoint.telemetry.model.Defaults;
import dev.ambit.operator.waypoint.telemetry.model.Providers;
import dev.ambit.operator.waypoint.telemetry.model.TelemetryObjects;
import dev.ambit.operator.waypoint.telemetry.model.TelemetryReport;
import dev.ambit.operator.waypoint.telemetry.model.WaypointTelemetry;
import dev.ambit.operator.waypoint.traffic.model.BoundService;
import dev.ambit.operator.waypoint.traffic.model.ConnectionPolicy;
import dev.ambit.operator.waypoint.traffic.model.ServicePolicy;
import dev.ambit.operator.waypoint.traffic.model.Traffic;
import dev.ambit.operator.waypoint.traffic.model.TrafficObjects;
import dev.ambit.operator.xds.ChangeSet;
import dev.ambit.operator.xds.XdsResource;
import dev.ambit.operator.xds.XdsType;
import dev.ambit.protocol.workload.Address;
import dev.ambit.protocol.workload.AppProtocol;
import dev.ambit.protocol.workload.NetworkAddress;
import dev.ambit.protocol.workload.Service;
import dev.ambit.protocol.workload.Workload;
import io.envoyproxy.envoy.config.cluster.v3.Cluster;
import io.envoyproxy.envoy.config.core.v3.TypedExtensionConfig;
import io.envoyproxy.envoy.config.listener.v3.Listener;
import io.envoyproxy.envoy.config.route.v3.RouteConfiguration;
import io.fabric8.istio.api.networking.v1.DestinationRule;
import io.fabric8.istio.api.networking.v1.ServiceEntry;
import io.fabric8.istio.api.networking.v1.VirtualService;
import io.fabric8.istio.api.networking.v1.WorkloadEntry;
import io.fabric8.istio.api.security.v1.AuthorizationPolicy;
import io.fabric8.istio.api.security.v1.RequestAuthentication;
import io.fabric8.istio.api.telemetry.v1.Telemetry;
import io.fabric8.kubernetes.api.model.HasMetadata;
import io.fabric8.kubernetes.api.model.Namespace;
import io.fabric8.kubernetes.api.model.Pod;
import io.fabric8.kubernetes.api.model.gatewayapi.v1.GRPCRoute;
import io.fabric8.kubernetes.api.model.gatewayapi.v1.Gateway;
import io.fabric8.kubernetes.api.model.gatewayapi.v1.GatewayClass;
import io.fabric8.kubernetes.api.model.gatewayapi.v1.HTTPRoute;
import io.fabric8.kubernetes.api.model.gatewayapi.v1alpha2.TCPRoute;
import io.fabric8.kubernetes.api.model.gatewayapi.v1alpha3.TLSRoute;
import io.fabric8.kubernetes.api.model.gatewayapi.v1beta1.ReferenceGrant;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Collection;
import java.util.Comparator;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/**
 * What each waypoint is told, kept current one object at a time. Changes are taken as they come;
 * {@link #update} then works out what they make different, and only that. Not thread-safe.
 */
public final class WaypointIndex {
  /** Names of classes whose Gateways are waypoints, besides those that name the controller. */
  public static final Set<String> CLASSES = Set.of("ambit-waypoint", "istio-waypoint");

  /**
   * For how long a waypoint still takes tunnels to a service that is no longer to go through it:
   * clients' nodes hear of that when they do.
   */
  static final Duration LINGER = Duration.ofSeconds(30);

  /**
   * For how long it keeps the service's chains as they were, whose end would end the connections
   * that are still open.
   */
  static final Duration KEPT = Duration.ofHours(1);

  private static final Set<Class<? extends HasMetadata>> ROUTES =
      Set.of(
          HTTPRoute.class,
          GRPCRoute.class,
          TLSRoute.class,
          TCPRoute.class,
          ReferenceGrant.class,
          Namespace.class);
  private static final Set<Class<? extends HasMetadata>> TRAFFIC =
      Set.of(VirtualService.class, DestinationRule.class);
  private static final Set<Class<? extends HasMetadata>> POLICIES =
      Set.of(AuthorizationPolicy.class, RequestAuthentication.class);

  private WaypointSettings settings;
  private final ObjectStore objects = new ObjectStore();
  private final ServiceDirectory services = new ServiceDirectory();
  private final Map<String, Workload> workloads = new HashMap<>();
  private final Map<String, Set<String>> members = new HashMap<>();
  private final Map<String, Set<String>> through = new HashMap<>();

  /** Of addresses that waypoints were asked for, why their traffic goes past these. */
  private final Map<String, String> past = new HashMap<>();

  private final Map<String, Set<String>> enrollmentWaypoints = new HashMap<>();
  private final Map<String, WaypointState> waypoints = new TreeMap<>();

  // What has changed since the last update.
  private boolean gatewaysChanged = true;
  private boolean routesChanged = true;
  private boolean trafficChanged = true;
  private boolean policiesChanged = true;
  private boolean telemetryChanged = true;
  private boolean plansChanged = true;

  /** Services of an Istio control plane. */
  private final Set<String> istio = new HashSet<>();

  /** Those of the waypoints that are left to another controller; what serves goes on serving. */
  private Set<String> left = Set.of();

  private final Set<String> changedServices = new HashSet<>();

  private Routing routing = new Routing(Map.of(), List.of(), Map.of());
  private PolicyIndex policies = PolicyIndex.of(List.of(), List.of(), "");
  private TelemetryObjects telemetry = TelemetryObjects.none("");
  private List<SecurityReport> policyReports = List.of();
  private List<TelemetryReport> telemetryReports = List.of();
  private Traffic traffic;

  /** An index of nothing yet. */
  public WaypointIndex(WaypointSettings settings) {
    this.settings = settings;
    this.traffic = traffic();
  }

  // --- Changes

  /** Other settings. */
  public void settings(WaypointSettings next) {
    if (!next.equals(settings)) {
      settings = next;
      gatewaysChanged = true;
      routesChanged = true;
      policiesChanged = true;
      telemetryChanged = true;
      plansChanged = true;
    }
  }

  /** An object of a kind that waypoints turn on. */
  public void put(HasMetadata object) {
    objects.put(object);
    changed(object);
    noteIstio(object, true);
  }

  public void remove(HasMetadata object) {
    objects.remove(object);
    changed(object);
    noteIstio(object, false);
  }

  private void noteIstio(HasMetadata object, boolean present) {
    if (object instanceof io.fabric8.kubernetes.api.model.Service) {
      boolean ofIstio =
          present
              && WaypointClass.ISTIO_LABEL_VALUE.equals(
                  ObjectStore.labels(object).get(WaypointClass.ISTIO_LABEL));
      String key = ObjectStore.key(object);
      gatewaysChanged |= ofIstio ? istio.add(key) : istio.remove(key);
    }
  }

  private void changed(HasMetadata object) {
    switch (object) {
      case Gateway _ -> {
        gatewaysChanged = true;
        routesChanged = true;
        plansChanged = true;
      }
      case GatewayClass _ -> gatewaysChanged = true;
      case Telemetry _ -> telemetryChanged = true;
      case Pod pod -> labelsChanged(settings.mesh().clusterId() + "//Pod/" + ObjectStore.key(pod));
      case io.fabric8.kubernetes.api.model.Service service ->
          relabel(
              service.getMetadata().getNamespace()
                  + "/"
                  + settings
                      .mesh()
                      .hostname(
                          service.getMetadata().getNamespace(), service.getMetadata().getName()));
      case ServiceEntry entry -> {
        for (String host :
            ObjectStore.orEmpty(entry.getSpec() == null ? null : entry.getSpec().getHosts())) {
          relabel(entry.getMetadata().getNamespace() + "/" + host);
        }
      }
      default -> {
        routesChanged |= ROUTES.contains(object.getClass());
        trafficChanged |= TRAFFIC.contains(object.getClass());
        policiesChanged |= POLICIES.contains(object.getClass());
      }
    }
  }

  private void relabel(String key) {
    services.message(key).ifPresent(this::put);
  }

  private void labelsChanged(String uid) {
    Workload workload = workloads.get(uid);
    if (workload != null) {
      changedServices.addAll(workload.getServicesMap().keySet());
    }
  }

  /** An address of the workload API, by its name there. */
  public void address(String name, Optional<Address> address) {
    switch (address.map(Address::getTypeCase).orElse(Address.TypeCase.TYPE_NOT_SET)) {
      case SERVICE -> put(address.orElseThrow().getService());
      case WORKLOAD -> put(name, address.orElseThrow().getWorkload());
      case TYPE_NOT_SET -> {
        if (services.remove(name)) {
          routesChanged = true;
          plansChanged = true;
          changedServices.add(name);
        }
        put(name, null);
      }
    }
  }

  private void put(Service message) {
    String key = message.getNamespace() + "/" + message.getHostname();
    Optional<HasMetadata> object = objectOf(message);
    Optional<Service> before = services.message(key);
    boolean differs =
        services.put(
            message,
            object.filter(found -> found instanceof ServiceEntry).isPresent()
                ? MeshService.Kind.SERVICE_ENTRY
                : MeshService.Kind.SERVICE,
            object.map(ObjectStore::labels).orElse(Map.of()),
            object.map(PortNames::of).orElse(Map.of()));
    if (differs) {
      routesChanged = true;
    }
    if (differs || before.isEmpty() || !before.get().equals(message)) {
      plansChanged = true;
      changedServices.add(key);
    }
  }

  private Optional<HasMetadata> objectOf(Service message) {
    String object = message.getNamespace() + "/" + message.getName();
    boolean service =
        settings
            .mesh()
            .hostname(message.getNamespace(), message.getName())
            .equals(message.getHostname());
    return service
        ? objects
            .get(io.fabric8.kubernetes.api.model.Service.class, object)
            .map(HasMetadata.class::cast)
            .or(() -> objects.get(ServiceEntry.class, object))
        : objects.get(ServiceEntry.class, object).map(HasMetadata.class::cast);
  }

  private void put(String uid, @Nullable Workload workload) {
    Workload before = workload == null ? workloads.remove(uid) : workloads.put(uid, workload);
    if (before != null) {
      for (String service : before.getServicesMap().keySet()) {
        changedServices.add(service);
        members.computeIfPresent(
            service,
            (_, present) -> {
              present.remove(uid);
              return present.isEmpty() ? null : present;
            });
      }
    }
    if (workload != null) {
      for (String service : workload.getServicesMap().keySet()) {
        changedServices.add(service);
        members.computeIfAbsent(service, _ -> new TreeSet<>()).add(uid);
      }
    }
    if (through.containsKey(uid)) {
      plansChanged = true;
    }
  }

  /**
   * The Gateways through whose waypoints an address is meant to be reached.
   *
   * @param why traffic goes past them, or past the one that was asked for
   */
  public void waypoints(String name, Set<String> gateways, Optional<String> why) {
    Set<String> before =
        gateways.isEmpty() ? through.remove(name) : through.put(name, Set.copyOf(gateways));
    String whyBefore = why.isEmpty() ? past.remove(name) : past.put(name, why.get());
    if (!gateways.equals(before == null ? Set.of() : before)
        || !why.equals(Optional.ofNullable(whyBefore))) {
      plansChanged = true;
      routesChanged = true;
    }
  }

  /**
   * The waypoints, by name, that a namespace's enrollment binds it to, now or next; told after all
   * that goes through them for it.
   */
  public void enrollmentWaypoints(String namespace, Set<String> names) {
    if (names.isEmpty()) {
      enrollmentWaypoints.remove(namespace);
    } else {
      enrollmentWaypoints.put(namespace, Set.copyOf(names));
    }
    plansChanged = true;
  }

  private boolean isOfEnrollment(String waypoint) {
    String namespace = namespace(waypoint);
    return enrollmentWaypoints
        .getOrDefault(namespace, Set.of())
        .contains(waypoint.substring(namespace.length() + 1));
  }

  /**
   * A waypoint's Envoy does not take what it was sent.
   *
   * @param versions of what was in the response, by name; others than are current are passed over
   */
  public void rejected(
      String waypoint, String typeUrl, Map<String, String> versions, String error) {
    WaypointState state = waypoints.get(waypoint);
    if (state != null) {
      EnvoyTypes.ALL.stream()
          .filter(type -> type.url().equals(typeUrl))
          .forEach(type -> state.rejected(type, versions, error));
    }
  }

  // --- What comes of them

  /**
   * What is different from before.
   *
   * @param changes by waypoint, "namespace/name" of its Gateway
   * @param removed waypoints that are no more
   * @param again when there will be more to do though nothing changes
   */
  public record Update(
      Map<String, ChangeSet> changes, Set<String> removed, Optional<Instant> again) {}

  /** What routes came to at the last update. */
  public List<RouteStatus> routeStatuses() {
    List<RouteStatus> statuses = routing.statuses();
    for (WaypointState waypoint : waypoints.values()) {
      if (!waypoint.rejections.isEmpty()) {
        statuses = waypoint.rejections.said(statuses, waypoint);
      }
    }
    return statuses;
  }

  /** What is to be said on waypoints' Gateways, by "namespace/name". */
  public Map<String, WaypointFacts> facts() {
    Map<String, WaypointFacts> facts = new TreeMap<>();
    waypoints.forEach(
        (key, waypoint) ->
            facts.put(
                key,
                new WaypointFacts(
                    routing.attached().getOrDefault(key, Map.of()), waypoint.rejections.texts())));
    return facts;
  }

  /**
   * What is to be said on objects' status since the last update; of routes there is more to say.
   */
  public Map<ObjectReference, ObjectCondition> conditions() {
    Map<ObjectReference, ObjectCondition> conditions = new HashMap<>();
    Set<ObjectReference> ofOthers = trafficOfOthers();
    traffic.statuses().stream()
        .filter(status -> !ofOthers.contains(status.object()))
        .forEach(status -> conditions.put(status.object(), status.condition()));
    policyReports.forEach(report -> conditions.put(report.object(), report.condition()));
    telemetryReports.forEach(report -> conditions.put(report.object(), report.condition()));
    for (WaypointState waypoint : waypoints.values()) {
      waypoint
          .rejections
          .blamed(waypoint)
          .forEach(
              (object, message) ->
                  conditions.computeIfPresent(
                      object,
                      (_, present) ->
                          new ObjectCondition(
                              present.type(),
                              false,
                              Rejections.REASON,
                              message,
                              present.generation())));
      conditions.putAll(waypoint.rejections.services(waypoint));
    }
    return conditions;
  }

  /** What traffic rules hold at waypoints of other controllers alone. */
  private Set<ObjectReference> trafficOfOthers() {
    if (left.isEmpty()) {
      return Set.of();
    }
    Set<ObjectReference> others = new HashSet<>();
    Set<ObjectReference> ours = new HashSet<>();
    for (MeshService service : services.all()) {
      for (String gateway : through.getOrDefault(service.key(), Set.of())) {
        if (waypoints.containsKey(gateway)) {
          (left.contains(gateway) ? others : ours)
              .addAll(traffic.sources(service, namespace(gateway)));
        }
      }
    }
    others.removeAll(ours);
    return others;
  }

  private List<SecurityReport> reports(PolicyTargets targets) {
    SecuritySettings security = security();
    List<SecurityReport> reports = new ArrayList<>();
    for (AuthorizationPolicy policy : objects.all(AuthorizationPolicy.class)) {
      if (Revision.isOurs(policy)
          && !targets.areAnothers(Target.of(policy, security.rootNamespace()))) {
        SecurityReport.of(policy, policies, targets, security).ifPresent(reports::add);
      }
    }
    for (RequestAuthentication policy : objects.all(RequestAuthentication.class)) {
      if (Revision.isOurs(policy)
          && !targets.areAnothers(Target.of(policy, security.rootNamespace()))) {
        reports.add(SecurityReport.of(policy, targets, security));
      }
    }
    return List.copyOf(reports);
  }

  private Set<WaypointGateway> waypointGateways() {
    return objects.all(Gateway.class).stream()
        .filter(this::isWaypoint)
        .map(WaypointIndex::waypointGateway)
        .collect(Collectors.toSet());
  }

  private static WaypointGateway waypointGateway(Gateway gateway) {
    return new WaypointGateway(
        gateway.getMetadata().getNamespace(), gateway.getMetadata().getName(), className(gateway));
  }

  private SecuritySettings security() {
    return new SecuritySettings(
        settings.mesh().rootNamespace(), settings.mesh().trustDomains(), settings.providers());
  }

  /** What policies attach to, as this index knows it. */
  private final class Targets implements PolicyTargets {
    private final Map<String, WaypointGateway> present = new TreeMap<>();

    /** Gateways that are no waypoints, as another controller's ingress. */
    private final List<WaypointGateway> others = new ArrayList<>();

    private boolean isLeft(WaypointGateway waypoint) {
      return left.contains(waypoint.namespace() + "/" + waypoint.name());
    }

    Targets() {
      for (Gateway gateway : objects.all(Gateway.class)) {
        if (isWaypoint(gateway)) {
          present.put(ObjectStore.key(gateway), waypointGateway(gateway));
        } else if (objects.get(GatewayClass.class, "/" + className(gateway)).isPresent()) {
          others.add(waypointGateway(gateway));
        }
      }
    }

    @Override
    public MeshServices services() {
      return services;
    }

    @Override
    public Collection<WaypointGateway> waypoints() {
      return present.values().stream().filter(waypoint -> !isLeft(waypoint)).toList();
    }

    @Override
    public Set<String> classes() {
      Set<String> classes = new TreeSet<>(CLASSES);
      present.values().forEach(waypoint -> classes.add(waypoint.className()));
      classes.removeAll(classesOfOthers());
      return classes;
    }

    @Override
    public Collection<WaypointGateway> anothers() {
      return Stream.concat(present.values().stream().filter(this::isLeft), others.stream())
          .toList();
    }

    @Override
    public Set<String> classesOfOthers() {
      Set<String> classes = new TreeSet<>();
      for (GatewayClass each : objects.all(GatewayClass.class)) {
        if (!WaypointIndex.this.isWaypoint(each.getMetadata().getName())) {
          classes.add(each.getMetadata().getName());
        }
      }
      if (WaypointIndex.this.isLeft(WaypointClass.ISTIO_NAME)) {
        classes.add(WaypointClass.ISTIO_NAME);
      }
      return classes;
    }

    @Override
    public Optional<String> past(MeshService service) {
      return haveWaypoints(service)
          ? Optional.empty()
          : Optional.ofNullable(past.get(service.key()));
    }

    /** Whether each of its pods has, as if itself were asked, one of those that it is meant for. */
    private boolean haveWaypoints(MeshService service) {
      Set<String> gateways = through.getOrDefault(service.key(), Set.of());
      Set<String> pods = members.getOrDefault(service.key(), Set.of());
      return !pods.isEmpty()
          && pods.stream()
              .allMatch(
                  pod ->
                      !past.containsKey(pod)
                          && through.getOrDefault(pod, Set.of()).stream()
                              .anyMatch(gateways::contains));
    }

    @Override
    public List<WaypointGateway> waypointsOf(MeshService service) {
      return through.getOrDefault(service.key(), Set.of()).stream()
          .sorted()
          .flatMap(key -> Stream.ofNullable(present.get(key)))
          .toList();
    }

    @Override
    public Collection<MeshService> behind(WaypointGateway waypoint) {
      String key = waypoint.namespace() + "/" + waypoint.name();
      return services.all().stream()
          .filter(service -> through.getOrDefault(service.key(), Set.of()).contains(key))
          .toList();
    }
  }

  /** What a service adds to the listeners of a waypoint, as it is wanted. */
  @Nullable ListenerPart part(String waypoint, String service) {
    WaypointState state = waypoints.get(waypoint);
    return state == null ? null : state.plans.get(service);
  }

  /** The waypoints there are. */
  public Set<String> waypoints() {
    return Set.copyOf(waypoints.keySet());
  }

  /** As what each waypoint runs: its service account has its Gateway's name. */
  public static String serviceAccount(String waypoint) {
    return waypoint.substring(waypoint.indexOf('/') + 1);
  }

  /** Works out what all changes since the last time come to. */
  public Update update(Instant now) {
    boolean reportsChanged = gatewaysChanged || policiesChanged || telemetryChanged || plansChanged;
    Update update = work(now);
    if (reportsChanged) {
      PolicyTargets targets = new Targets();
      policyReports = reports(targets);
      telemetryReports =
          TelemetryReport.of(
              telemetry.without(
                  each -> targets.areAnothers(Target.of(each, telemetry.rootNamespace()))),
              Providers.of(settings.providers()),
              waypointGateways(),
              services);
    }
    return update;
  }

  private Update work(Instant now) {
    Set<String> removed = new TreeSet<>();
    if (gatewaysChanged) {
      Map<String, Gateway> present = new TreeMap<>();
      for (Gateway gateway : objects.all(Gateway.class)) {
        if (isWaypoint(gateway)) {
          present.put(ObjectStore.key(gateway), gateway);
        }
      }
      for (String key : Set.copyOf(waypoints.keySet())) {
        if (!present.containsKey(key)) {
          waypoints.remove(key);
          removed.add(key);
        }
      }
      for (String key : present.keySet()) {
        if (!waypoints.containsKey(key)) {
          waypoints.put(key, new WaypointState(key));
          plansChanged = true;
          policiesChanged = true;
          telemetryChanged = true;
          routesChanged = true;
        }
      }
      Set<String> leftNow =
          present.values().stream()
              .filter(this::isLeft)
              .map(ObjectStore::key)
              .collect(Collectors.toUnmodifiableSet());
      if (!leftNow.equals(left)) {
        left = leftNow;
        routesChanged = true;
      }
      gatewaysChanged = false;
    }
    if (waypoints.isEmpty() && routing.statuses().isEmpty() && !hasRoutes()) {
      // Nobody asks; all will be worked out once there is a waypoint.
      changedServices.clear();
      return new Update(Map.of(), removed, Optional.empty());
    }
    if (routesChanged) {
      routing = route();
      routesChanged = false;
      trafficChanged = true;
    }
    if (trafficChanged) {
      traffic = traffic();
      trafficChanged = false;
      plansChanged = true;
    }
    if (policiesChanged) {
      policies =
          PolicyIndex.of(
              objects.all(AuthorizationPolicy.class),
              objects.all(RequestAuthentication.class),
              settings.mesh().rootNamespace());
      policiesChanged = false;
      plansChanged = true;
    }
    if (telemetryChanged) {
      telemetry =
          new TelemetryObjects(
              List.copyOf(objects.all(Telemetry.class)), settings.mesh().rootNamespace());
      telemetryChanged = false;
      plansChanged = true;
    }
    Map<String, ChangeSet> changes = new LinkedHashMap<>();
    Optional<Instant> again = Optional.empty();
    for (WaypointState waypoint : waypoints.values()) {
      if (plansChanged || waypoint.isDue(now)) {
        plan(waypoint, now);
      }
      ChangeSet different = waypoint.update();
      if (!different.isEmpty()) {
        changes.put(waypoint.key, different);
      }
      Optional<Instant> due = waypoint.due();
      if (due.isPresent() && (again.isEmpty() || due.get().isBefore(again.get()))) {
        again = due;
      }
    }
    plansChanged = false;
    changedServices.clear();
    return new Update(changes, removed, again);
  }

  private boolean hasRoutes() {
    return objects.has(HTTPRoute.class)
        || objects.has(GRPCRoute.class)
        || objects.has(TLSRoute.class)
        || objects.has(TCPRoute.class);
  }

  private boolean isWaypoint(Gateway gateway) {
    return isWaypoint(className(gateway));
  }

  /** Whether a class is one of waypoints. */
  private boolean isWaypoint(String name) {
    return CLASSES.contains(name)
        || objects
            .get(GatewayClass.class, "/" + name)
            .map(GatewayClass::getSpec)
            .filter(spec -> WaypointClass.CONTROLLER.equals(spec.getControllerName()))
            .isPresent();
  }

  /** Whether it is another controller's: as those decide who make waypoints. */
  private boolean isLeft(Gateway gateway) {
    return !Revision.isOurs(gateway) || isLeft(className(gateway));
  }

  private boolean isLeft(String className) {
    boolean istioPresent = !istio.isEmpty();
    return switch (WaypointClass.of(
        objects.get(GatewayClass.class, "/" + className).orElse(null),
        istioPresent,
        settings.serveIstioClass(),
        FieldManager.NAME)) {
      case WaypointClass.Served(), WaypointClass.Unrelated() -> false;
      case WaypointClass.Left(String _) -> true;
      case WaypointClass.Missing() ->
          className.equals(WaypointClass.ISTIO_NAME)
              && (istioPresent || !settings.serveIstioClass());
    };
  }

  private static String className(Gateway gateway) {
    return gateway.getSpec() == null || gateway.getSpec().getGatewayClassName() == null
        ? ""
        : gateway.getSpec().getGatewayClassName();
  }

  private Routing route() {
    return GatewayRoutes.of(
        new RouteObjects(
            objects.all(HTTPRoute.class),
            objects.all(GRPCRoute.class),
            objects.all(TLSRoute.class),
            objects.all(TCPRoute.class),
            objects.all(ReferenceGrant.class)),
        services,
        new Parents(),
        settings.mesh().trustDomains());
  }

  private Traffic traffic() {
    List<BoundService> bound = new ArrayList<>();
    for (MeshService service : services.all()) {
      Set<String> namespaces = new TreeSet<>();
      for (String gateway : through.getOrDefault(service.key(), Set.of())) {
        if (waypoints.containsKey(gateway)) {
          namespaces.add(namespace(gateway));
        }
      }
      for (String namespace : namespaces) {
        bound.add(
            new BoundService(
                service,
                namespace,
                routing.services().getOrDefault(service.key(), ServiceRoutes.NONE),
                Optional.ofNullable(past.get(service.key()))));
      }
    }
    return Traffic.of(
        new TrafficObjects(objects.all(VirtualService.class), objects.all(DestinationRule.class)),
        bound,
        services,
        settings.mesh());
  }

  private static String namespace(String waypoint) {
    return waypoint.substring(0, waypoint.indexOf('/'));
  }

  /**
   * What becomes of the ports of a service; which kind a port is of, the Gateway API may change.
   */
  private ServiceRoutes routesOf(MeshService service, String waypoint) {
    ServiceRoutes attached = routing.services().getOrDefault(service.key(), ServiceRoutes.NONE);
    ServiceRoutes complete = traffic.routes(service, namespace(waypoint));
    Map<Integer, HttpPortRoutes> http = new HashMap<>(complete.http());
    Map<Integer, ConnectionRoutes> connections = new HashMap<>(complete.connections());
    for (ServicePort port : service.ports()) {
      HttpPortRoutes requests = attached.http().get(port.number());
      ConnectionRoutes others = attached.connections().get(port.number());
      if (others != null && requests == null) {
        http.remove(port.number());
        connections.put(port.number(), others);
      } else if (requests != null && !port.protocol().isHttp()) {
        connections.remove(port.number());
        http.putIfAbsent(port.number(), requests);
      }
    }
    return new ServiceRoutes(http, connections);
  }

  private final class Parents implements RouteParents {
    @Override
    public ServiceBinding binding(MeshService service) {
      Set<String> gateways = through.getOrDefault(service.key(), Set.of());
      String why = past.get(service.key());
      // Of its own waypoints another controller says that.
      if (why != null && (gateways.isEmpty() || gateways.stream().anyMatch(this::isServed))) {
        return new ServiceBinding.Unbound(why);
      }
      if (gateways.isEmpty()) {
        return new ServiceBinding.Unbound(
            "no waypoint takes the traffic of %s; let the label istio.io/use-waypoint of it, or of its namespace, name one"
                .formatted(service.key()));
      }
      return gateways.stream()
          .filter(waypoints::containsKey)
          .min(
              Comparator.<String, Boolean>comparing(left::contains)
                  .thenComparing(Comparator.<String>naturalOrder()))
          .<ServiceBinding>map(ServiceBinding.Bound::new)
          .orElseGet(ServiceBinding.Foreign::new);
    }

    private boolean isServed(String waypoint) {
      return waypoints.containsKey(waypoint) && !left.contains(waypoint);
    }

    @Override
    public boolean isLeft(String waypoint) {
      return left.contains(waypoint);
    }

    @Override
    public Optional<ParentWaypoint> waypoint(String namespace, String name) {
      String key = namespace + "/" + name;
      return objects
          .get(Gateway.class, key)
          .filter(_ -> waypoints.containsKey(key))
          .map(
              gateway ->
                  new ParentWaypoint(
                      ObjectStore.orEmpty(gateway.getSpec().getListeners()).stream()
                          .map(listener -> listener(gateway, listener))
                          .toList(),
                      services.all().stream().filter(service -> isBound(service, key)).toList()));
    }

    private ParentWaypoint.Listener listener(
        Gateway gateway, io.fabric8.kubernetes.api.model.gatewayapi.v1.Listener listener) {
      var allowed = listener.getAllowedRoutes();
      var namespaces = allowed == null ? null : allowed.getNamespaces();
      Set<String> kinds = new TreeSet<>();
      ObjectStore.orEmpty(allowed == null ? null : allowed.getKinds())
          .forEach(kind -> kinds.add(kind.getKind()));
      String from =
          namespaces == null || namespaces.getFrom() == null ? "Same" : namespaces.getFrom();
      return new ParentWaypoint.Listener(
          listener.getName(),
          listener.getPort() == null ? 0 : listener.getPort(),
          kinds,
          namespace ->
              NamespaceSelection.admits(
                  from,
                  namespaces == null ? null : namespaces.getSelector(),
                  gateway.getMetadata().getNamespace(),
                  namespace,
                  objects
                      .get(Namespace.class, "/" + namespace)
                      .map(ObjectStore::labels)
                      .orElse(Map.of())));
    }
  }

  private boolean isBound(MeshService service, String waypoint) {
    return through.getOrDefault(service.key(), Set.of()).contains(waypoint);
  }

  // --- One waypoint

  private void plan(WaypointState waypoint, Instant now) {
    Gateway gateway = objects.get(Gateway.class, waypoint.key).orElseThrow();
    Scope scope = new Scope(gateway, waypoint.telemetryOf);
    waypoint.telemetryOf = Optional.of(scope.telemetryOf);
    Set<String> bound = new TreeSet<>();
    List<Member> pods = new ArrayList<>();
    through.forEach(
        (name, gateways) -> {
          if (gateways.contains(waypoint.key)) {
            Workload workload = workloads.get(name);
            if (workload != null) {
              pods.add(member(name, workload));
            } else if (services.get(name).isPresent()) {
              bound.add(name);
            }
          }
        });
    waypoint.judging = false;
    waypoint.linger(bound, now, key -> services.get(key).isPresent());
    pods.sort(Comparator.comparing(pod -> pod.workload().getUid()));
    waypoint.plans(scope, bound, pods);
  }

  /** What holds for all of a waypoint. */
  private final class Scope {
    final WaypointGateway gateway;
    final WaypointTelemetry telemetryOf;
    final SecuritySettings security;
    final List<String> trustDomains;

    Scope(Gateway object, Optional<WaypointTelemetry> before) {
      this.gateway = waypointGateway(object);
      WaypointTelemetry current =
          new WaypointTelemetry(
              gateway,
              telemetry,
              Providers.of(settings.providers()),
              Defaults.of(settings.defaults()),
              services);
      this.telemetryOf = before.map(current::after).orElse(current);
      this.security = security();
      this.trustDomains = new ArrayList<>();
      trustDomains.add(settings.mesh().trustDomain());
      trustDomains.addAll(settings.mesh().trustDomainAliases());
    }
  }

  private Member member(String uid, Workload workload) {
    return new Member(workload, labels(uid, workload));
  }

  private Map<String, String> labels(String uid, Workload workload) {
    String key = workload.getNamespace() + "/" + workload.getName();
    // Both kinds have their own form of UIDs; of others nothing is known but the message.
    Optional<? extends HasMetadata> object =
        uid.contains("//Pod/")
            ? objects.get(Pod.class, key)
            : objects.get(WorkloadEntry.class, key);
    return object.map(ObjectStore::labels).orElse(Map.of());
  }

  private List<Member> members(String service) {
    return members.getOrDefault(service, Set.of()).stream()
        .map(
            uid -> {
              Workload workload = workloads.get(uid);
              if (workload == null) {
                throw new IllegalStateException("a service has no workload " + uid);
              }
              return member(uid, workload);
            })
        .toList();
  }

  private final class WaypointState implements Rejections.Sources {
    private final String key;
    private final Rejections rejections;

    /** Services that are no longer bound, since when. */
    private final Map<String, Instant> lingering = new HashMap<>();

    private Set<String> boundBefore = Set.of();
    private Instant planned = Instant.MIN;

    private Optional<WaypointTelemetry> telemetryOf = Optional.empty();
    private final Map<String, ServicePlan.Source> sources = new HashMap<>();
    private final Map<String, ServicePlan> plans = new TreeMap<>();

    /** What the telemetry of services leads to. */
    private final Map<String, Set<Backend>> collectors = new HashMap<>();

    private final Map<String, Object> securitySources = new HashMap<>();
    private final Map<String, ServiceSecurity> securities = new HashMap<>();
    private PodsPlan.@Nullable Source podsSource;
    private PodsPlan pods = PodsPlan.NONE;
    private List<Message> shared = List.of();
    private List<TypedExtensionConfig> connect = List.of();
    private List<ConnectSecurity.Port> connectPorts = List.of();
    private RouteConfiguration tunnelRoutes = ProbeEndpoint.with(new TunnelRoutes().build(), false);
    private final ListenerTrials trials = new ListenerTrials();
    private Set<Backend> backends = Set.of();
    private final Map<Backend, PlacedCluster> clusters = new HashMap<>();
    private final Map<Backend, ServicePolicy> policiesOfClusters = new HashMap<>();
    private List<Cluster> outsideClusters = List.of();
    private Places places = Places.NONE;

    /** Whether something was said of listeners since they were last planned. */
    private boolean judging;

    private final Map<XdsType, Map<String, Told>> sent = new HashMap<>();
    private final Map<XdsType, Map<String, String>> sentVersions = new HashMap<>();

    WaypointState(String key) {
      this.key = key;
      this.rejections = new Rejections(key);
    }

    void rejected(XdsType type, Map<String, String> versions, String error) {
      versions.forEach(
          (name, version) -> {
            if (type.equals(EnvoyTypes.LISTENER) && ListenerTrials.isTrial(name)) {
              trials.refused(name, version, error);
              judging = true;
            }
          });
      Map<String, String> current = sentVersions.getOrDefault(type, Map.of());
      // Of several in one response Envoy names those that it means.
      boolean named = versions.keySet().stream().anyMatch(error::contains);
      versions.forEach(
          (name, version) -> {
            if (version.equals(current.get(name))
                && (!named || error.contains(name))
                && !(type.equals(EnvoyTypes.LISTENER) && ListenerTrials.isTrial(name))) {
              rejections.add(type, name, error);
              if (type.equals(EnvoyTypes.LISTENER) && ListenerTrials.isShared(name)) {
                trials.refused(error);
                judging = true;
              }
            }
          });
    }

    @Override
    public Optional<MeshService> service(String service) {
      return services.get(service);
    }

    @Override
    public AttachedPolicies policies(Optional<MeshService> service) {
      return objects
          .get(Gateway.class, key)
          .map(gateway -> policies.at(waypointGateway(gateway), service))
          .orElse(new AttachedPolicies(List.of(), List.of()));
    }

    @Override
    public Collection<ObjectReference> traffic(MeshService service) {
      return traffic.sources(service, namespace(key));
    }

    @Override
    public Collection<ObjectReference> telemetry(Optional<MeshService> service) {
      return objects
          .get(Gateway.class, key)
          .map(gateway -> telemetry.references(waypointGateway(gateway), service))
          .orElse(List.of());
    }

    @Override
    public Collection<ObjectReference> cluster(String name) {
      Set<ObjectReference> sources = new LinkedHashSet<>();
      backends.stream()
          .filter(backend -> backend.clusterName().equals(name))
          .flatMap(backend -> traffic.policy(backend.service(), namespace(key)).rules().stream())
          .forEach(sources::add);
      securities.forEach(
          (service, security) -> {
            if (security.clusters().stream().anyMatch(each -> each.getName().equals(name))) {
              policies(services.get(service))
                  .authentications()
                  .forEach(policy -> sources.add(ObjectReference.of(policy)));
            }
          });
      return sources;
    }

    @Override
    public Collection<Rejections.Leading> leadingTo(String cluster) {
      List<Rejections.Leading> leading = new ArrayList<>();
      for (String name : plans.keySet()) {
        services
            .get(name)
            .ifPresent(
                service -> {
                  ServiceRoutes routes = routesOf(service, key);
                  for (ServicePort port : service.ports()) {
                    Set<Backend> led = new HashSet<>();
                    HttpPortRoutes requests = routes.http().get(port.number());
                    if (requests != null) {
                      led.addAll(requests.backends());
                    }
                    ConnectionRoutes others = routes.connections().get(port.number());
                    if (others != null) {
                      led.addAll(others.backends());
                    }
                    if (led.stream().anyMatch(each -> each.clusterName().equals(cluster))) {
                      leading.add(new Rejections.Leading(service, port.number()));
                    }
                  }
                });
      }
      return leading;
    }

    @Override
    public Collection<ObjectReference> tunnels(String resource) {
      return ConnectSecurity.policies(connectPorts, resource);
    }

    /** Adds to those that are bound others that were until lately. */
    void linger(Set<String> bound, Instant now, java.util.function.Predicate<String> present) {
      for (String before : boundBefore) {
        if (!bound.contains(before)) {
          lingering.putIfAbsent(before, now);
        }
      }
      lingering
          .entrySet()
          .removeIf(
              each ->
                  bound.contains(each.getKey())
                      || !present.test(each.getKey())
                      || hasMoved(each.getKey())
                      || !now.isBefore(each.getValue().plus(KEPT)));
      bound.addAll(lingering.keySet());
      boundBefore = Set.copyOf(bound);
      planned = now;
    }

    /** Its addresses may be another's by now. */
    private boolean hasMoved(String service) {
      ServicePlan plan = plans.get(service);
      return plan == null
          || services
              .get(service)
              .filter(present -> ranges(present).equals(plan.addresses()))
              .isEmpty();
    }

    private boolean takesTunnels(String service) {
      Instant since = lingering.get(service);
      return since == null || planned.isBefore(since.plus(LINGER));
    }

    boolean isDue(Instant now) {
      return judging || due().filter(due -> !now.isBefore(due)).isPresent();
    }

    Optional<Instant> due() {
      return Stream.concat(
              trials.due().stream(),
              lingering.values().stream()
                  .flatMap(since -> Stream.of(since.plus(LINGER), since.plus(KEPT))))
          .filter(planned::isBefore)
          .min(Instant::compareTo);
    }

    void plans(Scope scope, Set<String> bound, List<Member> podMembers) {
      plans.keySet().retainAll(bound);
      sources.keySet().retainAll(bound);
      collectors.keySet().retainAll(bound);
      Set<Backend> needed = new LinkedHashSet<>();
      List<ConnectSecurity.Port> ports = new ArrayList<>();
      Map<String, AttachedPolicies> attached = new TreeMap<>();
      TunnelRoutes routes = new TunnelRoutes();
      podMembers.forEach(routes::add);
      for (String name : bound) {
        MeshService service = services.get(name).orElseThrow();
        if (takesTunnels(name)) {
          routes.add(services.message(name).orElseThrow().getAddressesList(), service.ports());
        }
        AttachedPolicies policiesOf = policies.at(scope.gateway, Optional.of(service));
        attached.put(name, policiesOf);
        if (!lingering.containsKey(name)) {
          plan(scope, service);
        }
        needed.addAll(collectors.getOrDefault(name, Set.of()));
        needed.addAll(planOf(name).backends());
        ports.addAll(ports(service, policiesOf));
      }
      tunnelRoutes = ProbeEndpoint.with(routes.build(), isOfEnrollment(key));
      AttachedPolicies ofPods = policies.at(scope.gateway, Optional.empty());
      planPods(scope, podMembers, ofPods, attached, needed, ports);
      secure(scope, attached, needed);
      connect = ConnectSecurity.resources(ports, scope.security);
      connectPorts = List.copyOf(ports);
      List<Message> next = new ArrayList<>();
      Tunnels.Settings tunnels = new Tunnels.Settings(scope.trustDomains);
      next.addAll(Tunnels.listeners(tunnels));
      next.addAll(Tunnels.clusters(tunnels));
      shared = next;
      Map<String, ListenerPart> parts = new TreeMap<>(plans);
      if (!podMembers.isEmpty()) {
        parts.put(PodsPlan.SLOTS, pods);
      }
      trials.offer(parts, planned);
      trials.offered().forEach(part -> needed.addAll(part.backends()));
      rejections.held(trials.held());
      backends = needed;
    }

    private void plan(Scope scope, MeshService service) {
      Set<Backend> told = new HashSet<>();
      Map<Integer, ChainTelemetry> chainTelemetry = new HashMap<>();
      for (ServicePort port : service.ports()) {
        WaypointTelemetry.Result result = scope.telemetryOf.of(service, port.protocol());
        chainTelemetry.put(port.number(), result.chain());
        told.addAll(result.collectors());
      }
      collectors.put(service.key(), told);
      ServiceRoutes routes = routesOf(service, key);
      ServicePlan.Source source =
          new ServicePlan.Source(
              service,
              ranges(service),
              routes,
              chainTelemetry,
              connectionPolicies(service, routes),
              scope.trustDomains);
      if (!source.equals(sources.put(service.key(), source))) {
        plans.put(service.key(), ServicePlan.of(source));
      }
    }

    private Map<Backend, ConnectionPolicy> connectionPolicies(
        MeshService service, ServiceRoutes routes) {
      Set<Backend> leadTo = new HashSet<>();
      routes.connections().values().forEach(each -> leadTo.addAll(each.backends()));
      service.ports().forEach(port -> leadTo.add(Backend.ofConnections(service, port)));
      Map<Backend, ConnectionPolicy> policies = new HashMap<>();
      for (Backend backend : leadTo) {
        ConnectionPolicy policy =
            traffic.policy(backend.service(), namespace(key)).of(backend).connections();
        if (!policy.equals(ConnectionPolicy.DEFAULT)) {
          policies.put(backend, policy);
        }
      }
      return policies;
    }

    private ServicePlan planOf(String service) {
      ServicePlan plan = plans.get(service);
      if (plan == null) {
        throw new IllegalStateException("no plan for " + service);
      }
      return plan;
    }

    private void planPods(
        Scope scope,
        List<Member> podMembers,
        AttachedPolicies ofPods,
        Map<String, AttachedPolicies> attached,
        Set<Backend> needed,
        List<ConnectSecurity.Port> ports) {
      if (podMembers.isEmpty()) {
        podsSource = null;
        pods = PodsPlan.NONE;
        return;
      }
      WaypointTelemetry.Result result = scope.telemetryOf.ofPods();
      needed.addAll(result.collectors());
      PodsPlan.Source source =
          new PodsPlan.Source(
              podMembers,
              result.chain(),
              !ofPods.authorizations().isEmpty(),
              guarded(attached, ofPods));
      if (!source.equals(podsSource)) {
        podsSource = source;
        pods = PodsPlan.of(source);
      }
      for (Member pod : podMembers) {
        Map<Integer, Optional<String>> judges = PodsPlan.judges(source, pod);
        PodsPlan.declared(pod)
            .forEach(
                (port, protocol) ->
                    ports.add(
                        new ConnectSecurity.Port(
                            pod.addresses().stream()
                                .flatMap(address -> Destination.of(address, port).stream())
                                .toList(),
                            protocol == AppProtocol.TCP ? PortProtocol.TCP : PortProtocol.DETECTED,
                            judges
                                .getOrDefault(port, Optional.empty())
                                .map(service -> attached.getOrDefault(service, ofPods))
                                .orElse(ofPods))));
      }
      securities.put(PodsPlan.SLOTS, securityOf(scope, PodsPlan.SLOTS, ofPods));
    }

    /** Services with policies that are not all pods' as well. */
    private Map<String, PodsPlan.Guard> guarded(
        Map<String, AttachedPolicies> attached, AttachedPolicies ofPods) {
      Map<String, PodsPlan.Guard> guarded = new HashMap<>();
      attached.forEach(
          (service, policiesOf) -> {
            if (!policiesOf.equals(ofPods)) {
              guarded.put(
                  service,
                  policiesOf.nameDestinations() ? PodsPlan.Guard.CLOSES : PodsPlan.Guard.JUDGES);
            }
          });
      return guarded;
    }

    private void secure(Scope scope, Map<String, AttachedPolicies> attached, Set<Backend> needed) {
      Set<String> kept = new HashSet<>(attached.keySet());
      if (podsSource != null) {
        kept.add(PodsPlan.SLOTS);
      }
      securities.keySet().retainAll(kept);
      securitySources.keySet().retainAll(kept);
      attached.forEach(
          (service, policiesOf) -> securities.put(service, securityOf(scope, service, policiesOf)));
      Map<String, Cluster> outside = new TreeMap<>();
      securities
          .values()
          .forEach(
              security -> {
                needed.addAll(security.backends());
                security.clusters().forEach(cluster -> outside.put(cluster.getName(), cluster));
              });
      outsideClusters = List.copyOf(outside.values());
    }

    private ServiceSecurity securityOf(Scope scope, String slots, AttachedPolicies policiesOf) {
      ServiceSecurity before = securities.get(slots);
      Object source = List.of(policiesOf, scope.security);
      // Policies that ask others depend on what services there are, so they are made each time.
      if (before != null && policiesOf.isEmpty() && source.equals(securitySources.get(slots))) {
        return before;
      }
      securitySources.put(slots, source);
      return ServiceSecurity.of(
          slots, policiesOf, scope.security, services, scope.gateway.namespace());
    }

    private List<ConnectSecurity.Port> ports(MeshService service, AttachedPolicies policiesOf) {
      if (policiesOf.authorizations().isEmpty()) {
        return List.of();
      }
      List<String> addresses =
          services.message(service.key()).orElseThrow().getAddressesList().stream()
              .map(address -> IpAddresses.text(address.getAddress()))
              .toList();
      ServiceRoutes routes = routesOf(service, key);
      return service.ports().stream()
          .map(
              port ->
                  new ConnectSecurity.Port(
                      addresses.stream()
                          .flatMap(address -> Destination.of(address, port.number()).stream())
                          .toList(),
                      served(port, routes),
                      policiesOf))
          .toList();
    }

    /** What a port is treated as, which its routes may change. */
    private static PortProtocol served(ServicePort port, ServiceRoutes routes) {
      return switch (port.protocol()) {
        case DETECTED -> PortProtocol.DETECTED;
        case HTTP, HTTP2, GRPC, TLS, TCP ->
            routes.http().containsKey(port.number())
                ? PortProtocol.HTTP
                : port.protocol().isHttp() && !routes.connections().containsKey(port.number())
                    ? port.protocol()
                    : PortProtocol.TCP;
      };
    }

    private static CidrRange range(NetworkAddress address) {
      return ChainMatch.range(
          IpAddresses.text(address.getAddress()),
          address.hasLength() ? address.getLength() : address.getAddress().size() * 8);
    }

    private List<CidrRange> ranges(MeshService service) {
      return services.message(service.key()).orElseThrow().getAddressesList().stream()
          .map(WaypointState::range)
          .toList();
    }

    /** The Service of the waypoint's own pods, which has its Gateway's name. */
    private String ownService() {
      String namespace = namespace(key);
      return namespace
          + "/"
          + settings.mesh().hostname(namespace, key.substring(namespace.length() + 1));
    }

    private boolean policiesDiffer(Backend backend) {
      ServicePolicy policy = traffic.policy(backend.service(), namespace(key));
      return !policy.equals(policiesOfClusters.put(backend, policy));
    }

    /** What is different from what was sent. */
    ChangeSet update() {
      Places before = places;
      places = Places.of(members(ownService()));
      for (Backend backend : backends) {
        PlacedCluster present = clusters.get(backend);
        if (present == null
            || (present.dependsOnPlace() && !places.equals(before))
            || policiesDiffer(backend)
            || changedServices.contains(backend.service().key())) {
          services
              .message(backend.service().key())
              .ifPresentOrElse(
                  message ->
                      clusters.put(
                          backend,
                          PlacedCluster.of(
                              backend,
                              message,
                              members(backend.service().key()),
                              traffic.policy(backend.service(), namespace(key)),
                              places)),
                  () -> clusters.remove(backend));
        }
      }
      clusters.keySet().retainAll(backends);
      policiesOfClusters.keySet().retainAll(backends);
      Map<XdsType, Map<String, Told>> next = new LinkedHashMap<>();
      EnvoyTypes.ALL.forEach(type -> next.put(type, new LinkedHashMap<>()));
      for (Message each : shared) {
        switch (each) {
          case Cluster cluster -> put(next, EnvoyTypes.CLUSTER, cluster.getName(), cluster);
          case Listener listener -> put(next, EnvoyTypes.LISTENER, listener.getName(), listener);
          default -> throw new IllegalStateException(each.getDescriptorForType().getFullName());
        }
      }
      outsideClusters.forEach(cluster -> put(next, EnvoyTypes.CLUSTER, cluster.getName(), cluster));
      clusters.forEach(
          (backend, planned) -> {
            String name = backend.clusterName();
            put(next, EnvoyTypes.CLUSTER, name, planned.cluster());
            planned
                .endpoints()
                .ifPresent(endpoints -> put(next, EnvoyTypes.ENDPOINTS, name, endpoints));
          });
      connect.forEach(each -> put(next, EnvoyTypes.EXTENSION, each.getName(), each));
      securities
          .values()
          .forEach(
              security ->
                  security
                      .slots()
                      .forEach(each -> put(next, EnvoyTypes.EXTENSION, each.getName(), each)));
      Stream.concat(trials.listeners().stream(), trials.trials())
          .forEach(each -> put(next, EnvoyTypes.LISTENER, each.getName(), each));
      // Where a chain stays as it was, it has routes of then, unless there are others of the name.
      trials.offered().forEach(part -> routes(next, part.routes()));
      plans.forEach((service, plan) -> routes(next, asked(next, service, plan)));
      routes(next, asked(next, PodsPlan.SLOTS, pods));
      routes(next, List.of(tunnelRoutes));
      return difference(next);
    }

    /**
     * The routes of a part that Envoys ask for: what no chain names would be waited for in vain,
     * and tunnels are opened after that.
     */
    private Collection<RouteConfiguration> asked(
        Map<XdsType, Map<String, Told>> next, String key, ListenerPart part) {
      if (!trials.held().containsKey(key)) {
        return part.routes();
      }
      Map<String, Told> named = next.getOrDefault(EnvoyTypes.ROUTES, Map.of());
      return part.routes().stream().filter(each -> named.containsKey(each.getName())).toList();
    }

    private static void routes(
        Map<XdsType, Map<String, Told>> next, Collection<RouteConfiguration> routes) {
      routes.forEach(each -> put(next, EnvoyTypes.ROUTES, each.getName(), each));
    }

    private static void put(
        Map<XdsType, Map<String, Told>> next, XdsType type, String name, Message message) {
      put(next, type, name, new Told(message, Map.of()));
    }

    private static void put(
        Map<XdsType, Map<String, Told>> next, XdsType type, String name, Told told) {
      next.computeIfAbsent(type, _ -> new LinkedHashMap<>()).put(name, told);
    }

    private ChangeSet difference(Map<XdsType, Map<String, Told>> next) {
      ChangeSet.Builder changes = new ChangeSet.Builder();
      next.forEach(
          (type, messages) -> {
            Map<String, Told> before = sent.getOrDefault(type, Map.of());
            Map<String, String> versions = sentVersions.computeIfAbsent(type, _ -> new HashMap<>());
            messages.forEach(
                (name, message) -> {
                  if (!message.equals(before.get(name))) {
                    XdsResource resource =
                        XdsResource.of(name, type, message.toAll(), message.toPods());
                    changes.put(type, resource);
                    versions.put(name, resource.version());
                    rejections.forget(type, name);
                  }
                });
            before
                .keySet()
                .forEach(
                    name -> {
                      if (!messages.containsKey(name)) {
                        changes.remove(type, name);
                        versions.remove(name);
                        rejections.forget(type, name);
                      }
                    });
            sent.put(type, messages);
          });
      return changes.build();
    }
  }
}
