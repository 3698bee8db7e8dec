package dev.ambit.ztunnel.state;

import static org.assertj.core.api.Assertions.assertThat;

import dev.ambit.protocol.workload.Service;
import dev.ambit.protocol.workload.Workload;
import dev.ambit.ztunnel.testing.MeshFixtures;
import java.net.InetAddress;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import net.jqwik.api.Arbitraries;
import net.jqwik.api.Arbitrary;
import net.jqwik.api.Combinators;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.Provide;
import org.jspecify.annotations.Nullable;

/** Updates of the store in any order, against maps that keep nothing but the last of each. */
class MeshStoreModelTest {
  private static final int NAMES = 4;

  /** One update. */
  sealed interface Update {
    record PutWorkload(
        int name, Set<Integer> addresses, Set<Integer> services, boolean mesh, boolean host)
        implements Update {}

    record PutService(int name, int namespace, Set<Integer> addresses) implements Update {}

    record RemoveWorkload(int name) implements Update {}

    record RemoveService(int name, int namespace) implements Update {}
  }

  @Provide
  Arbitrary<List<List<Update>>> updates() {
    Arbitrary<Integer> number = Arbitraries.integers().between(0, NAMES - 1);
    Arbitrary<Set<Integer>> few = number.set().ofMaxSize(2);
    Arbitrary<Boolean> any = Arbitraries.of(true, false);
    Arbitrary<Update> workload =
        Combinators.combine(number, few, few, any, Arbitraries.of(false, false, true))
            .as(Update.PutWorkload::new);
    Arbitrary<Update> service =
        Combinators.combine(number, Arbitraries.of(0, 1), few).as(Update.PutService::new);
    Arbitrary<Update> removedWorkload = number.map(Update.RemoveWorkload::new);
    Arbitrary<Update> removedService =
        Combinators.combine(number, Arbitraries.of(0, 1)).as(Update.RemoveService::new);
    return Arbitraries.oneOf(workload, service, removedWorkload, removedService)
        .list()
        .ofMaxSize(4)
        .list()
        .ofMaxSize(20);
  }

  private static Workload workload(Update.PutWorkload put) {
    Workload.Builder to =
        MeshFixtures.pod("n0", "w" + put.name())
            .setTunnelProtocol(
                put.mesh()
                    ? dev.ambit.protocol.workload.TunnelProtocol.HBONE
                    : dev.ambit.protocol.workload.TunnelProtocol.NONE);
    if (put.host()) {
      to.setNetworkMode(dev.ambit.protocol.workload.NetworkMode.HOST_NETWORK);
    }
    for (int address : put.addresses()) {
      to.addAddresses(MeshFixtures.bytes("10.0.0." + address));
    }
    for (int service : put.services()) {
      to.putServices(
          MeshFixtures.key("n" + service % 2, "s" + service), MeshFixtures.ports(80, 80));
    }
    return to.build();
  }

  private static Service service(Update.PutService put) {
    String[] addresses = put.addresses().stream().map(n -> "10.96.0." + n).toArray(String[]::new);
    return MeshFixtures.service("n" + put.namespace(), "s" + put.name(), addresses).build();
  }

  @Property(tries = 500)
  void whatIsFoundIsWhatWasPutLast(@ForAll("updates") List<List<Update>> batches) {
    MeshStore store = new MeshStore();
    Map<String, MeshWorkload> workloads = new TreeMap<>();
    Map<ServiceKey, MeshService> services =
        new TreeMap<>(Comparator.comparing(ServiceKey::toString));
    for (List<Update> batch : batches) {
      apply(store, batch, workloads, services);
      agree(store, workloads, services);
    }
  }

  /** A batch names a resource once, as a response of the control plane does. */
  private static void apply(
      MeshStore store,
      List<Update> batch,
      Map<String, MeshWorkload> workloads,
      Map<ServiceKey, MeshService> services) {
    Map<String, MeshWorkload> changedWorkloads = new TreeMap<>();
    Map<String, MeshService> changedServices = new TreeMap<>();
    Set<String> removed = new TreeSet<>();
    for (Update update : batch) {
      switch (update) {
        case Update.PutWorkload put -> {
          MeshWorkload made = MeshWorkload.of(workload(put));
          changedWorkloads.put(made.uid(), made);
          removed.remove(made.uid());
        }
        case Update.PutService put -> {
          MeshService made = MeshService.of(service(put));
          changedServices.put(made.key().toString(), made);
          removed.remove(made.key().toString());
        }
        case Update.RemoveWorkload(int name) -> {
          String uid = "Kubernetes//Pod/n0/w" + name;
          changedWorkloads.remove(uid);
          removed.add(uid);
        }
        case Update.RemoveService(int name, int namespace) -> {
          String key = MeshFixtures.key("n" + namespace, "s" + name);
          changedServices.remove(key);
          removed.add(key);
        }
      }
    }
    workloads.putAll(changedWorkloads);
    changedServices.values().forEach(service -> services.put(service.key(), service));
    for (String name : removed) {
      workloads.remove(name);
      services.keySet().removeIf(key -> key.toString().equals(name));
    }
    store.apply(changedWorkloads.values(), changedServices.values(), removed);
  }

  private static void agree(
      MeshStore store, Map<String, MeshWorkload> workloads, Map<ServiceKey, MeshService> services) {
    assertThat(store.workloads()).containsExactlyInAnyOrderElementsOf(workloads.values());
    assertThat(store.services()).containsExactlyInAnyOrderElementsOf(services.values());
    Set<ServiceKey> staged = new java.util.HashSet<>();
    for (MeshWorkload workload : workloads.values()) {
      staged.addAll(workload.services().keySet());
    }
    staged.removeAll(services.keySet());
    assertThat(store.stagedServices()).containsExactlyInAnyOrderElementsOf(staged);
    for (int i = 0; i < NAMES; i++) {
      InetAddress pod = MeshFixtures.ip("10.0.0." + i);
      assertThat(store.workloadAt(new NetworkAddress("", pod)))
          .isEqualTo(workloadAt(workloads, pod));
      InetAddress virtual = MeshFixtures.ip("10.96.0." + i);
      for (String namespace : List.of("n0", "n1", "elsewhere")) {
        assertThat(store.serviceAt(new NetworkAddress("", virtual), namespace))
            .isEqualTo(serviceAt(services, virtual, namespace));
      }
    }
    for (ServiceKey key : services.keySet()) {
      ServiceEntry entry = Objects.requireNonNull(store.entry(key));
      List<MeshWorkload> endpoints = new ArrayList<>();
      for (ServiceEntry.ServiceEndpoint endpoint : entry.endpoints()) {
        endpoints.add(endpoint.workload());
      }
      assertThat(endpoints)
          .containsExactlyInAnyOrderElementsOf(
              workloads.values().stream()
                  .filter(workload -> workload.services().containsKey(key))
                  .toList());
    }
  }

  /** Pods of the mesh first, then by name; what shares its node's address is not found by it. */
  private static @Nullable MeshWorkload workloadAt(
      Map<String, MeshWorkload> workloads, InetAddress address) {
    return workloads.values().stream()
        .filter(workload -> !workload.hostNetwork() && workload.addresses().contains(address))
        .min(
            Comparator.<MeshWorkload, Boolean>comparing(
                    workload -> workload.tunnelProtocol() != TunnelProtocol.HBONE)
                .thenComparing(MeshWorkload::uid))
        .orElse(null);
  }

  /** The own namespace's first, then the first by name. */
  private static @Nullable MeshService serviceAt(
      Map<ServiceKey, MeshService> services, InetAddress address, String namespace) {
    return services.values().stream()
        .filter(
            service ->
                service.addresses().stream()
                    .anyMatch(virtual -> virtual.address().address().equals(address)))
        .min(
            Comparator.<MeshService, Boolean>comparing(
                    service -> !service.namespace().equals(namespace))
                .thenComparing(MeshService::namespace)
                .thenComparing(MeshService::hostname))
        .orElse(null);
  }
}
