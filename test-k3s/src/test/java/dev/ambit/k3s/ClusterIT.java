package dev.ambit.k3s;

import static org.assertj.core.api.Assertions.assertThat;

import io.fabric8.kubernetes.api.model.Namespace;
import io.fabric8.kubernetes.api.model.NamespaceBuilder;
import io.fabric8.kubernetes.api.model.Node;
import io.fabric8.kubernetes.api.model.Pod;
import io.fabric8.kubernetes.api.model.PodBuilder;
import io.fabric8.kubernetes.api.model.PodIP;
import io.fabric8.kubernetes.api.model.ServiceBuilder;
import io.fabric8.kubernetes.client.KubernetesClientException;
import io.fabric8.kubernetes.client.readiness.Readiness;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.awaitility.Awaitility;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInstance;
import org.junit.jupiter.api.extension.ExtendWith;

/** The cluster itself is what the other tests take it for, with no mesh in it. */
@ExtendWith(ClusterExtension.class)
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
class ClusterIT {

  private static final String GREETING = "greetings-from-the-other-node";

  private final TwoNodeCluster cluster;
  private final String namespace = "cluster-it";

  ClusterIT(TwoNodeCluster cluster) {
    this.cluster = cluster;
  }

  @BeforeAll
  void deploy() {
    cluster.load(BusyboxImage.reference());
    Namespace created =
        new NamespaceBuilder().withNewMetadata().withName(namespace).endMetadata().build();
    cluster.client().resource(created).create();
    cluster
        .client()
        .resource(
            pod(
                "web",
                cluster.agent(),
                "mkdir /www && echo "
                    + GREETING
                    + " > /www/index.html && exec httpd -f -p 8080 -h /www"))
        .create();
    cluster.client().resource(pod("client", cluster.server(), "exec sleep 1000000")).create();
    cluster
        .client()
        .resource(
            new ServiceBuilder()
                .withNewMetadata()
                .withName("web")
                .withNamespace(namespace)
                .endMetadata()
                .withNewSpec()
                .addToSelector("app", "web")
                .addNewPort()
                .withPort(80)
                .withNewTargetPort(8080)
                .endPort()
                .endSpec()
                .build())
        .create();
    for (String name : List.of("web", "client")) {
      cluster
          .client()
          .pods()
          .inNamespace(namespace)
          .withName(name)
          .waitUntilReady(2, TimeUnit.MINUTES);
    }
  }

  @AfterAll
  void remove() {
    cluster.client().namespaces().withName(namespace).delete();
  }

  private Pod pod(String name, ClusterNode node, String script) {
    return new PodBuilder()
        .withNewMetadata()
        .withName(name)
        .withNamespace(namespace)
        .addToLabels("app", name)
        .endMetadata()
        .withNewSpec()
        .withNodeName(node.name())
        .withTerminationGracePeriodSeconds(0L)
        .addNewContainer()
        .withName("main")
        .withImage(BusyboxImage.reference())
        .withImagePullPolicy("Never")
        .withCommand("sh", "-c", script)
        .endContainer()
        .endSpec()
        .build();
  }

  private CommandResult inClient(String script) {
    return cluster.exec(namespace, "client", "sh", "-c", script);
  }

  @Test
  void bothNodesAreReady() {
    List<Node> nodes = cluster.client().nodes().list().getItems();

    assertThat(nodes)
        .extracting(node -> node.getMetadata().getName())
        .containsExactlyInAnyOrder("server", "agent");
    assertThat(nodes).allMatch(Readiness::isNodeReady);
  }

  @Test
  void aServiceReachesItsPodOnTheOtherNodeByName() {
    Awaitility.await()
        .atMost(Duration.ofSeconds(30))
        .untilAsserted(
            () ->
                assertThat(
                        inClient("timeout 5 wget -q -O - http://web." + namespace + ".svc")
                            .output())
                    .contains(GREETING));
  }

  @Test
  void podsSeeOneAnothersAddressesAcrossNodes() {
    Pod web = cluster.client().pods().inNamespace(namespace).withName("web").get();
    Pod client = cluster.client().pods().inNamespace(namespace).withName("client").get();

    try (PacketCapture capture = cluster.agent().capture("eth0", "tcp port 8080")) {
      inClient("timeout 5 wget -q -O - http://" + web.getStatus().getPodIP() + ":8080").orThrow();

      Awaitility.await()
          .atMost(Duration.ofSeconds(10))
          .untilAsserted(
              () ->
                  assertThat(capture.packets())
                      .anySatisfy(
                          packet -> {
                            assertThat(packet.shows(GREETING)).isTrue();
                            assertThat(packet.source().getAddress().getHostAddress())
                                .isEqualTo(web.getStatus().getPodIP());
                            assertThat(packet.destination().getAddress().getHostAddress())
                                .isEqualTo(client.getStatus().getPodIP());
                          }));
    }
  }

  @Test
  void podsReachOneAnotherAcrossNodesByIpv6() {
    Pod web = cluster.client().pods().inNamespace(namespace).withName("web").get();

    List<String> addresses = web.getStatus().getPodIPs().stream().map(PodIP::getIp).toList();

    assertThat(addresses).hasSize(2).last().asString().contains(":");
    assertThat(
            inClient(
                    "echo 'GET /index.html HTTP/1.0\n\n' | timeout 5 nc "
                        + addresses.getLast()
                        + " 8080")
                .output())
        .contains(GREETING);
  }

  @Test
  void namesResolveFromBothNodes() {
    for (String pod : List.of("web", "client")) {
      assertThat(
              cluster
                  .exec(namespace, pod, "nslookup", "kubernetes.default.svc.cluster.local")
                  .orThrow())
          .contains("10.43.0.1");
    }
  }

  @Test
  void aCommandInAPodKeepsItsExitCodeAndStreams() {
    CommandResult result = inClient("echo out; echo err >&2; exit 3");

    assertThat(result).isEqualTo(new CommandResult(3, "out\n", "err\n"));
  }

  @Test
  void podsNetworkNamespacesAreSeenThroughAMountOfTheNode() {
    Pod viewer =
        new PodBuilder(pod("viewer", cluster.agent(), "exec sleep 1000000"))
            .editSpec()
            .editFirstContainer()
            .addNewVolumeMount()
            .withName("netns")
            .withMountPath("/netns")
            .withMountPropagation("HostToContainer")
            .endVolumeMount()
            .endContainer()
            .addNewVolume()
            .withName("netns")
            .withNewHostPath("/run/netns", "Directory")
            .endVolume()
            .endSpec()
            .build();
    cluster.client().resource(viewer).create();
    cluster
        .client()
        .pods()
        .inNamespace(namespace)
        .withName("viewer")
        .waitUntilReady(1, TimeUnit.MINUTES);
    Pod later = pod("later", cluster.agent(), "exec sleep 1000000");
    cluster.client().resource(later).create();
    cluster
        .client()
        .pods()
        .inNamespace(namespace)
        .withName("later")
        .waitUntilReady(1, TimeUnit.MINUTES);

    // A bind mount of a namespace shows as a file system of its own; before the mount has come it
    // is an empty file.
    String mounts = cluster.exec(namespace, "viewer", "grep", "/netns/", "/proc/mounts").orThrow();
    long pods =
        cluster.client().pods().inAnyNamespace().list().getItems().stream()
            .filter(pod -> "agent".equals(pod.getSpec().getNodeName()))
            .filter(pod -> !Boolean.TRUE.equals(pod.getSpec().getHostNetwork()))
            .filter(pod -> "Running".equals(pod.getStatus().getPhase()))
            .count();
    assertThat(mounts.lines().filter(line -> line.startsWith("nsfs")))
        .hasSizeGreaterThanOrEqualTo((int) pods);
  }

  @Test
  void theApiServerCanBeTakenAway() {
    try (NetworkRule away = cluster.withoutApiServer()) {
      assertThat(away).isNotNull();
      CommandResult result =
          cluster.agent().exec("curl", "-sk", "--max-time", "3", "https://server:6443/readyz");
      assertThat(result.succeeded()).isFalse();
    }

    Awaitility.await()
        .atMost(Duration.ofSeconds(30))
        .ignoreException(KubernetesClientException.class)
        .until(() -> !cluster.client().nodes().list().getItems().isEmpty());
  }
}
