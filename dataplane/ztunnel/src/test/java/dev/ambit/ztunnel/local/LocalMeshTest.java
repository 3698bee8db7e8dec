package dev.ambit.ztunnel.local;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.ambit.ztunnel.identity.Identity;
import dev.ambit.ztunnel.identity.TrustDomains;
import dev.ambit.ztunnel.policy.Policy;
import dev.ambit.ztunnel.state.ApplicationTunnel;
import dev.ambit.ztunnel.state.GatewayReference;
import dev.ambit.ztunnel.state.InvalidResourceException;
import dev.ambit.ztunnel.state.LoadBalancing;
import dev.ambit.ztunnel.state.Locality;
import dev.ambit.ztunnel.state.MeshService;
import dev.ambit.ztunnel.state.NetworkAddress;
import dev.ambit.ztunnel.state.PortMapping;
import dev.ambit.ztunnel.state.ServiceKey;
import dev.ambit.ztunnel.state.TunnelProtocol;
import java.net.InetAddress;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class LocalMeshTest {
  private static final String WHOLE =
      """
      # What each field may be.
      workloads:
      - uid: cluster1//v1/Pod/shop/web
        name: web
        namespace: shop
        serviceAccount: web
        trustDomain: example.org
        workloadIps: ["10.0.0.1", "fd00::1"]
        protocol: HBONE
        networkMode: Standard
        node: node-1
        network: ""
        workloadName: web
        workloadType: deployment
        canonicalName: web
        canonicalRevision: v1
        clusterId: one
        status: Unhealthy
        capacity: 3
        locality: {region: r, zone: z, subzone: s}
        authorizationPolicies: [shop/guard]
        applicationTunnel: {protocol: PROXY, port: 15088}
        waypoint: {destination: shop/waypoint.example.com, hboneMtlsPort: 15008}
        networkGateway: {destination: other/192.0.2.1, hboneMtlsPort: 15008}
        services:
          shop/web.example.com: {80: 8080}
      - uid: external
        namespace: shop
        workloadIps: []
        hostname: api.example.com
        protocol: TCP
      services:
      - name: web
        namespace: shop
        hostname: web.example.com
        vips: ["/10.96.0.1", "other/10.96.0.1"]
        cidrVips: [{network: "", cidr: 10.97.0.0/16}]
        ports: {80: 8080, 443: 0}
        subjectAltNames: [spiffe://example.org/ns/shop/sa/other]
        canonical: true
        ipFamilies: Dual
        visibility: Namespace
        waypoint: {destination: /10.96.0.9, hboneMtlsPort: 15008}
        weightedWaypoints:
        - {destination: {destination: shop/w, hboneMtlsPort: 15008}, weight: 7}
        loadBalancer:
          routingPreferences: [Region, Node]
          mode: Failover
          healthPolicy: AllowAll
        endpoints:
          external: {workloadUid: external, port: {80: 81}, status: Healthy}
      policies:
      - name: guard
        namespace: shop
        scope: WorkloadSelector
        action: Deny
        dryRun: false
        rules:
        - - - notDestinationPorts: [9999]
              principals: [!Exact example.org/ns/shop/sa/a, Prefix: b, !Presence []]
              sourceIps: [10.0.0.0/8, "fd00::/16", 192.0.2.1]
              serviceAccounts: [{namespace: shop, serviceAccount: web}]
      """;

  @Test
  void allThatThereIsIsRead() {
    LocalMesh mesh = LocalMesh.parse(WHOLE, TrustDomains.NO_ALIASES);
    assertThat(mesh.workloads()).hasSize(2);
    var web = mesh.workloads().getFirst();
    assertThat(web.uid()).isEqualTo("cluster1//v1/Pod/shop/web");
    assertThat(web.identity()).isEqualTo(new Identity("example.org", "shop", "web"));
    assertThat(web.addresses())
        .containsExactly(InetAddress.ofLiteral("10.0.0.1"), InetAddress.ofLiteral("fd00::1"));
    assertThat(web.tunnelProtocol()).isEqualTo(TunnelProtocol.HBONE);
    assertThat(web.healthy()).isFalse();
    assertThat(web.capacity()).isEqualTo(3);
    assertThat(web.locality()).isEqualTo(new Locality("r", "z", "s"));
    assertThat(web.authorizationPolicies()).containsExactly("shop/guard");
    assertThat(web.applicationTunnel()).isEqualTo(new ApplicationTunnel(true, 15088));
    assertThat(web.waypoint())
        .isEqualTo(
            new GatewayReference.ByService(new ServiceKey("shop", "waypoint.example.com"), 15008));
    assertThat(web.networkGateway())
        .isEqualTo(
            new GatewayReference.ByAddress(
                new NetworkAddress("other", InetAddress.ofLiteral("192.0.2.1")), 15008));
    assertThat(web.services())
        .containsEntry(
            new ServiceKey("shop", "web.example.com"), List.of(new PortMapping(80, 8080)));

    var external = mesh.workloads().getLast();
    assertThat(external.hostname()).isEqualTo("api.example.com");
    assertThat(external.tunnelProtocol()).isEqualTo(TunnelProtocol.NONE);
    assertThat(external.capacity()).isEqualTo(1);
    assertThat(external.services())
        .containsEntry(new ServiceKey("shop", "web.example.com"), List.of(new PortMapping(80, 81)));

    var service = mesh.services().getFirst();
    assertThat(service.addresses()).hasSize(3);
    assertThat(service.addresses().getLast().prefixLength()).isEqualTo(16);
    assertThat(service.ports())
        .containsExactlyInAnyOrder(new PortMapping(80, 8080), new PortMapping(443, 0));
    assertThat(service.ipFamilies()).isEqualTo(MeshService.IpFamilies.DUAL);
    assertThat(service.namespacePrivate()).isTrue();
    assertThat(service.canonical()).isTrue();
    assertThat(service.weightedWaypoints().getFirst().weight()).isEqualTo(7);
    assertThat(service.loadBalancing())
        .isEqualTo(
            new LoadBalancing(
                List.of(LoadBalancing.Scope.REGION, LoadBalancing.Scope.NODE),
                LoadBalancing.Mode.FAILOVER,
                LoadBalancing.HealthPolicy.ALLOW_ALL));

    var policy = mesh.policies().getFirst();
    assertThat(policy.name()).isEqualTo("shop/guard");
    assertThat(policy.action()).isEqualTo(Policy.Action.DENY);
    assertThat(policy.scope()).isEqualTo(Policy.Scope.SELECTED);
    var match = policy.proto().getRules(0).getClauses(0).getMatches(0);
    assertThat(match.getPrincipals(0).getExact()).isEqualTo("example.org/ns/shop/sa/a");
    assertThat(match.getPrincipals(1).getPrefix()).isEqualTo("b");
    assertThat(match.getPrincipals(2).hasPresence()).isTrue();
    assertThat(match.getSourceIpsList())
        .extracting(ip -> ip.getLength())
        .containsExactly(8, 16, 32);
    assertThat(match.getNotDestinationPortsList()).containsExactly(9999);
  }

  @Test
  void jsonWillDo() {
    LocalMesh mesh =
        LocalMesh.parse(
            """
            {"services": [{"name": "web", "namespace": "shop", "hostname": "web.example.com",
              "vips": ["/10.96.0.1"], "ports": {"80": 8080}}]}
            """,
            TrustDomains.NO_ALIASES);
    assertThat(mesh.services().getFirst().ports()).containsExactly(new PortMapping(80, 8080));
    assertThat(mesh.workloads()).isEmpty();
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = ';',
      value = {
        "workload: []; workload is not a field",
        "workloads: [{uid: a, namespace: n, nam: x}]; workloads[0].nam is not a field",
        "workloads: [{namespace: n}]; workloads[0].uid is missing",
        "workloads: [{uid: a, namespace: n, workloadIps: [x]}]; workloads[0].workloadIps has 'x'",
        "workloads: [{uid: a, namespace: n, protocol: mTLS}]; not one of [hbone, tcp]",
        "workloads: [{uid: a, namespace: n, capacity: much}]; capacity is 'much', not a number",
        "services: [{namespace: n, hostname: h, vips: [10.0.0.1], ports: {}}]; NETWORK/ADDRESS",
        "services: [{namespace: n, hostname: h, ports: {80: 99999}}]; out of range",
        "policies: [{name: p, scope: Global}]; policies[0].action is missing",
        "policies: [{name: p, scope: Global, action: Audit}]; not one of [allow, deny]",
        "'policies: [{name: p, scope: Global, action: Deny, rules: [[[{principals: [a]}]]]}]'; "
            + "is 'a', not an object",
        "workloads: [; neither YAML nor JSON",
        "just a text; is 'just a text', not an object",
      })
  void aMistakeIsNamed(String document, String message) {
    assertThatThrownBy(() -> LocalMesh.parse(document, TrustDomains.NO_ALIASES))
        .isInstanceOf(InvalidResourceException.class)
        .hasMessageContaining(message);
  }
}
