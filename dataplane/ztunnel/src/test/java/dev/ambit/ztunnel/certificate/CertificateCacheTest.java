package dev.ambit.ztunnel.certificate;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.awaitility.Awaitility.await;

import dev.ambit.ztunnel.identity.Identity;
import dev.ambit.ztunnel.testing.TestAuthority;
import io.netty.bootstrap.Bootstrap;
import io.netty.bootstrap.ServerBootstrap;
import io.netty.channel.Channel;
import io.netty.channel.ChannelInitializer;
import io.netty.channel.EventLoopGroup;
import io.netty.channel.MultiThreadIoEventLoopGroup;
import io.netty.channel.local.LocalAddress;
import io.netty.channel.local.LocalChannel;
import io.netty.channel.local.LocalIoHandler;
import io.netty.channel.local.LocalServerChannel;
import io.netty.handler.ssl.SslContext;
import io.netty.handler.ssl.SslHandler;
import java.io.IOException;
import java.security.cert.X509Certificate;
import java.time.Clock;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Executors;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import org.bouncycastle.asn1.x509.GeneralName;
import org.bouncycastle.pkcs.jcajce.JcaPKCS10CertificationRequest;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

class CertificateCacheTest {
  private static final Identity CART = new Identity("cluster.local", "shop", "cart");

  private final ScheduledExecutorService executor = Executors.newSingleThreadScheduledExecutor();
  private final Calls calls = new Calls();
  private TestAuthority authority;
  private CertificateCache cache;

  /** Counts calls, fails them on demand, and holds them back on demand. */
  private final class Calls implements CertificateIssuer {
    final List<Identity> made = new CopyOnWriteArrayList<>();
    final List<CompletableFuture<Void>> held = new CopyOnWriteArrayList<>();
    volatile boolean hold;
    volatile boolean fail;

    @Override
    public CompletionStage<List<String>> issue(Identity identity, String request) {
      made.add(identity);
      if (fail) {
        return CompletableFuture.failedFuture(new IOException("authority is away"));
      }
      if (hold) {
        CompletableFuture<Void> gate = new CompletableFuture<>();
        held.add(gate);
        return gate.thenCompose(nothing -> authority.issue(identity, request));
      }
      return authority.issue(identity, request);
    }
  }

  @BeforeEach
  void setUp() throws Exception {
    authority = new TestAuthority();
    cache = new CertificateCache(calls, executor, Clock.systemUTC());
  }

  @AfterEach
  void tearDown() {
    cache.close();
    executor.shutdownNow();
  }

  private static TlsIdentity now(CompletionStage<TlsIdentity> stage) throws Exception {
    return stage.toCompletableFuture().get(5, TimeUnit.SECONDS);
  }

  @Test
  void oneCallServesAllWhoWaitAndAllWhoComeLater() throws Exception {
    calls.hold = true;
    CompletionStage<TlsIdentity> first = cache.get(CART);
    CompletionStage<TlsIdentity> second = cache.get(CART);
    await().until(() -> calls.held.size() == 1);
    calls.held.getFirst().complete(null);
    TlsIdentity issued = now(first);
    assertThat(issued.identity()).isEqualTo(CART);
    assertThat(issued.expiry()).isAfter(Instant.now().plus(Duration.ofHours(23)));
    assertThat(now(second)).isSameAs(issued);
    assertThat(cache.get(CART).toCompletableFuture()).isCompletedWithValue(issued);
    assertThat(calls.made).hasSize(1);
  }

  @Test
  void aCertificateIsRenewedAtHalfItsLifeWithoutBeingAskedFor() throws Exception {
    authority.setLifetime(Duration.ofSeconds(3));
    cache.hold(CART);
    await().until(() -> cache.get(CART).toCompletableFuture().isDone());
    TlsIdentity first = now(cache.get(CART));
    authority.setLifetime(Duration.ofHours(1));
    await()
        .atMost(Duration.ofSeconds(5))
        .untilAsserted(() -> assertThat(now(cache.get(CART))).isNotSameAs(first));
    assertThat(calls.made).hasSize(2);
  }

  @Test
  void aCertificateThatCannotBeRenewedStaysInUseWhileItIsValid() throws Exception {
    authority.setLifetime(Duration.ofSeconds(4));
    cache.hold(CART);
    TlsIdentity first = now(cache.get(CART));
    calls.fail = true;
    await().atMost(Duration.ofSeconds(4)).until(() -> calls.made.size() >= 2);
    assertThat(cache.get(CART).toCompletableFuture()).isCompletedWithValue(first);
    authority.setLifetime(Duration.ofHours(1));
    calls.fail = false;
    await()
        .atMost(Duration.ofSeconds(8))
        .untilAsserted(() -> assertThat(now(cache.get(CART))).isNotSameAs(first));
  }

  @Test
  void aFailureIsToldAndNotRepeatedForEachConnection() {
    calls.fail = true;
    for (int i = 0; i < 100; i++) {
      assertThatThrownBy(() -> now(cache.get(CART)))
          .isInstanceOf(ExecutionException.class)
          .hasRootCauseMessage("authority is away");
    }
    assertThat(calls.made).hasSizeLessThan(5);
    assertThat(cache.statuses().getFirst().state()).contains("authority is away");
  }

  @Test
  void whyACertificateIsMissingIsTold() throws Exception {
    assertThat(cache.missing(CART)).contains("cart").contains("has been issued yet");
    calls.fail = true;
    cache.hold(CART);
    await().untilAsserted(() -> assertThat(cache.missing(CART)).contains("authority is away"));
    calls.fail = false;
    await()
        .atMost(Duration.ofSeconds(8))
        .untilAsserted(() -> assertThat(cache.missing(CART)).isEmpty());
  }

  @Test
  void theLastPodTakesItsCertificateAway() throws Exception {
    cache.hold(CART);
    cache.hold(CART);
    now(cache.get(CART));
    cache.release(CART);
    assertThat(cache.statuses()).hasSize(1);
    cache.release(CART);
    assertThat(cache.statuses()).isEmpty();
  }

  @Test
  void whatArrivesAfterTheLastPodHasGoneIsNotKept() {
    calls.hold = true;
    cache.hold(CART);
    await().until(() -> calls.held.size() == 1);
    cache.release(CART);
    calls.held.getFirst().complete(null);
    await().during(Duration.ofMillis(200)).until(() -> cache.statuses().isEmpty());
  }

  @Test
  void atMostEightCallsRunAndConnectionsComeBeforePrefetches() {
    calls.hold = true;
    for (int i = 0; i < 20; i++) {
      cache.hold(new Identity("cluster.local", "shop", "pod-" + i));
    }
    await().until(() -> calls.made.size() == 8);
    CompletionStage<TlsIdentity> urgent =
        cache.get(new Identity("cluster.local", "shop", "pod-19"));
    await().during(Duration.ofMillis(200)).until(() -> calls.made.size() == 8);
    calls.held.getFirst().complete(null);
    await().until(() -> calls.made.size() == 9);
    assertThat(calls.made.getLast().serviceAccount()).isEqualTo("pod-19");
    calls.hold = false;
    calls.held.forEach(gate -> gate.complete(null));
    await().until(() -> urgent.toCompletableFuture().isDone());
    await().until(() -> calls.made.size() == 20);
  }

  @Test
  void aCertificateOfAnotherIdentityIsRefused() {
    CertificateIssuer confused =
        (identity, request) ->
            authority.issue(new Identity("cluster.local", "shop", "other"), request);
    assertRefused(confused, "asked for was");
  }

  @Test
  void aCertificateOfAnotherKeyIsRefused() {
    CertificateIssuer confused =
        (identity, request) -> {
          try {
            X509Certificate leaf =
                authority.leaf(
                    TestAuthority.keyPair().getPublic(),
                    new GeneralName(6, identity.uri()),
                    Duration.ofHours(1));
            return CompletableFuture.completedFuture(
                List.of(TestAuthority.pem(leaf), authority.rootPem()));
          } catch (Exception e) {
            return CompletableFuture.failedFuture(e);
          }
        };
    assertRefused(confused, "another key");
  }

  @Test
  void aCertificateThatIsOverIsRefused() {
    CertificateIssuer late =
        (identity, request) -> {
          try {
            X509Certificate leaf =
                authority.leaf(
                    new JcaPKCS10CertificationRequest(TestAuthority.request(request))
                        .getPublicKey(),
                    new GeneralName(6, identity.uri()),
                    Duration.ofSeconds(-30));
            return CompletableFuture.completedFuture(
                List.of(TestAuthority.pem(leaf), authority.rootPem()));
          } catch (Exception e) {
            return CompletableFuture.failedFuture(e);
          }
        };
    assertRefused(late, "over already");
  }

  @Test
  void anAnswerWithoutRootsOrOfGarbageIsRefused() {
    assertRefused((identity, request) -> CompletableFuture.completedFuture(List.of()), "elements");
    assertRefused((identity, request) -> CompletableFuture.completedFuture(List.of("x", "y")), "");
  }

  private void assertRefused(CertificateIssuer issuer, String reason) {
    try (CertificateCache confused = new CertificateCache(issuer, executor, Clock.systemUTC())) {
      assertThatThrownBy(() -> now(confused.get(CART)))
          .isInstanceOf(ExecutionException.class)
          .hasMessageContaining(reason);
    }
  }

  @Test
  void twoIdentitiesOfOneRootTalkTls13AndH2() throws Exception {
    TlsIdentity server = now(cache.get(CART));
    TlsIdentity client = now(cache.get(new Identity("cluster.local", "shop", "web")));
    List<String> result = handshake(client.client(), server.server());
    assertThat(result).containsExactly("TLSv1.3", "h2", "spiffe://cluster.local/ns/shop/sa/cart");
  }

  @Test
  void aPeerOfAnotherRootIsRefused() throws Exception {
    TlsIdentity server = now(cache.get(CART));
    TestAuthority stranger = new TestAuthority();
    try (CertificateCache other = new CertificateCache(stranger, executor, Clock.systemUTC())) {
      TlsIdentity client = now(other.get(CART));
      assertThatThrownBy(() -> handshake(client.client(), server.server()))
          .isInstanceOf(Exception.class);
    }
  }

  private static List<String> handshake(SslContext client, SslContext server) throws Exception {
    EventLoopGroup group = new MultiThreadIoEventLoopGroup(1, LocalIoHandler.newFactory());
    LocalAddress address = new LocalAddress("tls-" + new AtomicInteger().hashCode());
    CompletableFuture<SslHandler> accepted = new CompletableFuture<>();
    try {
      new ServerBootstrap()
          .group(group)
          .channel(LocalServerChannel.class)
          .childHandler(
              new ChannelInitializer<Channel>() {
                @Override
                protected void initChannel(Channel channel) {
                  SslHandler handler = server.newHandler(channel.alloc());
                  channel.pipeline().addLast(handler);
                  accepted.complete(handler);
                }
              })
          .bind(address)
          .sync();
      Channel channel =
          new Bootstrap()
              .group(group)
              .channel(LocalChannel.class)
              .handler(
                  new ChannelInitializer<Channel>() {
                    @Override
                    protected void initChannel(Channel c) {
                      c.pipeline().addLast(client.newHandler(c.alloc()));
                    }
                  })
              .connect(address)
              .sync()
              .channel();
      SslHandler handler = channel.pipeline().get(SslHandler.class);
      handler.handshakeFuture().get(5, TimeUnit.SECONDS);
      accepted.get(5, TimeUnit.SECONDS).handshakeFuture().get(5, TimeUnit.SECONDS);
      X509Certificate peer =
          (X509Certificate) handler.engine().getSession().getPeerCertificates()[0];
      List<String> result = new ArrayList<>();
      result.add(handler.engine().getSession().getProtocol());
      result.add(handler.applicationProtocol());
      result.add((String) List.copyOf(peer.getSubjectAlternativeNames()).getFirst().get(1));
      return result;
    } finally {
      group.shutdownGracefully(0, 1, TimeUnit.SECONDS);
    }
  }
}
