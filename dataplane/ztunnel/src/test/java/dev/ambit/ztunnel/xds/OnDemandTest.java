package dev.ambit.ztunnel.xds;

import static dev.ambit.ztunnel.testing.FakeControlPlane.ADDRESS;
import static dev.ambit.ztunnel.testing.FakeControlPlane.AUTHORIZATION;
import static dev.ambit.ztunnel.testing.MeshFixtures.key;
import static dev.ambit.ztunnel.testing.MeshFixtures.pod;
import static dev.ambit.ztunnel.testing.MeshFixtures.ports;
import static dev.ambit.ztunnel.testing.MeshFixtures.service;
import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import com.google.protobuf.Message;
import dev.ambit.protocol.workload.Address;
import dev.ambit.protocol.workload.TunnelProtocol;
import dev.ambit.protocol.xds.DeltaDiscoveryRequest;
import dev.ambit.protocol.xds.Resource;
import dev.ambit.ztunnel.channel.BearerToken;
import dev.ambit.ztunnel.channel.ServerAddress;
import dev.ambit.ztunnel.channel.ServerChannel;
import dev.ambit.ztunnel.identity.TrustDomains;
import dev.ambit.ztunnel.policy.PolicyStore;
import dev.ambit.ztunnel.state.MeshService;
import dev.ambit.ztunnel.state.MeshStore;
import dev.ambit.ztunnel.state.MeshWorkload;
import dev.ambit.ztunnel.testing.FakeControlPlane;
import dev.ambit.ztunnel.testing.TestAuthority;
import io.netty.channel.EventLoopGroup;
import io.netty.channel.MultiThreadIoEventLoopGroup;
import io.netty.channel.epoll.EpollIoHandler;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.Executors;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

class OnDemandTest {
  private static final NodeIdentity NODE =
      new NodeIdentity("10.1.1.1", "ztunnel-x", "ambit-system", "node-1", "Kubernetes");

  private final ScheduledExecutorService executor = Executors.newSingleThreadScheduledExecutor();
  private final EventLoopGroup loop =
      new MultiThreadIoEventLoopGroup(1, EpollIoHandler.newFactory());
  private final MeshStore mesh = new MeshStore();
  private final OnDemand demand = new OnDemand(mesh, Duration.ofHours(1));
  private FakeControlPlane server;
  private ServerChannel channel;
  private XdsClient client;

  @SuppressWarnings("NullAway.Init") // set up before each test
  OnDemandTest() {}

  @BeforeEach
  void setUp() throws Exception {
    server = FakeControlPlane.plain(new TestAuthority());
    channel =
        new ServerChannel(
            ServerAddress.parse("http://127.0.0.1:" + server.port(), Path.of("none")),
            BearerToken.none(),
            Map.of(),
            loop,
            executor);
    PolicyStore policies = new PolicyStore(mesh, (policy, deny, input) -> {});
    client =
        new XdsClient(
            channel,
            NODE,
            List.of(
                MeshResources.authorizations(policies, TrustDomains.NO_ALIASES),
                MeshResources.addresses(mesh)),
            executor,
            new Nobody(),
            demand);
    client.start();
    await()
        .until(
            () -> !server.streams().isEmpty() && server.streams().getLast().requests().size() == 2);
  }

  @AfterEach
  void tearDown() throws Exception {
    client.close();
    channel.close();
    server.close();
    executor.shutdown();
    loop.shutdownGracefully(0, 1, TimeUnit.SECONDS);
  }

  private record Nobody() implements XdsObserver {
    @Override
    public void terminated(Termination reason) {}

    @Override
    public void received(String typeUrl, int bytes) {}

    @Override
    public void rejected(String typeUrl) {}
  }

  private FakeControlPlane.Stream stream() {
    return server.streams().getLast();
  }

  private static Resource resource(String name, Message message, String... aliases) {
    return FakeControlPlane.resource(ADDRESS, name, "1", message).toBuilder()
        .addAllAliases(List.of(aliases))
        .build();
  }

  private void awaitSubscribed(String name) {
    await()
        .until(
            () ->
                stream().requests().stream()
                    .anyMatch(r -> r.getResourceNamesSubscribeList().contains(name)));
  }

  private void awaitReply(String nonce) {
    await().until(() -> stream().reply(nonce) != null);
  }

  private CompletableFuture<Void> asked(String name) {
    CompletionStage<Void> answer = demand.ask(name);
    awaitSubscribed(name);
    return answer == null ? CompletableFuture.completedFuture(null) : answer.toCompletableFuture();
  }

  @Test
  void aStreamBeginsWithNothingAndWaitsForPoliciesAlone() {
    DeltaDiscoveryRequest request = stream().subscription(ADDRESS);
    assertThat(request.getResourceNamesSubscribeList()).containsExactly("*");
    assertThat(request.getResourceNamesUnsubscribeList()).containsExactly("*");
    assertThat(stream().subscription(AUTHORIZATION).getResourceNamesSubscribeList()).isEmpty();
    assertThat(client.synced().toCompletableFuture()).isNotDone();
    stream().send(AUTHORIZATION, "a", List.of(), List.of());
    await().until(client.synced().toCompletableFuture()::isDone);
  }

  @Test
  void anAnswerComesByAliasByOwnNameOrAsNothing() {
    CompletableFuture<Void> byAlias = asked("/10.0.0.1");
    var web = pod("shop", "web", "10.0.0.1").build();
    stream()
        .send(
            ADDRESS,
            "1",
            List.of(
                resource(web.getUid(), Address.newBuilder().setWorkload(web).build(), "/10.0.0.1")),
            List.of());
    await().until(byAlias::isDone);
    assertThat(mesh.workload(web.getUid())).as("in force before the answer").isNotNull();
    assertThat(demand.ask("/10.0.0.1")).isNull();

    CompletableFuture<Void> byName = asked("/fd00::1");
    var service = service("shop", "web", "fd00::1").build();
    stream()
        .send(
            ADDRESS,
            "2",
            List.of(resource(key("shop", "web"), Address.newBuilder().setService(service).build())),
            List.of());
    await().until(byName::isDone);

    CompletableFuture<Void> nothing = asked("/192.0.2.1");
    stream().send(ADDRESS, "3", List.of(), List.of("/192.0.2.1"));
    await().until(nothing::isDone);
    assertThat(nothing).isCompleted();
    assertThat(demand.ask("/192.0.2.1")).isNull();
  }

  @Test
  void aResourceThatIsRejectedIsNoAnswer() {
    CompletableFuture<Void> answer = asked("/10.0.0.2");
    var legacy =
        pod("shop", "old", "10.0.0.2").setTunnelProtocol(TunnelProtocol.LEGACY_ISTIO_MTLS).build();
    stream()
        .send(
            ADDRESS,
            "1",
            List.of(
                resource(
                    legacy.getUid(),
                    Address.newBuilder().setWorkload(legacy).build(),
                    "/10.0.0.2")),
            List.of());
    awaitReply("1");
    // It is in the mesh in a way that is not understood: not to be taken for outside.
    assertThat(answer.isDone() && !answer.isCompletedExceptionally()).isFalse();
    assertThat(answer)
        .failsWithin(Duration.ofSeconds(30))
        .withThrowableThat()
        .havingRootCause()
        .withMessageContaining("/10.0.0.2");
  }

  @Test
  void aNewStreamAsksForAllAgain() {
    CompletableFuture<Void> first = asked("/10.0.0.1");
    stream().send(ADDRESS, "1", List.of(), List.of("/10.0.0.1"));
    await().until(first::isDone);
    stream().fail();
    CompletionStage<Void> second = demand.ask("/10.0.0.3");
    assertThat(second).isNotNull();
    await().until(() -> server.streams().size() == 2);
    awaitSubscribed("/10.0.0.1");
    awaitSubscribed("/10.0.0.3");
    assertThat(stream().subscription(ADDRESS).getResourceNamesSubscribeList())
        .contains("*", "/10.0.0.1");
  }

  @Test
  void whatIsNotUsedIsGivenBackNamesFirstAndEndpointsWithTheirService() {
    MeshStore store = new MeshStore();
    OnDemand brief = new OnDemand(store, Duration.ofMillis(1));
    var endpoint =
        MeshWorkload.of(
            pod("shop", "e", "10.0.0.1").putServices(key("shop", "web"), ports(80, 80)).build());
    var own = MeshWorkload.of(pod("shop", "own", "10.0.0.2").build());
    store.apply(
        List.of(endpoint, own),
        List.of(MeshService.of(service("shop", "web", "10.96.0.1").build())),
        List.of());
    Set<String> all = Set.of(endpoint.uid(), own.uid(), key("shop", "web"));
    brief.hold(own.uid());
    @Nullable CompletionStage<Void> unawaited = brief.ask("/10.96.0.1");
    assertThat(unawaited).isNotNull();
    brief.answered(Set.of(own.uid(), "/10.96.0.1"));
    OnDemand lasting = new OnDemand(store, Duration.ofHours(1));
    @Nullable CompletionStage<Void> asked = lasting.ask("/10.96.0.1");
    assertThat(asked).isNotNull();
    assertThat(lasting.sweep(all).resources())
        .as("the service and its endpoint are in use")
        .containsExactly(own.uid());
    await().until(() -> brief.sweep(all).resources().contains(endpoint.uid()));
    assertThat(brief.sweep(all).resources()).doesNotContain(own.uid());
    assertThat(brief.ask("/10.96.0.1")).as("asked for anew").isNotNull();
  }
}
