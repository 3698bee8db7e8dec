package dev.ambit.operator.model;

import static org.assertj.core.api.Assertions.assertThat;

import dev.ambit.protocol.security.Authorization;
import dev.ambit.protocol.workload.Address;
import dev.ambit.protocol.workload.LoadBalancing;
import dev.ambit.protocol.workload.Port;
import dev.ambit.protocol.workload.Service;
import dev.ambit.protocol.workload.Service.Visibility;
import dev.ambit.protocol.workload.TunnelProtocol;
import dev.ambit.protocol.workload.Workload;
import dev.ambit.protocol.workload.WorkloadStatus;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import org.assertj.core.groups.Tuple;
import org.junit.jupiter.api.Test;

/** ServiceEntries and WorkloadEntries as ztunnels are told of them. */
class EntriesTest {
  private final Map<String, Address> addresses = new HashMap<>();
  private final Map<BoundObject, List<ObjectCondition>> conditions = new HashMap<>();
  private final Map<String, String> past = new HashMap<>();
  private final MeshIndex index =
      new MeshIndex(
          MeshSettings.of("example.org", "ambit-system"),
          new MeshOutput() {
            @Override
            public void address(String name, Optional<Address> address) {
              address.ifPresentOrElse(
                  present -> addresses.put(name, present), () -> addresses.remove(name));
            }

            @Override
            public void waypoints(String name, Set<String> gateways, Optional<String> why) {
              why.ifPresentOrElse(present -> past.put(name, present), () -> past.remove(name));
            }

            @Override
            public void authorization(String name, Optional<Authorization> authorization) {}

            @Override
            public void conditions(BoundObject object, List<ObjectCondition> wanted) {
              conditions.put(object, wanted);
            }
          });

  private void entry(String name, String spec) {
    entry("shop", name, "2026-01-01T00:00:00Z", spec);
  }

  private void entry(String namespace, String name, String created, String spec) {
    index.put(
        Objects.serviceEntry(
            "metadata: {name: "
                + name
                + ", namespace: "
                + namespace
                + ", creationTimestamp: '"
                + created
                + "', labels: {app: "
                + name
                + "}}\nspec: "
                + spec));
  }

  private Service service(String name) {
    Address address = addresses.get(name);
    assertThat(address).as(name).isNotNull();
    return java.util.Objects.requireNonNull(address).getService();
  }

  private Workload workload(String uid) {
    Address address = addresses.get(uid);
    assertThat(address).as(uid).isNotNull();
    return java.util.Objects.requireNonNull(address).getWorkload();
  }

  private static List<Tuple> ports(Workload workload, String service) {
    return workload.getServicesOrThrow(service).getPortsList().stream()
        .map(port -> Tuple.tuple(port.getServicePort(), port.getTargetPort()))
        .toList();
  }

  private List<ObjectCondition> conditions(BoundObject.Kind kind, String name) {
    return conditions.getOrDefault(new BoundObject(kind, "shop", name), List.of());
  }

  @Test
  void eachHostIsAServiceAndEachEndpointAWorkload() {
    entry(
        "pay",
        """
        {hosts: [pay.example.com, pay.example.net], addresses: [10.50.0.1, 10.51.0.0/16, nonsense],
         resolution: STATIC, subjectAltNames: ["spiffe://other/ns/a/sa/b"],
         ports: [{name: http, number: 80, protocol: HTTP, targetPort: 8080}, {name: tls, number: 443, protocol: TLS},
                 {name: udp, number: 53, protocol: UDP}],
         endpoints: [{address: 192.0.2.1, weight: 3, locality: r/z/s, serviceAccount: payer,
                      ports: {http: 9090}, network: far}, {address: unix:///run/x}]}
        """);
    Service service = service("shop/pay.example.com");
    assertThat(service.getHostname()).isEqualTo("pay.example.com");
    assertThat(service.getCanonical()).isTrue();
    assertThat(service.getVisibility()).isEqualTo(Visibility.PUBLIC);
    assertThat(service.getSubjectAltNamesList()).containsExactly("spiffe://other/ns/a/sa/b");
    assertThat(service.getAddressesList())
        .extracting(
            address -> IpAddresses.text(address.getAddress()),
            address -> address.hasLength() ? address.getLength() : -1)
        .containsExactly(Tuple.tuple("10.50.0.1", -1), Tuple.tuple("10.51.0.0", 16));
    assertThat(service.getPortsList())
        .extracting(Port::getServicePort, Port::getTargetPort)
        .containsExactly(Tuple.tuple(80, 8080), Tuple.tuple(443, 443));
    assertThat(service("shop/pay.example.net").getHostname()).isEqualTo("pay.example.net");

    Workload endpoint = workload("Kubernetes/networking.istio.io/ServiceEntry/shop/pay/192.0.2.1");
    assertThat(endpoint.getTunnelProtocol()).isEqualTo(TunnelProtocol.NONE);
    assertThat(endpoint.getCapacity().getValue()).isEqualTo(3);
    assertThat(endpoint.getLocality().getSubzone()).isEqualTo("s");
    assertThat(endpoint.getServiceAccount()).isEqualTo("payer");
    assertThat(endpoint.getTrustDomain()).isEqualTo("example.org");
    assertThat(endpoint.getNetwork()).isEqualTo("far");
    assertThat(ports(endpoint, "shop/pay.example.com"))
        .containsExactly(Tuple.tuple(80, 9090), Tuple.tuple(443, 443));
    assertThat(endpoint.getServicesMap()).containsKey("shop/pay.example.net");
    assertThat(addresses).hasSize(3);
    // What cannot be used shows.
    assertThat(conditions(BoundObject.Kind.SERVICE_ENTRY, "pay"))
        .singleElement()
        .satisfies(condition -> assertThat(condition.message()).contains("nonsense"));
  }

  @Test
  void hostsOfADnsEntryAreTheirOwnEndpoints() {
    entry(
        "api",
        "{hosts: [a.example.com, b.example.com], resolution: DNS, ports: [{number: 443, name: tls,"
            + " protocol: TLS}]}");
    Workload endpoint =
        workload("Kubernetes/networking.istio.io/ServiceEntry/shop/api/a.example.com");
    assertThat(endpoint.getHostname()).isEqualTo("a.example.com");
    assertThat(endpoint.getAddressesCount()).isZero();
    assertThat(endpoint.getServicesMap()).containsOnlyKeys("shop/a.example.com");
    assertThat(addresses).hasSize(4);
    index.remove(
        Objects.serviceEntry(
            "metadata: {name: api, namespace: shop}\nspec: {hosts: [a.example.com]}"));
    assertThat(addresses).isEmpty();
  }

  @Test
  void withoutResolutionConnectionsGoWhereTheyWereGoing() {
    entry("net", "{hosts: [net.example.com], addresses: [203.0.113.0/24], ports: []}");
    LoadBalancing loadBalancing = service("shop/net.example.com").getLoadBalancing();
    assertThat(loadBalancing.getMode()).isEqualTo(LoadBalancing.Mode.PASSTHROUGH);
    assertThat(loadBalancing.getHealthPolicy()).isEqualTo(LoadBalancing.HealthPolicy.ALLOW_ALL);
    assertThat(addresses).hasSize(1);
  }

  @Test
  void allocatedAddressesAreTakenFromTheStatus() {
    index.put(
        Objects.serviceEntry(
            """
            metadata: {name: api, namespace: shop}
            spec: {hosts: [a.example.com, "*.example.com"], resolution: DNS, ports: []}
            status:
              addresses:
              - {host: a.example.com, value: 240.240.0.7}
              - {host: a.example.com, value: "2001:2::7"}
              - {host: other.example.com, value: 240.240.0.8}
            """));
    assertThat(service("shop/a.example.com").getAddressesList())
        .extracting(address -> IpAddresses.text(address.getAddress()))
        .containsExactly("240.240.0.7", "2001:2:0:0:0:0:0:7");
    assertThat(service("shop/*.example.com").getAddressesCount()).isZero();
  }

  @Test
  void aSelectorFindsPodsAndWorkloadEntries() {
    index.put(Objects.pod("shop", "p", "10.0.0.1", Map.of("app", "db")));
    index.put(
        Objects.workloadEntry(
            """
            metadata: {name: vm, namespace: shop, labels: {networking.istio.io/tunnel: http}}
            spec: {address: 10.7.0.1, serviceAccount: db, labels: {app: db}, ports: {web: 5432}}
            """));
    entry(
        "db",
        "{hosts: [db.example.com], resolution: STATIC, workloadSelector: {labels: {app: db}},"
            + " ports: [{name: web, number: 80, protocol: TCP}]}");
    assertThat(ports(workload("Kubernetes//Pod/shop/p"), "shop/db.example.com"))
        .containsExactly(Tuple.tuple(80, 8080));
    Workload vm = workload("Kubernetes/networking.istio.io/WorkloadEntry/shop/vm");
    assertThat(ports(vm, "shop/db.example.com")).containsExactly(Tuple.tuple(80, 5432));
    assertThat(vm.getTunnelProtocol()).isEqualTo(TunnelProtocol.HBONE);
    assertThat(vm.getNativeTunnel()).isTrue();
    assertThat(vm.getServiceAccount()).isEqualTo("db");
    // A Kubernetes Service finds WorkloadEntries too, by the name of its target port.
    index.put(Objects.service("shop", "db", "10.96.0.9", Map.of("app", "db")));
    assertThat(
            ports(
                workload("Kubernetes/networking.istio.io/WorkloadEntry/shop/vm"),
                "shop/db.shop.svc.cluster.local"))
        .containsExactly(Tuple.tuple(80, 5432));
  }

  @Test
  void aWorkloadEntryIsUnhealthyWhereItsConditionSaysSo() {
    index.put(
        Objects.workloadEntry(
            """
            metadata: {name: vm, namespace: shop}
            spec: {address: vm.example.com}
            status: {conditions: [{type: Healthy, status: "False"}]}
            """));
    Workload vm = workload("Kubernetes/networking.istio.io/WorkloadEntry/shop/vm");
    assertThat(vm.getStatus()).isEqualTo(WorkloadStatus.UNHEALTHY);
    assertThat(vm.getHostname()).isEqualTo("vm.example.com");
  }

  @Test
  void aServiceWinsOverAServiceEntryAndTheOlderOverTheYounger() {
    String spec =
        "{hosts: [cart.shop.svc.cluster.local], addresses: [10.50.0.%d], resolution: STATIC,"
            + " endpoints: [{address: 192.0.2.%d}], ports: [{name: web, number: 80, protocol:"
            + " TCP}]}";
    entry("shop", "younger", "2026-02-01T00:00:00Z", spec.formatted(1, 1));
    entry("shop", "older", "2026-01-01T00:00:00Z", spec.formatted(2, 2));
    String name = "shop/cart.shop.svc.cluster.local";
    assertThat(service(name).getName()).isEqualTo("older");
    assertThat(addresses)
        .containsOnlyKeys(name, "Kubernetes/networking.istio.io/ServiceEntry/shop/older/192.0.2.2");
    assertThat(conditions(BoundObject.Kind.SERVICE_ENTRY, "younger"))
        .singleElement()
        .satisfies(
            condition -> {
              assertThat(condition.type()).isEqualTo("ambit.dev/Accepted");
              assertThat(condition.reason()).isEqualTo("HostConflict");
              assertThat(condition.message()).contains("older");
            });
    var service = Objects.service("shop", "cart", "10.96.0.1", Map.of("app", "cart"));
    index.put(service);
    assertThat(service(name).getName()).isEqualTo("cart");
    assertThat(addresses).containsOnlyKeys(name);
    index.remove(service);
    assertThat(service(name).getName()).isEqualTo("older");
    assertThat(addresses).hasSize(2);
  }

  @Test
  void amongNamespacesTheOldestSharedOneAnswersForTheOthers() {
    String spec = "{hosts: [x.example.com], resolution: DNS, ports: [], exportTo: [%s]}";
    entry("a", "x", "2026-01-01T00:00:00Z", spec.formatted("'.'"));
    entry("b", "x", "2026-01-03T00:00:00Z", spec.formatted("'*'"));
    entry("c", "x", "2026-01-02T00:00:00Z", spec.formatted(""));
    assertThat(service("a/x.example.com").getVisibility()).isEqualTo(Visibility.NAMESPACE);
    assertThat(service("a/x.example.com").getCanonical()).isFalse();
    assertThat(service("b/x.example.com").getCanonical()).isFalse();
    assertThat(service("c/x.example.com").getCanonical()).isTrue();
    entry("c", "x", "2026-01-02T00:00:00Z", spec.formatted("'~'"));
    assertThat(addresses).doesNotContainKey("c/x.example.com");
    assertThat(service("b/x.example.com").getCanonical()).isTrue();
  }

  @Test
  void anExportToNamespacesIsReportedAsNotKeptTo() {
    entry("x", "{hosts: [x.example.com], resolution: DNS, ports: [], exportTo: [web, '.']}");
    assertThat(service("shop/x.example.com").getVisibility()).isEqualTo(Visibility.PUBLIC);
    assertThat(conditions(BoundObject.Kind.SERVICE_ENTRY, "x"))
        .extracting(ObjectCondition::type, ObjectCondition::holds)
        .containsExactly(Tuple.tuple("istio.io/VisibilityApplied", false));
  }

  @Test
  void aWildcardThatNobodyCanResolveIsReported() {
    entry("any", "{hosts: ['*.example.com'], resolution: DYNAMIC_DNS, ports: []}");
    assertThat(conditions(BoundObject.Kind.SERVICE_ENTRY, "any"))
        .singleElement()
        .satisfies(condition -> assertThat(condition.message()).contains("cannot be resolved"));
  }

  @Test
  void aWildcardThatAWaypointCannotResolveIsReportedToo() {
    index.put(
        Objects.gateway(
            """
            metadata: {name: waypoint, namespace: shop}
            spec: {gatewayClassName: ambit-waypoint, listeners: [{name: m, port: 15008, protocol: HBONE}]}
            status: {addresses: [{type: IPAddress, value: 10.96.1.1}]}
            """));
    index.put(
        Objects.serviceEntry(
            """
            metadata: {name: any, namespace: shop, labels: {istio.io/use-waypoint: waypoint}}
            spec: {hosts: ['*.example.com'], resolution: DYNAMIC_DNS, ports: []}
            """));
    assertThat(conditions(BoundObject.Kind.SERVICE_ENTRY, "any"))
        .filteredOn(condition -> condition.type().equals("ambit.dev/Accepted"))
        .singleElement()
        .satisfies(
            condition ->
                assertThat(condition.message()).contains("its waypoint", "503", "*.example.com"));
  }

  @Test
  void hostsWithoutAddressesAreBoundToNoWaypoint() {
    index.put(
        Objects.gateway(
            """
            metadata: {name: waypoint, namespace: shop}
            spec: {gatewayClassName: ambit-waypoint, listeners: [{name: m, port: 15008, protocol: HBONE}]}
            status: {addresses: [{type: IPAddress, value: 10.96.1.1}]}
            """));
    String entry =
        """
        metadata: {name: api, namespace: shop, labels: {istio.io/use-waypoint: waypoint}}
        spec: {hosts: [a.example.com%s], resolution: %s, ports: []}
        """;
    index.put(Objects.serviceEntry(entry.formatted("", "NONE")));
    assertThat(conditions(BoundObject.Kind.SERVICE_ENTRY, "api"))
        .extracting(ObjectCondition::holds, ObjectCondition::reason)
        .containsExactly(Tuple.tuple(false, "Headless"));
    assertThat(past.get("shop/a.example.com")).contains("no address of its own");
    // One is given to it.
    index.put(Objects.serviceEntry(entry.formatted("", "DNS")));
    assertThat(conditions(BoundObject.Kind.SERVICE_ENTRY, "api"))
        .extracting(ObjectCondition::holds)
        .containsExactly(true);
    assertThat(past).doesNotContainKey("shop/a.example.com");
    // To some of them.
    index.put(Objects.serviceEntry(entry.formatted(", '*.example.net'", "DNS")));
    assertThat(conditions(BoundObject.Kind.SERVICE_ENTRY, "api"))
        .filteredOn(condition -> condition.type().equals("istio.io/WaypointBound"))
        .singleElement()
        .satisfies(
            condition -> {
              assertThat(condition.holds()).isTrue();
              assertThat(condition.message()).contains("not so of *.example.net");
            });
    assertThat(past).containsOnlyKeys("shop/*.example.net");
  }

  @Test
  void objectsOfAnotherRevisionAreNotForThisMesh() {
    index.put(
        Objects.serviceEntry(
            "metadata: {name: x, namespace: shop, labels: {istio.io/rev: other}}\n"
                + "spec: {hosts: [x.example.com], resolution: DNS, ports: []}"));
    index.put(
        Objects.workloadEntry(
            "metadata: {name: x, namespace: shop, labels: {istio.io/rev: other}}\n"
                + "spec: {address: 10.7.0.1}"));
    assertThat(addresses).isEmpty();
  }

  @Test
  void waypointsBindServicesEntriesAndWorkloads() {
    index.put(Objects.service("shop", "cart", "10.96.0.1", Map.of("app", "cart")));
    entry("api", "{hosts: [a.example.com], resolution: DNS, ports: []}");
    index.put(
        Objects.workloadEntry(
            """
            metadata: {name: vm, namespace: shop, labels: {istio.io/use-waypoint: waypoint}}
            spec: {address: 10.7.0.1}
            """));
    var namespace = Objects.namespace("shop", Map.of());
    namespace.getMetadata().setLabels(Map.of("istio.io/use-waypoint", "waypoint"));
    index.put(namespace);
    String nowhere = "waypoint.shop.waypoint.invalid";
    assertThat(
            service("shop/cart.shop.svc.cluster.local").getWaypoint().getHostname().getHostname())
        .isEqualTo(nowhere);
    assertThat(service("shop/a.example.com").getWaypoint().getHostname().getHostname())
        .isEqualTo(nowhere);
    assertThat(conditions(BoundObject.Kind.SERVICE, "cart"))
        .extracting(ObjectCondition::holds, ObjectCondition::reason)
        .containsExactly(Tuple.tuple(false, "WaypointIsNotReady"));
    index.put(
        Objects.gateway(
            """
            metadata: {name: waypoint, namespace: shop, labels: {istio.io/waypoint-for: all}}
            spec: {gatewayClassName: istio-waypoint}
            status: {addresses: [{type: Hostname, value: waypoint.shop.svc.cluster.local}]}
            """));
    String ready = "waypoint.shop.svc.cluster.local";
    assertThat(
            service("shop/cart.shop.svc.cluster.local").getWaypoint().getHostname().getHostname())
        .isEqualTo(ready);
    assertThat(service("shop/a.example.com").getWaypoint().getHostname().getHostname())
        .isEqualTo(ready);
    assertThat(
            workload("Kubernetes/networking.istio.io/WorkloadEntry/shop/vm")
                .getWaypoint()
                .getHostname()
                .getHostname())
        .isEqualTo(ready);
    assertThat(conditions(BoundObject.Kind.WORKLOAD_ENTRY, "vm"))
        .extracting(ObjectCondition::holds)
        .containsExactly(true);
    // Whom nobody leads there, and where it shows how many they are.
    assertThat(conditions(BoundObject.Kind.SERVICE, "cart"))
        .singleElement()
        .satisfies(
            condition ->
                assertThat(condition.message())
                    .contains("sidecars", "ambit_connections_past_waypoint_total"));
    assertThat(conditions(BoundObject.Kind.SERVICE_ENTRY, "api"))
        .filteredOn(condition -> condition.type().equals(ObjectCondition.WAYPOINT_BOUND))
        .singleElement()
        .satisfies(condition -> assertThat(condition.message()).contains("sidecars go past it"));
    index.remove(namespace);
    assertThat(service("shop/cart.shop.svc.cluster.local").hasWaypoint()).isFalse();
    assertThat(conditions(BoundObject.Kind.SERVICE, "cart")).isEmpty();
  }
}
