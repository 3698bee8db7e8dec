package dev.ambit.ztunnel.dns;

import static dev.ambit.ztunnel.testing.MeshFixtures.bytes;
import static dev.ambit.ztunnel.testing.MeshFixtures.ip;
import static dev.ambit.ztunnel.testing.MeshFixtures.key;
import static dev.ambit.ztunnel.testing.MeshFixtures.pod;
import static dev.ambit.ztunnel.testing.MeshFixtures.ports;
import static dev.ambit.ztunnel.testing.MeshFixtures.service;
import static org.assertj.core.api.Assertions.assertThat;

import dev.ambit.protocol.workload.IPFamilies;
import dev.ambit.protocol.workload.LoadBalancing;
import dev.ambit.protocol.workload.NetworkAddress;
import dev.ambit.protocol.workload.Service;
import dev.ambit.protocol.workload.Workload;
import dev.ambit.protocol.workload.WorkloadStatus;
import dev.ambit.ztunnel.dns.MeshNames.Found;
import dev.ambit.ztunnel.state.HostAddresses;
import dev.ambit.ztunnel.state.MeshService;
import dev.ambit.ztunnel.state.MeshStore;
import dev.ambit.ztunnel.state.MeshWorkload;
import java.util.List;
import java.util.Objects;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class MeshNamesTest {
  private static final String NETWORK = "";

  private final MeshStore store = new MeshStore();
  private final MeshNames names =
      new MeshNames(new HostAddresses(store, NETWORK, "cluster.local")::lookup, "cluster.local");

  private void know(Service.Builder... services) {
    store.apply(
        List.of(), Stream.of(services).map(s -> MeshService.of(s.build())).toList(), List.of());
  }

  private void know(Workload.Builder... workloads) {
    store.apply(
        Stream.of(workloads).map(w -> MeshWorkload.of(w.build())).toList(), List.of(), List.of());
  }

  private static Service.Builder entry(String namespace, String host, String... addresses) {
    return service(namespace, host, addresses).setHostname(host);
  }

  private @Nullable Found find(String name) {
    return names.find(name, "shop");
  }

  private static void stands(@Nullable Found maybe, @Nullable String alias, String... addresses) {
    Found found = Objects.requireNonNull(maybe);
    assertThat(found.alias()).isEqualTo(alias);
    assertThat(Stream.concat(found.known().ipv4().stream(), found.known().ipv6().stream()).toList())
        .containsExactlyInAnyOrderElementsOf(
            Stream.of(addresses).map(dev.ambit.ztunnel.testing.MeshFixtures::ip).toList());
  }

  @ParameterizedTest
  @CsvSource({
    "cart.shop.svc.cluster.local,",
    "cart.shop.svc,",
    "cart,",
    "cart.shop.svc.cluster.local.shop.svc.cluster.local, cart.shop.svc.cluster.local",
    "cart.shop.svc.cluster.local.svc.cluster.local, cart.shop.svc.cluster.local",
    "cart.shop.svc.cluster.local.cluster.local, cart.shop.svc.cluster.local",
    "cart.shop.svc.shop.svc.cluster.local, cart.shop.svc",
  })
  void aServiceOfKubernetesIsKnownByTheFormsThatResolversTry(String name, @Nullable String alias) {
    know(service("shop", "cart", "10.96.0.1", "fd00:96::1"));
    stands(find(name), alias, "10.96.0.1", "fd00:96::1");
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "cart.shop",
        "cart.other.svc.cluster.local",
        "shop.svc.cluster.local",
        "svc.cluster.local",
        "cluster.local",
        "pod.cart.shop.svc.cluster.local",
        "cart.shop.shop.svc.cluster.local",
        "cart.shop.svc.cluster.localx",
        "xcart.shop.svc.cluster.local",
        "cart.shop.svc.cluster.example",
        ".cart.shop.svc.cluster.local",
      })
  void otherNamesAreNot(String name) {
    know(service("shop", "cart", "10.96.0.1"));
    assertThat(find(name)).isNull();
  }

  @Test
  void aPublicNameIsNotHiddenByAServiceAndANamespaceThatSpellIt() {
    know(service("dev", "web", "10.96.0.1"));
    assertThat(find("web.dev")).isNull();
    stands(find("web.dev.svc.cluster.local"), null, "10.96.0.1");
  }

  @Test
  void hostsAndWildcardsOfServiceEntriesAreKnownTheLongestFirst() {
    know(
        entry("shop", "api.example.com", "240.240.0.1"),
        entry("shop", "*.example.com", "240.240.0.2"),
        entry("shop", "*.eu.example.com", "240.240.0.3"));
    stands(find("api.example.com"), null, "240.240.0.1");
    stands(find("www.example.com"), null, "240.240.0.2");
    stands(find("a.b.example.com"), null, "240.240.0.2");
    stands(find("a.b.eu.example.com"), null, "240.240.0.3");
    assertThat(find("example.com")).isNull();
    assertThat(find("example.org")).isNull();
    stands(find("api.example.com.svc.cluster.local"), "api.example.com", "240.240.0.1");
    stands(find("www.example.com.svc.cluster.local"), null, "240.240.0.2");
  }

  @Test
  void aServiceEntryWithoutAnAddressIsLeftToDns() {
    know(entry("shop", "api.example.com"));
    assertThat(find("api.example.com")).isNull();
    know(entry("shop", "*.example.com", "240.240.0.2"));
    stands(find("api.example.com"), null, "240.240.0.2");
  }

  @Test
  void ofSeveralServicesOfOneNameThatOfTheOwnNamespaceCountsThenTheCanonicalOne() {
    know(
        entry("a", "api.example.com", "240.240.0.1"),
        entry("b", "api.example.com", "240.240.0.2").setCanonical(true));
    stands(find("api.example.com"), null, "240.240.0.2");
    know(entry("shop", "api.example.com"));
    stands(find("api.example.com"), null, "240.240.0.2");
    know(entry("shop", "api.example.com", "240.240.0.3"));
    stands(find("api.example.com"), null, "240.240.0.3");
  }

  @Test
  void aServiceThatIsPrivateToAnotherNamespaceIsUnknown() {
    know(entry("a", "api.example.com", "240.240.0.1").setVisibility(Service.Visibility.NAMESPACE));
    assertThat(find("api.example.com")).isNull();
    stands(names.find("api.example.com", "a"), null, "240.240.0.1");
  }

  @Test
  void onlySingleAddressesOfTheOwnNetworkAreTold() {
    know(
        entry("shop", "api.example.com", "240.240.0.1")
            .addAddresses(NetworkAddress.newBuilder().setAddress(bytes("10.1.0.0")).setLength(16))
            .addAddresses(
                NetworkAddress.newBuilder().setNetwork("far").setAddress(bytes("10.9.9.9"))));
    stands(find("api.example.com"), null, "240.240.0.1");
    know(
        entry("shop", "far.example.com")
            .addAddresses(
                NetworkAddress.newBuilder().setNetwork("far").setAddress(bytes("10.9.9.9"))));
    assertThat(find("far.example.com")).isNull();
  }

  @Test
  void aHeadlessServiceStandsForItsReadyEndpoints() {
    know(service("shop", "db"));
    assertThat(find("db.shop.svc.cluster.local")).as("none is known to the mesh").isNull();
    know(
        pod("shop", "db-0", "10.0.0.1", "fd00::1", "10.0.0.99")
            .putServices(key("shop", "db"), ports(80, 80)),
        pod("shop", "db-1", "10.0.0.2").putServices(key("shop", "db"), ports(80, 80)),
        pod("shop", "db-2", "10.0.0.3")
            .setStatus(WorkloadStatus.UNHEALTHY)
            .putServices(key("shop", "db"), ports(80, 80)),
        pod("shop", "db-3", "10.0.0.4")
            .setNetwork("far")
            .putServices(key("shop", "db"), ports(80, 80)));
    stands(find("db.shop.svc.cluster.local"), null, "10.0.0.1", "10.0.0.2", "fd00::1");
    know(service("shop", "db").setIpFamilies(IPFamilies.IPV4_ONLY));
    stands(find("db.shop.svc.cluster.local"), null, "10.0.0.1", "10.0.0.2");
    know(
        service("shop", "db")
            .setIpFamilies(IPFamilies.IPV4_ONLY)
            .setLoadBalancing(
                LoadBalancing.newBuilder().setHealthPolicy(LoadBalancing.HealthPolicy.ALLOW_ALL)));
    stands(find("db.shop.svc.cluster.local"), null, "10.0.0.1", "10.0.0.2", "10.0.0.3");
  }

  @Test
  void aServiceOfOneFamilyIsKnownAndHasNoneOfTheOther() {
    know(service("shop", "cart", "10.96.0.1"));
    var found = Objects.requireNonNull(find("cart.shop.svc.cluster.local"));
    assertThat(found.known().ipv4()).containsExactly(ip("10.96.0.1"));
    assertThat(found.known().ipv6()).isEmpty();
  }
}
