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
import java.net.InetSocketAddress;
import java.util.concurrent.TimeUnit;
import javax.net.ssl.SSLException;
import javax.net.ssl.SSLSession;
import org.jspecify.annotations.Nullable;

/** A tunnel that a peer opened to the pod. */
final class InboundTunnel implements HboneListener, TunnelHandshake.Check, PodLoop.Tunnel {
  /** How long a new tunnel to a pod that terminates may wait for its first connection. */
  private static final int UNUSED_SECONDS = 5;

  private final PodLoop pod;
  private final EpollSocketChannel channel;
  private final InetSocketAddress source;
  private final InetSocketAddress destination;
  private final HboneConnection connection;
  private final ChannelHandler untilTls = new UntilTls();
  private @Nullable MeshWorkload self;
  private @Nullable Identity peer;
  private boolean failed;

  private InboundTunnel(PodLoop pod, EpollSocketChannel channel) {
    this.pod = pod;
    this.channel = channel;
    this.source = Addresses.plain(channel.remoteAddress());
    this.destination = Addresses.plain(channel.localAddress());
    this.connection = HboneConnection.server(pod.settings().tunnelServer(), this);
  }

  /** Takes over a connection to the tunnel port. */
  static void accept(PodLoop pod, EpollSocketChannel channel) {
    InboundTunnel tunnel = new InboundTunnel(pod, channel);
    pod.addTunnel(tunnel);
    channel.closeFuture().addListener(closed -> tunnel.onChannelClosed());
    // Nothing is read before TLS is there to read it.
    channel.config().setAutoRead(false);
    channel.pipeline().addLast(tunnel.untilTls);
    pod.workload(
        tunnel::requestCertificate,
        error ->
            tunnel.refuse(
                ConnectionFailure.of(
                    "the pod is not known to the control plane", error, ResponseFlag.TLS_FAILURE)));
  }

  private void requestCertificate(MeshWorkload workload) {
    self = workload;
    pod.certificate(
        workload.identity(),
        this::beginTls,
        error ->
            refuse(
                ConnectionFailure.of(
                    "no certificate for " + workload.identity(), error, ResponseFlag.TLS_FAILURE)));
  }

  private void beginTls(TlsIdentity certificate) {
    if (!channel.isActive()) {
      return;
    }
    SslHandler tls =
        TunnelHandshake.tls(
            certificate.server(), channel.alloc(), pod.settings().handshakeTimeout());
    channel.pipeline().addLast(tls, new TunnelHandshake(tls, this), connection);
    channel.pipeline().remove(untilTls);
    channel.config().setAutoRead(true);
  }

  private void refuse(ConnectionFailure failure) {
    count(HandshakeFailure.OWN_CERTIFICATE);
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
  public void onHandshake(SSLSession session) throws SSLException {
    MeshWorkload workload = self;
    if (workload == null) {
      throw new IllegalStateException("TLS began without a workload");
    }
    peer = PeerIdentities.requireTrustDomain(session, workload.identity().trustDomain());
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
    TunnelledConnection.accept(this, stream, headers, proven);
    if (pod.isTerminating()) {
      // After it, so that the peer knows that this one is taken.
      connection.shutdown();
    }
  }

  @Override
  public void onCapacityChange() {}

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
