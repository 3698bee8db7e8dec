package dev.ambit.ztunnel.state;

import java.net.InetAddress;
import java.util.ArrayList;
import java.util.Collection;
import java.util.Comparator;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/**
 * The workloads and services that the control plane has told of, indexed for routing. One thread at
 * a time applies updates; readers never block and see each entry whole. Within an update additions
 * come before removals, so that an address that moves between workloads is never unknown, and so
 * never taken for one outside the mesh.
 */
public final class MeshStore {
  private static final long LOCAL_WORKLOAD_WAIT_SECONDS = 5;

  /** Of several workloads with one address the first is the one meant. */
  private static final Comparator<MeshWorkload> MEANT_FIRST =
      Comparator.<MeshWorkload>comparingInt(MeshStore::rank)
          .reversed()
          .thenComparing(MeshWorkload::uid);

  /** Whatever order services arrive in, of those with one address the same one is meant. */
  private static final Comparator<MeshService> BY_NAME =
      Comparator.comparing(MeshService::namespace).thenComparing(MeshService::hostname);

  private final Map<String, MeshWorkload> byUid = new ConcurrentHashMap<>();
  private final Map<NetworkAddress, List<MeshWorkload>> byAddress = new ConcurrentHashMap<>();
  private final Map<PodName, List<MeshWorkload>> byName = new ConcurrentHashMap<>();
  private final Map<ServiceKey, ServiceEntry> services = new ConcurrentHashMap<>();
  private final Map<NetworkAddress, List<MeshService>> byVirtualAddress = new ConcurrentHashMap<>();
  private final Map<String, List<MeshService>> byHostname = new ConcurrentHashMap<>();
  private final Map<ServiceKey, List<MeshWorkload>> byWorkloadHostname = new ConcurrentHashMap<>();
  private volatile List<AddressBlock> blocks = List.of();

  private final Map<PodName, List<Waiter>> waiters = new ConcurrentHashMap<>();
  private final List<Runnable> policyReferenceListeners = new CopyOnWriteArrayList<>();
  private final List<Runnable> changeListeners = new CopyOnWriteArrayList<>();

  private record PodName(String namespace, String name) {}

  private record Waiter(LocalPod pod, CompletableFuture<MeshWorkload> result) {}

  private record AddressBlock(VirtualAddress block, byte[] bytes, MeshService service) {
    boolean contains(String network, byte[] address) {
      return block.address().network().equals(network)
          && Addresses.samePrefix(bytes, address, block.prefixLength());
    }
  }

  /**
   * Applies one response of the control plane: what is new or changed, then what is gone.
   *
   * @param removed resource names: a workload's uid or a service's {@code namespace/hostname}
   */
  public synchronized void apply(
      Collection<MeshWorkload> changedWorkloads,
      Collection<MeshService> changedServices,
      Collection<String> removed) {
    Set<ServiceEntry> touched = new HashSet<>();
    boolean policyReferencesChanged = false;
    for (MeshService service : changedServices) {
      putService(service, touched);
    }
    for (MeshWorkload workload : changedWorkloads) {
      policyReferencesChanged |= putWorkload(workload, touched);
    }
    touched.forEach(ServiceEntry::publish);
    for (String name : removed) {
      removeResource(name, touched);
    }
    for (ServiceEntry entry : touched) {
      entry.publish();
      if (entry.isEmpty()) {
        services.remove(entry.key, entry);
      }
    }
    changedWorkloads.forEach(this::wake);
    if (policyReferencesChanged) {
      policyReferenceListeners.forEach(Runnable::run);
    }
    changeListeners.forEach(Runnable::run);
  }

  /** Has {@code listener} called after each response that was applied; it has to return soon. */
  public void onChanged(Runnable listener) {
    changeListeners.add(listener);
  }

  /** Has {@code listener} called after a workload refers to other policies than before. */
  public void onPolicyReferencesChanged(Runnable listener) {
    policyReferenceListeners.add(listener);
  }

  /** The workload of {@code uid}, if it is known. */
  public @Nullable MeshWorkload workload(String uid) {
    return byUid.get(uid);
  }

  /** All workloads, for inspection. */
  public Collection<MeshWorkload> workloads() {
    return byUid.values();
  }

  /** All services, for inspection. */
  public List<MeshService> services() {
    List<MeshService> all = new ArrayList<>();
    for (ServiceEntry entry : services.values()) {
      MeshService service = entry.service();
      if (service != null) {
        all.add(service);
      }
    }
    return all;
  }

  /** Services that are not known though workloads are endpoints of them, for inspection. */
  public List<ServiceKey> stagedServices() {
    List<ServiceKey> staged = new ArrayList<>();
    for (ServiceEntry entry : services.values()) {
      if (entry.service() == null) {
        staged.add(entry.key);
      }
    }
    return staged;
  }

  @Nullable MeshWorkload workloadAt(NetworkAddress address) {
    List<MeshWorkload> candidates = byAddress.get(address);
    return candidates == null ? null : candidates.getFirst();
  }

  @Nullable ServiceEntry entry(ServiceKey key) {
    return services.get(key);
  }

  /** The service that {@code address} stands for, as {@code namespace} sees it. */
  @Nullable MeshService serviceAt(NetworkAddress address, String namespace) {
    List<MeshService> candidates = byVirtualAddress.get(address);
    MeshService exact = candidates == null ? null : seenFrom(namespace, candidates);
    return exact != null ? exact : serviceByBlock(address, namespace);
  }

  /** The service called {@code hostname}, as {@code namespace} sees it. */
  @Nullable MeshService serviceNamed(String hostname, String namespace) {
    return serviceNamed(hostname, namespace, service -> true);
  }

  /** The same, among the services that {@code wanted} holds for. */
  @Nullable MeshService serviceNamed(
      String hostname, String namespace, java.util.function.Predicate<MeshService> wanted) {
    List<MeshService> candidates = byHostname.get(hostname);
    return candidates == null
        ? null
        : seenFrom(namespace, candidates.stream().filter(wanted).toList());
  }

  /** The workload whose own hostname is {@code name}; there may be no addresses besides. */
  @Nullable MeshWorkload workloadNamed(ServiceKey name) {
    List<MeshWorkload> candidates = byWorkloadHostname.get(name);
    return candidates == null ? null : candidates.getFirst();
  }

  /**
   * The resources that {@code name} leads to: a workload by its uid, a service or a workload by
   * {@code NAMESPACE/HOSTNAME}, whatever has an address by {@code NETWORK/ADDRESS}.
   */
  public Set<String> resourcesBehind(String name) {
    Set<String> found = new HashSet<>();
    if (byUid.containsKey(name)) {
      found.add(name);
    }
    int slash = name.indexOf('/');
    if (slash < 0 || name.indexOf('/', slash + 1) >= 0) {
      return found;
    }
    String rest = name.substring(slash + 1);
    InetAddress literal = Addresses.parseLiteral(rest);
    if (literal != null) {
      NetworkAddress address = new NetworkAddress(name.substring(0, slash), literal);
      byVirtualAddress
          .getOrDefault(address, List.of())
          .forEach(service -> found.add(service.key().toString()));
      byAddress.getOrDefault(address, List.of()).forEach(workload -> found.add(workload.uid()));
      for (AddressBlock block : blocks) {
        if (block.contains(address.network(), literal.getAddress())) {
          found.add(block.service().key().toString());
        }
      }
    } else if (slash > 0 && !rest.isEmpty()) {
      ServiceKey key = ServiceKey.parse(name);
      ServiceEntry entry = services.get(key);
      if (entry != null && entry.service() != null) {
        found.add(name);
      }
      byWorkloadHostname
          .getOrDefault(key, List.of())
          .forEach(workload -> found.add(workload.uid()));
    }
    return found;
  }

  /** The resources that {@code names} lead to, and the endpoints of the services among them. */
  public Set<String> neededFor(Collection<String> names) {
    Set<String> needed = new HashSet<>();
    for (String name : names) {
      needed.addAll(resourcesBehind(name));
    }
    for (ServiceEntry entry : services.values()) {
      if (needed.contains(entry.key.toString())) {
        for (ServiceEntry.ServiceEndpoint endpoint : entry.endpoints()) {
          needed.add(endpoint.workload().uid());
        }
      }
    }
    return needed;
  }

  CompletableFuture<MeshWorkload> local(LocalPod pod) {
    MeshWorkload known = find(pod);
    if (known != null) {
      return CompletableFuture.completedFuture(known);
    }
    PodName name = new PodName(pod.namespace(), pod.name());
    Waiter waiter = new Waiter(pod, new CompletableFuture<>());
    waiters.compute(
        name,
        (key, present) -> {
          List<Waiter> all = present == null ? new CopyOnWriteArrayList<>() : present;
          all.add(waiter);
          return all;
        });
    waiter
        .result()
        .whenComplete(
            (workload, failure) ->
                waiters.computeIfPresent(
                    name,
                    (key, all) -> {
                      all.remove(waiter);
                      return all.isEmpty() ? null : all;
                    }));
    // It may have arrived between the first look and the registration.
    MeshWorkload arrived = find(pod);
    if (arrived != null) {
      waiter.result().complete(arrived);
    }
    return waiter.result().orTimeout(LOCAL_WORKLOAD_WAIT_SECONDS, TimeUnit.SECONDS);
  }

  /** The workload that {@code pod} is; null where it is not known. */
  public @Nullable MeshWorkload known(LocalPod pod) {
    return find(pod);
  }

  private @Nullable MeshWorkload find(LocalPod pod) {
    List<MeshWorkload> candidates = byName.get(new PodName(pod.namespace(), pod.name()));
    if (candidates != null) {
      for (MeshWorkload candidate : candidates) {
        if (candidate.identity().serviceAccount().equals(pod.serviceAccount())) {
          return candidate;
        }
      }
    }
    return null;
  }

  private void wake(MeshWorkload workload) {
    List<Waiter> waiting = waiters.get(new PodName(workload.namespace(), workload.name()));
    if (waiting != null) {
      for (Waiter waiter : waiting) {
        MeshWorkload found = find(waiter.pod());
        if (found != null) {
          waiter.result().complete(found);
        }
      }
    }
  }

  private boolean putWorkload(MeshWorkload workload, Set<ServiceEntry> touched) {
    MeshWorkload old = byUid.put(workload.uid(), workload);
    for (NetworkAddress address : indexedAddresses(workload)) {
      putSorted(byAddress, address, workload, MeshWorkload::uid, MEANT_FIRST);
    }
    PodName name = new PodName(workload.namespace(), workload.name());
    putSorted(byName, name, workload, MeshWorkload::uid, MEANT_FIRST);
    ServiceKey hostname = hostname(workload);
    if (hostname != null) {
      putSorted(byWorkloadHostname, hostname, workload, MeshWorkload::uid, MEANT_FIRST);
    }
    workload
        .services()
        .forEach(
            (key, ports) -> {
              ServiceEntry entry = services.computeIfAbsent(key, ServiceEntry::new);
              entry.putEndpoint(workload, ports);
              touched.add(entry);
            });
    if (old != null) {
      Set<NetworkAddress> kept = new HashSet<>(indexedAddresses(workload));
      for (NetworkAddress address : indexedAddresses(old)) {
        if (!kept.contains(address)) {
          removeFrom(byAddress, address, workload.uid(), MeshWorkload::uid);
        }
      }
      PodName oldName = new PodName(old.namespace(), old.name());
      if (!oldName.equals(name)) {
        removeFrom(byName, oldName, workload.uid(), MeshWorkload::uid);
      }
      ServiceKey oldHostname = hostname(old);
      if (oldHostname != null && !oldHostname.equals(hostname)) {
        removeFrom(byWorkloadHostname, oldHostname, workload.uid(), MeshWorkload::uid);
      }
      for (ServiceKey key : old.services().keySet()) {
        if (!workload.services().containsKey(key)) {
          leaveService(key, workload.uid(), touched);
        }
      }
    }
    if (old == null) {
      return !workload.authorizationPolicies().isEmpty();
    }
    return !old.authorizationPolicies().equals(workload.authorizationPolicies())
        || !old.namespace().equals(workload.namespace());
  }

  private void putService(MeshService service, Set<ServiceEntry> touched) {
    ServiceEntry entry = services.computeIfAbsent(service.key(), ServiceEntry::new);
    touched.add(entry);
    MeshService old = entry.service();
    entry.setService(service);
    Set<NetworkAddress> singles = singleAddresses(service);
    for (NetworkAddress address : singles) {
      putSorted(byVirtualAddress, address, service, MeshService::key, BY_NAME);
    }
    putSorted(
        byHostname,
        service.hostname().toLowerCase(java.util.Locale.ROOT),
        service,
        MeshService::key,
        BY_NAME);
    replaceBlocks(service.key(), service);
    if (old != null) {
      for (NetworkAddress address : singleAddresses(old)) {
        if (!singles.contains(address)) {
          removeFrom(byVirtualAddress, address, service.key(), MeshService::key);
        }
      }
    }
  }

  private void removeResource(String name, Set<ServiceEntry> touched) {
    MeshWorkload workload = byUid.remove(name);
    if (workload != null) {
      for (NetworkAddress address : indexedAddresses(workload)) {
        removeFrom(byAddress, address, name, MeshWorkload::uid);
      }
      PodName podName = new PodName(workload.namespace(), workload.name());
      removeFrom(byName, podName, name, MeshWorkload::uid);
      ServiceKey hostname = hostname(workload);
      if (hostname != null) {
        removeFrom(byWorkloadHostname, hostname, name, MeshWorkload::uid);
      }
      for (ServiceKey key : workload.services().keySet()) {
        leaveService(key, name, touched);
      }
      return;
    }
    int slash = name.indexOf('/');
    if (slash <= 0 || slash == name.length() - 1 || name.indexOf('/', slash + 1) >= 0) {
      return; // A workload that was never known, or was rejected.
    }
    ServiceKey key = ServiceKey.parse(name);
    ServiceEntry entry = services.get(key);
    MeshService service = entry == null ? null : entry.service();
    if (entry == null || service == null) {
      return;
    }
    for (NetworkAddress address : singleAddresses(service)) {
      removeFrom(byVirtualAddress, address, key, MeshService::key);
    }
    removeFrom(
        byHostname, service.hostname().toLowerCase(java.util.Locale.ROOT), key, MeshService::key);
    replaceBlocks(key, null);
    entry.setService(null);
    touched.add(entry);
  }

  private void leaveService(ServiceKey key, String uid, Set<ServiceEntry> touched) {
    ServiceEntry entry = services.get(key);
    if (entry != null) {
      entry.removeEndpoint(uid);
      touched.add(entry);
    }
  }

  private void replaceBlocks(ServiceKey key, @Nullable MeshService service) {
    List<AddressBlock> all = new ArrayList<>();
    for (AddressBlock block : blocks) {
      if (!block.service().key().equals(key)) {
        all.add(block);
      }
    }
    boolean changed = all.size() != blocks.size();
    if (service != null) {
      for (VirtualAddress address : service.addresses()) {
        if (!address.isSingle()) {
          all.add(new AddressBlock(address, address.address().address().getAddress(), service));
          changed = true;
        }
      }
    }
    if (changed) {
      blocks = List.copyOf(all);
    }
  }

  private @Nullable MeshService serviceByBlock(NetworkAddress address, String namespace) {
    List<AddressBlock> all = blocks;
    if (all.isEmpty()) {
      return null;
    }
    byte[] bytes = address.address().getAddress();
    AddressBlock best = null;
    for (AddressBlock block : all) {
      if (block.contains(address.network(), bytes)
          && isVisible(block.service(), namespace)
          && (best == null || closer(block, best, namespace))) {
        best = block;
      }
    }
    return best == null ? null : best.service();
  }

  private static boolean closer(AddressBlock a, AddressBlock b, String namespace) {
    boolean ownA = a.service().namespace().equals(namespace);
    boolean ownB = b.service().namespace().equals(namespace);
    if (ownA != ownB) {
      return ownA;
    }
    if (a.block().prefixLength() != b.block().prefixLength()) {
      return a.block().prefixLength() > b.block().prefixLength();
    }
    return a.service().canonical() && !b.service().canonical();
  }

  private static @Nullable MeshService seenFrom(String namespace, List<MeshService> candidates) {
    MeshService best = null;
    for (MeshService candidate : candidates) {
      if (!isVisible(candidate, namespace)) {
        continue;
      }
      if (candidate.namespace().equals(namespace)) {
        return candidate;
      }
      if (best == null || (candidate.canonical() && !best.canonical())) {
        best = candidate;
      }
    }
    return best;
  }

  private static boolean isVisible(MeshService service, String namespace) {
    return !service.namespacePrivate() || service.namespace().equals(namespace);
  }

  private static @Nullable ServiceKey hostname(MeshWorkload workload) {
    return workload.hostname().isEmpty()
        ? null
        : new ServiceKey(workload.namespace(), workload.hostname());
  }

  private static List<NetworkAddress> indexedAddresses(MeshWorkload workload) {
    if (workload.hostNetwork()) {
      return List.of();
    }
    List<NetworkAddress> addresses = new ArrayList<>(workload.addresses().size());
    for (InetAddress address : workload.addresses()) {
      addresses.add(new NetworkAddress(workload.network(), address));
    }
    return addresses;
  }

  private static Set<NetworkAddress> singleAddresses(MeshService service) {
    Set<NetworkAddress> addresses = new HashSet<>();
    for (VirtualAddress address : service.addresses()) {
      if (address.isSingle()) {
        addresses.add(address.address());
      }
    }
    return addresses;
  }

  private static int rank(MeshWorkload workload) {
    return (workload.isPod() ? 2 : 0) + (workload.tunnelProtocol() == TunnelProtocol.HBONE ? 1 : 0);
  }

  private static <K, V, I> void putSorted(
      Map<K, List<V>> index,
      K key,
      V value,
      java.util.function.Function<V, I> id,
      Comparator<V> order) {
    index.compute(
        key,
        (k, present) -> {
          if (present == null) {
            return List.of(value);
          }
          List<V> all = new ArrayList<>(present.size() + 1);
          for (V other : present) {
            if (!id.apply(other).equals(id.apply(value))) {
              all.add(other);
            }
          }
          all.add(value);
          all.sort(order);
          return List.copyOf(all);
        });
  }

  private static <K, V, I> void removeFrom(
      Map<K, List<V>> index, K key, I removed, java.util.function.Function<V, I> id) {
    index.computeIfPresent(
        key,
        (k, present) -> {
          List<V> all = new ArrayList<>(present.size());
          for (V other : present) {
            if (!id.apply(other).equals(removed)) {
              all.add(other);
            }
          }
          return all.isEmpty() ? null : List.copyOf(all);
        });
  }
}
