package dev.ambit.operator.model;

import static org.assertj.core.api.Assertions.assertThat;

import dev.ambit.protocol.security.Authorization;
import dev.ambit.protocol.security.Match;
import dev.ambit.protocol.workload.Address;
import dev.ambit.protocol.workload.Workload;
import io.fabric8.kubernetes.api.model.PodBuilder;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import org.junit.jupiter.api.Test;

class MeshIndexTest {
  private static final String STRICT = "ambit-system/istio_converted_static_strict";

  /** Applies what the index puts out, as a client would. */
  private static final class Recorded implements MeshOutput {
    final Map<String, Address> addresses = new HashMap<>();
    final Map<String, Authorization> authorizations = new HashMap<>();
    final List<String> changed = new ArrayList<>();

    @Override
    public void address(String name, Optional<Address> address) {
      changed.add(name);
      address.ifPresentOrElse(
          present -> addresses.put(name, present), () -> addresses.remove(name));
    }

    @Override
    public void waypoints(String name, Set<String> gateways, Optional<String> past) {}

    @Override
    public void authorization(String name, Optional<Authorization> authorization) {
      changed.add(name);
      authorization.ifPresentOrElse(
          present -> authorizations.put(name, present), () -> authorizations.remove(name));
    }

    @Override
    public void conditions(BoundObject object, List<ObjectCondition> conditions) {
      changed.add(object.kind().text() + " " + object.name());
    }
  }

  private final Recorded recorded = new Recorded();
  private final MeshIndex index =
      new MeshIndex(MeshSettings.of("cluster.local", "ambit-system"), recorded);

  private Workload workload(String namespace, String name) {
    Address address = recorded.addresses.get("Kubernetes//Pod/" + namespace + "/" + name);
    assertThat(address).as("workload %s/%s", namespace, name).isNotNull();
    return java.util.Objects.requireNonNull(address).getWorkload();
  }

  private List<String> policies(String namespace, String name) {
    return workload(namespace, name).getAuthorizationPoliciesList();
  }

  private static String peerAuthentication(String namespace, String name, String spec) {
    return "apiVersion: security.istio.io/v1\nkind: PeerAuthentication\nmetadata: {name: "
        + name
        + ", namespace: "
        + namespace
        + "}\nspec: "
        + spec
        + "\n";
  }

  private static String policy(String namespace, String name, String spec) {
    return "apiVersion: security.istio.io/v1\nkind: AuthorizationPolicy\nmetadata: {name: "
        + name
        + ", namespace: "
        + namespace
        + "}\nspec: "
        + spec
        + "\n";
  }

  @Test
  void aPodJoinsAndLeavesTheServicesThatSelectIt() {
    index.put(Objects.pod("shop", "cart", "10.0.0.1", Map.of("app", "cart")));
    index.put(Objects.service("shop", "cart", "10.96.0.1", Map.of("app", "cart")));
    index.put(Objects.service("other", "cart", "10.96.0.2", Map.of("app", "cart")));
    assertThat(workload("shop", "cart").getServicesMap())
        .containsOnlyKeys("shop/cart.shop.svc.cluster.local");

    index.put(Objects.pod("shop", "cart", "10.0.0.1", Map.of("app", "else")));
    assertThat(workload("shop", "cart").getServicesMap()).isEmpty();
    index.put(Objects.pod("shop", "cart", "10.0.0.1", Map.of("app", "cart")));
    index.remove(Objects.service("shop", "cart", "10.96.0.1", Map.of("app", "cart")));
    assertThat(workload("shop", "cart").getServicesMap()).isEmpty();
    assertThat(recorded.addresses).doesNotContainKey("shop/cart.shop.svc.cluster.local");
  }

  @Test
  void slicesMakePodsMembersOfServicesWithoutSelectorAlone() {
    index.put(Objects.pod("shop", "db", "10.0.0.1", Map.of("app", "db")));
    index.put(
        Objects.slice(
            """
            metadata: {name: db-1, namespace: shop, labels: {kubernetes.io/service-name: db}}
            addressType: IPv4
            ports: [{name: http, port: 5432}]
            endpoints: [{addresses: ["10.0.0.1"], targetRef: {kind: Pod, name: db}}]
            """));
    assertThat(workload("shop", "db").getServicesMap()).isEmpty();
    index.put(Objects.service("shop", "db", "10.96.0.1", Map.of()));
    assertThat(
            workload("shop", "db")
                .getServicesOrThrow("shop/db.shop.svc.cluster.local")
                .getPorts(0)
                .getTargetPort())
        .isEqualTo(5432);
    index.put(Objects.service("shop", "db", "10.96.0.1", Map.of("app", "else")));
    assertThat(workload("shop", "db").getServicesMap()).isEmpty();
  }

  @Test
  void aPodsLocalityIsItsNodes() {
    index.put(Objects.pod("shop", "cart", "10.0.0.1", Map.of()));
    assertThat(workload("shop", "cart").hasLocality()).isFalse();
    index.put(Objects.node("node-1", "eu", "eu-1"));
    assertThat(workload("shop", "cart").getLocality().getZone()).isEqualTo("eu-1");
    index.remove(Objects.node("node-1", "eu", "eu-1"));
    assertThat(workload("shop", "cart").hasLocality()).isFalse();
  }

  @Test
  void selectorPoliciesAreReferredToAndOthersAreNot() {
    index.put(Objects.pod("shop", "cart", "10.0.0.1", Map.of("app", "cart")));
    index.put(
        Objects.policy(
            policy("shop", "mine", "{selector: {matchLabels: {app: cart}}, rules: [{}]}")));
    index.put(
        Objects.policy(
            policy("ambit-system", "root", "{selector: {matchLabels: {app: cart}}, rules: [{}]}")));
    index.put(
        Objects.policy(
            policy("other", "theirs", "{selector: {matchLabels: {app: cart}}, rules: [{}]}")));
    index.put(Objects.policy(policy("shop", "all", "{rules: [{}]}")));
    assertThat(policies("shop", "cart")).containsExactly("ambit-system/root", "shop/mine");
    assertThat(recorded.authorizations)
        .containsKeys("shop/mine", "ambit-system/root", "other/theirs", "shop/all", STRICT);
  }

  @Test
  void aPolicyThatZtunnelsAreNotSentIsNotReferredTo() {
    index.put(Objects.pod("shop", "cart", "10.0.0.1", Map.of("app", "cart")));
    String selector = "selector: {matchLabels: {app: cart}}";
    index.put(Objects.policy(policy("shop", "mine", "{" + selector + ", rules: [{}]}")));
    assertThat(policies("shop", "cart")).containsExactly("shop/mine");
    index.put(Objects.policy(policy("shop", "mine", "{action: AUDIT, " + selector + "}")));
    assertThat(policies("shop", "cart")).isEmpty();
    assertThat(recorded.authorizations).doesNotContainKey("shop/mine");
  }

  @Test
  void strictnessComesFromTheNearestLevelThatSaysAnything() {
    index.put(Objects.pod("shop", "cart", "10.0.0.1", Map.of("app", "cart")));
    index.put(Objects.pod("shop", "web", "10.0.0.2", Map.of("app", "web")));
    assertThat(policies("shop", "cart")).isEmpty();

    index.settings(MeshSettings.of("cluster.local", "ambit-system").withStrict(true));
    assertThat(policies("shop", "cart")).containsExactly(STRICT);

    index.enrollmentMode("shop", MtlsMode.PERMISSIVE);
    assertThat(policies("shop", "cart")).isEmpty();

    index.put(
        Objects.peerAuthentication(
            peerAuthentication("shop", "default", "{mtls: {mode: STRICT}}")));
    assertThat(policies("shop", "cart")).containsExactly(STRICT);

    index.put(
        Objects.peerAuthentication(
            peerAuthentication(
                "shop", "cart", "{selector: {matchLabels: {app: cart}}, mtls: {mode: DISABLE}}")));
    assertThat(policies("shop", "cart")).isEmpty();
    assertThat(policies("shop", "web")).containsExactly(STRICT);
  }

  @Test
  void ofAnEnrollmentAndAPeerAuthenticationOfTheNamespaceTheStricterHolds() {
    index.put(Objects.pod("shop", "cart", "10.0.0.1", Map.of("app", "cart")));
    index.put(
        Objects.peerAuthentication(
            peerAuthentication("shop", "default", "{mtls: {mode: PERMISSIVE}}")));
    index.enrollmentMode("shop", MtlsMode.STRICT);
    assertThat(policies("shop", "cart")).containsExactly(STRICT);
    index.enrollmentMode("shop", MtlsMode.PERMISSIVE);
    assertThat(policies("shop", "cart")).isEmpty();
    index.put(
        Objects.peerAuthentication(
            peerAuthentication("shop", "default", "{mtls: {mode: STRICT}}")));
    assertThat(policies("shop", "cart")).containsExactly(STRICT);
  }

  @Test
  void podsWhosePlaintextIsWatchedReferToAPolicyThatDeniesNothing() {
    String watch = "ambit-system/ambit_plaintext_watch";
    index.put(Objects.pod("shop", "cart", "10.0.0.1", Map.of("app", "cart")));
    index.put(Objects.pod("other", "web", "10.0.0.2", Map.of("app", "web")));
    assertThat(recorded.authorizations).doesNotContainKey(watch);
    index.plaintextWatched("shop", true);
    assertThat(policies("shop", "cart")).containsExactly(watch);
    assertThat(policies("other", "web")).isEmpty();
    assertThat(java.util.Objects.requireNonNull(recorded.authorizations.get(watch)).getRulesCount())
        .isZero();
    index.plaintextWatched("shop", false);
    assertThat(policies("shop", "cart")).isEmpty();
    assertThat(recorded.authorizations).doesNotContainKey(watch);
  }

  @Test
  void aNamespaceMayHaveItsUdpLeftAsItIs() {
    MeshSettings settings = MeshSettings.of("cluster.local", "ambit-system");
    index.settings(
        new MeshSettings(
            settings.trustDomain(),
            settings.trustDomainAliases(),
            settings.rootNamespace(),
            settings.clusterDomain(),
            settings.clusterId(),
            settings.strict(),
            true));
    var pod = Objects.pod("shop", "cart", "10.0.0.1", Map.of());
    pod.getMetadata().setAnnotations(Map.of("ambient.istio.io/redirection", "enabled"));
    index.put(pod);
    assertThat(workload("shop", "cart").getDatagrams()).isTrue();
    index.datagramsLeftAlone("shop", true);
    assertThat(workload("shop", "cart").getDatagrams()).isFalse();
    assertThat(workload("shop", "cart").getDatagramsLeftAlone()).isTrue();
    index.datagramsLeftAlone("shop", false);
    assertThat(workload("shop", "cart").getDatagrams()).isTrue();
    assertThat(workload("shop", "cart").getDatagramsLeftAlone()).isFalse();
  }

  @Test
  void aMeshWidePeerAuthenticationOverridesTheAmbientMesh() {
    index.put(Objects.pod("shop", "cart", "10.0.0.1", Map.of("app", "cart")));
    index.put(
        Objects.peerAuthentication(
            peerAuthentication("ambit-system", "default", "{mtls: {mode: STRICT}}")));
    assertThat(policies("shop", "cart")).containsExactly(STRICT);
    index.remove(
        Objects.peerAuthentication(
            peerAuthentication("ambit-system", "default", "{mtls: {mode: STRICT}}")));
    assertThat(policies("shop", "cart")).isEmpty();
  }

  @Test
  void portsOfTheirOwnBecomeAPolicyOfTheirOwn() {
    index.put(Objects.pod("shop", "cart", "10.0.0.1", Map.of("app", "cart")));
    String spec = "{selector: {matchLabels: {app: cart}}, portLevelMtls: {\"9000\": {mode: %s}}}";
    String name = "shop/converted_peer_authentication_ports";

    index.put(
        Objects.peerAuthentication(peerAuthentication("shop", "ports", spec.formatted("STRICT"))));
    assertThat(policies("shop", "cart")).containsExactly(name);
    assertThat(match(name).getDestinationPortsList()).containsExactly(9000);

    // The mode above turns strict: the port is no exception any more, and the static policy does.
    index.enrollmentMode("shop", MtlsMode.STRICT);
    assertThat(policies("shop", "cart")).containsExactly(STRICT);
    assertThat(recorded.authorizations).doesNotContainKey(name);

    index.put(
        Objects.peerAuthentication(
            peerAuthentication("shop", "ports", spec.formatted("PERMISSIVE"))));
    assertThat(policies("shop", "cart")).containsExactly(name);
    assertThat(match(name).getNotDestinationPortsList()).containsExactly(9000);
    assertThat(match(name).getNotPrincipals(0).hasPresence()).isTrue();
  }

  private Match match(String name) {
    Authorization authorization = recorded.authorizations.get(name);
    assertThat(authorization).isNotNull();
    return java.util.Objects.requireNonNull(authorization).getRules(0).getClauses(0).getMatches(0);
  }

  @Test
  void aNamespacesTrafficDistributionHoldsForServicesThatSetNone() {
    index.put(Objects.service("shop", "cart", "10.96.0.1", Map.of("app", "cart")));
    index.put(
        Objects.namespace("shop", Map.of(ServiceAddress.TRAFFIC_DISTRIBUTION, "PreferClose")));
    Address address = recorded.addresses.get("shop/cart.shop.svc.cluster.local");
    assertThat(address).isNotNull();
    assertThat(java.util.Objects.requireNonNull(address).getService().hasLoadBalancing()).isTrue();
  }

  @Test
  void aChangeComputesWhatDependsOnItAndPutsOutWhatDiffers() {
    for (int i = 0; i < 500; i++) {
      index.put(
          Objects.pod(
              "ns-" + i % 10,
              "pod-" + i,
              "10.0." + i / 250 + "." + i % 250,
              Map.of("app", "a" + i)));
      index.put(Objects.service("ns-" + i % 10, "s" + i, "10.96.0.1", Map.of("app", "a" + i)));
    }
    long before = index.computed();
    recorded.changed.clear();
    index.put(Objects.pod("ns-3", "pod-3", "10.9.9.9", Map.of("app", "a3")));
    assertThat(index.computed() - before).isEqualTo(1);
    assertThat(recorded.changed).containsExactly("Kubernetes//Pod/ns-3/pod-3");

    before = index.computed();
    index.put(Objects.service("ns-3", "s3", "10.96.0.9", Map.of("app", "a3")));
    assertThat(index.computed() - before).isEqualTo(2);

    before = index.computed();
    recorded.changed.clear();
    // The kubelet's heartbeat changes nothing that the mesh turns on.
    index.put(
        new PodBuilder(Objects.pod("ns-3", "pod-3", "10.9.9.9", Map.of("app", "a3")))
            .editStatus()
            .withMessage("fine")
            .endStatus()
            .build());
    assertThat(recorded.changed).isEmpty();

    before = index.computed();
    index.put(
        Objects.policy(policy("ns-3", "p", "{selector: {matchLabels: {app: a3}}, rules: [{}]}")));
    assertThat(index.computed() - before).isEqualTo(2);
  }
}
