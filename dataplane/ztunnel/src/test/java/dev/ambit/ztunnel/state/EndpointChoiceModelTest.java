package dev.ambit.ztunnel.state;

import static org.assertj.core.api.Assertions.assertThat;

import com.google.protobuf.UInt32Value;
import dev.ambit.protocol.workload.IPFamilies;
import dev.ambit.protocol.workload.LoadBalancing;
import dev.ambit.protocol.workload.Locality;
import dev.ambit.protocol.workload.Service;
import dev.ambit.protocol.workload.Workload;
import dev.ambit.protocol.workload.WorkloadStatus;
import dev.ambit.ztunnel.testing.MeshFixtures;
import java.net.Inet4Address;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Objects;
import java.util.Set;
import java.util.SplittableRandom;
import net.jqwik.api.Arbitraries;
import net.jqwik.api.Arbitrary;
import net.jqwik.api.Combinators;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.Provide;
import org.jspecify.annotations.Nullable;

/** The choice of an endpoint against a plain model that says which ones may be chosen. */
class EndpointChoiceModelTest {
  private static final int DRAWS = 120;
  private static final String KEY = MeshFixtures.key("shop", "web");

  /** An endpoint, with all that counts. */
  record Endpoint(
      int number,
      boolean healthy,
      int capacity,
      boolean ipv4,
      boolean ipv6,
      boolean hostname,
      boolean near,
      int region,
      int zone,
      int ownPort,
      boolean sameNetwork) {
    Workload workload() {
      Workload.Builder to =
          MeshFixtures.pod("shop", "e" + number)
              .setNode(near ? "here" : "there")
              .setLocality(Locality.newBuilder().setRegion("r" + region).setZone("z" + zone))
              .setNetwork(sameNetwork ? "" : "other")
              .setStatus(healthy ? WorkloadStatus.HEALTHY : WorkloadStatus.UNHEALTHY)
              .setCapacity(UInt32Value.of(capacity));
      if (ipv4) {
        to.addAddresses(MeshFixtures.bytes("10.0.0." + number));
      }
      if (ipv6) {
        to.addAddresses(MeshFixtures.bytes("fd00::" + number));
      }
      if (hostname) {
        to.setHostname("e" + number + ".example.com");
      }
      var ports = dev.ambit.protocol.workload.PortList.newBuilder();
      if (ownPort > 0) {
        ports.addPorts(MeshFixtures.port(80, ownPort));
      }
      return to.putServices(KEY, ports.build()).build();
    }
  }

  @Provide
  Arbitrary<List<Endpoint>> endpoints() {
    Arbitrary<Boolean> mostly = Arbitraries.of(true, true, true, false);
    Arbitrary<Boolean> any = Arbitraries.of(true, false);
    return Combinators.combine(
            mostly,
            Arbitraries.of(0, 1, 1, 1, 5),
            mostly,
            any,
            any,
            any,
            Combinators.combine(
                    Arbitraries.integers().between(0, 1),
                    Arbitraries.integers().between(0, 1),
                    Arbitraries.of(0, 0, 3000),
                    mostly)
                .as(
                    (region, zone, port, network) ->
                        new int[] {region, zone, port, network ? 1 : 0}))
        .as(
            (healthy, capacity, ipv4, ipv6, hostname, near, rest) ->
                new Endpoint(
                    0,
                    healthy,
                    capacity,
                    ipv4,
                    ipv6,
                    hostname,
                    near,
                    rest[0],
                    rest[1],
                    rest[2],
                    rest[3] == 1))
        .list()
        .ofMaxSize(8)
        .map(EndpointChoiceModelTest::numbered);
  }

  private static List<Endpoint> numbered(List<Endpoint> all) {
    List<Endpoint> numbered = new ArrayList<>();
    for (Endpoint e : all) {
      numbered.add(
          new Endpoint(
              numbered.size() + 1,
              e.healthy(),
              e.capacity(),
              e.ipv4(),
              e.ipv6(),
              e.hostname(),
              e.near(),
              e.region(),
              e.zone(),
              e.ownPort(),
              e.sameNetwork()));
    }
    return numbered;
  }

  @Provide
  Arbitrary<LoadBalancing> balancings() {
    return Combinators.combine(
            Arbitraries.of(
                    LoadBalancing.Scope.REGION, LoadBalancing.Scope.ZONE, LoadBalancing.Scope.NODE)
                .list()
                .uniqueElements()
                .ofMaxSize(3),
            Arbitraries.of(
                LoadBalancing.Mode.UNSPECIFIED_MODE,
                LoadBalancing.Mode.STRICT,
                LoadBalancing.Mode.FAILOVER),
            Arbitraries.of(
                LoadBalancing.HealthPolicy.ONLY_HEALTHY, LoadBalancing.HealthPolicy.ALLOW_ALL))
        .as(
            (scopes, mode, health) ->
                LoadBalancing.newBuilder()
                    .addAllRoutingPreference(scopes)
                    .setMode(mode)
                    .setHealthPolicy(health)
                    .build());
  }

  @Property(tries = 400)
  void onlyWhatTheModelAllowsIsChosenAndAllOfItCanBe(
      @ForAll("endpoints") List<Endpoint> endpoints,
      @ForAll("balancings") LoadBalancing balancing,
      @ForAll boolean namedPort,
      @ForAll boolean callByIpv6,
      @ForAll IPFamilies families,
      @ForAll long seed,
      @ForAll(supplier = Excluded.class) Set<Integer> excluded) {
    IPFamilies known = families == IPFamilies.UNRECOGNIZED ? IPFamilies.AUTOMATIC : families;
    Service.Builder service =
        MeshFixtures.service("shop", "web", "10.96.0.1", "fd00:96::1")
            .clearPorts()
            .addPorts(MeshFixtures.port(80, namedPort ? 0 : 8080))
            .setIpFamilies(known)
            .setLoadBalancing(balancing);
    MeshStore store = new MeshStore();
    MeshWorkload source =
        MeshWorkload.of(
            MeshFixtures.pod("shop", "client", "10.1.0.1")
                .setNode("here")
                .setLocality(Locality.newBuilder().setRegion("r0").setZone("z0"))
                .build());
    List<MeshWorkload> workloads = new ArrayList<>(List.of(source));
    endpoints.forEach(endpoint -> workloads.add(MeshWorkload.of(endpoint.workload())));
    store.apply(workloads, List.of(MeshService.of(service.build())), List.of());
    SplittableRandom random = new SplittableRandom(seed);
    Set<String> without = new HashSet<>();
    excluded.forEach(number -> without.add(uid(number)));
    InetAddress wanted = MeshFixtures.ip(callByIpv6 ? "fd00:96::1" : "10.96.0.1");

    Set<String> allowed = new HashSet<>();
    for (Endpoint endpoint : allowed(endpoints, balancing, known, namedPort, without)) {
      allowed.add(uid(endpoint.number()));
    }
    ServiceEntry entry = Objects.requireNonNull(store.entry(ServiceKey.parse(KEY)));
    MeshService chosenService = MeshService.of(service.build());
    Set<String> seen = new HashSet<>();
    for (int i = 0; i < DRAWS * Math.max(1, allowed.size()); i++) {
      EndpointChoice.Chosen chosen =
          EndpointChoice.choose(entry, chosenService, source, 80, wanted, without, random);
      if (chosen == null) {
        assertThat(allowed).isEmpty();
        return;
      }
      assertThat(allowed).contains(chosen.workload().uid());
      seen.add(chosen.workload().uid());
      Endpoint endpoint = endpoints.get(number(chosen.workload()) - 1);
      assertThat(chosen.address().getPort())
          .isEqualTo(endpoint.ownPort() > 0 ? endpoint.ownPort() : 8080);
      InetAddress expected = address(endpoint, known, callByIpv6);
      if (expected == null) {
        assertThat(chosen.address().isUnresolved()).isTrue();
      } else {
        assertThat(chosen.address())
            .isEqualTo(new InetSocketAddress(expected, chosen.address().getPort()));
      }
    }
    // The rarest has one share in 40 or more: that it is never drawn would be a wonder.
    assertThat(seen).isEqualTo(allowed);
  }

  /** Numbers of endpoints that are not to be chosen. */
  static final class Excluded implements net.jqwik.api.ArbitrarySupplier<Set<Integer>> {
    @Override
    public Arbitrary<Set<Integer>> get() {
      return Arbitraries.integers().between(1, 8).set().ofMaxSize(3);
    }
  }

  private static String uid(int number) {
    return "Kubernetes//Pod/shop/e" + number;
  }

  private static int number(MeshWorkload workload) {
    return Integer.parseInt(workload.name().substring(1));
  }

  // -- the model

  private static List<Endpoint> allowed(
      List<Endpoint> endpoints,
      LoadBalancing balancing,
      IPFamilies families,
      boolean namedPort,
      Set<String> without) {
    List<Endpoint> fit =
        endpoints.stream()
            .filter(
                e ->
                    e.healthy()
                        || balancing.getHealthPolicy() == LoadBalancing.HealthPolicy.ALLOW_ALL)
            .filter(Endpoint::sameNetwork)
            .filter(e -> e.capacity() > 0)
            .filter(e -> e.ownPort() > 0 || !namedPort)
            .filter(e -> e.hostname() || address(e, families, false) != null)
            .filter(e -> !without.contains(uid(e.number())))
            .toList();
    if (balancing.getMode() == LoadBalancing.Mode.UNSPECIFIED_MODE) {
      return fit;
    }
    int preferences = balancing.getRoutingPreferenceCount();
    int best =
        balancing.getMode() == LoadBalancing.Mode.STRICT
            ? preferences
            : fit.stream().mapToInt(e -> rank(e, balancing)).max().orElse(0);
    return fit.stream().filter(e -> rank(e, balancing) == best).toList();
  }

  private static int rank(Endpoint endpoint, LoadBalancing balancing) {
    int rank = 0;
    for (LoadBalancing.Scope scope : balancing.getRoutingPreferenceList()) {
      boolean same =
          switch (scope) {
            case REGION -> endpoint.region() == 0;
            case ZONE -> endpoint.zone() == 0;
            case NODE -> endpoint.near();
            case SUBZONE, CLUSTER, NETWORK, UNSPECIFIED_SCOPE, UNRECOGNIZED -> false;
          };
      if (!same) {
        return rank;
      }
      rank++;
    }
    return rank;
  }

  private static @Nullable InetAddress address(
      Endpoint endpoint, IPFamilies families, boolean preferIpv6) {
    List<InetAddress> usable = new ArrayList<>();
    if (endpoint.ipv4() && families != IPFamilies.IPV6_ONLY) {
      usable.add(MeshFixtures.ip("10.0.0." + endpoint.number()));
    }
    if (endpoint.ipv6() && families != IPFamilies.IPV4_ONLY) {
      usable.add(MeshFixtures.ip("fd00::" + endpoint.number()));
    }
    return usable.stream()
        .filter(address -> address instanceof Inet4Address != preferIpv6)
        .findFirst()
        .orElse(usable.isEmpty() ? null : usable.getFirst());
  }
}
