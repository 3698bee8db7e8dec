package dev.ambit.ztunnel.xds;

import static dev.ambit.ztunnel.testing.FakeControlPlane.ADDRESS;
import static dev.ambit.ztunnel.testing.FakeControlPlane.AUTHORIZATION;
import static dev.ambit.ztunnel.testing.FakeControlPlane.resource;
import static dev.ambit.ztunnel.testing.MeshFixtures.key;
import static dev.ambit.ztunnel.testing.MeshFixtures.pod;
import static dev.ambit.ztunnel.testing.MeshFixtures.service;
import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import dev.ambit.protocol.security.Action;
import dev.ambit.protocol.security.Authorization;
import dev.ambit.protocol.security.Scope;
import dev.ambit.protocol.workload.Address;
import dev.ambit.protocol.workload.Service;
import dev.ambit.protocol.workload.TunnelProtocol;
import dev.ambit.protocol.workload.Workload;
import dev.ambit.protocol.xds.DeltaDiscoveryRequest;
import dev.ambit.protocol.xds.Resource;
import dev.ambit.ztunnel.certificate.IstioCertificateClient;
import dev.ambit.ztunnel.channel.BearerToken;
import dev.ambit.ztunnel.channel.ServerAddress;
import dev.ambit.ztunnel.channel.ServerChannel;
import dev.ambit.ztunnel.identity.Identity;
import dev.ambit.ztunnel.identity.TrustDomains;
import dev.ambit.ztunnel.policy.PolicyStore;
import dev.ambit.ztunnel.state.MeshStore;
import dev.ambit.ztunnel.testing.FakeControlPlane;
import dev.ambit.ztunnel.testing.TestAuthority;
import io.netty.channel.EventLoopGroup;
import io.netty.channel.MultiThreadIoEventLoopGroup;
import io.netty.channel.epoll.EpollIoHandler;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Executors;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class XdsClientTest {
  private static final NodeIdentity NODE =
      new NodeIdentity("10.1.1.1", "ztunnel-x", "ambit-system", "node-1", "Kubernetes");

  @TempDir Path directory;

  private final ScheduledExecutorService executor = Executors.newSingleThreadScheduledExecutor();
  private final EventLoopGroup loop =
      new MultiThreadIoEventLoopGroup(1, EpollIoHandler.newFactory());
  private final MeshStore mesh = new MeshStore();
  private final PolicyStore policies = new PolicyStore(mesh, (policy, deny, input) -> {});
  private final Counts counts = new Counts();
  private TestAuthority authority;
  private Path tokenFile;
  private @Nullable ServerChannel channel;
  private @Nullable XdsClient client;

  private static final class Counts implements XdsObserver {
    final AtomicInteger terminated = new AtomicInteger();
    final AtomicInteger rejected = new AtomicInteger();
    final AtomicInteger received = new AtomicInteger();

    @Override
    public void terminated(Termination reason) {
      terminated.incrementAndGet();
    }

    @Override
    public void received(String typeUrl, int bytes) {
      received.incrementAndGet();
    }

    @Override
    public void rejected(String typeUrl) {
      rejected.incrementAndGet();
    }
  }

  @BeforeEach
  void setUp() throws Exception {
    authority = new TestAuthority();
    tokenFile = Files.writeString(directory.resolve("token"), "first\n");
  }

  @AfterEach
  void tearDown() {
    if (client != null) {
      client.close();
    }
    if (channel != null) {
      channel.close();
    }
    executor.shutdown();
    loop.shutdownGracefully(0, 1, TimeUnit.SECONDS);
  }

  private XdsClient connect(String url, Path root) {
    ServerChannel opened =
        new ServerChannel(
            ServerAddress.parse(url, root),
            BearerToken.in(tokenFile),
            Map.of("clusterid", "Kubernetes"),
            loop,
            executor);
    channel = opened;
    XdsClient started =
        new XdsClient(
            opened,
            NODE,
            List.of(
                MeshResources.authorizations(policies, TrustDomains.NO_ALIASES),
                MeshResources.addresses(mesh)),
            executor,
            counts);
    client = started;
    started.start();
    return started;
  }

  private XdsClient connect(FakeControlPlane server) {
    return connect("http://127.0.0.1:" + server.port(), Path.of("/none"));
  }

  private static FakeControlPlane.Stream stream(FakeControlPlane server, int index) {
    await()
        .atMost(Duration.ofSeconds(20))
        .until(
            () ->
                server.streams().size() > index
                    && server.streams().get(index).requests().size() >= 2);
    return server.streams().get(index);
  }

  private static DeltaDiscoveryRequest reply(FakeControlPlane.Stream stream, String nonce) {
    return await().until(() -> stream.reply(nonce), r -> r != null);
  }

  private static Resource workload(Workload.Builder workload, String version) {
    return resource(
        ADDRESS, workload.getUid(), version, Address.newBuilder().setWorkload(workload).build());
  }

  private static Resource serviceResource(Service.Builder service, String version) {
    return resource(
        ADDRESS,
        service.getNamespace() + "/" + service.getHostname(),
        version,
        Address.newBuilder().setService(service).build());
  }

  private static Resource policy(String name) {
    return resource(
        AUTHORIZATION,
        "shop/" + name,
        "",
        Authorization.newBuilder()
            .setNamespace("shop")
            .setName(name)
            .setScope(Scope.NAMESPACE)
            .setAction(Action.DENY)
            .build());
  }

  private static String uid(String name) {
    return "Kubernetes//Pod/shop/" + name;
  }

  @Test
  void subscribesToAllSaysWhoItIsAndIsSyncedAfterBothTypes() throws Exception {
    try (FakeControlPlane server = FakeControlPlane.plain(authority)) {
      XdsClient xds = connect(server);
      FakeControlPlane.Stream stream = stream(server, 0);
      DeltaDiscoveryRequest subscription = stream.subscription(ADDRESS);
      assertThat(subscription.getResourceNamesSubscribeList()).isEmpty();
      assertThat(subscription.getInitialResourceVersionsMap()).isEmpty();
      assertThat(subscription.getNode().getId())
          .isEqualTo("ztunnel~10.1.1.1~ztunnel-x.ambit-system~ambit-system.svc.cluster.local");
      assertThat(
              subscription.getNode().getMetadata().getFieldsOrThrow("NODE_NAME").getStringValue())
          .isEqualTo("node-1");
      assertThat(server.tokens()).containsExactly("Bearer first");
      assertThat(server.clusters()).containsExactly("Kubernetes");

      stream.send(AUTHORIZATION, "a1", List.of(policy("p")), List.of());
      assertThat(reply(stream, "a1").hasErrorDetail()).isFalse();
      assertThat(xds.synced().toCompletableFuture()).isNotDone();
      stream.send(
          ADDRESS,
          "w1",
          List.of(
              workload(pod("shop", "web", "10.0.0.1"), "1"),
              serviceResource(service("shop", "web", "10.96.0.1"), "1")),
          List.of());
      assertThat(reply(stream, "w1").hasErrorDetail()).isFalse();
      await().until(() -> xds.synced().toCompletableFuture().isDone());
      assertThat(mesh.workload(uid("web"))).isNotNull();
      assertThat(mesh.services()).hasSize(1);
      assertThat(policies.policies()).hasSize(1);

      stream.send(ADDRESS, "w2", List.of(), List.of(uid("web"), key("shop", "web"), "no/one"));
      reply(stream, "w2");
      assertThat(mesh.workloads()).isEmpty();
      assertThat(mesh.services()).isEmpty();
      stream.send(AUTHORIZATION, "a2", List.of(), List.of("shop/p"));
      reply(stream, "a2");
      assertThat(policies.policies()).isEmpty();
    }
  }

  @Test
  void aBadResourceRejectsItselfOnlyAndIsNamed() throws Exception {
    try (FakeControlPlane server = FakeControlPlane.plain(authority)) {
      connect(server);
      FakeControlPlane.Stream stream = stream(server, 0);
      Resource garbage =
          Resource.newBuilder()
              .setName("garbage")
              .setResource(
                  com.google.protobuf.Any.newBuilder()
                      .setTypeUrl(ADDRESS)
                      .setValue(com.google.protobuf.ByteString.copyFromUtf8("\u0007nonsense")))
              .build();
      stream.send(
          ADDRESS,
          "w1",
          List.of(
              workload(pod("shop", "good", "10.0.0.1"), "1"),
              workload(
                  pod("shop", "legacy", "10.0.0.2")
                      .setTunnelProtocol(TunnelProtocol.LEGACY_ISTIO_MTLS),
                  "1"),
              garbage,
              resource(
                  ADDRESS,
                  uid("alias"),
                  "1",
                  Address.newBuilder().setWorkload(pod("shop", "other", "10.0.0.3")).build())),
          List.of());
      DeltaDiscoveryRequest reply = reply(stream, "w1");
      assertThat(reply.hasErrorDetail()).isTrue();
      assertThat(reply.getErrorDetail().getMessage())
          .contains(uid("legacy"), "garbage", uid("alias"))
          .doesNotContain(uid("good"));
      assertThat(mesh.workloads()).hasSize(1);
      assertThat(counts.rejected).hasValue(3);
    }
  }

  @Test
  void afterABreakItTellsWhatItHoldsAndKeepsItMeanwhile() throws Exception {
    try (FakeControlPlane server = FakeControlPlane.plain(authority)) {
      connect(server);
      FakeControlPlane.Stream first = stream(server, 0);
      first.send(AUTHORIZATION, "a1", List.of(policy("p")), List.of());
      first.send(
          ADDRESS,
          "w1",
          List.of(
              workload(pod("shop", "kept", "10.0.0.1"), "7"),
              workload(pod("shop", "changed", "10.0.0.2"), "8"),
              workload(
                  pod("shop", "rejected", "10.0.0.3")
                      .setTunnelProtocol(TunnelProtocol.LEGACY_ISTIO_MTLS),
                  "9")),
          List.of());
      reply(first, "w1");
      Files.writeString(tokenFile, "second");
      first.fail();

      FakeControlPlane.Stream second = stream(server, 1);
      assertThat(mesh.workloads()).hasSize(2);
      assertThat(policies.policies()).hasSize(1);
      assertThat(second.subscription(ADDRESS).getInitialResourceVersionsMap())
          .isEqualTo(Map.of(uid("kept"), "7", uid("changed"), "8"));
      assertThat(second.subscription(AUTHORIZATION).getInitialResourceVersionsMap())
          .isEqualTo(Map.of("shop/p", ""));
      assertThat(server.tokens()).containsExactly("Bearer first", "Bearer second");
      assertThat(counts.terminated).hasValue(1);

      second.send(
          ADDRESS,
          "w2",
          List.of(workload(pod("shop", "changed", "10.0.0.9"), "10")),
          List.of(uid("kept")));
      reply(second, "w2");
      assertThat(mesh.workloads()).hasSize(1);
    }
  }

  @Test
  void comesBackAfterTheServerWasAway() throws Exception {
    int port;
    try (FakeControlPlane server = FakeControlPlane.secure(authority, authority, 0)) {
      port = server.port();
      Path root = Files.writeString(directory.resolve("root.pem"), authority.rootPem());
      connect("https://127.0.0.1:" + port, root);
      FakeControlPlane.Stream stream = stream(server, 0);
      stream.send(ADDRESS, "w1", List.of(workload(pod("shop", "a", "10.0.0.1"), "1")), List.of());
      reply(stream, "w1");
    }
    await().until(() -> counts.terminated.get() >= 3);
    assertThat(mesh.workloads()).hasSize(1);
    try (FakeControlPlane server = FakeControlPlane.secure(authority, authority, port)) {
      assertThat(stream(server, 0).subscription(ADDRESS).getInitialResourceVersionsMap())
          .isEqualTo(Map.of(uid("a"), "1"));
    }
  }

  @Test
  void theRootFileMayComeLateAndMayChange() throws Exception {
    TestAuthority next = new TestAuthority();
    Path root = directory.resolve("root.pem");
    int port;
    try (FakeControlPlane server = FakeControlPlane.secure(authority, authority, 0)) {
      port = server.port();
      connect("https://127.0.0.1:" + port, root);
      await().until(() -> counts.terminated.get() >= 2);
      assertThat(server.streams()).isEmpty();
      Files.writeString(root, next.rootPem());
      int refused = counts.terminated.get() + 2;
      await().atMost(Duration.ofSeconds(20)).until(() -> counts.terminated.get() >= refused);
      assertThat(server.streams()).isEmpty();
      Files.writeString(root, authority.rootPem());
      stream(server, 0);
    }
    Files.writeString(root, next.rootPem());
    try (FakeControlPlane server = FakeControlPlane.secure(authority, next, port)) {
      stream(server, 0);
    }
  }

  @Test
  void certificatesComeFromTheSameServer() throws Exception {
    try (FakeControlPlane server = FakeControlPlane.plain(authority)) {
      ServerChannel opened =
          new ServerChannel(
              ServerAddress.parse("http://127.0.0.1:" + server.port(), Path.of("/none")),
              BearerToken.in(tokenFile),
              Map.of("clusterid", "Kubernetes"),
              loop,
              executor);
      channel = opened;
      Identity identity = new Identity("cluster.local", "shop", "cart");
      var cache =
          new dev.ambit.ztunnel.certificate.CertificateCache(
              new IstioCertificateClient(opened, Duration.ofHours(6)),
              executor,
              java.time.Clock.systemUTC());
      assertThat(cache.get(identity).toCompletableFuture().get(10, TimeUnit.SECONDS).identity())
          .isEqualTo(identity);
      assertThat(server.certificateRequests()).hasSize(1);
      assertThat(server.certificateRequests().getFirst().getValidityDuration()).isEqualTo(21600);
      assertThat(server.tokens()).containsExactly("Bearer first");
      cache.close();
    }
  }
}
