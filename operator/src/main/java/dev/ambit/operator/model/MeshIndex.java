package dev.ambit.operator.model;

import dev.ambit.protocol.security.Authorization;
import dev.ambit.protocol.workload.Address;
import dev.ambit.protocol.workload.Locality;
import dev.ambit.protocol.workload.PortList;
import io.fabric8.istio.api.security.v1.AuthorizationPolicy;
import io.fabric8.istio.api.security.v1.PeerAuthentication;
import io.fabric8.kubernetes.api.model.HasMetadata;
import io.fabric8.kubernetes.api.model.Namespace;
import io.fabric8.kubernetes.api.model.Node;
import io.fabric8.kubernetes.api.model.Pod;
import io.fabric8.kubernetes.api.model.Service;
import io.fabric8.kubernetes.api.model.discovery.v1.EndpointSlice;
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

  private final Map<String, Address> addresses = new HashMap<>();
  private final Map<String, Authorization> authorizations = new HashMap<>();
  private long computed;

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
    meshMode = meshMode();
    putStaticStrict();
    namespaces.forEach(
        (namespace, objects) -> {
          objects.policies.values().forEach(this::computePolicy);
          objects.peerAuthentications.values().forEach(this::computePeerAuthentication);
        });
    namespaces.forEach(
        (namespace, objects) -> {
          objects.services.keySet().forEach(service -> computeService(namespace, service));
          objects.workloadsBySlice.clear();
          objects.slices.keySet().forEach(slice -> computeSlice(namespace, slice));
          objects.pods.keySet().forEach(pod -> computePod(namespace, pod));
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
    computeService(key.namespace(), key.name());
    Set<String> members = new HashSet<>();
    objects.pods.forEach(
        (name, pod) -> {
          if (selects(before, pod) || selects(service, pod)) {
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
    distributionChanged(
        namespace.getMetadata().getName(),
        annotations == null ? null : annotations.get(ServiceAddress.TRAFFIC_DISTRIBUTION));
  }

  public void remove(Namespace namespace) {
    distributionChanged(namespace.getMetadata().getName(), null);
  }

  private void distributionChanged(String namespace, @Nullable String distribution) {
    NamespaceObjects objects = objects(namespace);
    if (!Objects.equals(objects.trafficDistribution, distribution)) {
      objects.trafficDistribution = distribution;
      Set.copyOf(objects.services.keySet()).forEach(service -> computeService(namespace, service));
    }
    prune(namespace);
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

  /** A PeerAuthentication of the namespace, or else its MeshEnrollment, or else the mesh. */
  private MtlsMode namespaceMode(String namespace, NamespaceObjects objects) {
    // Those without selector of the root namespace are the mesh's.
    MtlsMode own = namespace.equals(settings.rootNamespace()) ? MtlsMode.UNSET : objects.levelMode;
    return own.or(objects.enrollmentMode).or(meshMode);
  }

  private void computeNamespaceMode(String namespace, NamespaceObjects objects) {
    List.copyOf(objects.peerAuthentications.values()).forEach(this::computePeerAuthentication);
    Set.copyOf(objects.pods.keySet()).forEach(pod -> computePod(namespace, pod));
  }

  private void computeSelected(
      String namespace, Map<String, String> before, Map<String, String> after) {
    NamespaceObjects objects = namespaces.get(namespace);
    if (objects == null) {
      return;
    }
    objects.pods.forEach(
        (name, pod) -> {
          if (selected(before, pod) || selected(after, pod)) {
            computePod(namespace, name);
          }
        });
  }

  private void computePod(String namespace, String name) {
    computed++;
    String uid = PodWorkload.uid(settings, namespace, name);
    NamespaceObjects objects = namespaces.get(namespace);
    Pod pod = objects == null ? null : objects.pods.get(name);
    if (objects == null || pod == null || !PodWorkload.known(pod)) {
      put(uid, Optional.empty());
      return;
    }
    put(
        uid,
        PodWorkload.of(
            settings,
            pod,
            services(namespace, objects, pod),
            policies(namespace, objects, pod),
            locality(node(pod))));
  }

  private Map<String, PortList> services(String namespace, NamespaceObjects objects, Pod pod) {
    Map<String, PortList> services = new TreeMap<>();
    for (Service service : objects.services.values()) {
      if (selects(service, pod)) {
        services.put(
            settings.serviceName(namespace, name(service)), ServicePorts.onPod(service, pod));
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

  private Set<String> policies(String namespace, NamespaceObjects objects, Pod pod) {
    Set<String> policies = new TreeSet<>();
    addSelecting(policies, namespace, objects, pod);
    NamespaceObjects root = namespaces.get(settings.rootNamespace());
    if (root != null && root != objects) {
      addSelecting(policies, settings.rootNamespace(), root, pod);
    }
    MtlsMode above = namespaceMode(namespace, objects);
    Optional<PeerAuthentication> own =
        objects.peerAuthentications.values().stream()
            .filter(policy -> selected(StrictMtls.selector(policy), pod))
            .min(StrictMtls.OLDEST_FIRST);
    Optional<Authorization> converted = own.flatMap(policy -> StrictMtls.converted(policy, above));
    if (converted.isPresent()) {
      policies.add(namespace + "/" + converted.get().getName());
    } else if (own.map(StrictMtls::mode).orElse(MtlsMode.UNSET).or(above) == MtlsMode.STRICT) {
      policies.add(settings.rootNamespace() + "/" + StrictMtls.STATIC_STRICT);
    }
    return policies;
  }

  private void addSelecting(
      Set<String> names, String namespace, NamespaceObjects objects, Pod pod) {
    for (AuthorizationPolicy policy : objects.policies.values()) {
      String name = namespace + "/" + name(policy);
      // One that ztunnels are not sent must not be referred to either: they would fail closed on
      // it.
      if (selected(PolicyTranslator.selector(policy), pod) && authorizations.containsKey(name)) {
        names.add(name);
      }
    }
  }

  private void computeService(String namespace, String name) {
    computed++;
    NamespaceObjects objects = namespaces.get(namespace);
    Service service = objects == null ? null : objects.services.get(name);
    put(
        settings.serviceName(namespace, name),
        objects == null || service == null
            ? Optional.empty()
            : ServiceAddress.of(settings, service, objects.trafficDistribution));
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
    Set<String> before =
        workloads.isEmpty()
            ? objects.workloadsBySlice.remove(name)
            : objects.workloadsBySlice.put(name, Set.copyOf(workloads.keySet()));
    if (before != null) {
      before.stream()
          .filter(uid -> !workloads.containsKey(uid))
          .forEach(uid -> put(uid, Optional.empty()));
    }
    workloads.forEach((uid, workload) -> put(uid, Optional.of(workload)));
  }

  private void computePolicy(AuthorizationPolicy policy) {
    computed++;
    putPolicy(
        policy.getMetadata().getNamespace() + "/" + name(policy),
        PolicyTranslator.translate(policy, settings.rootNamespace()).authorization());
  }

  private void computePeerAuthentication(PeerAuthentication policy) {
    computed++;
    String namespace = policy.getMetadata().getNamespace();
    putPolicy(
        namespace + "/" + StrictMtls.convertedName(name(policy)),
        StrictMtls.converted(policy, namespaceMode(namespace, objects(namespace))));
  }

  private void putStaticStrict() {
    putPolicy(
        settings.rootNamespace() + "/" + StrictMtls.STATIC_STRICT,
        Optional.of(StrictMtls.staticStrict(settings.rootNamespace())));
  }

  // --- Outputs

  private void put(String name, Optional<Address> address) {
    Address before =
        address.isPresent() ? addresses.put(name, address.get()) : addresses.remove(name);
    if (!Objects.equals(before, address.orElse(null))) {
      output.address(name, address);
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

  private static boolean selects(@Nullable Service service, Pod pod) {
    return service != null
        && ServiceAddress.known(service)
        && hasSelector(service)
        && selected(service.getSpec().getSelector(), pod);
  }

  private static boolean selected(Map<String, String> selector, Pod pod) {
    Map<String, String> labels = pod.getMetadata().getLabels();
    return !selector.isEmpty()
        && labels != null
        && labels.entrySet().containsAll(selector.entrySet());
  }

  private static String name(HasMetadata object) {
    return object.getMetadata().getName();
  }
}
