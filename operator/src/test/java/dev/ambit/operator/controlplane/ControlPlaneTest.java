package dev.ambit.operator.controlplane;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.awaitility.Awaitility.await;

import com.google.protobuf.Struct;
import com.google.protobuf.Value;
import dev.ambit.api.AmbientMesh;
import dev.ambit.operator.EventRecorder;
import dev.ambit.operator.ca.SelfSignedRoot;
import dev.ambit.operator.ca.TokenReviewer;
import dev.ambit.operator.ca.TrustDomain;
import dev.ambit.protocol.ca.IstioCertificateRequest;
import dev.ambit.protocol.ca.IstioCertificateServiceGrpc;
import dev.ambit.protocol.security.Authorization;
import dev.ambit.protocol.workload.Address;
import dev.ambit.protocol.workload.TunnelProtocol;
import dev.ambit.protocol.xds.AggregatedDiscoveryServiceGrpc;
import dev.ambit.protocol.xds.DeltaDiscoveryRequest;
import dev.ambit.protocol.xds.DeltaDiscoveryResponse;
import dev.ambit.protocol.xds.Node;
import dev.ambit.protocol.xds.Resource;
import io.envoyproxy.envoy.extensions.transport_sockets.tls.v3.Secret;
import io.envoyproxy.envoy.service.secret.v3.SecretDiscoveryServiceGrpc;
import io.fabric8.istio.api.networking.v1.ServiceEntry;
import io.fabric8.istio.api.security.v1.AuthorizationPolicy;
import io.fabric8.kubernetes.api.model.Pod;
import io.fabric8.kubernetes.api.model.PodBuilder;
import io.fabric8.kubernetes.api.model.ServiceBuilder;
import io.fabric8.kubernetes.api.model.apiextensions.v1.CustomResourceDefinition;
import io.fabric8.kubernetes.api.model.authentication.TokenReviewStatus;
import io.fabric8.kubernetes.api.model.authentication.TokenReviewStatusBuilder;
import io.fabric8.kubernetes.api.model.gatewayapi.v1.Gateway;
import io.fabric8.kubernetes.api.model.gatewayapi.v1.HTTPRoute;
import io.fabric8.kubernetes.client.KubernetesClient;
import io.fabric8.kubernetes.client.server.mock.EnableKubernetesMockClient;
import io.fabric8.kubernetes.client.utils.Serialization;
import io.grpc.CallCredentials;
import io.grpc.ManagedChannel;
import io.grpc.Metadata;
import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import io.grpc.netty.GrpcSslContexts;
import io.grpc.netty.NettyChannelBuilder;
import io.grpc.stub.StreamObserver;
import io.micrometer.core.instrument.simple.SimpleMeterRegistry;
import io.netty.handler.ssl.SslContextBuilder;
import io.netty.handler.ssl.SslProvider;
import java.io.ByteArrayInputStream;
import java.net.InetSocketAddress;
import java.nio.charset.StandardCharsets;
import java.security.KeyPair;
import java.security.KeyPairGenerator;
import java.security.cert.CertificateFactory;
import java.security.cert.X509Certificate;
import java.security.spec.ECGenParameterSpec;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.Executor;
import org.bouncycastle.asn1.pkcs.PrivateKeyInfo;
import org.bouncycastle.asn1.x500.X500Name;
import org.bouncycastle.cert.jcajce.JcaX509v2CRLBuilder;
import org.bouncycastle.openssl.PEMParser;
import org.bouncycastle.openssl.jcajce.JcaPEMKeyConverter;
import org.bouncycastle.operator.jcajce.JcaContentSignerBuilder;
import org.bouncycastle.pkcs.PKCS10CertificationRequest;
import org.bouncycastle.pkcs.jcajce.JcaPKCS10CertificationRequestBuilder;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/**
 * The control plane as ztunnels meet it: over TLS on loopback, before an API server that is
 * simulated.
 */
@EnableKubernetesMockClient(crud = true)
class ControlPlaneTest {
  private static final String ROOT = "ambit-system";
  private static final Duration PATIENCE = Duration.ofSeconds(30);

  @SuppressWarnings("NullAway.Init") // set by the extension
  KubernetesClient client;

  private final SimpleMeterRegistry registry = new SimpleMeterRegistry();
  private @Nullable ControlPlane controlPlane;
  private @Nullable ManagedChannel channel;

  @BeforeEach
  void fill() {
    client.resource(pod(ROOT, "ztunnel-1", "ztunnel", "node-1", "10.0.0.2")).create();
    client.resource(pod("shop", "cart", "cart", "node-1", "10.0.0.3")).create();
    client.resource(pod("shop", "web", "web", "node-2", "10.0.1.3")).create();
    client
        .resource(
            new ServiceBuilder()
                .withNewMetadata()
                .withNamespace("shop")
                .withName("cart")
                .endMetadata()
                .withNewSpec()
                .withClusterIP("10.96.0.1")
                .withClusterIPs("10.96.0.1")
                .withSelector(Map.of("app", "cart"))
                .addNewPort()
                .withPort(80)
                .withNewTargetPort(8080)
                .endPort()
                .endSpec()
                .build())
        .create();
  }

  @AfterEach
  void close() {
    disconnect();
    if (controlPlane != null) {
      controlPlane.close();
    }
  }

  private void disconnect() {
    if (channel != null) {
      channel.shutdownNow();
    }
  }

  private static Pod pod(
      String namespace, String name, String account, String node, String address) {
    return new PodBuilder()
        .withNewMetadata()
        .withNamespace(namespace)
        .withName(name)
        .addToLabels("app", account)
        .endMetadata()
        .withNewSpec()
        .withServiceAccountName(account)
        .withNodeName(node)
        .endSpec()
        .withNewStatus()
        .withPhase("Running")
        .addNewPodIP()
        .withIp(address)
        .endPodIP()
        .endStatus()
        .build();
  }

  /** A token is "namespace/account/pod". */
  private final TokenReviewer reviewer =
      (token, audience) -> {
        String[] parts = token.split("/", -1);
        if (parts.length != 3) {
          return new TokenReviewStatusBuilder().withAuthenticated(false).build();
        }
        TokenReviewStatus status =
            new TokenReviewStatusBuilder()
                .withAuthenticated(true)
                .withAudiences(audience)
                .withNewUser()
                .withUsername("system:serviceaccount:" + parts[0] + ":" + parts[1])
                .withGroups("system:serviceaccounts")
                .addToExtra("authentication.kubernetes.io/pod-name", List.of(parts[2]))
                .addToExtra(
                    "authentication.kubernetes.io/pod-uid", List.of(uid(parts[0], parts[2])))
                .endUser()
                .build();
        return status;
      };

  /** The API server gives UIDs. */
  private String uid(String namespace, String pod) {
    return client.pods().inNamespace(namespace).withName(pod).require().getMetadata().getUid();
  }

  private ControlPlane serve() throws Exception {
    SelfSignedRoot.ensure(client, ROOT, new TrustDomain("cluster.local"));
    AmbientMesh mesh = new AmbientMesh();
    mesh.getMetadata().setName("default");
    client.resource(mesh).create();
    ControlPlane started =
        new ControlPlane(client, ControlPlaneSettings.of(ROOT).withPort(0), registry, reviewer);
    controlPlane = started;
    assertThat(started.ready()).isFalse();
    started.start();
    await().atMost(PATIENCE).until(started::ready);
    return started;
  }

  private ManagedChannel connect(
      ControlPlane to, @Nullable KeyPair key, @Nullable List<X509Certificate> chain)
      throws Exception {
    SslContextBuilder tls =
        SslContextBuilder.forClient()
            .trustManager(
                new ByteArrayInputStream(
                    to.authority().rootBundle().orElseThrow().getBytes(StandardCharsets.UTF_8)));
    if (key != null && chain != null) {
      tls.keyManager(key.getPrivate(), chain.toArray(new X509Certificate[0]));
    }
    ManagedChannel made =
        NettyChannelBuilder.forAddress(new InetSocketAddress("127.0.0.1", to.port()))
            .overrideAuthority("ambit-operator.ambit-system.svc")
            .sslContext(GrpcSslContexts.configure(tls, SslProvider.JDK).build())
            .build();
    channel = made;
    return made;
  }

  private static CallCredentials token(String token) {
    return new CallCredentials() {
      @Override
      public void applyRequestMetadata(
          RequestInfo info, Executor executor, MetadataApplier applier) {
        Metadata headers = new Metadata();
        headers.put(
            Metadata.Key.of("authorization", Metadata.ASCII_STRING_MARSHALLER), "Bearer " + token);
        applier.apply(headers);
      }
    };
  }

  private static KeyPair key() throws Exception {
    KeyPairGenerator generator = KeyPairGenerator.getInstance("EC");
    generator.initialize(new ECGenParameterSpec("secp256r1"));
    return generator.generateKeyPair();
  }

  private static IstioCertificateRequest request(KeyPair key, Optional<String> impersonated)
      throws Exception {
    PKCS10CertificationRequest csr =
        new JcaPKCS10CertificationRequestBuilder(new X500Name("CN=x"), key.getPublic())
            .build(new JcaContentSignerBuilder("SHA256withECDSA").build(key.getPrivate()));
    IstioCertificateRequest.Builder request =
        IstioCertificateRequest.newBuilder()
            .setCsr(
                "-----BEGIN CERTIFICATE REQUEST-----\n"
                    + java.util.Base64.getMimeEncoder().encodeToString(csr.getEncoded())
                    + "\n-----END CERTIFICATE REQUEST-----\n");
    impersonated.ifPresent(
        identity ->
            request.setMetadata(
                Struct.newBuilder()
                    .putFields(
                        "ImpersonatedIdentity",
                        Value.newBuilder().setStringValue(identity).build())));
    return request.build();
  }

  private static X509Certificate certificate(String pem) throws Exception {
    return (X509Certificate)
        CertificateFactory.getInstance("X.509")
            .generateCertificate(new ByteArrayInputStream(pem.getBytes(StandardCharsets.US_ASCII)));
  }

  private static String identity(X509Certificate certificate) throws Exception {
    return String.valueOf(certificate.getSubjectAlternativeNames().iterator().next().get(1));
  }

  private double refused(String reason) {
    return registry.counter("ambit.ca.refused", "reason", reason).count();
  }

  @Test
  void nodesGetCertificatesForTheirOwnPodsAndCallersForThemselves() throws Exception {
    ControlPlane serving = serve();
    var stub =
        IstioCertificateServiceGrpc.newBlockingStub(connect(serving, null, null))
            .withCallCredentials(token("ambit-system/ztunnel/ztunnel-1"));

    KeyPair key = key();
    List<String> chain =
        stub.createCertificate(request(key, Optional.of("spiffe://cluster.local/ns/shop/sa/cart")))
            .getCertChainList();
    assertThat(chain).hasSize(2);
    assertThat(identity(certificate(chain.getFirst())))
        .isEqualTo("spiffe://cluster.local/ns/shop/sa/cart");

    assertThatThrownBy(
            () ->
                stub.createCertificate(
                    request(key(), Optional.of("spiffe://cluster.local/ns/shop/sa/web"))))
        .isInstanceOfSatisfying(
            StatusRuntimeException.class,
            e -> {
              assertThat(e.getStatus().getCode()).isEqualTo(Status.Code.UNAUTHENTICATED);
              // The log has the reason; the caller has not.
              assertThat(e.getMessage()).doesNotContain("node");
            });
    assertThat(refused("identity_not_on_node")).isEqualTo(1);

    // With the certificate it got, the workload is known by that, and may have another for itself.
    disconnect();
    var own =
        IstioCertificateServiceGrpc.newBlockingStub(
            connect(serving, key, List.of(certificate(chain.getFirst()))));
    assertThat(
            identity(
                certificate(
                    own.createCertificate(request(key(), Optional.empty())).getCertChain(0))))
        .isEqualTo("spiffe://cluster.local/ns/shop/sa/cart");
    assertThat(registry.counter("ambit.ca.issued").count()).isEqualTo(2);
  }

  @Test
  void callersWithoutOrWithBadCredentialsAreRefused() throws Exception {
    ControlPlane serving = serve();
    var stub = IstioCertificateServiceGrpc.newBlockingStub(connect(serving, null, null));
    for (var each : List.of(stub, stub.withCallCredentials(token("nonsense")))) {
      assertThatThrownBy(() -> each.createCertificate(request(key(), Optional.empty())))
          .isInstanceOfSatisfying(
              StatusRuntimeException.class,
              e -> assertThat(e.getStatus().getCode()).isEqualTo(Status.Code.UNAUTHENTICATED));
    }
    assertThat(refused("no_credential")).isEqualTo(1);
    assertThat(refused("token_rejected")).isEqualTo(1);
  }

  /** Keeps what discovery sends. */
  private static final class Held implements StreamObserver<DeltaDiscoveryResponse> {
    final Map<String, Resource> resources = new ConcurrentHashMap<>();
    volatile @Nullable Throwable error;
    private @Nullable StreamObserver<DeltaDiscoveryRequest> requests;

    @Override
    public synchronized void onNext(DeltaDiscoveryResponse response) {
      response.getResourcesList().forEach(each -> resources.put(each.getName(), each));
      response.getRemovedResourcesList().forEach(resources::remove);
      if (requests != null) {
        requests.onNext(
            DeltaDiscoveryRequest.newBuilder()
                .setTypeUrl(response.getTypeUrl())
                .setResponseNonce(response.getNonce())
                .build());
      }
    }

    @Override
    public void onError(Throwable failure) {
      error = failure;
    }

    @Override
    public void onCompleted() {}

    Address address(String name) throws Exception {
      Resource resource = resources.get(name);
      assertThat(resource).as(name).isNotNull();
      return Address.parseFrom(java.util.Objects.requireNonNull(resource).getResource().getValue());
    }

    synchronized void open(
        AggregatedDiscoveryServiceGrpc.AggregatedDiscoveryServiceStub stub, String nodeId) {
      StreamObserver<DeltaDiscoveryRequest> stream = stub.deltaAggregatedResources(this);
      requests = stream;
      for (String type :
          List.of(
              "type.googleapis.com/istio.workload.Address",
              "type.googleapis.com/istio.security.Authorization")) {
        stream.onNext(
            DeltaDiscoveryRequest.newBuilder()
                .setNode(Node.newBuilder().setId(nodeId))
                .setTypeUrl(type)
                .build());
      }
    }
  }

  private Held discover(ControlPlane serving, String token, String nodeId) throws Exception {
    Held held = new Held();
    held.open(
        AggregatedDiscoveryServiceGrpc.newStub(connect(serving, null, null))
            .withCallCredentials(token(token)),
        nodeId);
    return held;
  }

  private static final String NODE =
      "ztunnel~10.0.0.2~ztunnel-1.ambit-system~ambit-system.svc.cluster.local";

  @Test
  void ztunnelsAreToldTheMeshAndItsChangesAndPoliciesOnceTheirKindExists() throws Exception {
    ControlPlane serving = serve();
    Held held = discover(serving, "ambit-system/ztunnel/ztunnel-1", NODE);
    await()
        .atMost(PATIENCE)
        .until(
            () ->
                held.resources
                    .keySet()
                    .containsAll(
                        List.of(
                            "Kubernetes//Pod/shop/cart",
                            "Kubernetes//Pod/shop/web",
                            "shop/cart.shop.svc.cluster.local",
                            "ambit-system/istio_converted_static_strict")));
    assertThat(held.address("Kubernetes//Pod/shop/cart").getWorkload().getServicesMap())
        .containsOnlyKeys("shop/cart.shop.svc.cluster.local");

    client
        .pods()
        .inNamespace("shop")
        .withName("cart")
        .edit(
            pod ->
                new PodBuilder(pod)
                    .editMetadata()
                    .addToAnnotations("ambient.istio.io/redirection", "enabled")
                    .endMetadata()
                    .build());
    await()
        .atMost(PATIENCE)
        .until(
            () ->
                held.address("Kubernetes//Pod/shop/cart").getWorkload().getTunnelProtocol()
                    == TunnelProtocol.HBONE);

    CustomResourceDefinition definition =
        Serialization.unmarshal(
            """
            apiVersion: apiextensions.k8s.io/v1
            kind: CustomResourceDefinition
            metadata: {name: authorizationpolicies.security.istio.io}
            spec:
              group: security.istio.io
              scope: Namespaced
              names: {kind: AuthorizationPolicy, plural: authorizationpolicies}
              versions: [{name: v1, served: true, storage: true}]
            status:
              conditions: [{type: Established, status: "True"}]
            """,
            CustomResourceDefinition.class);
    client.resource(definition).create();
    client
        .resource(
            Serialization.unmarshal(
                """
                apiVersion: security.istio.io/v1
                kind: AuthorizationPolicy
                metadata: {name: only-web, namespace: shop}
                spec:
                  selector: {matchLabels: {app: cart}}
                  rules: [{from: [{source: {serviceAccounts: [web]}}]}]
                """,
                AuthorizationPolicy.class))
        .create();
    await().atMost(PATIENCE).until(() -> held.resources.containsKey("shop/only-web"));
    await()
        .atMost(PATIENCE)
        .until(
            () ->
                held.address("Kubernetes//Pod/shop/cart")
                    .getWorkload()
                    .getAuthorizationPoliciesList()
                    .contains("shop/only-web"));
    Authorization policy =
        Authorization.parseFrom(
            java.util.Objects.requireNonNull(held.resources.get("shop/only-web"))
                .getResource()
                .getValue());
    assertThat(policy.getRules(0).getClauses(0).getMatches(0).getServiceAccounts(0).getNamespace())
        .isEqualTo("shop");

    client.pods().inNamespace("shop").withName("web").delete();
    await().atMost(PATIENCE).until(() -> !held.resources.containsKey("Kubernetes//Pod/shop/web"));
  }

  private void define(String group, String kind, String plural) {
    client
        .resource(
            Serialization.unmarshal(
                """
                apiVersion: apiextensions.k8s.io/v1
                kind: CustomResourceDefinition
                metadata: {name: %3$s.%1$s}
                spec:
                  group: %1$s
                  scope: Namespaced
                  names: {kind: %2$s, plural: %3$s}
                  versions: [{name: v1, served: true, storage: true}]
                status:
                  conditions: [{type: Established, status: "True"}]
                """
                    .formatted(group, kind, plural),
                CustomResourceDefinition.class))
        .create();
  }

  @Test
  void entriesAndWaypointsAreFollowedOnceTheirKindsExist() throws Exception {
    ControlPlane serving = serve();
    Held held = discover(serving, "ambit-system/ztunnel/ztunnel-1", NODE);

    client
        .services()
        .inNamespace("shop")
        .withName("cart")
        .edit(
            service ->
                new ServiceBuilder(service)
                    .editMetadata()
                    .addToLabels("istio.io/use-waypoint", "waypoint")
                    .endMetadata()
                    .build());
    // Not there: traffic is led to where nothing is.
    await()
        .atMost(PATIENCE)
        .until(
            () ->
                held.resources.containsKey("shop/cart.shop.svc.cluster.local")
                    && held.address("shop/cart.shop.svc.cluster.local")
                        .getService()
                        .getWaypoint()
                        .getHostname()
                        .getHostname()
                        .equals("waypoint.shop.waypoint.invalid"));
    define("gateway.networking.k8s.io", "Gateway", "gateways");
    client
        .resource(
            Serialization.unmarshal(
                """
                apiVersion: gateway.networking.k8s.io/v1
                kind: Gateway
                metadata: {name: waypoint, namespace: shop}
                spec: {gatewayClassName: istio-waypoint}
                status: {addresses: [{type: Hostname, value: waypoint.shop.svc.cluster.local}]}
                """,
                Gateway.class))
        .create();
    await()
        .atMost(PATIENCE)
        .until(
            () ->
                held.address("shop/cart.shop.svc.cluster.local")
                    .getService()
                    .getWaypoint()
                    .getHostname()
                    .getHostname()
                    .equals("waypoint.shop.svc.cluster.local"));
    define("networking.istio.io", "ServiceEntry", "serviceentries");
    client
        .resource(
            Serialization.unmarshal(
                """
                apiVersion: networking.istio.io/v1
                kind: ServiceEntry
                metadata: {name: api, namespace: shop}
                spec: {hosts: [api.example.com], resolution: DNS, ports: [{name: tls, number: 443}]}
                """,
                ServiceEntry.class))
        .create();
    await()
        .atMost(PATIENCE)
        .until(
            () ->
                held.resources
                    .keySet()
                    .containsAll(
                        List.of(
                            "shop/api.example.com",
                            "Kubernetes/networking.istio.io/ServiceEntry/shop/api/api.example.com")));
  }

  /** Takes all that a waypoint is told but what it is to reject. */
  private static final class Picky implements StreamObserver<DeltaDiscoveryResponse> {
    private static final String PREFIX = "type.googleapis.com/envoy.config.";
    private static final String ROUTES = PREFIX + "route.v3.RouteConfiguration";

    private final String rejected;
    private final Node node;
    private @Nullable StreamObserver<DeltaDiscoveryRequest> requests;

    Picky(String rejected, Node node) {
      this.rejected = rejected;
      this.node = node;
    }

    synchronized void open(AggregatedDiscoveryServiceGrpc.AggregatedDiscoveryServiceStub stub) {
      requests = stub.deltaAggregatedResources(this);
      ask(PREFIX + "cluster.v3.Cluster");
      ask(PREFIX + "listener.v3.Listener");
      ask(ROUTES, rejected);
    }

    private void ask(String type, String... names) {
      send(
          DeltaDiscoveryRequest.newBuilder()
              .setNode(node)
              .setTypeUrl(type)
              .addAllResourceNamesSubscribe(List.of(names)));
    }

    private void send(DeltaDiscoveryRequest.Builder request) {
      StreamObserver<DeltaDiscoveryRequest> stream = requests;
      if (stream != null) {
        stream.onNext(request.build());
      }
    }

    @Override
    public synchronized void onNext(DeltaDiscoveryResponse response) {
      DeltaDiscoveryRequest.Builder answer =
          DeltaDiscoveryRequest.newBuilder()
              .setTypeUrl(response.getTypeUrl())
              .setResponseNonce(response.getNonce());
      if (response.getResourcesList().stream().anyMatch(each -> each.getName().equals(rejected))) {
        answer.setErrorDetail(
            dev.ambit.protocol.xds.Status.newBuilder().setCode(3).setMessage("no such thing"));
      }
      send(answer);
    }

    @Override
    public void onError(Throwable failure) {}

    @Override
    public void onCompleted() {}
  }

  /** A service with a route, and a pod of its waypoint. */
  private void routed() {
    define("gateway.networking.k8s.io", "Gateway", "gateways");
    define("gateway.networking.k8s.io", "HTTPRoute", "httproutes");
    client
        .resource(
            Serialization.unmarshal(
                """
                apiVersion: gateway.networking.k8s.io/v1
                kind: Gateway
                metadata: {name: waypoint, namespace: shop}
                spec: {gatewayClassName: ambit-waypoint}
                status: {addresses: [{type: Hostname, value: waypoint.shop.svc.cluster.local}]}
                """,
                Gateway.class))
        .create();
    client
        .resource(
            Serialization.unmarshal(
                """
                apiVersion: gateway.networking.k8s.io/v1
                kind: HTTPRoute
                metadata: {name: cart, namespace: shop}
                spec:
                  parentRefs: [{group: "", kind: Service, name: cart}]
                  rules: [{backendRefs: [{name: cart, port: 80}]}]
                """,
                HTTPRoute.class))
        .create();
    client
        .services()
        .inNamespace("shop")
        .withName("cart")
        .edit(
            service ->
                new ServiceBuilder(service)
                    .editMetadata()
                    .addToLabels("istio.io/use-waypoint", "waypoint")
                    .endMetadata()
                    .build());
    client.resource(pod("shop", "waypoint-1", "waypoint", "node-1", "10.0.0.8")).create();
  }

  /** An Envoy that takes all but the service's routes. */
  private void picky(ControlPlane serving) throws Exception {
    new Picky(
            "http|shop/cart.shop.svc.cluster.local|80",
            Node.newBuilder()
                .setId("waypoint~10.0.0.8~waypoint-1.shop~shop.svc.cluster.local")
                .setMetadata(
                    Struct.newBuilder()
                        .putFields(
                            "GATEWAY", Value.newBuilder().setStringValue("waypoint").build()))
                .build())
        .open(
            AggregatedDiscoveryServiceGrpc.newStub(connect(serving, null, null))
                .withCallCredentials(token("shop/waypoint/waypoint-1")));
  }

  @Test
  void whatAWaypointRejectsIsSaidOnTheRouteThatCausedIt() throws Exception {
    routed();
    ControlPlane serving = serve();
    EventRecorder events = new EventRecorder(client, "test", java.time.InstantSource.system());
    try (AutoCloseable writer = serving.writeRouteStatuses(events)) {
      await().atMost(PATIENCE).until(() -> said("Enforced").contains("True"));
      picky(serving);
      await()
          .atMost(PATIENCE)
          .until(
              () ->
                  said("Enforced").contains("False")
                      && said("RejectedByWaypoint").contains("no such thing"));
    }
  }

  @Test
  void anotherReplicaHearsOfWhatAWaypointRejects() throws Exception {
    routed();
    ControlPlane serving = serve();
    ControlPlane other =
        new ControlPlane(client, ControlPlaneSettings.of(ROOT).withPort(0), registry, reviewer);
    EventRecorder events = new EventRecorder(client, "test", java.time.InstantSource.system());
    other.start();
    await().atMost(PATIENCE).until(other::ready);
    try (RejectionEvents told = new RejectionEvents(client, events, serving);
        RejectionEvents heard = new RejectionEvents(client, events, other);
        AutoCloseable writer = other.writeRouteStatuses(events)) {
      await().atMost(PATIENCE).until(() -> said("Enforced").contains("True"));
      picky(serving);
      await().atMost(PATIENCE).until(() -> said("RejectedByWaypoint").contains("no such thing"));
      assertThat(
              client.v1().events().inNamespace("shop").list().getItems().stream()
                  .filter(event -> event.getReason().equals("ConfigurationRejected")))
          .singleElement()
          .satisfies(
              event -> {
                assertThat(event.getInvolvedObject().getName()).isEqualTo("waypoint");
                assertThat(event.getMessage()).contains("no such thing");
              });
    } finally {
      other.close();
    }
  }

  /** The conditions of the route with that word in them. */
  private String said(String word) {
    HTTPRoute route =
        client.resources(HTTPRoute.class).inNamespace("shop").withName("cart").require();
    return route.getStatus() == null || route.getStatus().getParents() == null
        ? ""
        : route.getStatus().getParents().stream()
            .flatMap(parent -> parent.getConditions().stream())
            .map(Object::toString)
            .filter(condition -> condition.contains(word))
            .collect(java.util.stream.Collectors.joining());
  }

  @Test
  void discoveryIsForNodeProxiesUnderTheirOwnName() throws Exception {
    ControlPlane serving = serve();
    Held workload =
        discover(serving, "shop/cart/cart", "ztunnel~10.0.0.3~cart.shop~shop.svc.cluster.local");
    await().atMost(PATIENCE).until(() -> workload.error != null);
    assertThat(refused("caller_not_trusted_node")).isEqualTo(1);
    disconnect();

    Held pretender =
        discover(
            serving,
            "ambit-system/ztunnel/ztunnel-1",
            "ztunnel~10.0.0.9~ztunnel-2.ambit-system~ambit-system.svc.cluster.local");
    await().atMost(PATIENCE).until(() -> pretender.error != null);
    assertThat(Status.fromThrowable(pretender.error).getCode())
        .isEqualTo(Status.Code.PERMISSION_DENIED);
    assertThat(refused("node_id_mismatch")).isEqualTo(1);
  }

  @Test
  void aBrokenAuthoritySecretIsReportedAndTheLoadedOneStaysInUse() throws Exception {
    ControlPlane serving = serve();
    String before = serving.authority().status().orElseThrow().fingerprint();
    client
        .secrets()
        .inNamespace(ROOT)
        .withName(SelfSignedRoot.SECRET)
        .edit(
            secret -> {
              secret.getData().put("ca-key.pem", "bm90IGEga2V5");
              return secret;
            });
    await().atMost(PATIENCE).until(() -> serving.authorityProblem().isPresent());
    assertThat(serving.authorityProblem().orElseThrow()).contains("ca-key.pem");
    assertThat(serving.authority().status().orElseThrow().fingerprint()).isEqualTo(before);

    client.secrets().inNamespace(ROOT).withName(SelfSignedRoot.SECRET).delete();
    SelfSignedRoot.ensure(client, ROOT, new TrustDomain("cluster.local"));
    await()
        .atMost(PATIENCE)
        .until(() -> !serving.authority().status().orElseThrow().fingerprint().equals(before));
    assertThat(serving.authorityProblem()).isEmpty();
    // The server's own certificate follows: a client that trusts the new root alone can connect.
    var stub =
        IstioCertificateServiceGrpc.newBlockingStub(connect(serving, null, null))
            .withCallCredentials(token("ambit-system/ztunnel/ztunnel-1"));
    assertThat(stub.createCertificate(request(key(), Optional.empty())).getCertChainCount())
        .isEqualTo(2);
  }

  /** The secrets that a waypoint holds. */
  private static final class Secrets
      implements StreamObserver<io.envoyproxy.envoy.service.discovery.v3.DeltaDiscoveryResponse> {
    private static final String TYPE =
        "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.Secret";

    final Map<String, Secret> held = new ConcurrentHashMap<>();

    @Override
    public void onNext(io.envoyproxy.envoy.service.discovery.v3.DeltaDiscoveryResponse response) {
      for (io.envoyproxy.envoy.service.discovery.v3.Resource resource :
          response.getResourcesList()) {
        try {
          held.put(resource.getName(), Secret.parseFrom(resource.getResource().getValue()));
        } catch (com.google.protobuf.InvalidProtocolBufferException e) {
          throw new IllegalStateException(e);
        }
      }
    }

    @Override
    public void onError(Throwable failure) {}

    @Override
    public void onCompleted() {}

    private Secret of(String name) {
      return held.getOrDefault(name, Secret.getDefaultInstance());
    }

    String lists() {
      return of("roots").getValidationContext().getCrl().getInlineBytes().toStringUtf8();
    }

    String roots() {
      return of("roots").getValidationContext().getTrustedCa().getInlineBytes().toStringUtf8();
    }

    String chain() {
      return of("own").getTlsCertificate().getCertificateChain().getInlineBytes().toStringUtf8();
    }
  }

  private Secrets secrets(ControlPlane serving) throws Exception {
    client.resource(pod("shop", "waypoint-1", "waypoint", "node-1", "10.0.0.8")).create();
    Secrets secrets = new Secrets();
    SecretDiscoveryServiceGrpc.newStub(connect(serving, null, null))
        .withCallCredentials(token("shop/waypoint/waypoint-1"))
        .deltaSecrets(secrets)
        .onNext(
            io.envoyproxy.envoy.service.discovery.v3.DeltaDiscoveryRequest.newBuilder()
                .setNode(
                    io.envoyproxy.envoy.config.core.v3.Node.newBuilder()
                        .setId("waypoint~10.0.0.8~waypoint-1.shop~shop.svc.cluster.local"))
                .setTypeUrl(Secrets.TYPE)
                .addResourceNamesSubscribe("own")
                .addResourceNamesSubscribe("roots")
                .build());
    await().atMost(PATIENCE).until(() -> secrets.held.size() == 2);
    return secrets;
  }

  private void putIntoAuthority(String key, @Nullable String value) {
    client
        .secrets()
        .inNamespace(ROOT)
        .withName(SelfSignedRoot.SECRET)
        .edit(
            secret -> {
              if (value == null) {
                secret.getData().remove(key);
              } else {
                secret
                    .getData()
                    .put(
                        key,
                        java.util.Base64.getEncoder()
                            .encodeToString(value.getBytes(StandardCharsets.US_ASCII)));
              }
              return secret;
            });
  }

  private byte[] authority(String key) {
    return java.util.Base64.getDecoder()
        .decode(
            client
                .secrets()
                .inNamespace(ROOT)
                .withName(SelfSignedRoot.SECRET)
                .require()
                .getData()
                .get(key));
  }

  /** One that revokes that serial number. */
  private String revocationList(long serial) throws Exception {
    X509Certificate issuer =
        certificate(new String(authority("ca-cert.pem"), StandardCharsets.US_ASCII));
    PrivateKeyInfo key;
    try (PEMParser parser =
        new PEMParser(
            new java.io.StringReader(
                new String(authority("ca-key.pem"), StandardCharsets.US_ASCII)))) {
      key = (PrivateKeyInfo) parser.readObject();
    }
    java.util.Date now = new java.util.Date();
    var list =
        new JcaX509v2CRLBuilder(issuer.getSubjectX500Principal(), now)
            .addCRLEntry(java.math.BigInteger.valueOf(serial), now, 0)
            .setNextUpdate(new java.util.Date(now.getTime() + 3_600_000))
            .build(
                new JcaContentSignerBuilder("SHA256withECDSA")
                    .build(new JcaPEMKeyConverter().getPrivateKey(key)));
    return "-----BEGIN X509 CRL-----\n"
        + java.util.Base64.getMimeEncoder().encodeToString(list.getEncoded())
        + "\n-----END X509 CRL-----\n";
  }

  private static boolean revokes(String lists, long serial) throws Exception {
    return !lists.isEmpty()
        && ((java.security.cert.X509CRL)
                    CertificateFactory.getInstance("X.509")
                        .generateCRL(
                            new ByteArrayInputStream(lists.getBytes(StandardCharsets.US_ASCII))))
                .getRevokedCertificate(java.math.BigInteger.valueOf(serial))
            != null;
  }

  @Test
  void revocationListsOfTheAuthorityReachWaypoints() throws Exception {
    ControlPlane serving = serve();
    Secrets secrets = secrets(serving);
    assertThat(secrets.lists()).isEmpty();
    putIntoAuthority("ca-crl.pem", revocationList(7));
    await().atMost(PATIENCE).until(() -> revokes(secrets.lists(), 7));
    assertThat(secrets.of("roots").getValidationContext().getOnlyVerifyLeafCertCrl()).isTrue();
    // One that cannot be used changes nothing.
    putIntoAuthority("ca-crl.pem", "no list");
    putIntoAuthority("ca-crl.pem", revocationList(8));
    await().atMost(PATIENCE).until(() -> revokes(secrets.lists(), 8));
    putIntoAuthority("ca-crl.pem", null);
    await().atMost(PATIENCE).until(() -> secrets.lists().isEmpty());
  }

  @Test
  void aWaypointGetsAnotherCertificateAndRootsWhenTheAuthorityIsAnother() throws Exception {
    ControlPlane serving = serve();
    Secrets secrets = secrets(serving);
    String chain = secrets.chain();
    String roots = secrets.roots();
    client.secrets().inNamespace(ROOT).withName(SelfSignedRoot.SECRET).delete();
    SelfSignedRoot.ensure(client, ROOT, new TrustDomain("cluster.local"));
    await()
        .atMost(PATIENCE)
        .until(() -> !secrets.chain().equals(chain) && !secrets.roots().equals(roots));
    X509Certificate root =
        certificate(new String(authority("root-cert.pem"), StandardCharsets.US_ASCII));
    certificate(secrets.chain()).verify(root.getPublicKey());
    assertThat(secrets.roots())
        .contains(
            java.util.Base64.getMimeEncoder(64, "\n".getBytes(StandardCharsets.US_ASCII))
                .encodeToString(root.getEncoded())
                .lines()
                .findFirst()
                .orElseThrow());
  }

  @Test
  void theRootIsMadeOnce() throws Exception {
    var first = SelfSignedRoot.ensure(client, ROOT, new TrustDomain("cluster.local"));
    var second = SelfSignedRoot.ensure(client, ROOT, new TrustDomain("cluster.local"));
    assertThat(second.certificate()).isEqualTo(first.certificate());
  }
}
