package dev.ambit.ztunnel.netns;

import static org.awaitility.Awaitility.await;

import dev.ambit.api.AmbientMesh;
import dev.ambit.operator.ca.SelfSignedRoot;
import dev.ambit.operator.ca.SigningMaterial;
import dev.ambit.operator.ca.SpiffeId;
import dev.ambit.operator.ca.TrustDomain;
import dev.ambit.operator.controlplane.ControlPlane;
import dev.ambit.operator.controlplane.ControlPlaneSettings;
import dev.ambit.operator.waypoint.model.EnvoyBootstrap;
import dev.ambit.operator.waypoint.testing.EnvoyBinary;
import dev.ambit.operator.waypoint.testing.EnvoyProcess;
import io.fabric8.kubernetes.api.model.HasMetadata;
import io.fabric8.kubernetes.api.model.PodBuilder;
import io.fabric8.kubernetes.api.model.Secret;
import io.fabric8.kubernetes.api.model.authentication.TokenReviewStatusBuilder;
import io.fabric8.kubernetes.client.KubernetesClient;
import io.fabric8.kubernetes.client.dsl.NonDeletingOperation;
import io.fabric8.kubernetes.client.server.mock.KubernetesCrudDispatcher;
import io.fabric8.kubernetes.client.server.mock.KubernetesMockServer;
import io.fabric8.mockwebserver.Context;
import io.fabric8.mockwebserver.MockWebServer;
import io.micrometer.core.instrument.MeterRegistry;
import io.micrometer.core.instrument.simple.SimpleMeterRegistry;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.io.StringWriter;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.KeyPair;
import java.security.KeyPairGenerator;
import java.security.cert.CertificateFactory;
import java.security.cert.X509Certificate;
import java.security.spec.ECGenParameterSpec;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Base64;
import java.util.Comparator;
import java.util.Deque;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import java.util.logging.Level;
import java.util.logging.Logger;
import javax.net.ssl.SSLContext;
import javax.security.auth.x500.X500Principal;
import org.bouncycastle.openssl.jcajce.JcaPEMWriter;
import org.bouncycastle.operator.jcajce.JcaContentSignerBuilder;
import org.bouncycastle.pkcs.jcajce.JcaPKCS10CertificationRequestBuilder;

/**
 * Two nodes with real ztunnels, real Envoys as waypoints, and the operator's real control plane
 * over them all, before an API server that is simulated.
 *
 * <p>A test makes pods ({@link #captured}), which become objects too, applies manifests ({@link
 * #apply}), and starts an Envoy for each Gateway ({@link #waypoint}); then it calls from pods and
 * looks at what arrives. Services select pods by the label {@code app}, which is the service
 * account's name. All is in namespace {@code shop} unless said otherwise.
 */
final class WaypointMesh implements AutoCloseable {
  static final String NAMESPACE = "shop";

  private static final String ROOT = "ambit-system";
  private static final String CONTROL_PLANE = "ambit-operator." + ROOT + ".svc";
  private static final int PORT = 15012;

  /** Kinds that a cluster may lack, "plural/Kind". */
  private static final Map<String, List<String>> DEFINITIONS =
      Map.of(
          "gateway.networking.k8s.io",
          List.of(
              "gateways/Gateway",
              "gatewayclasses/GatewayClass",
              "httproutes/HTTPRoute",
              "grpcroutes/GRPCRoute",
              "tlsroutes/TLSRoute",
              "tcproutes/TCPRoute",
              "referencegrants/ReferenceGrant"),
          "security.istio.io",
          List.of(
              "authorizationpolicies/AuthorizationPolicy",
              "peerauthentications/PeerAuthentication",
              "requestauthentications/RequestAuthentication"),
          "networking.istio.io",
          List.of(
              "serviceentries/ServiceEntry",
              "workloadentries/WorkloadEntry",
              "virtualservices/VirtualService",
              "destinationrules/DestinationRule"),
          "telemetry.istio.io",
          List.of("telemetries/Telemetry"));

  private final Deque<AutoCloseable> resources = new ArrayDeque<>();
  private final Path folder;
  private final Network network;
  private final KubernetesClient client;
  private final SimpleMeterRegistry registry = new SimpleMeterRegistry();
  private ControlPlane controlPlane;
  private final List<MeshNodeParts> nodes = new ArrayList<>();
  private final List<Waypoint> waypoints = new ArrayList<>();
  private final NameServer names;
  private Relay relay;
  private int lastPod;

  private record MeshNodeParts(Node node, FakeNodeAgent agent, ZtunnelProcess ztunnel) {}

  /** An Envoy that runs as a waypoint, in a pod of its own. */
  record Waypoint(String name, Pod pod, EnvoyProcess envoy, Path folder) {
    /** Asks for one of the things that can be looked at, such as "/stats". */
    Web.Message inspect(String path) throws IOException {
      return Web.get(pod, new InetSocketAddress("127.0.0.1", EnvoyBootstrap.INSPECTION_PORT), path);
    }

    boolean isReady() {
      try {
        return Web.get(pod, pod.at(EnvoyBootstrap.READINESS_PORT), EnvoyBootstrap.READINESS_PATH)
                .status()
            == 200;
      } catch (IOException notYet) {
        return false;
      }
    }
  }

  private WaypointMesh() throws Exception {
    EnvoyBinary.require();
    // It logs each request.
    Logger.getLogger("io.fabric8.mockwebserver").setLevel(Level.WARNING);
    network = keep(Network.create());
    folder = Files.createTempDirectory("ambit-waypoint-it");
    keep(this::deleteFolder);
    KubernetesMockServer server =
        new KubernetesMockServer(
            new Context(),
            new MockWebServer(),
            new HashMap<>(),
            new KubernetesCrudDispatcher(List.of()),
            false);
    server.init();
    keep(server::destroy);
    client = keep(server.createClient());
    define();
    controlPlane = serve(client, registry);
    keep(() -> controlPlane.close());
    names = keep(NameServer.start(network.control(), Network.CONTROL_ADDRESS));
    names.answer(CONTROL_PLANE, InetAddress.getByName(Network.CONTROL_ADDRESS));
    relay = Relay.start(network.control(), PORT, controlPlane.port());
    keep(() -> relay.close());
    for (Node node : List.of(network.a(), network.b())) {
      nodes.add(startNode(node));
    }
    keep(() -> waypoints.forEach(each -> each.envoy().close()));
  }

  static WaypointMesh start() throws Exception {
    WaypointMesh mesh = new WaypointMesh();
    for (MeshNodeParts node : mesh.nodes) {
      try {
        node.ztunnel().awaitReady();
      } catch (RuntimeException e) {
        String log = node.ztunnel().logText();
        mesh.close();
        throw new IllegalStateException("a ztunnel is not ready:\n" + log, e);
      }
    }
    return mesh;
  }

  private void define() {
    DEFINITIONS.forEach(
        (group, kinds) ->
            kinds.forEach(
                kind ->
                    apply(
                        """
                        apiVersion: apiextensions.k8s.io/v1
                        kind: CustomResourceDefinition
                        metadata: {name: %1$s.%2$s}
                        spec:
                          group: %2$s
                          scope: Namespaced
                          names: {plural: %1$s, kind: %3$s}
                          versions: [{name: v1, served: true, storage: true}]
                        status: {conditions: [{type: Established, status: "True"}]}
                        """
                            .formatted(
                                kind.substring(0, kind.indexOf('/')),
                                group,
                                kind.substring(kind.indexOf('/') + 1)))));
    client
        .resource(
            client
                .getKubernetesSerialization()
                .unmarshal(
                    """
                    apiVersion: ambit.dev/v1alpha1
                    kind: AmbientMesh
                    metadata: {name: default}
                    spec:
                      extensionProviders:
                      - name: spans
                        opentelemetry: {service: collector.shop.svc.cluster.local, port: 4318, http: {path: /v1/traces}}
                      - name: logs
                        envoyOtelAls: {service: collector.shop.svc.cluster.local, port: 4317}
                      - name: nowhere
                        envoyFileAccessLog: {path: /nowhere/log}
                      - name: json
                        envoyFileAccessLog: {logFormat: {labels: {}}}
                      - name: keys
                        envoyExtAuthzHttp:
                          service: authorizer.shop.svc.cluster.local
                          port: 9000
                          statusOnError: 503
                          includeRequestHeadersInCheck: [x-key]
                      - name: keys-grpc
                        envoyExtAuthzGrpc: {service: authorizer.shop.svc.cluster.local, port: 9001, statusOnError: 503}
                    """,
                    AmbientMesh.class))
        .create();
  }

  /** A token is "namespace/account/pod". */
  static ControlPlane serve(KubernetesClient client, MeterRegistry registry) throws Exception {
    SelfSignedRoot.ensure(client, ROOT, new TrustDomain("cluster.local"));
    ControlPlane started =
        new ControlPlane(
            client,
            ControlPlaneSettings.of(ROOT).withPort(0),
            registry,
            (token, audience) -> {
              String[] parts = token.split("/", -1);
              String uid =
                  client
                      .pods()
                      .inNamespace(parts[0])
                      .withName(parts[2])
                      .require()
                      .getMetadata()
                      .getUid();
              return new TokenReviewStatusBuilder()
                  .withAuthenticated(true)
                  .withAudiences(audience)
                  .withNewUser()
                  .withUsername("system:serviceaccount:" + parts[0] + ":" + parts[1])
                  .withGroups("system:serviceaccounts")
                  .addToExtra("authentication.kubernetes.io/pod-name", List.of(parts[2]))
                  .addToExtra("authentication.kubernetes.io/pod-uid", List.of(uid))
                  .endUser()
                  .build();
            });
    started.start();
    await("the control plane").atMost(Patience.LONG).until(started::ready);
    return started;
  }

  /** Ends the control plane and its connections, and starts another one in its place. */
  void restartControlPlane() throws Exception {
    relay.close();
    controlPlane.close();
    controlPlane = serve(client, registry);
    relay = Relay.start(network.control(), PORT, controlPlane.port());
  }

  /** What the control plane tells a pod from now on reaches it only once it is released. */
  void holdUp(Pod pod) {
    relay.hold(pod.ipv4());
  }

  void release(Pod pod) {
    relay.release(pod.ipv4());
  }

  /** Ends the control plane, and has one in its place that serves at that port of this machine. */
  void useControlPlane(int port) throws IOException {
    relay.close();
    controlPlane.close();
    relay = Relay.start(network.control(), PORT, port);
  }

  /**
   * Has a second root trusted, as in the first step of a change of roots; with it, waypoints get
   * new certificates.
   */
  void addRoot() throws Exception {
    String other = "next";
    SelfSignedRoot.ensure(client, other, new TrustDomain("cluster.local"));
    String added = root(client.secrets().inNamespace(other).withName(SelfSignedRoot.SECRET).get());
    client
        .secrets()
        .inNamespace(ROOT)
        .withName(SelfSignedRoot.SECRET)
        .edit(
            secret -> {
              Map<String, String> data = new HashMap<>(secret.getData());
              data.put(
                  SigningMaterial.ROOT_CERT,
                  Base64.getEncoder()
                      .encodeToString((root(secret) + added).getBytes(StandardCharsets.US_ASCII)));
              secret.setData(data);
              return secret;
            });
  }

  private static String root(Secret secret) {
    return new String(
        Base64.getDecoder().decode(secret.getData().get(SigningMaterial.ROOT_CERT)),
        StandardCharsets.US_ASCII);
  }

  ControlPlane controlPlane() {
    return controlPlane;
  }

  private MeshNodeParts startNode(Node node) {
    Path own = folder.resolve(node.name());
    try {
      Files.createDirectories(own);
    } catch (IOException e) {
      throw new IllegalStateException("no folder for " + node, e);
    }
    FakeNodeAgent agent = keep(new FakeNodeAgent(own.resolve("ztunnel.sock")));
    Pod pod = node.pod(ROOT, "ztunnel-" + node.index(), "ztunnel");
    pod.host().nameServer(Network.CONTROL_ADDRESS);
    announce(pod, false, Map.of());
    ZtunnelProcess ztunnel =
        keep(
            ZtunnelProcess.start(
                ZtunnelProgram.ambit(),
                pod,
                new ZtunnelProcess.ControlPlaneAccess(
                    "https://" + CONTROL_PLANE + ":" + PORT,
                    controlPlane.authority().rootBundle().orElseThrow(),
                    token(pod)),
                agent.path(),
                own,
                Map.of("ZTUNNEL_WORKER_THREADS", "1")));
    return new MeshNodeParts(node, agent, ztunnel);
  }

  private static String token(Pod pod) {
    return pod.namespace() + "/" + pod.serviceAccount() + "/" + pod.name();
  }

  private <T extends AutoCloseable> T keep(T resource) {
    resources.push(resource);
    return resource;
  }

  /** Has the name server of waypoints and ztunnels know a name. */
  void name(String name, Pod pod) {
    names.answer(name, pod.ipv4());
  }

  /** What a test opened, to be closed before all else. */
  <T extends AutoCloseable> T closing(T resource) {
    return keep(resource);
  }

  KubernetesClient client() {
    return client;
  }

  String nodeName(int node) {
    return nodes.get(node).node().name();
  }

  ZtunnelProcess ztunnel(int node) {
    return nodes.get(node).ztunnel();
  }

  // --- Objects

  /** Creates or replaces the objects of a manifest; in {@link #NAMESPACE} where none is said. */
  void apply(String manifest) {
    for (HasMetadata object : load(manifest)) {
      boolean namespaced =
          !List.of("CustomResourceDefinition", "GatewayClass", "Namespace", "Node")
              .contains(object.getKind());
      if (namespaced && object.getMetadata().getNamespace() == null) {
        object.getMetadata().setNamespace(NAMESPACE);
      }
      // The simulated server may be asked once more for what it has done already.
      client.resource(object).createOr(NonDeletingOperation::update);
    }
  }

  List<HasMetadata> load(String manifest) {
    return client.load(new ByteArrayInputStream(manifest.getBytes(StandardCharsets.UTF_8))).items();
  }

  void delete(Class<? extends HasMetadata> kind, String name) {
    client.resources(kind).inNamespace(NAMESPACE).withName(name).delete();
  }

  /**
   * A Service whose port 80 has that name, and leads to 8080 of the pods with that label {@code
   * app}.
   */
  void service(String name, String address, String app, String labels, String ports) {
    apply(
        """
        apiVersion: v1
        kind: Service
        metadata: {name: %s, labels: {%s}}
        spec:
          clusterIP: %s
          clusterIPs: ["%s"]
          selector: {app: %s}
          ports: [%s]
        """
            .formatted(name, labels, address, address, app, ports));
    awaitService(name + "." + NAMESPACE + ".svc.cluster.local");
  }

  /**
   * Both ztunnels know the service with that host name. Its address leads nowhere before, and a
   * client that tries too often then is left to send again, for seconds.
   */
  void awaitService(String hostname) {
    awaitTold("service " + hostname, "\"" + hostname + "\"");
  }

  // --- Pods

  /** A pod that the mesh has captured. */
  Pod captured(int node, String serviceAccount) {
    return captured(node, NAMESPACE, serviceAccount, Map.of());
  }

  Pod captured(int node, String namespace, String serviceAccount, Map<String, String> labels) {
    MeshNodeParts parts = nodes.get(node);
    Pod pod = parts.node().pod(namespace, serviceAccount + "-" + ++lastPod, serviceAccount);
    announce(pod, true, labels);
    parts.agent().capture(pod);
    awaitKnown(pod);
    return pod;
  }

  /**
   * An object of a captured pod with that service account, at the addresses of a pod with another.
   */
  void claimAddresses(Pod pod, String serviceAccount) {
    announce(pod, serviceAccount + "-" + ++lastPod, serviceAccount, true, Map.of());
  }

  /** A pod outside the mesh. */
  Pod uncaptured(int node, String serviceAccount) {
    Pod pod =
        nodes.get(node).node().pod(NAMESPACE, serviceAccount + "-" + ++lastPod, serviceAccount);
    announce(pod, false, Map.of());
    awaitKnown(pod);
    return pod;
  }

  void remove(Pod pod) {
    client.pods().inNamespace(pod.namespace()).withName(pod.name()).delete();
  }

  private void announce(Pod pod, boolean captured, Map<String, String> labels) {
    announce(pod, pod.name(), pod.serviceAccount(), captured, labels);
  }

  private void announce(
      Pod pod, String name, String serviceAccount, boolean captured, Map<String, String> labels) {
    Map<String, String> all = new HashMap<>(Map.of("app", serviceAccount));
    all.putAll(labels);
    client
        .resource(
            new PodBuilder()
                .withNewMetadata()
                .withNamespace(pod.namespace())
                .withName(name)
                .withLabels(all)
                .withAnnotations(
                    captured ? Map.of("ambient.istio.io/redirection", "enabled") : Map.of())
                .endMetadata()
                .withNewSpec()
                .withServiceAccountName(serviceAccount)
                .withNodeName(pod.node().name())
                .endSpec()
                .withNewStatus()
                .withPhase("Running")
                .withPodIP(pod.ipv4().getHostAddress())
                .addNewPodIP(pod.ipv4().getHostAddress())
                .addNewPodIP(pod.ipv6().getHostAddress())
                .addNewCondition()
                .withType("Ready")
                .withStatus("True")
                .endCondition()
                .endStatus()
                .build())
        .create();
  }

  /** Both ztunnels know it. */
  private void awaitKnown(Pod pod) {
    awaitTold(pod.toString(), "/" + pod.name() + "\"");
  }

  private void awaitTold(String what, String text) {
    for (MeshNodeParts node : nodes) {
      await("the ztunnels to know " + what)
          .atMost(Patience.LONG)
          .pollInterval(Duration.ofMillis(20))
          .until(() -> node.ztunnel().configDump().contains(text));
    }
  }

  /**
   * What a pod's own proxy opens TLS with, as a sidecar does: the certificate is the pod's, and the
   * mesh's authority signed it.
   */
  SSLContext sidecar(Pod pod) throws Exception {
    KeyPairGenerator generator = KeyPairGenerator.getInstance("EC");
    generator.initialize(new ECGenParameterSpec("secp256r1"));
    KeyPair key = generator.generateKeyPair();
    StringWriter request = new StringWriter();
    try (JcaPEMWriter writer = new JcaPEMWriter(request)) {
      writer.writeObject(
          new JcaPKCS10CertificationRequestBuilder(new X500Principal(""), key.getPublic())
              .build(new JcaContentSignerBuilder("SHA256withECDSA").build(key.getPrivate())));
    }
    List<X509Certificate> chain = new ArrayList<>();
    List<String> signed =
        controlPlane
            .authority()
            .sign(
                request.toString(),
                SpiffeId.parse(pod.identity()).orElseThrow(),
                Duration.ofHours(1))
            .pemChain();
    CertificateFactory certificates = CertificateFactory.getInstance("X.509");
    for (String pem : signed.subList(0, signed.size() - 1)) {
      chain.add(
          (X509Certificate)
              certificates.generateCertificate(
                  new ByteArrayInputStream(pem.getBytes(StandardCharsets.US_ASCII))));
    }
    return HboneClient.context(
        controlPlane.authority().roots().getFirst(), new Credentials(key.getPrivate(), chain));
  }

  // --- Waypoints

  /** A Gateway of that name, and an Envoy that is its only instance, ready. */
  Waypoint waypoint(String name, int node, String waypointFor) throws IOException {
    apply(
        """
        apiVersion: gateway.networking.k8s.io/v1
        kind: Gateway
        metadata: {name: %1$s, labels: {istio.io/waypoint-for: %2$s}}
        spec:
          gatewayClassName: ambit-waypoint
          listeners: [{name: mesh, port: 15008, protocol: HBONE}]
        status:
          addresses: [{type: Hostname, value: %1$s.shop.svc.cluster.local}]
        ---
        apiVersion: v1
        kind: Service
        metadata: {name: %1$s, labels: {gateway.istio.io/managed: istio.io-mesh-controller}}
        spec:
          clusterIP: 10.96.255.%3$d
          clusterIPs: ["10.96.255.%3$d"]
          selector: {gateway.networking.k8s.io/gateway-name: %1$s}
          ports: [{name: hbone, port: 15008, appProtocol: hbone}]
        """
            .formatted(name, waypointFor, 1 + waypoints.size()));
    return instance(name, node);
  }

  /** One more instance of that waypoint, ready. */
  Waypoint instance(String name, int node) throws IOException {
    Pod pod = nodes.get(node).node().pod(NAMESPACE, name + "-" + ++lastPod, name);
    pod.host().nameServer(Network.CONTROL_ADDRESS);
    announce(pod, false, Map.of("gateway.networking.k8s.io/gateway-name", name));
    Path own = Files.createDirectories(folder.resolve(pod.name()));
    Files.writeString(
        own.resolve(EnvoyBootstrap.ROOT_FILE), controlPlane.authority().rootBundle().orElseThrow());
    Files.writeString(own.resolve(EnvoyBootstrap.TOKEN_FILE), token(pod));
    EnvoyBootstrap bootstrap =
        new EnvoyBootstrap(
            NAMESPACE,
            name,
            name,
            "cluster.local",
            "cluster.local",
            CONTROL_PLANE,
            new EnvoyBootstrap.Settings(
                own.toString(),
                own.toString(),
                own.toString(),
                PORT,
                "@ambit-envoy-admin",
                EnvoyBootstrap.READINESS_PORT,
                EnvoyBootstrap.METRICS_PORT,
                EnvoyBootstrap.INSPECTION_PORT));
    for (Map.Entry<String, String> file : bootstrap.files().entrySet()) {
      // Where a network namespace is entered, Envoy sees no memory of a container to keep to.
      Files.writeString(
          own.resolve(file.getKey()),
          file.getValue().replaceAll("(?s)\noverload_manager:.*?\n(?=dynamic_)", "\n"));
    }
    List<String> arguments =
        new ArrayList<>(bootstrap.arguments(pod.name(), pod.ipv4().getHostAddress(), 5));
    arguments.addAll(List.of("--concurrency", "2"));
    EnvoyProcess envoy = EnvoyProcess.start(pod.host().command(List.of()), arguments, Map.of());
    Waypoint started = new Waypoint(name, pod, envoy, own);
    waypoints.add(started);
    await("readiness of waypoint " + name)
        .atMost(Patience.LONG)
        .pollInterval(Duration.ofMillis(50))
        .untilAsserted(
            () ->
                org.assertj.core.api.Assertions.assertThat(started.isReady())
                    .as(envoy.logText())
                    .isTrue());
    awaitKnown(pod);
    return started;
  }

  // --- The end

  private void deleteFolder() throws IOException {
    Path kept = Files.createDirectories(Path.of("target", "netns-logs"));
    for (Waypoint waypoint : waypoints) {
      Files.writeString(
          kept.resolve(folder.getFileName() + "-" + waypoint.pod().name() + ".log"),
          waypoint.envoy().logText());
    }
    for (MeshNodeParts node : nodes) {
      Files.writeString(
          kept.resolve(folder.getFileName() + "-" + node.ztunnel().pod().name() + ".log"),
          node.ztunnel().logText());
    }
    try (var files = Files.walk(folder)) {
      for (Path file : files.sorted(Comparator.reverseOrder()).toList()) {
        Files.deleteIfExists(file);
      }
    }
  }

  @Override
  public void close() {
    Closing.all(resources);
  }

  static void pause(Duration duration) {
    try {
      TimeUnit.MILLISECONDS.sleep(duration.toMillis());
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }
}
