package dev.ambit.operator.model;

import static org.assertj.core.api.Assertions.assertThat;

import com.google.protobuf.ByteString;
import dev.ambit.protocol.workload.AppProtocol;
import dev.ambit.protocol.workload.IPFamilies;
import dev.ambit.protocol.workload.LoadBalancing;
import dev.ambit.protocol.workload.Locality;
import dev.ambit.protocol.workload.NetworkAddress;
import dev.ambit.protocol.workload.NetworkMode;
import dev.ambit.protocol.workload.Port;
import dev.ambit.protocol.workload.Service;
import dev.ambit.protocol.workload.TunnelProtocol;
import dev.ambit.protocol.workload.Workload;
import dev.ambit.protocol.workload.WorkloadStatus;
import dev.ambit.protocol.workload.WorkloadType;
import io.fabric8.kubernetes.api.model.IntOrString;
import io.fabric8.kubernetes.api.model.Pod;
import io.fabric8.kubernetes.api.model.PodBuilder;
import io.fabric8.kubernetes.api.model.ServiceBuilder;
import io.fabric8.kubernetes.api.model.ServicePortBuilder;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Each Kubernetes object as the workload API has it. */
class TranslationTest {
  private static final MeshSettings SETTINGS = MeshSettings.of("cluster.local", "ambit-system");

  private static Workload workload(Pod pod) {
    return workload(SETTINGS, pod);
  }

  private static Workload workload(MeshSettings settings, Pod pod) {
    return PodWorkload.of(
            settings, pod, Map.of(), Set.of(), Locality.getDefaultInstance(), Placement.NONE)
        .orElseThrow()
        .getWorkload();
  }

  private static Pod pod() {
    return Objects.pod("shop", "cart-7d9f8-abcde", "10.0.0.7", Map.of("app", "cart"));
  }

  private static Service service(io.fabric8.kubernetes.api.model.Service service) {
    return ServiceAddress.of(SETTINGS, service, null, WaypointBinding.NONE)
        .orElseThrow()
        .getService();
  }

  @Test
  void aPodIsAWorkloadUnderItsUidAddressesAndAccount() {
    Workload workload = workload(pod());
    assertThat(workload.getUid()).isEqualTo("Kubernetes//Pod/shop/cart-7d9f8-abcde");
    assertThat(workload.getAddressesList())
        .containsExactly(ByteString.copyFrom(new byte[] {10, 0, 0, 7}));
    assertThat(workload.getServiceAccount()).isEqualTo("account-of-cart-7d9f8-abcde");
    assertThat(workload.getNode()).isEqualTo("node-1");
    assertThat(workload.getNetwork()).isEmpty();
    assertThat(workload.getClusterId()).isEqualTo("Kubernetes");
    assertThat(workload.getTrustDomain()).isEmpty();
    assertThat(workload.getStatus()).isEqualTo(WorkloadStatus.HEALTHY);
    assertThat(workload.getNetworkMode()).isEqualTo(NetworkMode.STANDARD);
  }

  @Test
  void udpIsCarriedToCapturedPodsWhereTheMeshSaysSo() {
    Pod captured =
        new PodBuilder(pod())
            .editMetadata()
            .addToAnnotations("ambient.istio.io/redirection", "enabled")
            .endMetadata()
            .build();
    MeshSettings carrying =
        new MeshSettings(
            "cluster.local", List.of(), "ambit-system", "cluster.local", "Kubernetes", false, true);

    assertThat(workload(captured).getDatagrams()).isFalse();
    assertThat(workload(carrying, captured).getDatagrams()).isTrue();
    assertThat(workload(carrying, pod()).getDatagrams()).isFalse();
  }

  @ParameterizedTest
  @CsvSource({
    "http,          ,                    HTTP11",
    "http-web,      ,                    HTTP11",
    "HTTP-web,      ,                    HTTP11",
    "http2-web,     ,                    HTTP2",
    "grpc-calls,    ,                    GRPC",
    "grpc-web,      ,                    HTTP11",
    "grpc-web-page, ,                    HTTP11",
    "tcp-db,        ,                    TCP",
    "https,         ,                    TLS",
    "tls-db,        ,                    TLS",
    "web,           ,                    UNKNOWN",
    "httpweb,       ,                    UNKNOWN",
    "tcp,           http,                HTTP11",
    "tcp,           kubernetes.io/h2c,   HTTP2",
    "tcp,           kubernetes.io/ws,    HTTP11",
    "tcp,           kubernetes.io/wss,   TLS",
    "tcp,           grpc,                GRPC",
    "tcp,           example.com/unheard, UNKNOWN",
  })
  void aPortSaysWhatIsSpokenByItsAppProtocolOrElseByItsName(
      String name, @Nullable String appProtocol, AppProtocol expected) {
    var service =
        new ServiceBuilder(Objects.service("shop", "web", "10.96.0.10", Map.of("app", "cart")))
            .editSpec()
            .withPorts(
                new ServicePortBuilder()
                    .withName(name)
                    .withAppProtocol(appProtocol)
                    .withPort(80)
                    .withProtocol("TCP")
                    .build())
            .endSpec()
            .build();

    assertThat(service(service).getPortsList())
        .singleElement()
        .satisfies(port -> assertThat(port.getAppProtocol()).isEqualTo(expected));
  }

  @Test
  void portsOfUdpAreToldBesideThoseOfTcp() {
    var dns =
        new ServiceBuilder(Objects.service("shop", "dns", "10.96.0.10", Map.of("app", "cart")))
            .editSpec()
            .withPorts(
                new ServicePortBuilder()
                    .withName("dns-tcp")
                    .withPort(53)
                    .withTargetPort(new IntOrString(5353))
                    .withProtocol("TCP")
                    .build(),
                new ServicePortBuilder()
                    .withName("dns")
                    .withPort(53)
                    .withTargetPort(new IntOrString("dns"))
                    .withProtocol("UDP")
                    .build())
            .endSpec()
            .build();
    Pod server =
        new PodBuilder(pod())
            .editSpec()
            .editFirstContainer()
            .addNewPort()
            .withName("dns")
            .withContainerPort(5300)
            .withProtocol("UDP")
            .endPort()
            .endContainer()
            .endSpec()
            .build();

    assertThat(service(dns).getPortsList())
        .singleElement()
        .satisfies(port -> assertThat(port.getTargetPort()).isEqualTo(5353));
    assertThat(service(dns).getDatagramPortsList())
        .singleElement()
        .satisfies(port -> assertThat(port.getServicePort()).isEqualTo(53));
    assertThat(ServicePorts.onPod(dns, server).getPortsList())
        .singleElement()
        .satisfies(port -> assertThat(port.getTargetPort()).isEqualTo(5353));
    assertThat(ServicePorts.onPod(dns, server).getDatagramPortsList())
        .singleElement()
        .satisfies(port -> assertThat(port.getTargetPort()).isEqualTo(5300));
  }

  @Test
  void onlyObservedRedirectionMeansHbone() {
    Pod labelled =
        new PodBuilder(pod())
            .editMetadata()
            .addToLabels("istio.io/dataplane-mode", "ambient")
            .endMetadata()
            .build();
    assertThat(workload(labelled).getTunnelProtocol()).isEqualTo(TunnelProtocol.NONE);
    for (Map.Entry<String, TunnelProtocol> each :
        Map.of("pending", TunnelProtocol.NONE, "enabled", TunnelProtocol.HBONE).entrySet()) {
      Pod annotated =
          new PodBuilder(pod())
              .editMetadata()
              .addToAnnotations("ambient.istio.io/redirection", each.getKey())
              .endMetadata()
              .build();
      assertThat(workload(annotated).getTunnelProtocol()).isEqualTo(each.getValue());
    }
  }

  @Test
  void podsThatAreDoneOrHaveNoAddressAreNotKnownAndPendingOnesWithOneAre() {
    for (String phase : List.of("Succeeded", "Failed")) {
      Pod done = new PodBuilder(pod()).editStatus().withPhase(phase).endStatus().build();
      assertThat(PodWorkload.known(done)).isFalse();
    }
    Pod bare = new PodBuilder(pod()).editStatus().withPodIP(null).withPodIPs().endStatus().build();
    assertThat(PodWorkload.known(bare)).isFalse();
    Pod pending =
        new PodBuilder(pod())
            .editStatus()
            .withPhase("Pending")
            .withConditions()
            .endStatus()
            .build();
    assertThat(workload(pending).getStatus()).isEqualTo(WorkloadStatus.UNHEALTHY);
  }

  @Test
  void aPodThatIsBeingDeletedIsUnhealthyThoughReady() {
    Pod leaving =
        new PodBuilder(pod())
            .editMetadata()
            .withDeletionTimestamp("2026-01-01T00:00:00Z")
            .endMetadata()
            .build();
    assertThat(workload(leaving).getStatus()).isEqualTo(WorkloadStatus.UNHEALTHY);
  }

  @Test
  void hostNetworkAndDualStackAndNativeTunnelsShow() {
    Pod pod =
        new PodBuilder(pod())
            .editMetadata()
            .addToLabels("networking.istio.io/tunnel", "http")
            .endMetadata()
            .editSpec()
            .withHostNetwork(true)
            .endSpec()
            .editStatus()
            .addNewPodIP()
            .withIp("fd00::7")
            .endPodIP()
            .endStatus()
            .build();
    Workload workload = workload(pod);
    assertThat(workload.getNetworkMode()).isEqualTo(NetworkMode.HOST_NETWORK);
    assertThat(workload.getAddressesList()).extracting(ByteString::size).containsExactly(4, 16);
    assertThat(workload.getNativeTunnel()).isTrue();
    assertThat(workload.getTunnelProtocol()).isEqualTo(TunnelProtocol.HBONE);
  }

  @Test
  void ownersAreThoseAPersonKnows() {
    assertThat(owned("ReplicaSet", "cart-7d9f8", "7d9f8"))
        .isEqualTo(new WorkloadOwner(WorkloadType.DEPLOYMENT, "cart"));
    assertThat(owned("ReplicaSet", "bare", "7d9f8"))
        .isEqualTo(new WorkloadOwner(WorkloadType.POD, "bare"));
    assertThat(owned("Job", "backup-29000000", ""))
        .isEqualTo(new WorkloadOwner(WorkloadType.CRONJOB, "backup"));
    assertThat(owned("Job", "migrate-1", ""))
        .isEqualTo(new WorkloadOwner(WorkloadType.JOB, "migrate-1"));
    assertThat(owned("StatefulSet", "db", "")).isEqualTo(new WorkloadOwner(WorkloadType.POD, "db"));
    assertThat(WorkloadOwner.of(pod()))
        .isEqualTo(new WorkloadOwner(WorkloadType.POD, "cart-7d9f8-abcde"));
  }

  private static WorkloadOwner owned(String kind, String name, String hash) {
    return WorkloadOwner.of(
        new PodBuilder(pod())
            .editMetadata()
            .addToLabels("pod-template-hash", hash)
            .addNewOwnerReference()
            .withKind(kind)
            .withName(name)
            .withController(true)
            .endOwnerReference()
            .endMetadata()
            .build());
  }

  @Test
  void canonicalNamesFollowTheLabelsInTheirOrder() {
    assertThat(workload(pod()).getCanonicalName()).isEqualTo("cart");
    assertThat(workload(pod()).getCanonicalRevision()).isEqualTo("latest");
    Pod labelled =
        new PodBuilder(pod())
            .editMetadata()
            .addToLabels("app.kubernetes.io/name", "cart-k8s")
            .addToLabels("version", "v1")
            .addToLabels("app.kubernetes.io/version", "v2")
            .endMetadata()
            .build();
    assertThat(workload(labelled).getCanonicalName()).isEqualTo("cart-k8s");
    assertThat(workload(labelled).getCanonicalRevision()).isEqualTo("v2");
  }

  @Test
  void aTrustDomainOtherThanTheUsualIsSpelledOut() {
    assertThat(
            PodWorkload.of(
                    MeshSettings.of("example.org", "ambit-system"),
                    pod(),
                    Map.of(),
                    Set.of(),
                    Locality.getDefaultInstance(),
                    Placement.NONE)
                .orElseThrow()
                .getWorkload()
                .getTrustDomain())
        .isEqualTo("example.org");
  }

  @Test
  void aServiceIsKnownByItsHostnameAndAddresses() {
    var service =
        new ServiceBuilder(Objects.service("shop", "cart", "10.96.0.1", Map.of("app", "cart")))
            .editSpec()
            .withClusterIPs("10.96.0.1", "fd00::a")
            .withIpFamilies("IPv4", "IPv6")
            .endSpec()
            .withNewStatus()
            .withNewLoadBalancer()
            .addNewIngress()
            .withIp("203.0.113.1")
            .endIngress()
            .endLoadBalancer()
            .endStatus()
            .build();
    Service translated = service(service);
    assertThat(translated.getHostname()).isEqualTo("cart.shop.svc.cluster.local");
    assertThat(translated.getAddressesList())
        .extracting(NetworkAddress::getAddress)
        .extracting(IpAddresses::text)
        // K3s, for one, gives every load balancer the nodes' own addresses.
        .containsExactly("10.96.0.1", "fd00:0:0:0:0:0:0:a");
    assertThat(translated.getIpFamilies()).isEqualTo(IPFamilies.DUAL);
    assertThat(translated.getCanonical()).isTrue();
    assertThat(translated.hasLoadBalancing()).isFalse();
    assertThat(translated.getPortsList())
        .extracting(Port::getServicePort, Port::getTargetPort)
        .containsExactly(org.assertj.core.groups.Tuple.tuple(80, 0));
  }

  @Test
  void aHeadlessServiceHasNoAddressAndAnExternalNameIsNoService() {
    assertThat(service(Objects.service("shop", "db", "None", Map.of())).getAddressesCount())
        .isZero();
    var external =
        new ServiceBuilder(Objects.service("shop", "ext", "", Map.of()))
            .editSpec()
            .withType("ExternalName")
            .endSpec()
            .build();
    assertThat(ServiceAddress.of(SETTINGS, external, null, WaypointBinding.NONE)).isEmpty();
  }

  @Test
  void trafficPoliciesBecomeLoadBalancingInTheirPrecedence() {
    var plain = Objects.service("shop", "cart", "10.96.0.1", Map.of());
    var local =
        new ServiceBuilder(plain)
            .editSpec()
            .withInternalTrafficPolicy("Local")
            .withTrafficDistribution("PreferClose")
            .withPublishNotReadyAddresses(true)
            .endSpec()
            .build();
    LoadBalancing strict = service(local).getLoadBalancing();
    assertThat(strict.getMode()).isEqualTo(LoadBalancing.Mode.STRICT);
    assertThat(strict.getRoutingPreferenceList()).containsExactly(LoadBalancing.Scope.NODE);
    assertThat(strict.getHealthPolicy()).isEqualTo(LoadBalancing.HealthPolicy.ALLOW_ALL);

    var close =
        new ServiceBuilder(plain)
            .editSpec()
            .withTrafficDistribution("PreferClose")
            .endSpec()
            .build();
    assertThat(service(close).getLoadBalancing().getMode()).isEqualTo(LoadBalancing.Mode.FAILOVER);
    assertThat(service(close).getLoadBalancing().getRoutingPreferenceList())
        .containsExactly(
            LoadBalancing.Scope.NETWORK, LoadBalancing.Scope.REGION, LoadBalancing.Scope.ZONE);

    var annotated =
        new ServiceBuilder(plain)
            .editMetadata()
            .addToAnnotations(ServiceAddress.TRAFFIC_DISTRIBUTION, "prefersamenode")
            .endMetadata()
            .build();
    assertThat(
            ServiceAddress.of(SETTINGS, annotated, "PreferClose", WaypointBinding.NONE)
                .orElseThrow()
                .getService()
                .getLoadBalancing()
                .getRoutingPreferenceList())
        .contains(LoadBalancing.Scope.NODE);
    assertThat(
            ServiceAddress.of(SETTINGS, plain, "PreferClose", WaypointBinding.NONE)
                .orElseThrow()
                .getService()
                .getLoadBalancing()
                .getMode())
        .isEqualTo(LoadBalancing.Mode.FAILOVER);
  }

  @Test
  void namedPortsAreTheEndpointsAndUnknownNamesAreDropped() {
    var service =
        new ServiceBuilder(Objects.service("shop", "cart", "10.96.0.1", Map.of("app", "cart")))
            .editSpec()
            .addNewPort()
            .withName("admin")
            .withPort(81)
            .withTargetPort(new IntOrString("absent"))
            .endPort()
            .addNewPort()
            .withName("raw")
            .withPort(82)
            .endPort()
            .addNewPort()
            .withName("dns")
            .withProtocol("UDP")
            .withPort(53)
            .endPort()
            .endSpec()
            .build();
    assertThat(ServicePorts.onPod(service, pod()).getPortsList())
        .extracting(Port::getServicePort, Port::getTargetPort)
        .containsExactly(
            org.assertj.core.groups.Tuple.tuple(80, 8080),
            org.assertj.core.groups.Tuple.tuple(82, 82));
  }

  @Test
  void endpointsThatAreNoPodsAreWorkloadsWithoutIdentity() {
    var slice =
        Objects.slice(
            """
            apiVersion: discovery.k8s.io/v1
            kind: EndpointSlice
            metadata:
              name: kubernetes
              namespace: default
              labels: {kubernetes.io/service-name: kubernetes}
            addressType: IPv4
            ports: [{name: http, port: 6443, protocol: TCP}]
            endpoints:
            - addresses: ["172.18.0.2"]
              conditions: {ready: true}
            - addresses: ["172.18.0.3"]
              conditions: {ready: false}
            - addresses: ["10.0.0.7"]
              targetRef: {kind: Pod, name: some, namespace: default}
            """);
    var workloads =
        EndpointSliceWorkloads.of(
            SETTINGS,
            slice,
            Objects.service("default", "kubernetes", "10.96.0.1", Map.of()),
            _ -> Locality.getDefaultInstance());
    assertThat(workloads)
        .containsOnlyKeys(
            "Kubernetes/discovery.k8s.io/EndpointSlice/default/kubernetes/172.18.0.2",
            "Kubernetes/discovery.k8s.io/EndpointSlice/default/kubernetes/172.18.0.3");
    Workload first = workloads.values().iterator().next().getWorkload();
    assertThat(first.getNetworkMode()).isEqualTo(NetworkMode.HOST_NETWORK);
    assertThat(first.getServiceAccount()).isEmpty();
    assertThat(first.getTunnelProtocol()).isEqualTo(TunnelProtocol.NONE);
    assertThat(
            first
                .getServicesOrThrow("default/kubernetes.default.svc.cluster.local")
                .getPorts(0)
                .getTargetPort())
        .isEqualTo(6443);
  }

  @Test
  void addressesAreReadAsLiteralsAlone() {
    assertThat(IpAddresses.parse("localhost")).isEmpty();
    assertThat(IpAddresses.parse("10.1")).isEmpty();
    assertThat(IpAddresses.parse("fe80::1%eth0")).isEmpty();
    assertThat(IpAddresses.parse("::ffff:10.0.0.1").orElseThrow().size()).isEqualTo(4);
    assertThat(IpAddresses.parseBlock("::ffff:10.0.0.0/104").orElseThrow().length()).isEqualTo(8);
    assertThat(IpAddresses.parseBlock("10.0.0.0/33")).isEmpty();
    assertThat(IpAddresses.parseBlock("10.0.0.0/-1")).isEmpty();
    assertThat(IpAddresses.parseBlock("0.0.0.0/0").orElseThrow().length()).isZero();
  }
}
