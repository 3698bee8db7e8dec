package dev.ambit.k3s;

import static java.util.Objects.requireNonNull;

import com.github.dockerjava.api.DockerClient;
import com.github.dockerjava.api.command.CreateContainerCmd;
import io.fabric8.kubernetes.api.model.Node;
import io.fabric8.kubernetes.client.Config;
import io.fabric8.kubernetes.client.KubernetesClient;
import io.fabric8.kubernetes.client.KubernetesClientBuilder;
import io.fabric8.kubernetes.client.readiness.Readiness;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.security.SecureRandom;
import java.time.Duration;
import java.util.HashMap;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.UUID;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;
import org.awaitility.Awaitility;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import org.testcontainers.DockerClientFactory;
import org.testcontainers.containers.GenericContainer;
import org.testcontainers.containers.Network;
import org.testcontainers.k3s.K3sContainer;
import org.testcontainers.lifecycle.Startables;
import org.testcontainers.utility.DockerImageName;

/**
 * A Kubernetes cluster of a server and an agent node, each a container, on one network of the local
 * engine.
 */
public final class TwoNodeCluster implements AutoCloseable {

  /** On every container and network of a cluster; its value is the cluster's name. */
  public static final String LABEL = "dev.ambit.cluster";

  private static final Logger LOG = LoggerFactory.getLogger(TwoNodeCluster.class);
  private static final String SERVER = "server";
  private static final String AGENT = "agent";
  private static final Duration PATIENCE = Duration.ofMinutes(3);

  private final Network network;
  private final K3sContainer serverContainer;
  private final GenericContainer<?> agentContainer;
  private final ClusterNode server;
  private final ClusterNode agent;
  private final KubernetesClient client;

  private TwoNodeCluster(
      NodeImage image,
      Network network,
      K3sContainer serverContainer,
      GenericContainer<?> agentContainer) {
    this.network = network;
    this.serverContainer = serverContainer;
    this.agentContainer = agentContainer;
    this.server = new ClusterNode(SERVER, serverContainer, image.tools());
    this.agent = new ClusterNode(AGENT, agentContainer, image.tools());
    this.client =
        new KubernetesClientBuilder()
            .withConfig(Config.fromKubeconfig(serverContainer.getKubeConfigYaml()))
            .build();
  }

  /** Why no cluster can be started on this machine now; empty if one can. */
  public static Optional<String> missing() {
    if (!DockerClientFactory.instance().isDockerAvailable()) {
      return Optional.of(
          "no container engine runs; start one, or run test-k3s/bin/container-engine");
    }
    if (NodeImage.ofCheckout().isEmpty()) {
      return Optional.of("there is no node image yet; run test-k3s/bin/node-image");
    }
    return Optional.empty();
  }

  /** Starts a cluster and waits until both nodes are ready and names resolve in it. */
  public static TwoNodeCluster start(String name) {
    NodeImage image =
        NodeImage.ofCheckout()
            .orElseThrow(
                () ->
                    new IllegalStateException(
                        "There is no node image; run test-k3s/bin/node-image"));
    long begin = System.nanoTime();
    String token = UUID.randomUUID().toString();
    Map<String, String> labels = Map.of(LABEL, name);
    Network network = network(labels);
    K3sContainer serverContainer = new K3sContainer(image.name());
    serverContainer
        .withCommand(
            "server",
            "--disable=traefik,metrics-server,servicelb,local-storage",
            // Pods' packets pass between the nodes as they are, so that a capture there shows them.
            "--flannel-backend=host-gw",
            "--cluster-cidr=10.42.0.0/16,fd00:10:42::/56",
            "--service-cidr=10.43.0.0/16,fd00:10:43::/112",
            "--flannel-ipv6-masq=true",
            "--tls-san=" + serverContainer.getHost(),
            "--tls-san=" + SERVER)
        .withEnv("K3S_TOKEN", token)
        .withEnv("K3S_NODE_NAME", SERVER)
        .withNetwork(network)
        .withNetworkAliases(SERVER)
        .withLabels(labels)
        .withCreateContainerCmdModifier(named(name, SERVER))
        .withStartupTimeout(PATIENCE);
    GenericContainer<?> agentContainer =
        new GenericContainer<>(image.name())
            .withCommand("agent")
            .withPrivilegedMode(true)
            .withTmpFs(Map.of("/run", "", "/var/run", ""))
            .withEnv("K3S_URL", "https://" + SERVER + ":" + K3sContainer.KUBE_SECURE_PORT)
            .withEnv("K3S_TOKEN", token)
            .withEnv("K3S_NODE_NAME", AGENT)
            .withNetwork(network)
            .withNetworkAliases(AGENT)
            .withLabels(labels)
            .withCreateContainerCmdModifier(named(name, AGENT));
    try {
      Startables.deepStart(serverContainer, agentContainer).join();
      TwoNodeCluster cluster = new TwoNodeCluster(image, network, serverContainer, agentContainer);
      cluster.awaitReady();
      LOG.atInfo()
          .addKeyValue("cluster", name)
          .addKeyValue("image", image.reference())
          .addKeyValue("seconds", TimeUnit.NANOSECONDS.toSeconds(System.nanoTime() - begin))
          .log("Cluster is ready");
      return cluster;
    } catch (RuntimeException | Error e) {
      LOG.atError()
          .addKeyValue("cluster", name)
          .addKeyValue("server", serverContainer.isRunning() ? serverContainer.getLogs() : "")
          .addKeyValue("agent", agentContainer.isRunning() ? agentContainer.getLogs() : "")
          .addKeyValue("events", events(serverContainer))
          .log("Cluster did not start");
      agentContainer.stop();
      serverContainer.stop();
      network.close();
      throw e;
    }
  }

  private static String events(GenericContainer<?> serverContainer) {
    if (!serverContainer.isRunning()) {
      return "";
    }
    ClusterNode node = new ClusterNode(SERVER, serverContainer, DockerImageName.parse("none"));
    return node.exec("kubectl", "get", "events,pods", "-A").output();
  }

  private static Network network(Map<String, String> labels) {
    // A local prefix of its own (RFC 4193) for each, since engines refuse two networks that
    // overlap.
    byte[] prefix = new byte[5];
    new SecureRandom().nextBytes(prefix);
    HexFormat hex = HexFormat.of();
    String subnet =
        "fd%s:%s:%s::/64"
            .formatted(
                hex.formatHex(prefix, 0, 1),
                hex.formatHex(prefix, 1, 3),
                hex.formatHex(prefix, 3, 5));
    return Network.builder()
        .enableIpv6(true)
        .createNetworkCmdModifier(
            command -> {
              command.withIpam(
                  new com.github.dockerjava.api.model.Network.Ipam()
                      .withConfig(
                          new com.github.dockerjava.api.model.Network.Ipam.Config()
                              .withSubnet(subnet)));
              Map<String, String> all = new HashMap<>(labels);
              if (command.getLabels() != null) {
                all.putAll(command.getLabels());
              }
              command.withLabels(all);
            })
        .build();
  }

  private static Consumer<CreateContainerCmd> named(String cluster, String node) {
    return command -> {
      command.withName("ambit-" + cluster + "-" + node).withHostName(node);
      // Engines turn IPv6 off for interfaces that they do not make, as pods' are.
      requireNonNull(command.getHostConfig())
          .withSysctls(
              Map.of(
                  "net.ipv6.conf.all.disable_ipv6", "0",
                  "net.ipv6.conf.default.disable_ipv6", "0"));
    };
  }

  private void awaitReady() {
    nodes().forEach(ClusterNode::shareMounts);
    Awaitility.await("both nodes are ready")
        .atMost(PATIENCE)
        .pollInterval(Duration.ofMillis(250))
        .ignoreExceptions()
        .until(
            () -> {
              List<Node> nodes = client.nodes().list().getItems();
              return nodes.size() == 2 && nodes.stream().allMatch(Readiness::isNodeReady);
            });
    Awaitility.await("the cluster's name server is ready")
        .atMost(PATIENCE)
        .pollInterval(Duration.ofMillis(250))
        .ignoreExceptions()
        .until(
            () ->
                client
                    .apps()
                    .deployments()
                    .inNamespace("kube-system")
                    .withName("coredns")
                    .isReady());
  }

  /** The node that also runs the control plane. */
  public ClusterNode server() {
    return server;
  }

  public ClusterNode agent() {
    return agent;
  }

  public List<ClusterNode> nodes() {
    return List.of(server, agent);
  }

  /** The node of that name. */
  public ClusterNode node(String name) {
    return nodes().stream()
        .filter(node -> node.name().equals(name))
        .findFirst()
        .orElseThrow(() -> new IllegalArgumentException("No node is called " + name));
  }

  /** A client with all rights; closed with the cluster. */
  public KubernetesClient client() {
    return client;
  }

  /** A kubeconfig with all rights, for use on the machine that the engine runs on. */
  public String kubeconfig() {
    return serverContainer.getKubeConfigYaml();
  }

  /** Puts images that the engine has on both nodes. */
  public void load(String... references) {
    for (String reference : references) {
      Path archive = save(reference);
      try {
        load(archive);
      } finally {
        delete(archive);
      }
    }
  }

  /** Puts the images of an archive, as {@code docker save} makes it, on both nodes. */
  public void load(Path archive) {
    nodes().parallelStream().forEach(node -> node.load(archive));
  }

  private static Path save(String reference) {
    DockerClient docker = DockerClientFactory.instance().client();
    try {
      Path archive = Files.createTempFile("ambit-image-", ".tar");
      try (InputStream image = docker.saveImageCmd(reference).exec()) {
        Files.copy(image, archive, StandardCopyOption.REPLACE_EXISTING);
      }
      return archive;
    } catch (IOException e) {
      throw new UncheckedIOException("Cannot save image " + reference, e);
    }
  }

  private static void delete(Path archive) {
    try {
      Files.delete(archive);
    } catch (IOException e) {
      throw new UncheckedIOException("Cannot delete " + archive, e);
    }
  }

  /**
   * Makes the API server unreachable, for nodes, pods and clients alike, until the answer is
   * closed.
   */
  public NetworkRule withoutApiServer() {
    return new NetworkRule(
        server, "INPUT -p tcp --dport " + K3sContainer.KUBE_SECURE_PORT + " -j DROP");
  }

  /** Runs a command in the first container of a pod. */
  public CommandResult exec(String namespace, String pod, String... command) {
    return PodCommand.run(client, namespace, pod, command);
  }

  @Override
  public void close() {
    client.close();
    agentContainer.stop();
    serverContainer.stop();
    network.close();
  }

  /**
   * Starts a cluster that stays when this program ends.
   *
   * @param arguments the cluster's name, the file to write its kubeconfig to, then images to put on
   *     its nodes
   */
  public static void main(String[] arguments) throws IOException {
    if (arguments.length < 2) {
      throw new IllegalArgumentException(
          "Usage: TwoNodeCluster NAME KUBECONFIG [IMAGE|ARCHIVE...]");
    }
    Path kubeconfig = Path.of(arguments[1]).toAbsolutePath();
    TwoNodeCluster cluster = start(arguments[0]);
    for (int i = 2; i < arguments.length; i++) {
      Path archive = Path.of(arguments[i]);
      if (Files.isRegularFile(archive)) {
        cluster.load(archive);
      } else {
        cluster.load(arguments[i]);
      }
    }
    Files.createDirectories(requireNonNull(kubeconfig.getParent()));
    Files.writeString(kubeconfig, cluster.kubeconfig());
    // Without running the hooks of Testcontainers, which would remove what it started.
    Runtime.getRuntime().halt(0);
  }
}
