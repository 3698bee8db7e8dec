package dev.ambit.ztunnel.proxy;

import static org.assertj.core.api.Assertions.assertThat;

import dev.ambit.ztunnel.telemetry.HandshakeFailure;
import dev.ambit.ztunnel.telemetry.Reporter;
import dev.ambit.ztunnel.testing.TestAuthority;
import io.netty.bootstrap.Bootstrap;
import io.netty.bootstrap.ServerBootstrap;
import io.netty.buffer.Unpooled;
import io.netty.channel.Channel;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInboundHandlerAdapter;
import io.netty.channel.ChannelInitializer;
import io.netty.channel.EventLoopGroup;
import io.netty.channel.MultiThreadIoEventLoopGroup;
import io.netty.channel.epoll.EpollServerSocketChannel;
import io.netty.channel.epoll.EpollSocketChannel;
import io.netty.handler.ssl.ApplicationProtocolConfig;
import io.netty.handler.ssl.ClientAuth;
import io.netty.handler.ssl.SslContext;
import io.netty.handler.ssl.SslContextBuilder;
import io.netty.handler.ssl.SslHandler;
import io.netty.handler.ssl.SslProvider;
import java.net.InetSocketAddress;
import java.nio.charset.StandardCharsets;
import java.security.KeyPair;
import java.security.cert.X509Certificate;
import java.time.Duration;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import javax.net.ssl.SSLException;
import javax.net.ssl.SSLSession;
import org.bouncycastle.asn1.x509.GeneralName;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/** What TLS says when a handshake fails, at both ends, and the reason that is made of it. */
class HandshakeFailuresTest {
  private static final Duration ENOUGH = Duration.ofSeconds(20);

  private final EventLoopGroup loops = new MultiThreadIoEventLoopGroup(1, ProxyEpoll.factory());
  private final TestAuthority authority = new TestAuthority();
  private final KeyPair keys = TestAuthority.keyPair();
  private final CompletableFuture<Throwable> atServer = new CompletableFuture<>();
  private final CompletableFuture<Throwable> atClient = new CompletableFuture<>();

  HandshakeFailuresTest() throws Exception {}

  @AfterEach
  void stop() {
    loops.shutdownGracefully(0, 5, TimeUnit.SECONDS);
  }

  private X509Certificate certificate(TestAuthority by, Duration valid) throws Exception {
    return by.leaf(keys.getPublic(), new GeneralName(6, "spiffe://td/ns/a/sa/b"), valid);
  }

  private static SslContextBuilder common(SslContextBuilder builder, X509Certificate root) {
    return builder
        .sslProvider(SslProvider.OPENSSL)
        .protocols("TLSv1.3")
        .applicationProtocolConfig(alpn("h2"))
        .trustManager(root);
  }

  private static ApplicationProtocolConfig alpn(String protocol) {
    return new ApplicationProtocolConfig(
        ApplicationProtocolConfig.Protocol.ALPN,
        ApplicationProtocolConfig.SelectorFailureBehavior.NO_ADVERTISE,
        ApplicationProtocolConfig.SelectedListenerFailureBehavior.ACCEPT,
        protocol);
  }

  private SslContext server(X509Certificate certificate) throws Exception {
    return common(SslContextBuilder.forServer(keys.getPrivate(), certificate), authority.root())
        .clientAuth(ClientAuth.REQUIRE)
        .build();
  }

  private SslContextBuilder client(@Nullable X509Certificate certificate, X509Certificate root) {
    var builder = SslContextBuilder.forClient();
    if (certificate != null) {
      builder.keyManager(keys.getPrivate(), certificate);
    }
    return common(builder, root).endpointIdentificationAlgorithm(null);
  }

  private final class Ends implements TunnelHandshake.Check {
    private final CompletableFuture<Throwable> told;

    Ends(CompletableFuture<Throwable> told) {
      this.told = told;
    }

    @Override
    public void onHandshake(SSLSession session) {}

    @Override
    public void onFailure(Throwable cause) {
      told.complete(cause);
    }
  }

  private InetSocketAddress serve(SslContext context, Duration timeout) {
    return (InetSocketAddress)
        new ServerBootstrap()
            .group(loops)
            .channel(EpollServerSocketChannel.class)
            .childHandler(handshake(context, timeout, atServer))
            .bind(new InetSocketAddress("127.0.0.1", 0))
            .syncUninterruptibly()
            .channel()
            .localAddress();
  }

  private ChannelInitializer<Channel> handshake(
      SslContext context, Duration timeout, CompletableFuture<Throwable> told) {
    return new ChannelInitializer<>() {
      @Override
      protected void initChannel(Channel channel) {
        SslHandler tls = TunnelHandshake.tls(context, channel.alloc(), timeout);
        channel.pipeline().addLast(tls, new TunnelHandshake(tls, new Ends(told)), rest(told));
      }
    };
  }

  /** What comes once TLS stands, as it does for a client whose certificate is then refused. */
  private static ChannelInboundHandlerAdapter rest(CompletableFuture<Throwable> told) {
    return new ChannelInboundHandlerAdapter() {
      @Override
      public void exceptionCaught(ChannelHandlerContext context, Throwable cause) {
        told.complete(cause);
      }
    };
  }

  private Channel connect(InetSocketAddress to, SslContext context) {
    return new Bootstrap()
        .group(loops)
        .channel(EpollSocketChannel.class)
        .handler(handshake(context, ENOUGH, atClient))
        .connect(to)
        .syncUninterruptibly()
        .channel();
  }

  private void meet(SslContext server, SslContext client) {
    connect(serve(server, ENOUGH), client);
  }

  private HandshakeFailure server() throws Exception {
    return HandshakeFailures.of(
        Reporter.DESTINATION, atServer.get(ENOUGH.toSeconds(), TimeUnit.SECONDS));
  }

  private HandshakeFailure client() throws Exception {
    return HandshakeFailures.of(
        Reporter.SOURCE, atClient.get(ENOUGH.toSeconds(), TimeUnit.SECONDS));
  }

  @Test
  void aClientOfAnotherRoot() throws Exception {
    TestAuthority other = new TestAuthority();
    meet(
        server(certificate(authority, Duration.ofHours(1))),
        client(certificate(other, Duration.ofHours(1)), authority.root()).build());
    // The server names the roots that it takes, and this client then has nothing to show.
    assertThat(server()).isEqualTo(HandshakeFailure.NO_CERTIFICATE);
    assertThat(client()).isEqualTo(HandshakeFailure.REJECTED_BY_PEER);
  }

  @Test
  void aServerOfAnotherRoot() throws Exception {
    TestAuthority other = new TestAuthority();
    meet(
        server(certificate(other, Duration.ofHours(1))),
        client(certificate(authority, Duration.ofHours(1)), authority.root()).build());
    assertThat(client()).isEqualTo(HandshakeFailure.UNKNOWN_CA);
    assertThat(server()).isEqualTo(HandshakeFailure.REJECTED_BY_PEER);
  }

  @Test
  void aClientWhoseCertificateIsOver() throws Exception {
    meet(
        server(certificate(authority, Duration.ofHours(1))),
        client(certificate(authority, Duration.ofSeconds(-60)), authority.root()).build());
    assertThat(server()).isEqualTo(HandshakeFailure.EXPIRED);
    assertThat(client()).isEqualTo(HandshakeFailure.REJECTED_BY_PEER);
  }

  @Test
  void aServerWhoseCertificateIsOver() throws Exception {
    meet(
        server(certificate(authority, Duration.ofSeconds(-60))),
        client(certificate(authority, Duration.ofHours(1)), authority.root()).build());
    assertThat(client()).isEqualTo(HandshakeFailure.EXPIRED);
  }

  @Test
  void aClientWithoutACertificate() throws Exception {
    meet(
        server(certificate(authority, Duration.ofHours(1))),
        client(null, authority.root()).build());
    assertThat(server()).isEqualTo(HandshakeFailure.NO_CERTIFICATE);
    assertThat(client()).isEqualTo(HandshakeFailure.REJECTED_BY_PEER);
  }

  @Test
  void aClientOfAnotherProtocol() throws Exception {
    meet(
        server(certificate(authority, Duration.ofHours(1))),
        client(certificate(authority, Duration.ofHours(1)), authority.root())
            .applicationProtocolConfig(alpn("http/1.1"))
            .build());
    assertThat(server()).isEqualTo(HandshakeFailure.PROTOCOL);
  }

  @Test
  void aClientOfAnOlderTls() throws Exception {
    meet(
        server(certificate(authority, Duration.ofHours(1))),
        client(certificate(authority, Duration.ofHours(1)), authority.root())
            .protocols("TLSv1.2")
            .build());
    assertThat(server()).isEqualTo(HandshakeFailure.PROTOCOL);
    assertThat(client()).isEqualTo(HandshakeFailure.PROTOCOL);
  }

  @Test
  void plainText() throws Exception {
    raw(serve(server(certificate(authority, Duration.ofHours(1))), ENOUGH))
        .writeAndFlush(Unpooled.copiedBuffer("GET / HTTP/1.1\r\n\r\n", StandardCharsets.US_ASCII));
    assertThat(server()).isEqualTo(HandshakeFailure.PLAINTEXT);
  }

  @Test
  void aCallerThatSaysNothing() throws Exception {
    raw(serve(server(certificate(authority, Duration.ofHours(1))), Duration.ofMillis(100)));
    assertThat(server()).isEqualTo(HandshakeFailure.TIMEOUT);
  }

  @Test
  void aCallerThatGoesAway() throws Exception {
    raw(serve(server(certificate(authority, Duration.ofHours(1))), ENOUGH)).close();
    assertThat(server()).isEqualTo(HandshakeFailure.CLOSED);
  }

  @Test
  void somebodyElse() {
    IdentityMismatchException mismatch = new IdentityMismatchException("another");
    assertThat(HandshakeFailures.of(Reporter.SOURCE, mismatch))
        .isEqualTo(HandshakeFailure.IDENTITY_MISMATCH);
    assertThat(HandshakeFailures.of(Reporter.DESTINATION, mismatch))
        .isEqualTo(HandshakeFailure.TRUST_DOMAIN);
    assertThat(HandshakeFailures.of(Reporter.SOURCE, new SSLException("something new")))
        .isEqualTo(HandshakeFailure.OTHER);
  }

  private Channel raw(InetSocketAddress to) {
    return new Bootstrap()
        .group(loops)
        .channel(EpollSocketChannel.class)
        .handler(new ChannelInboundHandlerAdapter())
        .connect(to)
        .syncUninterruptibly()
        .channel();
  }
}
