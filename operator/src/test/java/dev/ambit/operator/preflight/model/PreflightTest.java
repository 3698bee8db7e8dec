package dev.ambit.operator.preflight.model;

import static org.assertj.core.api.Assertions.assertThat;

import dev.ambit.api.EnrollmentMtls;
import dev.ambit.api.EnrollmentPlan;
import dev.ambit.api.EnrollmentWaypoint;
import dev.ambit.api.Finding;
import dev.ambit.api.MtlsMode;
import dev.ambit.api.PolicyPlan;
import dev.ambit.api.RolloutSpec;
import dev.ambit.api.RolloutStep;
import dev.ambit.api.Severity;
import dev.ambit.api.Stage;
import io.fabric8.istio.api.security.v1.AuthorizationPolicy;
import io.fabric8.istio.api.security.v1.PeerAuthentication;
import io.fabric8.istio.api.security.v1.RequestAuthentication;
import io.fabric8.kubernetes.api.model.HasMetadata;
import io.fabric8.kubernetes.api.model.Pod;
import io.fabric8.kubernetes.api.model.PodBuilder;
import io.fabric8.kubernetes.api.model.PodStatusBuilder;
import io.fabric8.kubernetes.api.model.Service;
import io.fabric8.kubernetes.api.model.networking.v1.NetworkPolicy;
import io.fabric8.kubernetes.client.utils.Serialization;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.IntStream;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

/** What is found in manifests as people write them. */
class PreflightTest {
  private final List<Pod> capturable = new ArrayList<>();
  private final List<Pod> others = new ArrayList<>();
  private final List<NetworkPolicy> networkPolicies = new ArrayList<>();
  private final List<AuthorizationPolicy> authorizationPolicies = new ArrayList<>();
  private final List<PeerAuthentication> peerAuthentications = new ArrayList<>();
  private final List<RequestAuthentication> requestAuthentications = new ArrayList<>();
  private Set<String> missing = Set.of();
  private int steps = 1;
  private MtlsMode mesh = MtlsMode.PERMISSIVE;
  private @Nullable EnrollmentMtls mtls;
  private Stage stage = Stage.L4;
  private PreflightFacts.Datagrams datagrams = PreflightFacts.Datagrams.NOT_IN_MESH;
  private final List<Service> services = new ArrayList<>();
  private final Map<String, PodSockets> sockets = new HashMap<>();
  private PreflightFacts.NodeReadiness nodes =
      new PreflightFacts.NodeReadiness.Known(Set.of("node-1"), Set.of("node-1"));

  private static <T extends HasMetadata> T read(Class<T> kind, String yaml) {
    T object = Serialization.unmarshal(yaml, kind);
    if (object.getMetadata().getNamespace() == null) {
      object.getMetadata().setNamespace("shop");
    }
    return object;
  }

  private PreflightTest pod(String name, String spec) {
    capturable.add(pod(name, "app: " + name, spec));
    return this;
  }

  private static Pod pod(String name, String labels, String spec) {
    return read(
        Pod.class,
        """
        apiVersion: v1
        kind: Pod
        metadata: {name: %s, labels: {%s}}
        spec: {nodeName: node-1, %s}
        """
            .formatted(name, labels, spec));
  }

  private PreflightTest networkPolicy(String spec) {
    networkPolicies.add(
        read(
            NetworkPolicy.class,
            """
            apiVersion: networking.k8s.io/v1
            kind: NetworkPolicy
            metadata: {name: policy-%d}
            spec: {%s}
            """
                .formatted(networkPolicies.size(), spec)));
    return this;
  }

  private PreflightTest policy(String spec) {
    authorizationPolicies.add(
        read(
            AuthorizationPolicy.class,
            """
            apiVersion: security.istio.io/v1
            kind: AuthorizationPolicy
            metadata: {name: policy-%d}
            spec: {%s}
            """
                .formatted(authorizationPolicies.size(), spec)));
    return this;
  }

  private PreflightTest service(String spec) {
    services.add(
        read(
            Service.class,
            "apiVersion: v1\nkind: Service\nmetadata: {name: db}\nspec: {" + spec + "}"));
    return this;
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "ports: [{port: 3306}]",
        "ports: [{port: 33060, targetPort: 3306}]",
        "ports: [{name: mysql, port: 1}]",
        "ports: [{name: smtp-out, port: 1}]",
        "ports: [{name: out, appProtocol: mysql, port: 1}]"
      })
  void aWaypointWaitsForServersThatSpeakFirst(String spec) {
    assertThat(service(spec).found()).isEmpty();
    stage = Stage.L7;
    assertThat(found()).containsExactly("Warning ServerFirstPort at Service shop/db");
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "ports: [{name: tcp-mysql, port: 3306}]",
        "ports: [{port: 3306, appProtocol: tcp}]",
        "ports: [{port: 5432}]",
        "ports: [{port: 25, protocol: UDP}]"
      })
  void notForThoseThatSayWhatTheySpeakOrLetClientsBegin(String spec) {
    stage = Stage.L7;
    assertThat(service(spec).found()).isEmpty();
  }

  @Test
  void whatWouldBecomeOfUdpIsSaidOfEachWorkloadThatHasAny() {
    pod("game", "containers: [{name: a, ports: [{containerPort: 7000, protocol: UDP}]}]");
    service("selector: {app: quiet}, ports: [{port: 9, protocol: UDP}]");
    assertThat(found()).isEmpty();
    datagrams = PreflightFacts.Datagrams.CARRIED;
    assertThat(found()).containsExactly("Warning UdpCarried at Pod shop/game");
    datagrams = PreflightFacts.Datagrams.LEFT_ALONE;
    assertThat(found()).containsExactly("Warning UdpLeftAlone at Pod shop/game");
    assertThat(Preflight.of(facts()).getFirst().message()).contains("UDP port 7000");
    datagrams = PreflightFacts.Datagrams.ASKED_IN_VAIN;
    assertThat(found())
        .containsExactly(
            "Warning UdpNotInMesh at Namespace shop", "Warning UdpNotInMesh at Pod shop/game");
    assertThat(Preflight.of(facts()).getLast().message())
        .contains("UDP port 7000", "once spec.udp of the AmbientMesh is true");
  }

  @Test
  void portsThatNobodyDeclaredAreKnownFromTheNode() {
    pod("game", "containers: [{name: a}]");
    sockets.put("game", new PodSockets(Set.of(80, 15008), Set.of(53, 7000, 15009), 3));
    datagrams = PreflightFacts.Datagrams.CARRIED;
    assertThat(found())
        .containsExactly(
            "Error PortCollision at Pod shop/game",
            "Error PortCollision at Pod shop/game",
            "Warning UdpCarried at Pod shop/game");
    assertThat(Preflight.of(facts()).getFirst().message()).contains("undeclared", "UDP port 15009");
    assertThat(Preflight.of(facts()).get(1).message()).contains("undeclared", "port 15008");
    assertThat(Preflight.of(facts()).getLast().message()).startsWith("UDP port 7000:");
    capturable
        .getFirst()
        .getMetadata()
        .setAnnotations(Map.of("ambient.istio.io/redirection", "enabled"));
    assertThat(found()).as("there the ztunnel itself listens").isEmpty();
  }

  @Test
  void ofPodsThatAreInTheMeshAlreadyUdpDoesNotChange() {
    pod("game", "containers: [{name: a, ports: [{containerPort: 7000, protocol: UDP}]}]");
    capturable
        .getFirst()
        .getMetadata()
        .setAnnotations(Map.of("ambient.istio.io/redirection", "enabled"));
    datagrams = PreflightFacts.Datagrams.of(true, null, null);
    assertThat(found()).isEmpty();
    datagrams = PreflightFacts.Datagrams.of(true, false, null);
    assertThat(found()).containsExactly("Warning UdpLeftAlone at Pod shop/game");
    datagrams = PreflightFacts.Datagrams.of(true, true, false);
    assertThat(found()).containsExactly("Warning UdpCarried at Pod shop/game");
  }

  @Test
  void aPortThatAServiceCallsByNameIsTheContainersOwn() {
    pod(
        "game",
        "containers: [{name: a, ports: [{name: play, containerPort: 7000, protocol: UDP}]}]");
    service("selector: {app: game}, ports: [{port: 9, targetPort: play, protocol: UDP}]");
    datagrams = PreflightFacts.Datagrams.CARRIED;
    assertThat(Preflight.of(facts()).getFirst().message()).contains("UDP port 7000:");
  }

  @Test
  void aServiceTellsOfUdpThatNoContainerDeclares() {
    capturable.add(labelled("game", Map.of("app", "game")));
    service("selector: {app: game}, ports: [{port: 9, targetPort: 7001, protocol: UDP}]");
    datagrams = PreflightFacts.Datagrams.CARRIED;
    assertThat(Preflight.of(facts()).getFirst().message()).contains("UDP port 7001");
  }

  @Test
  void podsThatCannotBeCapturedOrNotFromTheirBeginningAreFound() {
    pod("win", "os: {name: windows}, containers: [{name: a}]");
    assertThat(found()).containsExactly("Error CaptureUnsupported at Pod shop/win");
    capturable.clear();
    Pod other = labelled("other", Map.of());
    other.getMetadata().setAnnotations(Map.of("v1.multus-cni.io/default-network", "ovn"));
    capturable.add(other);
    assertThat(found()).containsExactly("Warning OtherPrimaryNetwork at Pod shop/other");
  }

  @Test
  void aPolicyThatTellsClientsApartWouldSeeTheWaypoint() {
    pod("cart", "containers: [{name: a}]");
    policy("rules: [{from: [{source: {principals: [cluster.local/ns/a/sa/b]}}]}]");
    policy("rules: [{to: [{operation: {ports: ['80']}}]}]");
    policy(
        "targetRefs: [{kind: Service, name: web}], rules: [{from: [{source: {namespaces: [a]}}]}]");
    assertThat(found()).noneMatch(each -> each.contains("PolicySeesWaypoint"));
    stage = Stage.L7;
    assertThat(found())
        .filteredOn(each -> each.contains("PolicySeesWaypoint"))
        .containsExactly("Warning PolicySeesWaypoint at AuthorizationPolicy shop/policy-0");
    assertThat(Plans.of(facts(), Stage.L7, RolloutSpec.AT_ONCE).policies())
        .filteredOn(PolicyPlan::meaningChanges)
        .extracting(PolicyPlan::policy)
        .containsExactly("AuthorizationPolicy shop/policy-0");
    assertThat(Plans.of(facts(), Stage.L7, RolloutSpec.AT_ONCE).policies())
        .extracting(PolicyPlan::after)
        .contains("waypoint");
    requestAuthentications.add(
        read(
            RequestAuthentication.class,
            "apiVersion: security.istio.io/v1\n"
                + "kind: RequestAuthentication\n"
                + "metadata: {name: tokens}"));
    assertThat(Plans.of(facts(), Stage.L7, RolloutSpec.AT_ONCE).policies())
        .contains(
            new PolicyPlan(
                "RequestAuthentication shop/tokens",
                "waypoint, where one is bound",
                "waypoint",
                false));
  }

  private static Pod labelled(String name, Map<String, String> labels) {
    return new PodBuilder()
        .withNewMetadata()
        .withNamespace("shop")
        .withName(name)
        .withLabels(labels)
        .endMetadata()
        .withNewSpec()
        .withNodeName("node-1")
        .endSpec()
        .build();
  }

  private PreflightFacts facts() {
    return new PreflightFacts(
        new PreflightFacts.Target(
            "shop",
            Map.of("team", "a"),
            stage,
            EnrollmentWaypoint.named("gate"),
            steps,
            mtls,
            mesh,
            datagrams),
        "ambit-system",
        capturable,
        others,
        services,
        networkPolicies,
        authorizationPolicies,
        peerAuthentications,
        requestAuthentications,
        missing,
        nodes,
        sockets);
  }

  private List<String> found() {
    return Preflight.of(facts()).stream()
        .map(f -> f.severity().text() + " " + f.reason() + " at " + f.object())
        .toList();
  }

  @Test
  void nothingIsFoundInAPlainNamespace() {
    assertThat(pod("cart", "containers: [{name: a, ports: [{containerPort: 8080}]}]").found())
        .isEmpty();
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        // Who may reach a port today and not port 15008.
        "podSelector: {}, ingress: [{ports: [{port: 8080}]}]",
        "podSelector: {}, ingress: [{from: [{podSelector: {}}], ports: [{port: 8080}]}]",
        "podSelector: {matchLabels: {app: cart}}, ingress: [{ports: [{port: http}]}]",
        "podSelector: {}, ingress: [{ports: [{port: 8080}]}, {from: [{podSelector: {}}], ports:"
            + " [{port: 15008}]}]",
        "podSelector: {}, ingress: [{ports: [{port: 15000, endPort: 15007}]}]",
        "podSelector: {}, ingress: [{ports: [{port: 15008, protocol: UDP}, {port: 8080}]}]",
        "podSelector: {}, policyTypes: [Egress], egress: [{to: [{podSelector: {}}], ports: [{port:"
            + " 8080}]}]",
      })
  void aNetworkPolicyThatNamesPortsAndNotThatOfTunnelsIsAnError(String spec) {
    assertThat(pod("cart", "containers: []").networkPolicy(spec).found())
        .contains("Error NetworkPolicyBlocksHbone at NetworkPolicy shop/policy-0");
    assertThat(Preflight.of(facts()).getFirst().message()).contains("cart", "15008");
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "podSelector: {}, ingress: [{}]",
        "podSelector: {}, ingress: [{from: [{podSelector: {}}]}, {from: [{namespaceSelector:"
            + " {matchLabels: {kubernetes.io/metadata.name: ambit-system}}}]}]",
        "podSelector: {}, ingress: [{from: [{namespaceSelector: {}}]}]",
        "podSelector: {}, ingress: [{ports: [{port: 8080}, {port: 15008}]}]",
        "podSelector: {}, ingress: [{ports: [{port: 8080}]}, {ports: [{port: 15008}]}]",
        "podSelector: {}, ingress: [{ports: [{port: 15001, endPort: 15010}]}]",
        "podSelector: {}, ingress: [{ports: [{protocol: TCP}]}]",
        "podSelector: {matchLabels: {app: other}}, ingress: [{ports: [{port: 8080}]}]",
        "podSelector: {matchExpressions: [{key: app, operator: NotIn, values: [cart]}]}, ingress:"
            + " [{ports: [{port: 8080}]}]",
        // Addresses outside the cluster speak no HBONE.
        "podSelector: {}, ingress: [{from: [{ipBlock: {cidr: 192.0.2.0/24}}], ports: [{port:"
            + " 8080}]}, {from: [{namespaceSelector: {}}]}]",
        "podSelector: {}, policyTypes: [Egress], egress: [{ports: [{port: 53, protocol: UDP},"
            + " {port: 53}]}]",
        "podSelector: {}, policyTypes: [Egress]",
      })
  void aNetworkPolicyThatLetsTunnelsPassOrConcernsNoneIsNot(String spec) {
    assertThat(pod("cart", "containers: []").networkPolicy(spec).found()).isEmpty();
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "podSelector: {}, policyTypes: [Ingress]",
        "podSelector: {}, ingress: [{from: [{podSelector: {}}]}]",
        "podSelector: {}, ingress: [{from: [{namespaceSelector: {matchLabels: {team: a}}}]}]",
        "podSelector: {}, ingress: [{from: [{namespaceSelector: {}, podSelector: {matchLabels:"
            + " {app: web}}}]}]",
      })
  void theOperatorMustReachTheTunnelToo(String spec) {
    assertThat(pod("cart", "containers: []").networkPolicy(spec).found())
        .containsExactly("Error NetworkPolicyBlocksProof at NetworkPolicy shop/policy-0");
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "true  | podSelector: {}, ingress: [{from: [{podSelector: {}}]}]",
        "true  | podSelector: {}, policyTypes: [Ingress]",
        "true  | podSelector: {}, ingress: [{from: [{ipBlock: {cidr: 10.0.0.0/8}}]}]",
        "false | podSelector: {}, ingress: [{}]",
        "false | podSelector: {}, ingress: [{from: [{podSelector: {}}]}, {from: [{ipBlock: {cidr:"
            + " 169.254.7.127/32}}]}]",
        "false | podSelector: {}, ingress: [{from: [{ipBlock: {cidr: 169.254.0.0/16}}]}]",
        "false | podSelector: {}, policyTypes: [Egress]",
      })
  void probesOfIsolatedPodsMustBeAdmitted(boolean error, String spec) {
    var probed = "containers: [{name: a, readinessProbe: {httpGet: {port: 8080}}}]";
    assertThat(
            pod("cart", probed).networkPolicy(spec).found().stream()
                .filter(found -> found.contains("Probes"))
                .toList())
        .isEqualTo(
            error
                ? List.of("Error NetworkPolicyBlocksProbes at NetworkPolicy shop/policy-0")
                : List.of());
  }

  private static void address(Pod pod, String address) {
    pod.setStatus(new PodStatusBuilder().withPodIP(address).build());
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "10.42.0.7 | 10.0.0.0/8   | true",
        "10.42.0.7 | 192.0.2.0/24 | false",
        "fd00::7   | fd00::/8     | true",
        "fd00::7   | 10.0.0.0/8   | false",
      })
  void blocksOfAddressesThatHavePodsInThemAreAWarning(String pod, String block, boolean warning) {
    pod("cart", "containers: []");
    address(capturable.getFirst(), pod);
    networkPolicy(
        "podSelector: {}, ingress: [{from: [{ipBlock: {cidr: '"
            + block
            + "'}}], ports: [{port: 8080}]}, {from: [{namespaceSelector: {}}]}]");
    assertThat(found())
        .isEqualTo(
            warning
                ? List.of("Warning NetworkPolicyBlocksHbone at NetworkPolicy shop/policy-0")
                : List.of());
  }

  @Test
  void whatABlockLeavesOutIsNotInIt() {
    pod("cart", "containers: []");
    address(capturable.getFirst(), "10.42.0.7");
    networkPolicy(
        "podSelector: {}, ingress: [{from: [{ipBlock: {cidr: 10.0.0.0/8, except:"
            + " [10.42.0.0/16]}}], ports: [{port: 8080}]}, {from: [{namespaceSelector: {}}]}]");
    assertThat(found()).isEmpty();
  }

  @ParameterizedTest
  @CsvSource({
    "fd00::7, 169.254.7.127/32, false",
    "fd00::7, 'fd16:9254:7127:1337:ffff:ffff:ffff:ffff/128', true",
    "10.42.0.7, 169.254.7.127/32, true",
    "10.42.0.7, 'fd16:9254:7127:1337:ffff:ffff:ffff:ffff/128', false",
  })
  void probesComeFromAnAddressOfThePodsFamily(String pod, String admitted, boolean enough) {
    pod("cart", "containers: [{name: a, readinessProbe: {httpGet: {port: 8080}}}]");
    address(capturable.getFirst(), pod);
    networkPolicy(
        "podSelector: {}, ingress: [{from: [{namespaceSelector: {}}]}, {from: [{ipBlock: {cidr: '"
            + admitted
            + "'}}]}]");
    assertThat(found())
        .isEqualTo(
            enough
                ? List.of()
                : List.of("Error NetworkPolicyBlocksProbes at NetworkPolicy shop/policy-0"));
  }

  /** What follows lets clients and the operator through to where tunnels end. */
  private static final String TO_TUNNELS =
      "ingress: [{from: [{podSelector: {matchLabels: {app: web}}}], ports: [{port: 8080}, {port:"
          + " 15008}]}, {from: [{namespaceSelector: {matchLabels: {kubernetes.io/metadata.name:"
          + " ambit-system}}}], ports: [{port: 15008}]}";

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "true  | podSelector: {matchLabels: {app: cart}}, " + TO_TUNNELS + "]",
        "true  | podSelector: {}, " + TO_TUNNELS + "]",
        "false | podSelector: {matchLabels: {app: cart}}, "
            + TO_TUNNELS
            + ", {from: [{podSelector: {matchLabels: {gateway.networking.k8s.io/gateway-name:"
            + " gate}}}], ports: [{port: 15008}]}]",
        "false | podSelector: {}, " + TO_TUNNELS + ", {from: [{podSelector: {}}]}]",
        "false | podSelector: {}, "
            + TO_TUNNELS
            + ", {from: [{namespaceSelector: {matchLabels: {team: a}}}]}]",
        "false | podSelector: {}, ingress: [{}]",
        // Nobody is let in, be there a waypoint or not.
        "false | podSelector: {matchLabels: {app: cart}}, ingress: [{from: [{namespaceSelector:"
            + " {matchLabels: {kubernetes.io/metadata.name: ambit-system}}}]}]",
        // Of the waypoint's own pods.
        "true  | podSelector: {matchExpressions: [{key: app, operator: DoesNotExist}]},"
            + " policyTypes: [Ingress]",
        "true  | podSelector: {matchExpressions: [{key: app, operator: DoesNotExist}]},"
            + " policyTypes: [Egress]",
        "true  | podSelector: {}, policyTypes: [Egress], egress: [{to: [{podSelector: {}}]}]",
        "false | podSelector: {}, policyTypes: [Egress], egress: [{to: [{podSelector: {}}]}, {ports:"
            + " [{port: 53, protocol: UDP}]}, {to: [{namespaceSelector: {}}]}]",
        "false | podSelector: {}, policyTypes: [Egress], egress: [{}]",
        "true  | podSelector: {matchLabels: {app: cart}}, policyTypes: [Egress], egress: [{to:"
            + " [{podSelector: {matchLabels: {app: cart}}}], ports: [{port: 8080}, {port: 15008}]}]",
      })
  void atStageL7TrafficComesAndGoesThroughTheWaypointsPods(boolean error, String spec) {
    pod("cart", "containers: []").service("selector: {app: cart}, ports: [{port: 80}]");
    networkPolicy(spec);
    assertThat(found()).noneMatch(each -> each.contains("BlocksWaypoint"));
    stage = Stage.L7;
    assertThat(found().stream().filter(each -> each.contains("BlocksWaypoint")).distinct().toList())
        .isEqualTo(
            error
                ? List.of("Error NetworkPolicyBlocksWaypoint at NetworkPolicy shop/policy-0")
                : List.of());
  }

  @Test
  void thatWaypointsMayNotBeReachedIsSaidOfTheirPods() {
    stage = Stage.L7;
    pod("cart", "containers: []")
        .networkPolicy(
            "podSelector: {matchLabels: {istio.io/dataplane-mode: none}}, ingress: [{ports: [{port:"
                + " 8080}]}]");
    assertThat(found())
        .containsExactly(
            "Error NetworkPolicyBlocksHbone at NetworkPolicy shop/policy-0",
            "Error NetworkPolicyBlocksProof at NetworkPolicy shop/policy-0");
    assertThat(Preflight.of(facts()))
        .allSatisfy(each -> assertThat(each.message()).contains("the pods of waypoint gate"));
  }

  @Test
  void podsBehindNoServiceGetNothingFromAWaypointForServices() {
    stage = Stage.L7;
    pod("cart", "containers: []")
        .networkPolicy("podSelector: {matchLabels: {app: cart}}, " + TO_TUNNELS + "]");
    assertThat(found()).isEmpty();
  }

  @Test
  void aProbeThatRunsACommandNeedsNoConnection() {
    var probed = "containers: [{name: a, readinessProbe: {exec: {command: [x]}}}]";
    assertThat(
            pod("cart", probed)
                .networkPolicy("podSelector: {}, ingress: [{from: [{namespaceSelector: {}}]}]")
                .found())
        .isEmpty();
  }

  @ParameterizedTest
  @CsvSource({
    "15001, TCP, true",
    "15006, TCP, true",
    "15008, TCP, true",
    "15053, UDP, true",
    "15008, UDP, false",
    "8080, TCP, false"
  })
  void portsThatTheZtunnelListensAtAreErrors(int port, String protocol, boolean error) {
    var spec =
        "initContainers: [{name: i}], containers: [{name: a, ports: [{containerPort: %d, protocol: %s}]}]"
            .formatted(port, protocol);
    assertThat(pod("cart", spec).found())
        .isEqualTo(error ? List.of("Error PortCollision at Pod shop/cart") : List.of());
  }

  @ParameterizedTest
  @CsvSource({
    "15009, UDP, true",
    "15010, UDP, true",
    "15011, UDP, true",
    "15009, TCP, false",
    "15008, UDP, false",
    "15012, UDP, false"
  })
  void soAreThoseOfUdpWhereItIsCarried(int port, String protocol, boolean error) {
    pod(
        "cart",
        "containers: [{name: a, ports: [{containerPort: %d, protocol: %s}]}]"
            .formatted(port, protocol));
    assertThat(found()).isEmpty();
    datagrams = PreflightFacts.Datagrams.CARRIED;
    assertThat(found().stream().filter(each -> each.contains("PortCollision")).toList())
        .isEqualTo(error ? List.of("Error PortCollision at Pod shop/cart") : List.of());
  }

  @Test
  void whatStaysOutsideIsAWarning() {
    others.add(pod("host", "app: a", "hostNetwork: true"));
    var sidecar = pod("sidecar", "app: a", "containers: []");
    sidecar.getMetadata().setAnnotations(java.util.Map.of("sidecar.istio.io/status", "{}"));
    others.add(sidecar);
    others.add(pod("out", "istio.io/dataplane-mode: none", "containers: []"));
    assertThat(found())
        .containsExactly(
            "Warning HostNetwork at Pod shop/host", "Warning SidecarInjected at Pod shop/sidecar");
  }

  @Test
  void sandboxesAndSecondNetworksAreWarnings() {
    pod("boxed", "runtimeClassName: gvisor, containers: []").pod("multi", "containers: []");
    capturable
        .getLast()
        .getMetadata()
        .setAnnotations(java.util.Map.of("k8s.v1.cni.cncf.io/networks", "storage"));
    assertThat(found())
        .containsExactly(
            "Warning SandboxedRuntime at Pod shop/boxed",
            "Warning SecondNetwork at Pod shop/multi");
  }

  @Test
  void nodesWithoutTheirPartOfTheMeshAreErrors() {
    pod("cart", "containers: []");
    nodes = new PreflightFacts.NodeReadiness.Known(Set.of("node-2"), Set.of("node-1"));
    assertThat(found()).containsExactly("Error ZtunnelNotReady at Node node-1");
    nodes = new PreflightFacts.NodeReadiness.Known(Set.of("node-1"), Set.of());
    assertThat(found()).containsExactly("Error AgentNotReady at Node node-1");
    nodes = new PreflightFacts.NodeReadiness.Unknown();
    assertThat(found()).isEmpty();
  }

  @Test
  void definitionsThatTheClusterLacksAreWarnings() {
    missing = Set.of("authorizationpolicies.security.istio.io");
    assertThat(found())
        .containsExactly(
            "Warning DefinitionMissing at CustomResourceDefinition"
                + " authorizationpolicies.security.istio.io");
  }

  @Test
  void withoutGatewaysThereIsNoStageL7() {
    missing = Set.of("gateways.gateway.networking.k8s.io");
    assertThat(found())
        .containsExactly(
            "Error DefinitionMissing at CustomResourceDefinition"
                + " gateways.gateway.networking.k8s.io");
  }

  @Test
  void policiesThatNobodyEnforcesYetAreTold() {
    pod("cart", "containers: []")
        .policy("rules: [{from: [{source: {principals: [cluster.local/ns/shop/sa/web]}}]}]")
        .policy("selector: {matchLabels: {app: other}}, rules: [{}]")
        .policy("targetRefs: [{kind: Service, name: cart}], rules: [{}]");
    assertThat(found())
        .containsExactly("Warning PolicyTakesEffect at AuthorizationPolicy shop/policy-0");
    capturable
        .getFirst()
        .getMetadata()
        .setAnnotations(java.util.Map.of("ambient.istio.io/redirection", "enabled"));
    assertThat(found()).isEmpty();
  }

  @Test
  void anAllowPolicyOfLayer7WouldDenyAndIsAnError() {
    pod("cart", "containers: []")
        .policy("rules: [{to: [{operation: {methods: [GET]}}]}]")
        .policy("action: DENY, rules: [{to: [{operation: {paths: [/admin]}}]}]");
    assertThat(found())
        .containsExactly(
            "Error PolicyDeniesAtL4 at AuthorizationPolicy shop/policy-0",
            "Warning PolicyStricterAtL4 at AuthorizationPolicy shop/policy-1");
  }

  @Test
  void thatAPolicyWouldSeeTheWaypointHidesNothingElseOfIt() {
    pod("cart", "containers: []")
        .policy(
            "rules: [{from: [{source: {namespaces: [web]}}], to: [{operation: {methods:"
                + " [GET]}}]}]")
        .policy("rules: [{from: [{source: {namespaces: [web]}}]}]");
    stage = Stage.L7;
    assertThat(found())
        .containsExactly(
            "Error PolicyDeniesAtL4 at AuthorizationPolicy shop/policy-0",
            "Warning PolicySeesWaypoint at AuthorizationPolicy shop/policy-0",
            "Warning PolicySeesWaypoint at AuthorizationPolicy shop/policy-1",
            "Warning PolicyTakesEffect at AuthorizationPolicy shop/policy-1");
  }

  @Test
  void policiesThatAreOnlyTriedOrAnotherControlPlanesHoldNothing() {
    pod("cart", "containers: []")
        .policy("rules: [{to: [{operation: {methods: [GET]}}]}]")
        .policy("rules: [{to: [{operation: {methods: [GET]}}]}]");
    authorizationPolicies
        .getFirst()
        .getMetadata()
        .setAnnotations(java.util.Map.of("istio.io/dry-run", "true"));
    authorizationPolicies
        .getLast()
        .getMetadata()
        .setLabels(java.util.Map.of("istio.io/rev", "other"));
    peerAuthentications.add(
        read(
            PeerAuthentication.class,
            """
            apiVersion: security.istio.io/v1
            kind: PeerAuthentication
            metadata: {name: strict, labels: {istio.io/rev: other}}
            spec: {mtls: {mode: STRICT}}
            """));
    assertThat(found()).isEmpty();
    assertThat(Plans.of(facts(), Stage.L4, RolloutSpec.AT_ONCE).policies()).isEmpty();
  }

  @Test
  void strictMtlsIsAWarningAtOnceAndAnErrorInSteps() {
    pod("cart", "containers: []").mtlsPolicy("shop", "strict", "mtls: {mode: STRICT}");
    assertThat(found()).containsExactly("Warning StrictMtls at PeerAuthentication shop/strict");
    steps = 3;
    assertThat(found())
        .containsExactly("Error StrictMtlsInSteps at PeerAuthentication shop/strict");
    peerAuthentications.clear();
    mesh = MtlsMode.STRICT;
    assertThat(found()).containsExactly("Error StrictMtlsInSteps at AmbientMesh default");
  }

  private PreflightTest mtlsPolicy(String namespace, String name, String spec) {
    peerAuthentications.add(
        read(
            PeerAuthentication.class,
            """
            apiVersion: security.istio.io/v1
            kind: PeerAuthentication
            metadata: {name: %s, namespace: %s}
            spec: {%s}
            """
                .formatted(name, namespace, spec)));
    return this;
  }

  @ParameterizedTest
  @EnumSource
  void whatTheEnrollmentSaysOfPlaintextIsInForceInPlaceOfTheMeshs(EnrollmentMtls asked) {
    pod("cart", "containers: []").mtlsPolicy("ambit-system", "all", "mtls: {mode: STRICT}");
    steps = 3;
    mesh = MtlsMode.STRICT;
    assertThat(found())
        .containsExactly("Error StrictMtlsInSteps at PeerAuthentication ambit-system/all");
    assertThat(Preflight.of(facts()).getFirst().message()).contains("spec.mtls of the");
    mtls = asked;
    assertThat(found()).isEmpty();
    mtlsPolicy("shop", "own", "mtls: {mode: STRICT}");
    assertThat(found())
        .as("of the two that are said of the namespace the stricter counts")
        .containsExactly("Error StrictMtlsInSteps at PeerAuthentication shop/own");
  }

  @Test
  void thePolicyThatIsNearerToAPodCounts() {
    pod("cart", "containers: []").mtlsPolicy("ambit-system", "all", "mtls: {mode: STRICT}");
    mtlsPolicy(
        "ambit-system", "some", "selector: {matchLabels: {app: cart}}, mtls: {mode: STRICT}");
    mtlsPolicy("shop", "own", "mtls: {mode: PERMISSIVE}");
    mesh = MtlsMode.STRICT;
    steps = 2;
    assertThat(found()).isEmpty();
    assertThat(Plans.of(facts(), Stage.L4, RolloutSpec.AT_ONCE).policies()).isEmpty();
    peerAuthentications.removeLast();
    mtlsPolicy("shop", "cart", "selector: {matchLabels: {app: cart}}, mtls: {mode: PERMISSIVE}");
    assertThat(found()).isEmpty();
    pod("web", "containers: []");
    assertThat(found())
        .containsExactly("Error StrictMtlsInSteps at PeerAuthentication ambit-system/all");
  }

  @Test
  void onePortThatRefusesPlaintextIsEnough() {
    pod("cart", "containers: []")
        .mtlsPolicy(
            "shop",
            "port",
            "selector: {matchLabels: {app: cart}}, portLevelMtls: {'8080': {mode: STRICT}}");
    steps = 2;
    assertThat(found()).containsExactly("Error StrictMtlsInSteps at PeerAuthentication shop/port");
    assertThat(Preflight.of(facts()).getFirst().message()).contains("8080");
  }

  @Test
  void everyFindingSaysWhatToDoAndErrorsComeFirst() {
    others.add(pod("host", "app: a", "hostNetwork: true"));
    pod("cart", "containers: [{name: a, ports: [{containerPort: 15008}]}]")
        .networkPolicy("podSelector: {}, ingress: [{ports: [{port: 8080}]}]")
        .policy("rules: [{to: [{operation: {methods: [GET]}}]}]");
    var findings = Preflight.of(facts());
    assertThat(findings)
        .extracting(Finding::severity)
        .containsExactly(
            Severity.ERROR, Severity.ERROR, Severity.ERROR, Severity.ERROR, Severity.WARNING);
    assertThat(findings).allSatisfy(f -> assertThat(f.message()).hasSizeGreaterThan(60));
  }

  @Test
  void aPlanSaysHowManyPodsMoveAndWhoEnforcesWhat() {
    for (int i = 0; i < 10; i++) {
      pod("pod-" + i, "containers: []");
    }
    others.add(pod("out", "istio.io/dataplane-mode: none", "containers: []"));
    policy("rules: [{to: [{operation: {methods: [GET]}}]}]")
        .policy("rules: [{from: [{source: {namespaces: [shop]}}]}]")
        .policy("targetRefs: [{kind: Service, name: cart}], rules: [{}]");
    var rollout =
        new RolloutSpec(
            List.of(
                new RolloutStep("15%", null),
                new RolloutStep("50%", null),
                new RolloutStep("100%", null)),
            null,
            null);
    assertThat(Plans.of(facts(), Stage.L4, rollout))
        .isEqualTo(
            new EnrollmentPlan(
                Stage.L4,
                10,
                0,
                1,
                IntStream.range(0, 10).mapToObj(i -> "pod-" + i).toList(),
                List.of(),
                List.of(2, 5, 10),
                List.of(
                    new PolicyPlan(
                        "AuthorizationPolicy shop/policy-0",
                        "nobody",
                        "ztunnel, more strictly than written",
                        true),
                    new PolicyPlan("AuthorizationPolicy shop/policy-1", "nobody", "ztunnel", false),
                    new PolicyPlan(
                        "AuthorizationPolicy shop/policy-2",
                        "waypoint, where one is bound",
                        "waypoint, where one is bound",
                        false)),
                0,
                null,
                null));
    capturable.forEach(
        pod ->
            pod.getMetadata()
                .setAnnotations(java.util.Map.of("ambient.istio.io/redirection", "enabled")));
    var leaving = Plans.of(facts(), Stage.NONE, rollout);
    assertThat(leaving.leave()).isEqualTo(10);
    assertThat(leaving.leaving()).hasSize(10).contains("pod-9");
    assertThat(leaving.join()).isZero();
    assertThat(leaving.policies().getFirst().after()).isEqualTo("nobody");
  }

  private void sidecar(String name) {
    Pod pod = pod(name, "app: " + name, "containers: []");
    pod.getMetadata().setAnnotations(Map.of("sidecar.istio.io/status", "{}"));
    others.add(pod);
  }

  @Test
  void whatSidecarsEnforceIsPlannedAndHoldsNothing() {
    sidecar("cart");
    policy("selector: {matchLabels: {app: cart}}, rules: [{to: [{operation: {methods: [GET]}}]}]")
        .policy("rules: [{from: [{source: {namespaces: [shop]}}]}]")
        .mtlsPolicy("shop", "strict", "selector: {matchLabels: {app: cart}}, mtls: {mode: STRICT}");
    assertThat(found())
        .containsExactly(
            "Warning PolicyDeniesAtL4 at AuthorizationPolicy shop/policy-0",
            "Warning SidecarInjected at Pod shop/cart");
    assertThat(Plans.of(facts(), Stage.L4, RolloutSpec.AT_ONCE).policies())
        .containsExactly(
            new PolicyPlan(
                "AuthorizationPolicy shop/policy-0",
                "sidecar",
                "ztunnel, more strictly than written; sidecar until a pod is restarted without",
                true),
            new PolicyPlan(
                "AuthorizationPolicy shop/policy-1",
                "sidecar",
                "ztunnel; sidecar until a pod is restarted without",
                false),
            new PolicyPlan(
                "PeerAuthentication shop/strict",
                "sidecar",
                "ztunnel; sidecar until a pod is restarted without",
                false));
  }

  @Test
  void inANamespaceOfBothKindsBothEnforceAndErrorsHold() {
    sidecar("cart");
    pod("cart", "containers: []");
    capturable
        .getFirst()
        .getMetadata()
        .setAnnotations(Map.of("ambient.istio.io/redirection", "enabled"));
    policy("rules: [{to: [{operation: {methods: [GET]}}]}]");
    assertThat(found()).contains("Error PolicyDeniesAtL4 at AuthorizationPolicy shop/policy-0");
    assertThat(Plans.of(facts(), Stage.NONE, RolloutSpec.AT_ONCE).policies())
        .containsExactly(
            new PolicyPlan(
                "AuthorizationPolicy shop/policy-0",
                "sidecar and ztunnel, more strictly than written",
                "sidecar",
                true));
  }

  @Test
  void howManyPoliciesAPlanLeavesOutIsCounted() {
    pod("cart", "containers: []");
    for (int i = 0; i < 53; i++) {
      policy("rules: [{from: [{source: {namespaces: [shop]}}]}]");
    }
    EnrollmentPlan plan = Plans.of(facts(), Stage.L4, RolloutSpec.AT_ONCE);
    assertThat(plan.policies()).hasSize(50);
    assertThat(plan.morePolicies()).isEqualTo(3);
  }
}
