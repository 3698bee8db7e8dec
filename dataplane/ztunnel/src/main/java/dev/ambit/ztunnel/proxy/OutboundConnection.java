package dev.ambit.ztunnel.proxy;

import dev.ambit.ztunnel.hbone.HboneConnection;
import dev.ambit.ztunnel.identity.Identity;
import dev.ambit.ztunnel.state.Endpoint;
import dev.ambit.ztunnel.state.MeshWorkload;
import dev.ambit.ztunnel.state.OutboundRoute;
import dev.ambit.ztunnel.telemetry.ConnectionInfo;
import dev.ambit.ztunnel.telemetry.Reporter;
import dev.ambit.ztunnel.telemetry.ResponseFlag;
import io.netty.channel.epoll.EpollSocketChannel;
import io.netty.handler.codec.http2.Http2Error;
import io.netty.handler.codec.http2.Http2Headers;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.time.Duration;
import java.util.HashSet;
import java.util.Set;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/**
 * A connection that the pod opened: through a tunnel, plain, or not at all. Where it goes to one of
 * several by a service's choice, and that one cannot be reached, another is tried; no byte of the
 * application's has been sent by then.
 */
final class OutboundConnection extends ProxiedConnection implements TunnelUser {
  /** Tunnels to one next hop: the first may just be going away. */
  private static final int MAX_TUNNELS = 2;

  /** Endpoints, the first one included. */
  private static final int MAX_ATTEMPTS = 3;

  /** Between rounds of attempts at a waypoint, the first pause and the longest; each doubles. */
  private static final Duration FIRST_PAUSE = Duration.ofMillis(20);

  private static final Duration LONGEST_PAUSE = Duration.ofSeconds(1);

  /** No attempt begins later than this after the connection. */
  private static final Duration ATTEMPTS_BEGIN_WITHIN = Duration.ofSeconds(15);

  /**
   * For how long another way is looked for where a service's pod says that this one is the wrong
   * one: this node has not heard yet of the service's waypoint, or the pod's node still knows one.
   */
  private static final Duration MISDIRECTED_FOR = Duration.ofSeconds(3);

  /** Longer than those have who are asked: a last resort. */
  private static final Duration ROUTE_TIMEOUT = Duration.ofSeconds(20);

  private final SocketEnd application;
  private final InetSocketAddress source;
  private final InetSocketAddress destination;
  private @Nullable MeshWorkload workload;
  private @Nullable OutboundRoute route;
  private @Nullable Identity peer;
  private final long begin = System.nanoTime();
  private Set<String> tried = Set.of();
  private int attempts = 1;
  private Duration pause = FIRST_PAUSE;
  private int tunnels;

  private OutboundConnection(PodLoop pod, EpollSocketChannel channel) {
    super(pod);
    source = Addresses.plain(channel.remoteAddress());
    destination = OriginalDestination.of(channel);
    application = new SocketEnd(this, channel);
    source(application);
  }

  /** Takes over a connection that was redirected here. */
  static void accept(PodLoop pod, EpollSocketChannel channel) {
    new OutboundConnection(pod, channel).begin(Addresses.plain(channel.localAddress()));
  }

  private void begin(InetSocketAddress local) {
    InetAddress target = destination.getAddress();
    boolean ours =
        target.isLoopbackAddress()
            || target.equals(local.getAddress())
            || target.equals(source.getAddress());
    if (ours && ProxySettings.isOwnPort(destination.getPort())) {
      abort(
          Addresses.text(destination) + " is the proxy's own port: it would call itself",
          ResponseFlag.CONNECT_FAILED);
      return;
    }
    pod()
        .workload(
            this::follow,
            error ->
                abort(
                    ConnectionFailure.of(
                        "the pod is not known to the control plane",
                        error,
                        ResponseFlag.CONNECT_FAILED)));
  }

  private void follow(MeshWorkload self) {
    if (isDone()) {
      return;
    }
    workload = self;
    take(self, pod().state().route(self, destination, tried));
  }

  private void take(MeshWorkload self, OutboundRoute chosen) {
    if (isDone()) {
      return;
    }
    route = chosen;
    switch (chosen) {
      case OutboundRoute.Tunnel tunnel -> {
        tunnels = 0;
        openTunnel(self, tunnel);
      }
      case OutboundRoute.Plain plain ->
          connect(
              plain.to(),
              null,
              this::establish,
              error ->
                  attemptFailed(
                      ConnectionFailure.of(
                          "cannot connect to " + Addresses.text(plain.to()),
                          error,
                          ResponseFlag.CONNECT_FAILED)));
      case OutboundRoute.Awaited awaited ->
          EventLoopAwait.await(
              awaited.route(),
              pod().loop(),
              ROUTE_TIMEOUT,
              found -> take(self, found),
              error ->
                  abort(
                      ConnectionFailure.of(
                          "no route to " + Addresses.text(destination),
                          error,
                          ResponseFlag.CONNECT_FAILED)));
      case OutboundRoute.Refused refused ->
          attemptFailed(new ConnectionFailure(refused.reason(), ResponseFlag.CONNECT_FAILED));
    }
  }

  /**
   * Whoever was chosen was not reached: tries another, where there is one. A waypoint is asked
   * again where there is none, since it may hear of what it is to serve later than this node did.
   */
  private void attemptFailed(ConnectionFailure failure) {
    MeshWorkload self = workload;
    if (isDone()) {
      return;
    }
    boolean late = System.nanoTime() - begin > ATTEMPTS_BEGIN_WITHIN.toNanos();
    if (self == null || failure.ours() || late) {
      abort(failure);
      return;
    }
    OutboundRoute other = another(self);
    if (other != null) {
      retry(failure);
      take(self, other);
    } else if (route instanceof OutboundRoute.Tunnel tunnel
        && tunnel.waypoint()
        && failure.mayPass()) {
      retry(failure);
      askAgain();
    } else {
      abort(failure);
    }
  }

  /** The way to one that was not tried yet; null where there is none. */
  private @Nullable OutboundRoute another(MeshWorkload self) {
    String chosen = route == null ? "" : route.chosen();
    if (chosen.isEmpty() || attempts >= MAX_ATTEMPTS) {
      return null;
    }
    Set<String> failed = new HashSet<>(tried);
    failed.add(chosen);
    tried = failed;
    OutboundRoute other = pod().state().route(self, destination, failed);
    // Where there is no other, what went wrong with this one says more.
    return other instanceof OutboundRoute.Refused ? null : other;
  }

  private void retry(ConnectionFailure failure) {
    pod().log().retried(info(), failure.error(), failure.flag());
    attempts++;
    peer = null;
  }

  /** After a pause, by the way that leads there then: it may lead past the waypoint. */
  private void askAgain() {
    Duration next = pause;
    pause =
        next.multipliedBy(2).compareTo(LONGEST_PAUSE) < 0 ? next.multipliedBy(2) : LONGEST_PAUSE;
    pod()
        .loop()
        .schedule(
            () -> {
              MeshWorkload self = workload;
              if (self != null && !isDone()) {
                tried = Set.of();
                take(self, pod().state().route(self, destination, tried));
              }
            },
            next.toMillis(),
            TimeUnit.MILLISECONDS);
  }

  /** What is addressed to a pod itself has no other way. */
  private boolean mayBeRedirected() {
    return route != null
        && route.destination().service() != null
        && System.nanoTime() - begin < MISDIRECTED_FOR.toNanos();
  }

  private void openTunnel(MeshWorkload self, OutboundRoute.Tunnel tunnel) {
    tunnels++;
    PoolKey key = new PoolKey(self.identity(), tunnel.nextHop(), tunnel.expected());
    pod().pool(key).acquire(this);
  }

  /** A tunnel has room: asks it for the destination. */
  @Override
  public void openOn(HboneConnection tunnel, Identity proven) {
    MeshWorkload self = workload;
    if (isDone() || self == null || !(route instanceof OutboundRoute.Tunnel wanted)) {
      return;
    }
    peer = proven;
    Http2Headers request =
        ConnectHeaders.request(
            wanted.authority(), pod().baggage(self), source, wanted.destination().service());
    AnswerAwaiting end = new AnswerAwaiting();
    destination(end);
    end.attach(tunnel.open(request, end));
  }

  @Override
  @Nullable HboneConnection tunnel() {
    return destination() instanceof StreamEnd end ? end.tunnel() : null;
  }

  /** No tunnel could be had. Never plain text instead. */
  @Override
  public void onTunnelFailure(ConnectionFailure failure) {
    attemptFailed(failure);
  }

  @Override
  String originalDestination() {
    return Addresses.text(destination);
  }

  @Override
  ConnectionInfo info() {
    MeshWorkload self = workload;
    OutboundRoute chosen = route;
    InetSocketAddress hop = destination;
    String authority = null;
    Identity sourceIdentity = null;
    Identity destinationIdentity = null;
    Endpoint endpoint = chosen == null ? Endpoint.UNKNOWN : chosen.destination();
    switch (chosen) {
      case OutboundRoute.Tunnel tunnel -> {
        hop = tunnel.nextHop();
        authority = tunnel.authority();
        sourceIdentity = self == null ? null : self.identity();
        destinationIdentity = peer;
      }
      case OutboundRoute.Plain plain -> hop = plain.to();
      case OutboundRoute.Refused refused -> {}
      case OutboundRoute.Awaited awaited -> {}
      case null -> {}
    }
    return new ConnectionInfo(
        Reporter.SOURCE,
        source,
        self,
        sourceIdentity,
        hop,
        authority,
        endpoint,
        destinationIdentity,
        attempts);
  }

  /** The stream of the tunnel; until the answer is there it carries nothing. */
  private final class AnswerAwaiting extends StreamEnd {
    AnswerAwaiting() {
      super(OutboundConnection.this);
    }

    @Override
    public void onResponse(Http2Headers headers) {
      if (isDone()) {
        return;
      }
      CharSequence status = headers.status();
      if (status != null && "200".contentEquals(status)) {
        establish();
        return;
      }
      boolean misdirected = status != null && "421".contentEquals(status);
      boolean denied = misdirected || (status != null && "401".contentEquals(status));
      ConnectionFailure failure =
          new ConnectionFailure(
              "the next hop answered CONNECT with " + status,
              denied ? ResponseFlag.DENIED : ResponseFlag.CONNECT_FAILED);
      if (status != null && ("503".contentEquals(status) || isUnknownYet(status))) {
        // Not connected to the application behind it, so another one may be asked.
        leave(failure);
      } else if (misdirected && mayBeRedirected()) {
        stream().reset(Http2Error.CANCEL);
        discardEarly();
        retry(failure);
        askAgain();
      } else {
        abort(failure);
      }
    }

    /** A waypoint has no way to the destination. */
    private static boolean isUnknownYet(CharSequence status) {
      return "404".contentEquals(status);
    }

    /** Gives up this stream, and maybe the connection. */
    private void leave(ConnectionFailure failure) {
      stream().reset(Http2Error.CANCEL);
      discardEarly();
      attemptFailed(failure);
    }

    @Override
    public void onReset(Http2Error error) {
      boolean lost = !stream().connection().channel().isActive();
      if (!isEstablished()
          && !isDone()
          && (error == Http2Error.REFUSED_STREAM || lost)
          && tunnels < MAX_TUNNELS
          && workload != null
          && route instanceof OutboundRoute.Tunnel tunnel) {
        // Nothing was sent yet: another tunnel may be asked, where this one was just going away.
        openTunnel(workload, tunnel);
        return;
      }
      if (!isEstablished() && !isDone()) {
        discardEarly();
        attemptFailed(
            new ConnectionFailure(
                "the next hop refused the stream: " + error, ResponseFlag.CONNECT_FAILED));
        return;
      }
      super.onReset(error);
    }
  }
}
