package dev.ambit.ztunnel.proxy;

import dev.ambit.ztunnel.certificate.TlsIdentity;
import dev.ambit.ztunnel.hbone.HboneConnection;
import dev.ambit.ztunnel.hbone.HboneListener;
import dev.ambit.ztunnel.hbone.HboneStream;
import dev.ambit.ztunnel.identity.Identity;
import dev.ambit.ztunnel.state.Endpoint;
import dev.ambit.ztunnel.state.MeshWorkload;
import dev.ambit.ztunnel.telemetry.ConnectionInfo;
import dev.ambit.ztunnel.telemetry.HandshakeFailure;
import dev.ambit.ztunnel.telemetry.Reporter;
import dev.ambit.ztunnel.telemetry.ResponseFlag;
import io.netty.channel.ChannelHandler;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInboundHandlerAdapter;
import io.netty.channel.epoll.EpollSocketChannel;
import io.netty.handler.codec.http2.Http2Error;
import io.netty.handler.codec.http2.Http2Headers;
import io.netty.handler.ssl.SslHandler;
import io.netty.util.ReferenceCountUtil;
import io.netty.util.concurrent.Future;
import java.net.InetSocketAddress;
import java.util.concurrent.TimeUnit;
import javax.net.ssl.SSLException;
import javax.net.ssl.SSLSession;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** A tunnel that a peer opened to the pod. */
final class InboundTunnel implements HboneListener, TunnelHandshake.Check, PodLoop.Tunnel {
  /** How long a new tunnel to a pod that terminates may wait for its first connection. */
  private static final int UNUSED_SECONDS = 5;

  private static final Logger log = LoggerFactory.getLogger(InboundTunnel.class);

  private final PodLoop pod;
  private final EpollSocketChannel channel;
  private final InetSocketAddress source;
  private final InetSocketAddress destination;
  private final HboneConnection connection;
  private final ChannelHandler untilTls = new UntilTls();
  private @Nullable MeshWorkload self;
  private @Nullable TlsIdentity credentials;
  private @Nullable SSLSession session;
  private @Nullable Identity peer;
  private boolean failed;
  private long idleSinceNanos;
  private @Nullable Future<?> idleTimer;

  private InboundTunnel(PodLoop pod, EpollSocketChannel channel) {
    this.pod = pod;
    this.channel = channel;
    this.source = Addresses.plain(channel.remoteAddress());
    this.destination = Addresses.plain(channel.localAddress());
    this.connection =
        HboneConnection.server(pod.settings().tunnelServer(), pod.limits().memory(), this);
  }

  /** Takes over a connection to the tunnel port. */
  static void accept(PodLoop pod, EpollSocketChannel channel) {
    InboundTunnel tunnel = new InboundTunnel(pod, channel);
    String refusal = pod.admission().admit(tunnel.source.getAddress(), channel.parent());
    if (refusal != null) {
      tunnel.count(HandshakeFailure.LIMIT);
      tunnel.refuse(new ConnectionFailure(refusal, ResponseFlag.CONNECT_FAILED));
      return;
    }
    pod.addTunnel(tunnel);
    channel.closeFuture().addListener(closed -> tunnel.onChannelClosed());
    // Nothing is read before TLS is there to read it.
    channel.config().setAutoRead(false);
    channel.pipeline().addLast(tunnel.untilTls);
    pod.workload(
        tunnel::requestCertificate,
        error -> {
          tunnel.count(HandshakeFailure.OWN_CERTIFICATE);
          tunnel.refuse(
              ConnectionFailure.of(
                  "the pod is not known to the control plane", error, ResponseFlag.TLS_FAILURE));
        });
  }

  private void requestCertificate(MeshWorkload workload) {
    self = workload;
    pod.certificate(
        workload.identity(),
        this::beginTls,
        error -> {
          count(HandshakeFailure.OWN_CERTIFICATE);
          refuse(
              ConnectionFailure.of(
                  "no certificate for " + workload.identity(), error, ResponseFlag.TLS_FAILURE));
        });
  }

  private void beginTls(TlsIdentity certificate) {
    if (!channel.isActive()) {
      return;
    }
    credentials = certificate;
    SslHandler tls =
        TunnelHandshake.tls(
            certificate.server(), channel.alloc(), pod.settings().handshakeTimeout());
    channel.pipeline().addLast(tls, new TunnelHandshake(tls, this), connection);
    channel.pipeline().remove(untilTls);
    channel.config().setAutoRead(true);
  }

  private void refuse(ConnectionFailure failure) {
    report(failure);
    channel.close();
  }

  private void count(HandshakeFailure reason) {
    if (!failed) {
      pod.log().handshakeFailed(Reporter.DESTINATION, reason);
    }
  }

  private void report(ConnectionFailure failure) {
    if (!failed) {
      failed = true;
      pod.log().failed(info(), failure.error(), failure.flag());
    }
  }

  private ConnectionInfo info() {
    MeshWorkload workload = self;
    return new ConnectionInfo(
        Reporter.DESTINATION,
        source,
        pod.state().byAddress(source.getAddress()),
        peer,
        destination,
        null,
        new Endpoint(workload, null),
        workload == null ? null : workload.identity());
  }

  // -- TLS

  @Override
  public void onHandshake(SSLSession established) throws SSLException {
    MeshWorkload workload = self;
    TlsIdentity shown = credentials;
    if (workload == null || shown == null) {
      throw new IllegalStateException("TLS began without a workload");
    }
    peer = pod.trust().requireClient(established, shown, workload.identity().trustDomain());
    session = established;
    pod.admission().authenticated(source.getAddress());
    idleSinceNanos = System.nanoTime();
    idleTimer =
        pod.loop()
            .schedule(
                this::onIdleTimer, pod.limits().idleTimeout().toNanos(), TimeUnit.NANOSECONDS);
    connection.start();
    if (pod.isDraining()) {
      connection.shutdown();
    } else if (pod.isTerminating()) {
      channel.eventLoop().schedule(this::retire, UNUSED_SECONDS, TimeUnit.SECONDS);
    }
  }

  @Override
  public void onFailure(Throwable cause) {
    count(HandshakeFailures.of(Reporter.DESTINATION, cause));
    report(ConnectionFailure.ofTunnel("no tunnel from " + Addresses.text(source), cause));
  }

  // -- HTTP/2

  @Override
  public void onRequest(HboneStream stream, Http2Headers headers) {
    Identity proven = peer;
    if (proven == null) {
      throw new IllegalStateException("a request before the peer was known");
    }
    CharSequence protocol = headers.get(ConnectHeaders.PROTOCOL);
    Flows flows = pod.flows();
    if (protocol == null) {
      TunnelledConnection.accept(this, stream, headers, proven);
    } else if (flows != null && ConnectHeaders.CONNECT_UDP.contentEquals(protocol)) {
      flows.accept(this, stream, headers, proven);
    } else {
      stream.respond(ConnectHeaders.response(ConnectHeaders.NOT_IMPLEMENTED, ""), true);
    }
    if (pod.isTerminating()) {
      // After it, so that the peer knows that this one is taken.
      connection.shutdown();
    }
  }

  @Override
  public void onCapacityChange() {
    idleSinceNanos = System.nanoTime();
  }

  private void onIdleTimer() {
    long allowed = pod.limits().idleTimeout().toNanos();
    long idle = connection.activeStreams() > 0 ? 0 : System.nanoTime() - idleSinceNanos;
    if (idle >= allowed) {
      connection.shutdown();
    } else {
      idleTimer = pod.loop().schedule(this::onIdleTimer, allowed - idle, TimeUnit.NANOSECONDS);
    }
  }

  @Override
  public void onClosed(@Nullable Throwable cause) {
    if (cause != null && peer != null && !connection.isSettled()) {
      count(HandshakeFailures.of(Reporter.DESTINATION, cause));
      report(ConnectionFailure.ofTunnel("no HTTP/2 from " + Addresses.text(source), cause));
    }
  }

  private void onChannelClosed() {
    if (peer == null && !failed) {
      count(HandshakeFailure.CLOSED);
      report(
          new ConnectionFailure(
              "the peer closed the connection before TLS", ResponseFlag.TLS_FAILURE));
    }
    if (idleTimer != null) {
      idleTimer.cancel(false);
    }
    pod.admission().closed(source.getAddress(), session != null);
    pod.removeTunnel(this);
  }

  PodLoop pod() {
    return pod;
  }

  InetSocketAddress source() {
    return source;
  }

  InetSocketAddress destination() {
    return destination;
  }

  @Override
  public void drain() {
    if (peer != null) {
      connection.shutdown();
    }
  }

  @Override
  public void retire() {
    drain();
  }

  @Override
  public void abort() {
    if (peer != null) {
      connection.cut(Http2Error.NO_ERROR, "the pod is being taken out");
    } else {
      channel.close();
    }
  }

  @Override
  public HboneConnection connection() {
    return connection;
  }

  @Override
  public @Nullable String distrust() {
    SSLSession proof = session;
    TlsIdentity shown = credentials;
    return proof == null || shown == null
        ? null
        : pod.trust().revocation(proof, shown, Reporter.DESTINATION);
  }

  @Override
  public void onDistrust(ConnectionFailure failure) {
    log.atWarn()
        .addKeyValue("peer", peer)
        .addKeyValue("src.addr", Addresses.text(source))
        .addKeyValue("reason", failure.error())
        .log("tunnel cut");
  }

  /** A peer that breaks off while the certificate is still awaited. */
  private static final class UntilTls extends ChannelInboundHandlerAdapter {
    @Override
    public void channelRead(ChannelHandlerContext context, Object message) {
      // Read although nobody asked: the peer has ended what it sends, so there will be no tunnel.
      ReferenceCountUtil.release(message);
      context.close();
    }

    @Override
    public void exceptionCaught(ChannelHandlerContext context, Throwable cause) {
      context.close();
    }
  }
}
