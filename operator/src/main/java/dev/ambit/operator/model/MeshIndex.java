package dev.ambit.operator.model;

import dev.ambit.api.WhenMissing;
import dev.ambit.protocol.security.Authorization;
import dev.ambit.protocol.workload.Address;
import dev.ambit.protocol.workload.Locality;
import dev.ambit.protocol.workload.PortList;
import io.fabric8.istio.api.networking.v1.ServiceEntry;
import io.fabric8.istio.api.networking.v1.WorkloadEntry;
import io.fabric8.istio.api.security.v1.AuthorizationPolicy;
import io.fabric8.istio.api.security.v1.PeerAuthentication;
import io.fabric8.istio.api.security.v1.RequestAuthentication;
import io.fabric8.kubernetes.api.model.HasMetadata;
import io.fabric8.kubernetes.api.model.Namespace;
import io.fabric8.kubernetes.api.model.Node;
import io.fabric8.kubernetes.api.model.Pod;
import io.fabric8.kubernetes.api.model.Service;
import io.fabric8.kubernetes.api.model.discovery.v1.EndpointSlice;
import io.fabric8.kubernetes.api.model.gatewayapi.v1.Gateway;
import io.fabric8.kubernetes.api.model.gatewayapi.v1.GatewayClass;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.function.Predicate;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/**
 * The mesh as the workload API has it, kept current one object at a time. Each output is a pure
 * function of the objects it depends on; a change recomputes the outputs that depend on what
 * changed, and puts out those that came out different. The order of changes does not matter to the
 * result. Not thread-safe.
 */
public final class MeshIndex {
  private final MeshOutput output;
  private MeshSettings settings;

  private final Map<String, NamespaceObjects> namespaces = new HashMap<>();
  private final Map<String, Locality> localities = new HashMap<>();
  private final Map<String, Set<ObjectKey>> podsByNode = new HashMap<>();
  private final Map<String, Set<ObjectKey>> slicesByNode = new HashMap<>();
  private MtlsMode meshMode;

  private final HostClaims hosts = new HostClaims();
  private final Waypoints waypoints = new Waypoints();

  private final Map<BoundObject, List<ObjectCondition>> conditions = new HashMap<>();
  private final Map<String, Address> addresses = new HashMap<>();

  /**
   * Of those addresses that are meant to be reached through a waypoint, whether they are or not.
   */
  private final Map<String, Way> ways = new HashMap<>();

  private final Map<String, Authorization> authorizations = new HashMap<>();
  private long computed;

  private static final String ONLY_THROUGH_WAYPOINT =
      "; its pods let in only what comes from there, at its ports";

  private static final String CLOSED =
      "; its pods let in, at its ports, only what comes from its waypoint, since policies for"
          + " waypoints hold for it or the label "
          + RequiredWaypoint.LABEL
          + " says so, so connections that do not pass it are refused";

  /** Whom nobody leads there; how often, the nodes know. */
  private static final String PAST_WAYPOINT =
      "; clients outside the mesh or with sidecars, and those that address its pods, go past it,"
          + " which the ztunnels' metric ambit_connections_past_waypoint_total counts";

  /** What policies for waypoints are attached to, and which to each. */
  private final Map<String, Set<Attachment>> attached = new HashMap<>();

  /** Policies on tokens, which only waypoints verify. */
  private final Map<ObjectKey, RequestAuthentication> tokenPolicies = new HashMap<>();

  /** The policy of each workload that lets in only what comes from its waypoint. */
  private final Map<String, String> required = new HashMap<>();

  private final Map<String, Set<String>> workloadsByRequired = new HashMap<>();

  private record Attachment(String kind, ObjectKey policy) {
    static Attachment of(HasMetadata policy) {
      return new Attachment(policy.getKind(), ObjectKey.of(policy));
    }
  }

  /** The Gateways that an address is to be reached through, and why it is not. */
  private record Way(Set<String> gateways, Optional<String> past) {
    static final Way NONE = new Way(Set.of(), Optional.empty());

    static Way of(WaypointBinding binding) {
      return new Way(binding.through(), binding.past());
    }

    static Way of(Placement placement) {
      return new Way(
          placement.through(),
          placement.waypoint().isPresent() || placement.through().isEmpty()
              ? Optional.empty()
              : Optional.of("its waypoint is not ready"));
    }
  }

  private record ObjectKey(String namespace, String name) {
    static ObjectKey of(HasMetadata object) {
      return new ObjectKey(object.getMetadata().getNamespace(), object.getMetadata().getName());
    }
  }

  /** An index of nothing yet. */
  public MeshIndex(MeshSettings settings, MeshOutput output) {
    this.settings = settings;
    this.output = output;
    this.meshMode = meshMode();
    putStaticStrict();
  }

  /**
   * How many outputs have been computed since the beginning, changed or not: what work changes
   * cause.
   */
  public long computed() {
    return computed;
  }

  /** All addresses as they stand. */
  public Map<String, Address> addresses() {
    return Map.copyOf(addresses);
  }

  /** All authorizations as they stand. */
  public Map<String, Authorization> authorizations() {
    return Map.copyOf(authorizations);
  }

  /** What is to be said on objects' status, as it stands. */
  public Map<BoundObject, List<ObjectCondition>> conditions() {
    return Map.copyOf(conditions);
  }

  // --- Changes

  /** Other settings; all is computed anew unless only strictness differs. */
  public void settings(MeshSettings next) {
    MeshSettings before = settings;
    settings = next;
    if (next.withStrict(before.strict()).equals(before)) {
      meshModeMayHaveChanged();
      return;
    }
    // Names may differ altogether: forget the old ones.
    Set.copyOf(addresses.keySet()).forEach(name -> put(name, Optional.empty()));
    Set.copyOf(authorizations.keySet()).forEach(name -> putPolicy(name, Optional.empty()));
    Set.copyOf(conditions.keySet()).forEach(object -> put(object, List.of()));
    meshMode = meshMode();
    putStaticStrict();
    putPlaintextWatch();
    hosts.clear();
    attached.clear();
    tokenPolicies.values().forEach(this::attach);
    namespaces.forEach(
        (namespace, objects) -> {
          objects.policies.values().forEach(this::attach);
          objects.policies.values().forEach(this::computePolicy);
          objects.peerAuthentications.values().forEach(this::computePeerAuthentication);
          objects.services.values().forEach(this::claim);
          objects.serviceEntries.values().forEach(this::claim);
        });
    namespaces.forEach(
        (namespace, objects) -> {
          objects.workloadsBySlice.clear();
          objects.workloadsByEntry.clear();
          objects.slices.keySet().forEach(slice -> computeSlice(namespace, slice));
          computeNamespace(namespace, objects);
        });
  }

  /** What the namespace's effective MeshEnrollment says of plaintext. */
  public void enrollmentMode(String namespace, MtlsMode mode) {
    NamespaceObjects objects = objects(namespace);
    if (objects.enrollmentMode != mode) {
      objects.enrollmentMode = mode;
      computeNamespaceMode(namespace, objects);
    }
    prune(namespace);
  }

  /** Whether the plaintext that the namespace's pods accept is to be seen by ztunnels. */
  public void plaintextWatched(String namespace, boolean watched) {
    NamespaceObjects objects = objects(namespace);
    if (objects.plaintextWatched != watched) {
      objects.plaintextWatched = watched;
      if (watched) {
        putPlaintextWatch();
      }
      computeWorkloads(namespace, objects, _ -> true);
      if (!watched) {
        putPlaintextWatch();
      }
    }
    prune(namespace);
  }

  /** Whether the UDP of the namespace's pods is left as it is, where the mesh carries it. */
  public void datagramsLeftAlone(String namespace, boolean leftAlone) {
    NamespaceObjects objects = objects(namespace);
    if (objects.datagramsLeftAlone != leftAlone) {
      objects.datagramsLeftAlone = leftAlone;
      computeWorkloads(namespace, objects, _ -> true);
    }
    prune(namespace);
  }

  /**
   * The waypoints of the namespace's effective MeshEnrollment, by their names there.
   *
   * @param bound the one that traffic goes through
   * @param next the one that it is to go through: told of it, while nodes go on as they are
   */
  public void enrollmentWaypoints(String namespace, Optional<String> bound, Optional<String> next) {
    NamespaceObjects objects = objects(namespace);
    if (!objects.waypoint.equals(bound) || !objects.nextWaypoint.equals(next)) {
      objects.waypoint = bound;
      objects.nextWaypoint = next;
      computeNamespace(namespace, objects);
    }
    prune(namespace);
  }

  /** What the namespace's effective MeshEnrollment says of traffic whose waypoint is not there. */
  public void whenMissing(String namespace, Optional<WhenMissing> whenMissing) {
    NamespaceObjects objects = objects(namespace);
    if (!objects.whenMissing.equals(whenMissing)) {
      objects.whenMissing = whenMissing;
      computeNamespace(namespace, objects);
    }
    prune(namespace);
  }

  public void put(Pod pod) {
    ObjectKey key = ObjectKey.of(pod);
    Pod before = objects(key.namespace()).pods.put(key.name(), pod);
    relink(podsByNode, key, node(before), node(pod));
    computePod(key.namespace(), key.name());
  }

  public void remove(Pod pod) {
    ObjectKey key = ObjectKey.of(pod);
    Pod before = objects(key.namespace()).pods.remove(key.name());
    relink(podsByNode, key, node(before), null);
    computePod(key.namespace(), key.name());
    prune(key.namespace());
  }

  public void put(Service service) {
    serviceChanged(ObjectKey.of(service), service);
  }

  public void remove(Service service) {
    serviceChanged(ObjectKey.of(service), null);
    prune(service.getMetadata().getNamespace());
  }

  private void serviceChanged(ObjectKey key, @Nullable Service service) {
    NamespaceObjects objects = objects(key.namespace());
    Service before =
        service == null
            ? objects.services.remove(key.name())
            : objects.services.put(key.name(), service);
    if (before != null) {
      unclaim(before);
    }
    if (service != null) {
      claim(service);
    }
    String host = settings.hostname(key.namespace(), key.name());
    computeHost(key.namespace(), host);
    computeConditions(key.namespace(), objects, key.name());
    // A Service wins over a ServiceEntry of the same name, which may be another one's no longer.
    Set<String> rivals = rivals(key.namespace(), Set.of(host));
    rivals.forEach(
        rival -> {
          computeEndpoints(key.namespace(), rival);
          computeEntryConditions(key.namespace(), objects, rival);
        });
    Set<String> members = new HashSet<>();
    objects.pods.forEach(
        (name, pod) -> {
          if (selects(before, labels(pod))
              || selects(service, labels(pod))
              || selectedByAny(objects, rivals, labels(pod))) {
            members.add(name);
          }
        });
    for (String slice : Set.copyOf(objects.slicesByService.getOrDefault(key.name(), Set.of()))) {
      computeSlice(key.namespace(), slice);
      EndpointSlice present = objects.slices.get(slice);
      if (present != null) {
        members.addAll(EndpointSliceWorkloads.pods(present));
      }
    }
    members.forEach(pod -> computePod(key.namespace(), pod));
    objects.workloadEntries.forEach(
        (name, entry) -> {
          Map<String, String> labels = EntryWorkloads.labels(entry);
          if (selects(before, labels)
              || selects(service, labels)
              || selectedByAny(objects, rivals, labels)) {
            computeWorkloadEntry(key.namespace(), name);
          }
        });
  }

  public void put(ServiceEntry entry) {
    entryChanged(ObjectKey.of(entry), entry);
  }

  public void remove(ServiceEntry entry) {
    entryChanged(ObjectKey.of(entry), null);
    prune(entry.getMetadata().getNamespace());
  }

  private void entryChanged(ObjectKey key, @Nullable ServiceEntry entry) {
    String namespace = key.namespace();
    NamespaceObjects objects = objects(namespace);
    ServiceEntry before =
        entry == null
            ? objects.serviceEntries.remove(key.name())
            : objects.serviceEntries.put(key.name(), entry);
    Set<String> names = new HashSet<>();
    if (before != null) {
      unclaim(before);
      names.addAll(ServiceEntries.hosts(before));
    }
    if (entry != null) {
      claim(entry);
      names.addAll(ServiceEntries.hosts(entry));
    }
    names.forEach(host -> computeHost(namespace, host));
    Set<String> affected = new HashSet<>(rivals(namespace, names));
    affected.add(key.name());
    affected.forEach(
        name -> {
          computeEndpoints(namespace, name);
          computeEntryConditions(namespace, objects, name);
        });
    Map<String, String> selectorBefore =
        before == null ? Map.of() : ServiceEntries.selector(before);
    Predicate<Map<String, String>> selected =
        labels -> selected(selectorBefore, labels) || selectedByAny(objects, affected, labels);
    objects.pods.forEach(
        (name, pod) -> {
          if (selected.test(labels(pod))) {
            computePod(namespace, name);
          }
        });
    objects.workloadEntries.forEach(
        (name, workload) -> {
          if (selected.test(EntryWorkloads.labels(workload))) {
            computeWorkloadEntry(namespace, name);
          }
        });
  }

  public void put(WorkloadEntry entry) {
    ObjectKey key = ObjectKey.of(entry);
    objects(key.namespace()).workloadEntries.put(key.name(), entry);
    computeWorkloadEntry(key.namespace(), key.name());
  }

  public void remove(WorkloadEntry entry) {
    ObjectKey key = ObjectKey.of(entry);
    objects(key.namespace()).workloadEntries.remove(key.name());
    computeWorkloadEntry(key.namespace(), key.name());
    prune(key.namespace());
  }

  public void put(Gateway gateway) {
    waypointsChanged(waypoints.put(gateway));
  }

  public void remove(Gateway gateway) {
    waypointsChanged(waypoints.remove(gateway));
  }

  public void put(GatewayClass gatewayClass) {
    waypointsChanged(waypoints.put(gatewayClass));
  }

  public void remove(GatewayClass gatewayClass) {
    waypointsChanged(waypoints.remove(gatewayClass));
  }

  /** Waypoints come, become ready and go seldom, so who names them is looked for then. */
  private void waypointsChanged(Set<String> keys) {
    if (keys.isEmpty()) {
      return;
    }
    namespaces.forEach(
        (namespace, objects) -> {
          boolean all =
              Waypoints.named(objects.bindingLabels(), namespace, keys)
                  || objects
                      .next()
                      .filter(next -> Waypoints.named(next.labels(), namespace, keys))
                      .isPresent();
          Predicate<Map<String, String>> named =
              labels -> all || Waypoints.named(labels, namespace, keys);
          objects.services.forEach(
              (name, service) -> {
                if (named.test(labels(service))) {
                  computeHost(namespace, settings.hostname(namespace, name));
                  computeConditions(namespace, objects, name);
                }
              });
          objects.serviceEntries.forEach(
              (name, entry) -> {
                if (named.test(labels(entry))) {
                  ServiceEntries.hosts(entry).forEach(host -> computeHost(namespace, host));
                  computeEntryConditions(namespace, objects, name);
                }
                if (all || EntryWorkloads.endpointLabels(entry).stream().anyMatch(named)) {
                  computeEndpoints(namespace, name);
                }
              });
          objects.workloadEntries.forEach(
              (name, entry) -> {
                if (named.test(EntryWorkloads.labels(entry))) {
                  computeWorkloadEntry(namespace, name);
                }
              });
          boolean required =
              Stream.concat(
                      objects.services.values().stream(), objects.serviceEntries.values().stream())
                  .anyMatch(service -> named.test(labels(service)) && mayRequire(objects, service));
          objects.pods.forEach(
              (name, pod) -> {
                if (required || named.test(labels(pod))) {
                  computePod(namespace, name);
                }
              });
        });
  }

  /** Whom its pods let in may turn on its waypoint. */
  private boolean mayRequire(NamespaceObjects objects, HasMetadata service) {
    return !attached.isEmpty()
        || RequiredWaypoint.asked(labels(service), objects.labels).isPresent();
  }

  public void put(EndpointSlice slice) {
    sliceChanged(ObjectKey.of(slice), slice);
  }

  public void remove(EndpointSlice slice) {
    sliceChanged(ObjectKey.of(slice), null);
    prune(slice.getMetadata().getNamespace());
  }

  private void sliceChanged(ObjectKey key, @Nullable EndpointSlice slice) {
    NamespaceObjects objects = objects(key.namespace());
    EndpointSlice before =
        slice == null ? objects.slices.remove(key.name()) : objects.slices.put(key.name(), slice);
    Set<String> pods = new HashSet<>();
    if (before != null) {
      EndpointSliceWorkloads.serviceName(before)
          .ifPresent(
              service -> NamespaceObjects.unlink(objects.slicesByService, service, key.name()));
      EndpointSliceWorkloads.nodes(before)
          .forEach(node -> NamespaceObjects.unlink(slicesByNode, node, key));
      for (String pod : EndpointSliceWorkloads.pods(before)) {
        NamespaceObjects.unlink(objects.slicesByPod, pod, key.name());
        if (feedsPods(objects, before)) {
          pods.add(pod);
        }
      }
    }
    if (slice != null) {
      EndpointSliceWorkloads.serviceName(slice)
          .ifPresent(
              service -> NamespaceObjects.link(objects.slicesByService, service, key.name()));
      EndpointSliceWorkloads.nodes(slice)
          .forEach(node -> NamespaceObjects.link(slicesByNode, node, key));
      for (String pod : EndpointSliceWorkloads.pods(slice)) {
        NamespaceObjects.link(objects.slicesByPod, pod, key.name());
        if (feedsPods(objects, slice)) {
          pods.add(pod);
        }
      }
    }
    computeSlice(key.namespace(), key.name());
    pods.forEach(pod -> computePod(key.namespace(), pod));
  }

  public void put(Node node) {
    nodeChanged(node.getMetadata().getName(), Localities.of(node));
  }

  public void remove(Node node) {
    nodeChanged(node.getMetadata().getName(), Locality.getDefaultInstance());
  }

  private void nodeChanged(String node, Locality locality) {
    if (locality(node).equals(locality)) {
      return;
    }
    if (locality.equals(Locality.getDefaultInstance())) {
      localities.remove(node);
    } else {
      localities.put(node, locality);
    }
    Set.copyOf(podsByNode.getOrDefault(node, Set.of()))
        .forEach(pod -> computePod(pod.namespace(), pod.name()));
    Set.copyOf(slicesByNode.getOrDefault(node, Set.of()))
        .forEach(slice -> computeSlice(slice.namespace(), slice.name()));
  }

  public void put(Namespace namespace) {
    Map<String, String> annotations = namespace.getMetadata().getAnnotations();
    surroundingsChanged(
        namespace.getMetadata().getName(),
        labels(namespace),
        annotations == null ? Map.of() : annotations);
  }

  public void remove(Namespace namespace) {
    surroundingsChanged(namespace.getMetadata().getName(), Map.of(), Map.of());
  }

  private void surroundingsChanged(
      String namespace, Map<String, String> labels, Map<String, String> annotations) {
    NamespaceObjects objects = objects(namespace);
    boolean other = !objects.labels.equals(labels) || !objects.annotations.equals(annotations);
    objects.labels = labels;
    objects.annotations = annotations;
    if (other) {
      computeNamespace(namespace, objects);
    }
    prune(namespace);
  }

  /** All that inherits from the namespace. */
  private void computeNamespace(String namespace, NamespaceObjects objects) {
    Set<String> names = new HashSet<>();
    objects.services.keySet().forEach(name -> names.add(settings.hostname(namespace, name)));
    objects.serviceEntries.values().forEach(entry -> names.addAll(ServiceEntries.hosts(entry)));
    names.forEach(host -> computeHost(namespace, host));
    objects.services.keySet().forEach(name -> computeConditions(namespace, objects, name));
    objects
        .serviceEntries
        .keySet()
        .forEach(name -> computeEntryConditions(namespace, objects, name));
    computeWorkloads(namespace, objects, _ -> true);
  }

  public void put(AuthorizationPolicy policy) {
    policyChanged(ObjectKey.of(policy), policy);
  }

  public void remove(AuthorizationPolicy policy) {
    policyChanged(ObjectKey.of(policy), null);
    prune(policy.getMetadata().getNamespace());
  }

  private void policyChanged(ObjectKey key, @Nullable AuthorizationPolicy policy) {
    NamespaceObjects objects = objects(key.namespace());
    AuthorizationPolicy before =
        policy == null
            ? objects.policies.remove(key.name())
            : objects.policies.put(key.name(), policy);
    if (policy == null) {
      putPolicy(key.namespace() + "/" + key.name(), Optional.empty());
    } else {
      computePolicy(policy);
    }
    attachmentsChanged(
        key.namespace(),
        new Attachment("AuthorizationPolicy", key),
        before == null ? Set.of() : attachedTo(before),
        policy == null ? Set.of() : attachedTo(policy));
    Map<String, String> selectorBefore =
        before == null ? Map.of() : PolicyTranslator.selector(before);
    Map<String, String> selectorAfter =
        policy == null ? Map.of() : PolicyTranslator.selector(policy);
    if (selectorBefore.isEmpty() && selectorAfter.isEmpty()) {
      return;
    }
    Collection<String> where =
        key.namespace().equals(settings.rootNamespace())
            ? Set.copyOf(namespaces.keySet())
            : Set.of(key.namespace());
    where.forEach(namespace -> computeSelected(namespace, selectorBefore, selectorAfter));
  }

  /** Policies for waypoints close the other ways to what they are attached to. */
  private void attachmentsChanged(
      String namespace, Attachment policy, Set<String> was, Set<String> is) {
    if (was.equals(is)) {
      return;
    }
    was.forEach(target -> NamespaceObjects.unlink(attached, target, policy));
    is.forEach(target -> NamespaceObjects.link(attached, target, policy));
    Set<String> changed = new HashSet<>(was);
    changed.addAll(is);
    boolean everywhere = changed.stream().anyMatch(target -> target.startsWith("Gateway"));
    Set<String> where = everywhere ? Set.copyOf(namespaces.keySet()) : Set.of(namespace);
    where.forEach(this::requirementsMayHaveChanged);
  }

  private Set<String> attachedTo(AuthorizationPolicy policy) {
    return RequiredWaypoint.attachedTo(policy, settings.rootNamespace());
  }

  private Set<String> attachedTo(RequestAuthentication policy) {
    return RequiredWaypoint.attachedTo(policy, settings.rootNamespace());
  }

  private void attach(AuthorizationPolicy policy) {
    attachedTo(policy)
        .forEach(target -> NamespaceObjects.link(attached, target, Attachment.of(policy)));
  }

  private void attach(RequestAuthentication policy) {
    attachedTo(policy)
        .forEach(target -> NamespaceObjects.link(attached, target, Attachment.of(policy)));
  }

  /** Tokens are verified by waypoints alone, so it matters here only that nobody goes past one. */
  public void put(RequestAuthentication policy) {
    tokenPolicyChanged(policy, policy);
  }

  public void remove(RequestAuthentication policy) {
    tokenPolicyChanged(policy, null);
  }

  private void tokenPolicyChanged(
      RequestAuthentication policy, @Nullable RequestAuthentication after) {
    ObjectKey key = ObjectKey.of(policy);
    RequestAuthentication before =
        after == null ? tokenPolicies.remove(key) : tokenPolicies.put(key, after);
    attachmentsChanged(
        key.namespace(),
        Attachment.of(policy),
        before == null ? Set.of() : attachedTo(before),
        after == null ? Set.of() : attachedTo(after));
  }

  private void requirementsMayHaveChanged(String namespace) {
    NamespaceObjects objects = namespaces.get(namespace);
    if (objects != null) {
      objects.services.forEach(
          (name, service) -> {
            if (ServiceAddress.isHeadless(service)) {
              computeHost(namespace, settings.hostname(namespace, name));
            }
            computeConditions(namespace, objects, name);
          });
      objects.serviceEntries.forEach(
          (name, entry) -> {
            ServiceEntries.hosts(entry).stream()
                .filter(host -> ServiceEntries.isHeadless(entry, host))
                .forEach(host -> computeHost(namespace, host));
            computeEntryConditions(namespace, objects, name);
          });
      computeWorkloads(namespace, objects, _ -> true);
    }
  }

  public void put(PeerAuthentication policy) {
    peerAuthenticationChanged(ObjectKey.of(policy), policy);
  }

  public void remove(PeerAuthentication policy) {
    peerAuthenticationChanged(ObjectKey.of(policy), null);
    prune(policy.getMetadata().getNamespace());
  }

  private void peerAuthenticationChanged(ObjectKey key, @Nullable PeerAuthentication policy) {
    NamespaceObjects objects = objects(key.namespace());
    PeerAuthentication before =
        policy == null
            ? objects.peerAuthentications.remove(key.name())
            : objects.peerAuthentications.put(key.name(), policy);
    if (policy == null) {
      putPolicy(key.namespace() + "/" + StrictMtls.convertedName(key.name()), Optional.empty());
    } else {
      computePeerAuthentication(policy);
    }
    Map<String, String> selectorBefore = before == null ? Map.of() : StrictMtls.selector(before);
    Map<String, String> selectorAfter = policy == null ? Map.of() : StrictMtls.selector(policy);
    if (!selectorBefore.isEmpty() || !selectorAfter.isEmpty()) {
      computeSelected(key.namespace(), selectorBefore, selectorAfter);
    }
    MtlsMode level = StrictMtls.levelMode(objects.peerAuthentications.values());
    if (level != objects.levelMode) {
      objects.levelMode = level;
      if (key.namespace().equals(settings.rootNamespace())) {
        meshModeMayHaveChanged();
      } else {
        computeNamespaceMode(key.namespace(), objects);
      }
    }
  }

  private void meshModeMayHaveChanged() {
    MtlsMode next = meshMode();
    if (next != meshMode) {
      meshMode = next;
      namespaces.forEach(this::computeNamespaceMode);
    }
  }

  // --- What depends on what

  /** A PeerAuthentication of the root namespace, or else AmbientMesh. */
  private MtlsMode meshMode() {
    NamespaceObjects root = namespaces.get(settings.rootNamespace());
    MtlsMode own =
        root == null ? MtlsMode.UNSET : StrictMtls.levelMode(root.peerAuthentications.values());
    return own.or(settings.strict() ? MtlsMode.STRICT : MtlsMode.PERMISSIVE);
  }

  /**
   * The stricter one of a PeerAuthentication of the namespace and its MeshEnrollment, or else the
   * mesh's.
   */
  private MtlsMode namespaceMode(String namespace, NamespaceObjects objects) {
    // Those without selector of the root namespace are the mesh's.
    MtlsMode own = namespace.equals(settings.rootNamespace()) ? MtlsMode.UNSET : objects.levelMode;
    return own.stricter(objects.enrollmentMode).or(meshMode);
  }

  private void computeNamespaceMode(String namespace, NamespaceObjects objects) {
    List.copyOf(objects.peerAuthentications.values()).forEach(this::computePeerAuthentication);
    computeWorkloads(namespace, objects, _ -> true);
  }

  /** The workloads of a namespace with such labels. */
  private void computeWorkloads(
      String namespace, NamespaceObjects objects, Predicate<Map<String, String>> labels) {
    objects.pods.forEach(
        (name, pod) -> {
          if (labels.test(labels(pod))) {
            computePod(namespace, name);
          }
        });
    objects.workloadEntries.forEach(
        (name, entry) -> {
          if (labels.test(EntryWorkloads.labels(entry))) {
            computeWorkloadEntry(namespace, name);
          }
        });
    objects.serviceEntries.forEach(
        (name, entry) -> {
          if (labels.test(labels(entry))) {
            computeEndpoints(namespace, name);
          }
        });
  }

  private void computeSelected(
      String namespace, Map<String, String> before, Map<String, String> after) {
    NamespaceObjects objects = namespaces.get(namespace);
    if (objects == null) {
      return;
    }
    computeWorkloads(
        namespace, objects, labels -> selected(before, labels) || selected(after, labels));
  }

  private void computePod(String namespace, String name) {
    computed++;
    String uid = PodWorkload.uid(settings, namespace, name);
    NamespaceObjects objects = namespaces.get(namespace);
    Pod pod = objects == null ? null : objects.pods.get(name);
    if (objects == null || pod == null || !PodWorkload.known(pod)) {
      put(uid, Optional.empty());
      release(uid, Optional.empty());
      return;
    }
    Placement placement = place(Waypoints.Subject.of(pod), objects);
    Map<String, PortList> services = services(namespace, objects, pod);
    Set<String> policies = policies(namespace, objects, labels(pod));
    // Before the workload that refers to it; the one from before goes after.
    Optional<String> only = require(uid, namespace, objects, services);
    only.ifPresent(policies::add);
    put(
        uid,
        PodWorkload.of(settings, pod, services, policies, locality(node(pod)), placement)
            .map(
                address ->
                    objects.datagramsLeftAlone && settings.datagrams()
                        ? PodWorkload.withoutDatagrams(address)
                        : address),
        Way.of(placement));
    release(uid, only);
  }

  private void computeWorkloadEntry(String namespace, String name) {
    computed++;
    String uid = EntryWorkloads.uid(settings, namespace, name);
    BoundObject object = new BoundObject(BoundObject.Kind.WORKLOAD_ENTRY, namespace, name);
    NamespaceObjects objects = namespaces.get(namespace);
    WorkloadEntry entry = objects == null ? null : objects.workloadEntries.get(name);
    if (objects == null || entry == null || !EntryWorkloads.known(entry)) {
      put(uid, Optional.empty());
      put(object, List.of());
      return;
    }
    Map<String, String> labels = EntryWorkloads.labels(entry);
    Waypoints.Subject subject = new Waypoints.Subject(namespace, labels, Map.of());
    Map<String, PortList> services = new TreeMap<>();
    for (Service service : objects.services.values()) {
      if (selects(service, labels)) {
        services.put(
            settings.serviceName(namespace, name(service)),
            ServicePorts.onEntry(service, entry.getSpec()));
      }
    }
    for (ServiceEntry service : objects.serviceEntries.values()) {
      if (selected(ServiceEntries.selector(service), labels)) {
        for (String host : won(service)) {
          services.put(
              MeshSettings.hostKey(namespace, host),
              ServicePorts.onEntry(service, entry.getSpec()));
        }
      }
    }
    Placement placement = place(subject, objects);
    put(
        uid,
        Optional.of(
            EntryWorkloads.of(
                settings,
                entry,
                new EntryWorkloads.Facts(
                    services, policies(namespace, objects, labels), placement))),
        Way.of(placement));
    put(object, waypoints.forWorkload(subject, objects.surroundings()).status().stream().toList());
  }

  /** The endpoints that a ServiceEntry itself lists, or that its hosts are. */
  private void computeEndpoints(String namespace, String name) {
    computed++;
    NamespaceObjects objects = objects(namespace);
    ServiceEntry entry = objects.serviceEntries.get(name);
    Map<String, Address> workloads = new HashMap<>();
    Map<String, Set<String>> gateways = new HashMap<>();
    if (entry != null) {
      for (EntryWorkloads.Endpoint endpoint : EntryWorkloads.endpoints(entry, won(entry))) {
        Map<String, PortList> services = new TreeMap<>();
        for (String host : endpoint.hosts()) {
          services.put(
              MeshSettings.hostKey(namespace, host), ServicePorts.onEntry(entry, endpoint.spec()));
        }
        Placement placement =
            endpoint.implied()
                ? Placement.NONE
                : place(
                    new Waypoints.Subject(
                        namespace, EntryWorkloads.labels(endpoint.spec()), Map.of()),
                    objects);
        gateways.put(EntryWorkloads.uid(settings, entry, endpoint), placement.through());
        workloads.put(
            EntryWorkloads.uid(settings, entry, endpoint),
            EntryWorkloads.of(
                settings,
                entry,
                endpoint,
                new EntryWorkloads.Facts(
                    services, policies(namespace, objects, labels(entry)), placement)));
      }
    }
    replace(objects.workloadsByEntry, name, workloads, gateways);
  }

  /** Puts out workloads, and takes back what their source has put out before and does no more. */
  private void replace(
      Map<String, Set<String>> bySource,
      String source,
      Map<String, Address> workloads,
      Map<String, Set<String>> gateways) {
    Set<String> before =
        workloads.isEmpty()
            ? bySource.remove(source)
            : bySource.put(source, Set.copyOf(workloads.keySet()));
    if (before != null) {
      before.stream()
          .filter(uid -> !workloads.containsKey(uid))
          .forEach(uid -> put(uid, Optional.empty()));
    }
    workloads.forEach(
        (uid, workload) -> put(uid, Optional.of(workload), gateways.getOrDefault(uid, Set.of())));
  }

  private Map<String, PortList> services(String namespace, NamespaceObjects objects, Pod pod) {
    Map<String, PortList> services = new TreeMap<>();
    for (Service service : objects.services.values()) {
      if (selects(service, labels(pod))) {
        services.put(
            settings.serviceName(namespace, name(service)), ServicePorts.onPod(service, pod));
      }
    }
    for (ServiceEntry service : objects.serviceEntries.values()) {
      if (selected(ServiceEntries.selector(service), labels(pod))) {
        for (String host : won(service)) {
          services.put(MeshSettings.hostKey(namespace, host), ServicePorts.onPod(service, pod));
        }
      }
    }
    for (String sliceName : new TreeSet<>(objects.slicesByPod.getOrDefault(name(pod), Set.of()))) {
      EndpointSlice slice = objects.slices.get(sliceName);
      if (slice == null) {
        continue;
      }
      Optional<Service> service =
          EndpointSliceWorkloads.serviceName(slice).map(objects.services::get);
      if (service.isPresent()
          && ServiceAddress.known(service.get())
          && !hasSelector(service.get())) {
        services.merge(
            settings.serviceName(namespace, name(service.get())),
            ServicePorts.onSlice(service.get(), slice),
            MeshIndex::union);
      }
    }
    return services;
  }

  private static PortList union(PortList one, PortList other) {
    PortList.Builder ports = one.toBuilder();
    other.getPortsList().stream()
        .filter(port -> !one.getPortsList().contains(port))
        .forEach(ports::addPorts);
    return ports.build();
  }

  private Set<String> policies(
      String namespace, NamespaceObjects objects, Map<String, String> labels) {
    Set<String> policies = new TreeSet<>();
    addSelecting(policies, namespace, objects, labels);
    NamespaceObjects root = namespaces.get(settings.rootNamespace());
    if (root != null && root != objects) {
      addSelecting(policies, settings.rootNamespace(), root, labels);
    }
    MtlsMode above = namespaceMode(namespace, objects);
    Optional<PeerAuthentication> own =
        objects.peerAuthentications.values().stream()
            .filter(policy -> Revision.isOurs(policy))
            .filter(policy -> selected(StrictMtls.selector(policy), labels))
            .min(StrictMtls.OLDEST_FIRST);
    Optional<Authorization> converted = own.flatMap(policy -> StrictMtls.converted(policy, above));
    if (converted.isPresent()) {
      policies.add(namespace + "/" + converted.get().getName());
    } else if (own.map(StrictMtls::mode).orElse(MtlsMode.UNSET).or(above) == MtlsMode.STRICT) {
      policies.add(settings.rootNamespace() + "/" + StrictMtls.STATIC_STRICT);
    }
    if (objects.plaintextWatched) {
      policies.add(settings.rootNamespace() + "/" + StrictMtls.PLAINTEXT_WATCH);
    }
    return policies;
  }

  private void addSelecting(
      Set<String> names, String namespace, NamespaceObjects objects, Map<String, String> labels) {
    for (AuthorizationPolicy policy : objects.policies.values()) {
      String name = namespace + "/" + name(policy);
      // One that ztunnels are not sent must not be referred to either: they would fail closed on
      // it.
      if (selected(PolicyTranslator.selector(policy), labels) && authorizations.containsKey(name)) {
        names.add(name);
      }
    }
  }

  /** The services of that name, in whichever namespaces. */
  private void computeHost(String namespace, String host) {
    Set<String> where = new HashSet<>(hosts.namespaces(host));
    where.add(namespace);
    Optional<String> canonical = hosts.canonical(host);
    where.forEach(each -> computeService(each, host, canonical.filter(each::equals).isPresent()));
  }

  private void computeService(String namespace, String host, boolean canonical) {
    computed++;
    NamespaceObjects objects = namespaces.get(namespace);
    HostClaims.Claim claim = hosts.winner(host, namespace).orElse(null);
    put(
        MeshSettings.hostKey(namespace, host),
        objects == null || claim == null
            ? Optional.empty()
            : address(objects, host, claim, canonical),
        objects == null || claim == null ? Way.NONE : way(objects, claim, host));
  }

  private Way way(NamespaceObjects objects, HostClaims.Claim claim, String host) {
    if (claim.entry()) {
      ServiceEntry entry = objects.serviceEntries.get(claim.name());
      return entry == null ? Way.NONE : Way.of(told(binding(objects, entry, host), objects, entry));
    }
    Service service = objects.services.get(claim.name());
    return service == null ? Way.NONE : Way.of(told(binding(objects, service), objects, service));
  }

  private Optional<Address> address(
      NamespaceObjects objects, String host, HostClaims.Claim claim, boolean canonical) {
    if (claim.entry()) {
      return Optional.ofNullable(objects.serviceEntries.get(claim.name()))
          .map(
              entry ->
                  ServiceEntries.address(
                      entry,
                      host,
                      canonical,
                      objects.trafficDistribution(),
                      binding(objects, entry)));
    }
    return Optional.ofNullable(objects.services.get(claim.name()))
        .flatMap(
            service ->
                ServiceAddress.of(
                    settings, service, objects.trafficDistribution(), binding(objects, service)));
  }

  private WaypointBinding binding(NamespaceObjects objects, Service service) {
    WaypointBinding binding =
        binding(
            objects,
            Waypoints.Subject.of(service),
            Set.of(settings.hostname(service.getMetadata().getNamespace(), name(service))));
    return ServiceAddress.isHeadless(service) ? binding.ofHeadless() : binding;
  }

  private WaypointBinding binding(NamespaceObjects objects, ServiceEntry entry) {
    return binding(objects, Waypoints.Subject.of(entry), ServiceEntries.hosts(entry));
  }

  /** The same, of one of its hosts. */
  private WaypointBinding binding(NamespaceObjects objects, ServiceEntry entry, String host) {
    WaypointBinding binding = binding(objects, entry);
    return ServiceEntries.isHeadless(entry, host) ? binding.ofHeadless() : binding;
  }

  private WaypointBinding binding(
      NamespaceObjects objects, Waypoints.Subject service, Set<String> hostnames) {
    WaypointBinding now = waypoints.forService(service, hostnames, objects.surroundings());
    return objects
        .next()
        .map(next -> now.withThrough(waypoints.forService(service, hostnames, next).through()))
        .orElse(now);
  }

  private Placement place(Waypoints.Subject workload, NamespaceObjects objects) {
    Placement now = waypoints.place(workload, objects.surroundings());
    return objects
        .next()
        .map(next -> now.withThrough(waypoints.place(workload, next).through()))
        .orElse(now);
  }

  private void computeConditions(String namespace, NamespaceObjects objects, String name) {
    Service service = objects.services.get(name);
    put(
        new BoundObject(BoundObject.Kind.SERVICE, namespace, name),
        service == null || !ServiceAddress.known(service)
            ? List.of()
            : told(binding(objects, service), objects, service).status().stream().toList());
  }

  /** With what becomes of traffic that does not come through the waypoint. */
  private WaypointBinding told(WaypointBinding binding, NamespaceObjects objects, Service service) {
    boolean bound = binding.status().filter(ObjectCondition::holds).isPresent();
    if (!bound && !binding.isOfHeadless()) {
      return binding;
    }
    boolean required = !requiredOf(objects, service).isEmpty();
    return bound
        ? binding.withNote(required ? ONLY_THROUGH_WAYPOINT : PAST_WAYPOINT)
        : required ? binding.withNote(CLOSED) : binding;
  }

  private WaypointBinding told(
      WaypointBinding binding, NamespaceObjects objects, ServiceEntry entry) {
    return binding.isOfHeadless() && !requiredOf(objects, entry).isEmpty()
        ? binding.withNote(CLOSED)
        : binding;
  }

  private void computeEntryConditions(String namespace, NamespaceObjects objects, String name) {
    ServiceEntry entry = objects.serviceEntries.get(name);
    put(
        new BoundObject(BoundObject.Kind.SERVICE_ENTRY, namespace, name),
        entry == null || !ServiceEntries.known(entry)
            ? List.of()
            : ServiceEntryConditions.of(
                entry,
                told(bindingOfHosts(objects, entry), objects, entry),
                host -> hosts.winner(host, namespace).filter(claim -> !isOf(claim, entry))));
  }

  private WaypointBinding bindingOfHosts(NamespaceObjects objects, ServiceEntry entry) {
    WaypointBinding binding = binding(objects, entry);
    List<String> headless =
        ServiceEntries.hosts(entry).stream()
            .filter(host -> ServiceEntries.isHeadless(entry, host))
            .toList();
    if (headless.isEmpty()) {
      return binding;
    }
    if (headless.size() == ServiceEntries.hosts(entry).size()) {
      return binding.ofHeadless();
    }
    return binding.status().filter(ObjectCondition::holds).isEmpty()
        ? binding
        : binding.withNote("; not so of " + String.join(", ", headless) + ", without an address");
  }

  private static boolean isOf(HostClaims.Claim claim, ServiceEntry entry) {
    return claim.entry() && claim.name().equals(name(entry));
  }

  private void computeSlice(String namespace, String name) {
    computed++;
    NamespaceObjects objects = objects(namespace);
    EndpointSlice slice = objects.slices.get(name);
    Map<String, Address> workloads =
        slice == null
            ? Map.of()
            : EndpointSliceWorkloads.of(
                settings,
                slice,
                EndpointSliceWorkloads.serviceName(slice).map(objects.services::get).orElse(null),
                this::locality);
    replace(objects.workloadsBySlice, name, workloads, Map.of());
  }

  private void computePolicy(AuthorizationPolicy policy) {
    computed++;
    putPolicy(
        policy.getMetadata().getNamespace() + "/" + name(policy),
        Revision.isOurs(policy)
            ? PolicyTranslator.translate(policy, settings.rootNamespace(), settings.trustDomains())
                .authorization()
            : Optional.empty());
  }

  private void computePeerAuthentication(PeerAuthentication policy) {
    computed++;
    String namespace = policy.getMetadata().getNamespace();
    putPolicy(
        namespace + "/" + StrictMtls.convertedName(name(policy)),
        Revision.isOurs(policy)
            ? StrictMtls.converted(policy, namespaceMode(namespace, objects(namespace)))
            : Optional.empty());
  }

  // --- Ways past a waypoint

  /**
   * Puts out the policy that closes a pod's other ways, where it has to; the answer is its name.
   */
  private Optional<String> require(
      String uid, String namespace, NamespaceObjects objects, Map<String, PortList> services) {
    List<RequiredWaypoint.Behind> behind = new ArrayList<>();
    services.forEach(
        (key, ports) -> {
          Set<String> through = requiredOf(namespace, objects, key);
          if (!through.isEmpty()) {
            behind.add(new RequiredWaypoint.Behind(ports, through));
          }
        });
    Optional<Authorization> policy =
        RequiredWaypoint.policy(namespace, settings.trustDomain(), behind);
    return policy.map(
        each -> {
          String name = namespace + "/" + each.getName();
          NamespaceObjects.link(workloadsByRequired, name, uid);
          putPolicy(name, policy);
          return name;
        });
  }

  /** Takes back the policy that a pod had before, where it is another one and the last had it. */
  private void release(String uid, Optional<String> now) {
    String before = now.isPresent() ? required.put(uid, now.get()) : required.remove(uid);
    if (before != null && !now.equals(Optional.of(before))) {
      NamespaceObjects.unlink(workloadsByRequired, before, uid);
      if (!workloadsByRequired.containsKey(before)) {
        putPolicy(before, Optional.empty());
      }
    }
  }

  /** The waypoints that alone may reach the pods of a service; none where all may. */
  private Set<String> requiredOf(String namespace, NamespaceObjects objects, String key) {
    String host = key.substring(namespace.length() + 1);
    HostClaims.Claim claim = hosts.winner(host, namespace).orElse(null);
    if (claim == null) {
      return Set.of();
    }
    if (claim.entry()) {
      ServiceEntry entry = objects.serviceEntries.get(claim.name());
      return entry == null ? Set.of() : requiredOf(objects, entry);
    }
    Service service = objects.services.get(claim.name());
    return service == null ? Set.of() : requiredOf(objects, service);
  }

  private Set<String> requiredOf(NamespaceObjects objects, ServiceEntry entry) {
    return requiredOf(
        Waypoints.Subject.of(entry),
        objects,
        binding(objects, entry),
        RequiredWaypoint.entry(entry.getMetadata().getNamespace(), name(entry)));
  }

  private Set<String> requiredOf(NamespaceObjects objects, Service service) {
    return requiredOf(
        Waypoints.Subject.of(service),
        objects,
        binding(objects, service),
        RequiredWaypoint.service(service.getMetadata().getNamespace(), name(service)));
  }

  private Set<String> requiredOf(
      Waypoints.Subject subject, NamespaceObjects objects, WaypointBinding binding, String target) {
    if (binding.address().isEmpty()) {
      return Set.of();
    }
    Set<String> through = waypoints.namedBy(subject, objects.surroundings());
    boolean policies =
        attached.containsKey(target)
            || through.stream()
                .anyMatch(
                    key ->
                        attached.containsKey(RequiredWaypoint.gateway(key))
                            || waypoints
                                .classOf(key)
                                .map(RequiredWaypoint::gatewayClass)
                                .filter(attached::containsKey)
                                .isPresent());
    return RequiredWaypoint.asked(subject.labels(), objects.labels).orElse(policies)
        ? through
        : Set.of();
  }

  private void putStaticStrict() {
    putPolicy(
        settings.rootNamespace() + "/" + StrictMtls.STATIC_STRICT,
        Optional.of(StrictMtls.staticStrict(settings.rootNamespace())));
  }

  /** Only while somebody refers to it: ztunnels judge plain flows again and again meanwhile. */
  private void putPlaintextWatch() {
    boolean wanted = namespaces.values().stream().anyMatch(objects -> objects.plaintextWatched);
    putPolicy(
        settings.rootNamespace() + "/" + StrictMtls.PLAINTEXT_WATCH,
        wanted
            ? Optional.of(StrictMtls.plaintextWatch(settings.rootNamespace()))
            : Optional.empty());
  }

  // --- Outputs

  private void put(String name, Optional<Address> address) {
    put(name, address, Way.NONE);
  }

  private void put(String name, Optional<Address> address, Set<String> gateways) {
    put(name, address, new Way(gateways, Optional.empty()));
  }

  private void put(String name, Optional<Address> address, Way way) {
    Way present = address.isPresent() ? way : Way.NONE;
    Way before = present.equals(Way.NONE) ? ways.remove(name) : ways.put(name, present);
    if (!present.equals(before == null ? Way.NONE : before)) {
      output.waypoints(name, present.gateways(), present.past());
    }
    Address addressBefore =
        address.isPresent() ? addresses.put(name, address.get()) : addresses.remove(name);
    if (!Objects.equals(addressBefore, address.orElse(null))) {
      output.address(name, address);
    }
  }

  private void put(BoundObject object, List<ObjectCondition> wanted) {
    List<ObjectCondition> before =
        wanted.isEmpty() ? conditions.remove(object) : conditions.put(object, wanted);
    if (!wanted.equals(before == null ? List.of() : before)) {
      output.conditions(object, wanted);
    }
  }

  private void putPolicy(String name, Optional<Authorization> authorization) {
    Authorization before =
        authorization.isPresent()
            ? authorizations.put(name, authorization.get())
            : authorizations.remove(name);
    if (!Objects.equals(before, authorization.orElse(null))) {
      output.authorization(name, authorization);
    }
  }

  // --- Host names

  private void claim(Service service) {
    if (ServiceAddress.known(service)) {
      ObjectKey key = ObjectKey.of(service);
      hosts.add(settings.hostname(key.namespace(), key.name()), claimOf(key));
    }
  }

  private void unclaim(Service service) {
    ObjectKey key = ObjectKey.of(service);
    hosts.remove(settings.hostname(key.namespace(), key.name()), claimOf(key));
  }

  private static HostClaims.Claim claimOf(ObjectKey service) {
    return new HostClaims.Claim(false, "", service.namespace(), service.name(), true);
  }

  private void claim(ServiceEntry entry) {
    if (ServiceEntries.known(entry)) {
      ServiceEntries.hosts(entry).forEach(host -> hosts.add(host, claimOf(entry)));
    }
  }

  private void unclaim(ServiceEntry entry) {
    ServiceEntries.hosts(entry).forEach(host -> hosts.remove(host, claimOf(entry)));
  }

  private static HostClaims.Claim claimOf(ServiceEntry entry) {
    String created = entry.getMetadata().getCreationTimestamp();
    return new HostClaims.Claim(
        true,
        created == null ? "" : created,
        entry.getMetadata().getNamespace(),
        name(entry),
        ServiceEntries.shared(entry));
  }

  /** Those of its hosts that a ServiceEntry answers for in its namespace. */
  private Set<String> won(ServiceEntry entry) {
    Set<String> won = new TreeSet<>();
    if (ServiceEntries.known(entry)) {
      for (String host : ServiceEntries.hosts(entry)) {
        hosts
            .winner(host, entry.getMetadata().getNamespace())
            .filter(claim -> isOf(claim, entry))
            .ifPresent(_ -> won.add(host));
      }
    }
    return won;
  }

  /** The ServiceEntries of a namespace that claim one of those names. */
  private Set<String> rivals(String namespace, Set<String> names) {
    Set<String> rivals = new HashSet<>();
    for (String host : names) {
      hosts.in(host, namespace).stream()
          .filter(HostClaims.Claim::entry)
          .forEach(claim -> rivals.add(claim.name()));
    }
    return rivals;
  }

  // --- Small questions

  private NamespaceObjects objects(String namespace) {
    return namespaces.computeIfAbsent(namespace, _ -> new NamespaceObjects());
  }

  /** Namespaces come and go; one of which nothing is left is forgotten. */
  private void prune(String namespace) {
    NamespaceObjects objects = namespaces.get(namespace);
    if (objects != null && objects.isEmpty()) {
      namespaces.remove(namespace);
    }
  }

  private Locality locality(@Nullable String node) {
    return node == null
        ? Locality.getDefaultInstance()
        : localities.getOrDefault(node, Locality.getDefaultInstance());
  }

  private static @Nullable String node(@Nullable Pod pod) {
    return pod == null || pod.getSpec() == null ? null : pod.getSpec().getNodeName();
  }

  private static void relink(
      Map<String, Set<ObjectKey>> links,
      ObjectKey key,
      @Nullable String before,
      @Nullable String after) {
    if (Objects.equals(before, after)) {
      return;
    }
    if (before != null) {
      NamespaceObjects.unlink(links, before, key);
    }
    if (after != null) {
      NamespaceObjects.link(links, after, key);
    }
  }

  /** Whether a slice says of pods what no selector says. */
  private static boolean feedsPods(NamespaceObjects objects, EndpointSlice slice) {
    return EndpointSliceWorkloads.serviceName(slice)
        .map(objects.services::get)
        .map(service -> !hasSelector(service))
        .orElse(false);
  }

  private static boolean hasSelector(Service service) {
    return service.getSpec() != null
        && service.getSpec().getSelector() != null
        && !service.getSpec().getSelector().isEmpty();
  }

  private static boolean selects(@Nullable Service service, Map<String, String> labels) {
    return service != null
        && ServiceAddress.known(service)
        && hasSelector(service)
        && selected(service.getSpec().getSelector(), labels);
  }

  private static boolean selected(Map<String, String> selector, Map<String, String> labels) {
    return !selector.isEmpty() && labels.entrySet().containsAll(selector.entrySet());
  }

  private static boolean selectedByAny(
      NamespaceObjects objects, Set<String> entries, Map<String, String> labels) {
    return entries.stream()
        .map(objects.serviceEntries::get)
        .anyMatch(entry -> entry != null && selected(ServiceEntries.selector(entry), labels));
  }

  private static Map<String, String> labels(HasMetadata object) {
    Map<String, String> labels = object.getMetadata().getLabels();
    return labels == null ? Map.of() : labels;
  }

  private static String name(HasMetadata object) {
    return object.getMetadata().getName();
  }
}
