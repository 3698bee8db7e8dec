package dev.ambit.ztunnel.proxy;

import dev.ambit.ztunnel.certificate.TlsIdentity;
import dev.ambit.ztunnel.hbone.HboneConnection;
import dev.ambit.ztunnel.hbone.HboneListener;
import dev.ambit.ztunnel.hbone.HboneStream;
import dev.ambit.ztunnel.identity.Identity;
import dev.ambit.ztunnel.telemetry.HandshakeFailure;
import dev.ambit.ztunnel.telemetry.Reporter;
import dev.ambit.ztunnel.telemetry.ResponseFlag;
import io.netty.channel.epoll.EpollSocketChannel;
import io.netty.handler.codec.http2.Http2Error;
import io.netty.handler.codec.http2.Http2Headers;
import io.netty.handler.ssl.SslHandler;
import java.io.IOException;
import java.util.concurrent.TimeUnit;
import javax.net.ssl.SSLException;
import javax.net.ssl.SSLSession;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** A tunnel that one of the node's pods opens: from its certificate to its last stream. */
final class PooledTunnel implements HboneListener, TunnelHandshake.Check, PodLoop.Tunnel {
  private static final Logger log = LoggerFactory.getLogger(PooledTunnel.class);

  private final TunnelPool pool;
  private final HboneConnection connection;
  private @Nullable EpollSocketChannel channel;
  private @Nullable TlsIdentity credentials;
  private @Nullable SSLSession session;
  private @Nullable Identity peer;
  private boolean ended;
  private boolean served;
  private boolean idleTimerSet;
  private long idleSinceNanos;

  PooledTunnel(TunnelPool pool) {
    this.pool = pool;
    this.connection =
        HboneConnection.client(
            pool.pod().settings().tunnelClient(), pool.pod().limits().memory(), this);
    pool.pod().addTunnel(this);
  }

  /** Whether it is known how many connections it takes; it may already take one before. */
  boolean isSettled() {
    return connection.isSettled();
  }

  /** Whether a connection was ever opened on it. */
  boolean hasServed() {
    return served;
  }

  boolean hasRoom(int limit) {
    return !ended && connection.canOpen(limit);
  }

  void open(TunnelUser application) {
    Identity proven = peer;
    if (proven == null) {
      throw new IllegalStateException("a tunnel without a peer has no room");
    }
    served = true;
    application.openOn(connection, proven);
  }

  void dial() {
    Identity source = pool.key().source();
    pool.pod()
        .certificate(
            source,
            this::connect,
            error -> {
              count(HandshakeFailure.OWN_CERTIFICATE);
              fail(
                  ConnectionFailure.of(
                          "no certificate for " + source, error, ResponseFlag.TLS_FAILURE)
                      .asOurs());
            });
  }

  private void connect(TlsIdentity certificate) {
    if (ended) {
      return;
    }
    EpollSocketChannel socket;
    try {
      socket = pool.pod().sockets().outgoing(pool.key().nextHop().getAddress());
      PodSockets.configureTunnel(socket);
    } catch (RuntimeException e) {
      fail(ConnectionFailure.of("cannot open a socket", e, ResponseFlag.CONNECT_FAILED).asOurs());
      return;
    }
    channel = socket;
    credentials = certificate;
    SslHandler tls =
        TunnelHandshake.tls(
            certificate.client(), socket.alloc(), pool.pod().settings().handshakeTimeout());
    socket.pipeline().addLast(tls, new TunnelHandshake(tls, this), connection);
    pool.pod()
        .dial(
            socket,
            pool.key().nextHop(),
            null,
            error -> {
              if (error != null) {
                fail(
                    ConnectionFailure.of(
                        "cannot connect to " + Addresses.text(pool.key().nextHop()),
                        error,
                        ResponseFlag.CONNECT_FAILED));
                socket.close();
              } else if (ended) {
                socket.close();
              }
            });
  }

  @Override
  public void onHandshake(SSLSession established) throws SSLException {
    TlsIdentity shown = credentials;
    if (shown == null) {
      throw new IllegalStateException("TLS began without a certificate");
    }
    peer = pool.pod().trust().requireServer(established, shown, pool.key());
    session = established;
    connection.start();
    pool.onCapacityChange();
  }

  @Override
  public void onFailure(Throwable cause) {
    count(HandshakeFailures.of(Reporter.SOURCE, cause));
    fail(tunnelFailure(cause));
  }

  private void count(HandshakeFailure reason) {
    if (!ended) {
      pool.pod().log().handshakeFailed(Reporter.SOURCE, reason);
    }
  }

  private ConnectionFailure tunnelFailure(@Nullable Throwable cause) {
    return ConnectionFailure.ofTunnel(
        "no tunnel to " + Addresses.text(pool.key().nextHop()), cause);
  }

  private void fail(ConnectionFailure failure) {
    if (!ended) {
      ended = true;
      pool.pod().removeTunnel(this);
      pool.onFailed(this, failure);
    }
  }

  @Override
  public void onRequest(HboneStream stream, Http2Headers headers) {
    stream.reset(Http2Error.PROTOCOL_ERROR);
  }

  @Override
  public void onCapacityChange() {
    if (ended) {
      return;
    }
    if (connection.isEnding() || takesNothing()) {
      pool.onEnding(this);
      connection.shutdown();
      return;
    }
    pool.onCapacityChange();
    watchIdle();
  }

  private boolean takesNothing() {
    return connection.isSettled()
        && connection.activeStreams() == 0
        && !connection.canOpen(Integer.MAX_VALUE);
  }

  @Override
  public void onClosed(@Nullable Throwable cause) {
    if (peer != null && !connection.isSettled()) {
      // In TLS 1.3 a server judges our certificate when TLS stands already, as we see it.
      count(HandshakeFailures.of(Reporter.SOURCE, cause));
    }
    fail(tunnelFailure(cause == null ? new IOException("the peer closed it") : cause));
  }

  /** Takes no more connections and closes when those it has are done. */
  void shutdown() {
    if (!ended && connection.isSettled()) {
      connection.shutdown();
    }
  }

  @Override
  public void drain() {
    pool.onCapacityChange();
  }

  @Override
  public void retire() {}

  @Override
  public void abort() {
    EpollSocketChannel open = channel;
    fail(new ConnectionFailure("the pod is being taken out", ResponseFlag.NONE).asOurs());
    if (open != null) {
      open.close();
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
    return proof == null || shown == null || ended
        ? null
        : pool.pod().trust().revocation(proof, shown, Reporter.SOURCE);
  }

  @Override
  public void onDistrust(ConnectionFailure failure) {
    log.atWarn()
        .addKeyValue("peer", peer)
        .addKeyValue("dst.addr", Addresses.text(pool.key().nextHop()))
        .addKeyValue("reason", failure.error())
        .log("tunnel cut");
    fail(failure);
  }

  private void watchIdle() {
    if (connection.activeStreams() > 0 || idleTimerSet) {
      idleSinceNanos = System.nanoTime();
      return;
    }
    idleSinceNanos = System.nanoTime();
    scheduleIdleCheck(pool.pod().settings().idleTunnelTimeout().toNanos());
  }

  private void scheduleIdleCheck(long delayNanos) {
    idleTimerSet = true;
    pool.pod()
        .loop()
        .schedule(
            () -> {
              idleTimerSet = false;
              if (ended || connection.activeStreams() > 0) {
                return; // the last stream's end sets it again
              }
              long left =
                  pool.pod().settings().idleTunnelTimeout().toNanos()
                      - (System.nanoTime() - idleSinceNanos);
              if (left > 0) {
                scheduleIdleCheck(left);
              } else {
                connection.shutdown();
              }
            },
            delayNanos,
            TimeUnit.NANOSECONDS);
  }
}
