package dev.ambit.ztunnel.proxy;

import dev.ambit.ztunnel.certificate.TlsIdentity;
import dev.ambit.ztunnel.hbone.HboneConnection;
import dev.ambit.ztunnel.identity.Identity;
import dev.ambit.ztunnel.policy.Authorizer;
import dev.ambit.ztunnel.policy.PolicyInput;
import dev.ambit.ztunnel.policy.Verdict;
import dev.ambit.ztunnel.state.LocalPod;
import dev.ambit.ztunnel.state.MeshState;
import dev.ambit.ztunnel.state.MeshWorkload;
import dev.ambit.ztunnel.telemetry.ConnectionLog;
import dev.ambit.ztunnel.telemetry.ResponseFlag;
import dev.ambit.ztunnel.zds.LiveConnection;
import io.netty.channel.ChannelFuture;
import io.netty.channel.EventLoop;
import io.netty.channel.epoll.EpollIoEvent;
import io.netty.channel.epoll.EpollIoHandle;
import io.netty.channel.epoll.EpollIoOps;
import io.netty.channel.epoll.EpollSocketChannel;
import io.netty.channel.epoll.EpollTcpInfo;
import io.netty.handler.codec.http2.Http2Error;
import io.netty.util.concurrent.Future;
import java.net.Inet4Address;
import java.net.Inet6Address;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collections;
import java.util.HashMap;
import java.util.IdentityHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/**
 * One pod's connections on one event loop. An application's socket, its tunnel and the tunnels it
 * may share are on the same loop, so that none of this is locked.
 */
final class PodLoop {
  /** Longer than the state's own bound: a last resort. */
  private static final Duration WORKLOAD_TIMEOUT = Duration.ofSeconds(6);

  private static final Duration PROGRESS_INTERVAL = Duration.ofSeconds(10);

  private static final int TCP_SYN_SENT = 2;
  private static final EpollIoEvent CONNECTED = () -> EpollIoOps.EPOLLOUT;

  /** Something that ends with the pod, once it has drained. */
  interface Drainable {
    /** Takes no more connections, lets those it has end, then closes. */
    void drain();

    /** The pod terminates: a tunnel to it takes no more connections, one from it goes on. */
    void retire();

    /** Closes at once. */
    void abort();
  }

  /** A tunnel, whichever side opened it. */
  interface Tunnel extends Drainable {
    /** What carries it. */
    HboneConnection connection();

    /** Why its peer is not trusted any more; null where it is, or is still to be known. */
    @Nullable String distrust();

    /** Its peer is not trusted any more: takes no more connections. */
    void onDistrust(ConnectionFailure failure);
  }

  private final LocalPod localPod;
  private final EventLoop loop;
  private final PodSockets sockets;
  private final PodAddresses addresses;
  private final ProxySettings settings;
  private final Mesh mesh;
  private final PodProxy owner;
  private final @Nullable Flows flows;

  private final EpollTcpInfo tcpInfo = new EpollTcpInfo();
  private final Map<PoolKey, TunnelPool> pools = new HashMap<>();
  private final Set<ProxiedConnection> connections =
      Collections.newSetFromMap(new IdentityHashMap<>());
  private final Set<Drainable> tunnels = Collections.newSetFromMap(new IdentityHashMap<>());
  private final AtomicBoolean recheckScheduled = new AtomicBoolean();
  private @Nullable Future<?> progressTimer;
  private boolean draining;
  private boolean terminating;
  private @Nullable Runnable onEmpty;

  private @Nullable MeshWorkload baggageOwner;
  private String baggage = "";

  PodLoop(
      PodProxy owner,
      LocalPod localPod,
      EventLoop loop,
      PodSockets sockets,
      PodAddresses addresses,
      ProxySettings settings,
      Mesh mesh,
      @Nullable Datagrams datagrams) {
    this.owner = owner;
    this.localPod = localPod;
    this.loop = loop;
    this.sockets = sockets;
    this.addresses = addresses;
    this.settings = settings;
    this.mesh = mesh;
    this.flows =
        datagrams == null
            ? null
            : new Flows(
                this, datagrams, owner.inboundFlows(), owner.outboundFlows(), owner.tunnelled());
  }

  LocalPod pod() {
    return localPod;
  }

  EventLoop loop() {
    return loop;
  }

  PodSockets sockets() {
    return sockets;
  }

  /** The pod's UDP flows; null where UDP is not carried. */
  @Nullable Flows flows() {
    return flows;
  }

  ProxySettings settings() {
    return settings;
  }

  TunnelLimits limits() {
    return owner.limits();
  }

  TunnelAdmission admission() {
    return owner.admission();
  }

  MeshState state() {
    return mesh.state();
  }

  Authorizer authorizer() {
    return mesh.authorizer();
  }

  ConnectionLog log() {
    return mesh.log();
  }

  PeerTrust trust() {
    return mesh.trust();
  }

  boolean isDraining() {
    return draining;
  }

  boolean isTerminating() {
    return terminating;
  }

  /** The pod as the control plane knows it; fails where it is somebody else than it should be. */
  void workload(Consumer<MeshWorkload> onSuccess, Consumer<Throwable> onFailure) {
    EventLoopAwait.await(
        mesh.state().local(localPod),
        loop,
        WORKLOAD_TIMEOUT,
        workload -> {
          Identity identity = workload.identity();
          if (identity.namespace().equals(localPod.namespace())
              && identity.serviceAccount().equals(localPod.serviceAccount())) {
            String mismatch = addresses.mismatch(workload);
            if (mismatch == null) {
              onSuccess.accept(workload);
            } else {
              onFailure.accept(new IllegalStateException(mismatch));
            }
          } else {
            onFailure.accept(
                new IllegalStateException(
                    "the control plane calls pod "
                        + localPod.namespace()
                        + "/"
                        + localPod.name()
                        + " "
                        + identity
                        + ", the node agent says service account "
                        + localPod.serviceAccount()));
          }
        },
        onFailure);
  }

  void certificate(
      Identity identity, Consumer<TlsIdentity> onSuccess, Consumer<Throwable> onFailure) {
    EventLoopAwait.await(
        mesh.certificates().get(identity),
        loop,
        settings.certificateTimeout(),
        onSuccess,
        onFailure);
  }

  /** The pod's {@code baggage}, made once for each version of its workload. */
  String baggage(MeshWorkload workload) {
    if (workload != baggageOwner) {
      baggageOwner = workload;
      baggage = Baggage.of(workload);
    }
    return baggage;
  }

  /** The address to connect to an application from: the caller's, where that can be. */
  @Nullable InetAddress sourceFor(InetAddress caller, InetAddress target) {
    boolean sameFamily = caller instanceof Inet4Address == target instanceof Inet4Address;
    return settings.originalSource()
            && sameFamily
            && !caller.equals(target)
            && !caller.isLoopbackAddress()
            && !(caller instanceof Inet6Address && caller.isLinkLocalAddress())
        ? caller
        : null;
  }

  static String describe(Verdict.Denied denied) {
    return denied.policy().isEmpty()
        ? "denied: " + denied.reason()
        : "denied by policy " + denied.policy() + ": " + denied.reason();
  }

  /**
   * Registers and connects; tells null, or what failed. The channel stays the caller's to close.
   */
  void dial(
      EpollSocketChannel channel,
      InetSocketAddress target,
      @Nullable InetSocketAddress source,
      Consumer<@Nullable Throwable> outcome) {
    loop.register(channel)
        .addListener(
            registered -> {
              if (!registered.isSuccess()) {
                outcome.accept(registered.cause());
                return;
              }
              ChannelFuture connecting =
                  source == null ? channel.connect(target) : channel.connect(target, source);
              if (!connecting.isDone()) {
                connectAtOnce(channel);
              }
              connecting.addListener(connected -> outcome.accept(connected.cause()));
            });
  }

  /**
   * Finishes a connection that needs no event: the kernel says of each that it is in progress, also
   * of one within the host, which it has made by the time it says so.
   */
  private void connectAtOnce(EpollSocketChannel channel) {
    if (channel.tcpInfo(tcpInfo).state() != TCP_SYN_SENT
        && channel.unsafe() instanceof EpollIoHandle handle) {
      handle.handle(null, CONNECTED);
    }
  }

  TunnelPool pool(PoolKey key) {
    TunnelPool pool = pools.get(key);
    if (pool == null) {
      pool = new TunnelPool(this, key);
      pools.put(key, pool);
    }
    return pool;
  }

  void removePool(TunnelPool pool) {
    pools.remove(pool.key(), pool);
  }

  // -- what is open

  void add(ProxiedConnection connection) {
    connections.add(connection);
    owner.onOpened();
    if (progressTimer == null) {
      long seconds = PROGRESS_INTERVAL.toSeconds();
      progressTimer =
          loop.scheduleAtFixedRate(this::reportProgress, seconds, seconds, TimeUnit.SECONDS);
    }
  }

  void remove(ProxiedConnection connection) {
    if (connections.remove(connection)) {
      owner.onEnded();
      checkEmpty();
    }
  }

  /** Lets counts of connections that last be seen before they end; idle pods have no timer. */
  private void reportProgress() {
    connections.forEach(ProxiedConnection::reportProgress);
    if (connections.isEmpty() && progressTimer != null) {
      progressTimer.cancel(false);
      progressTimer = null;
    }
  }

  List<LiveConnection> connections() {
    List<LiveConnection> all = new ArrayList<>();
    for (ProxiedConnection each : connections) {
      all.add(new LiveConnection(each.info(), each.originalDestination()));
    }
    if (flows != null) {
      all.addAll(flows.open());
    }
    return all;
  }

  void addTunnel(Drainable tunnel) {
    tunnels.add(tunnel);
  }

  void removeTunnel(Drainable tunnel) {
    if (tunnels.remove(tunnel)) {
      checkEmpty();
    }
  }

  private void checkEmpty() {
    Runnable callback = onEmpty;
    if (callback != null && connections.isEmpty() && tunnels.isEmpty()) {
      onEmpty = null;
      callback.run();
    }
  }

  /** Ends gracefully; {@code whenEmpty} is called on the loop when nothing is left. */
  void drain(Runnable whenEmpty) {
    draining = true;
    onEmpty = whenEmpty;
    for (Drainable tunnel : tunnels.toArray(Drainable[]::new)) {
      tunnel.drain();
    }
    checkEmpty();
  }

  /**
   * The pod has begun to terminate. Peers are told to open no more on the tunnels they have; new
   * tunnels are taken, each for what its peer had waiting.
   */
  void terminating() {
    terminating = true;
    for (Drainable tunnel : tunnels.toArray(Drainable[]::new)) {
      tunnel.retire();
    }
  }

  /** Cuts off all that is left. */
  void force() {
    draining = true;
    for (ProxiedConnection connection : connections.toArray(ProxiedConnection[]::new)) {
      connection.abort("the pod is being taken out", ResponseFlag.NONE);
    }
    for (Drainable tunnel : tunnels.toArray(Drainable[]::new)) {
      tunnel.abort();
    }
  }

  /**
   * Judges open connections again, soon; from any thread. Changes in between are taken together.
   */
  void recheckSoon() {
    if (recheckScheduled.compareAndSet(false, true)) {
      loop.execute(
          () -> {
            recheckScheduled.set(false);
            recheck();
          });
    }
  }

  /** Cuts off tunnels, with all that they carry, whose peer's certificate is now revoked. */
  void recheckPeers() {
    for (Drainable drainable : tunnels.toArray(Drainable[]::new)) {
      String reason = drainable instanceof Tunnel tunnel ? tunnel.distrust() : null;
      if (reason != null && drainable instanceof Tunnel tunnel) {
        ConnectionFailure failure =
            new ConnectionFailure("the peer's " + reason, ResponseFlag.CERTIFICATE_REVOKED);
        tunnel.onDistrust(failure);
        for (ProxiedConnection connection : connections.toArray(ProxiedConnection[]::new)) {
          if (connection.tunnel() == tunnel.connection()) {
            connection.abort(failure);
          }
        }
        if (flows != null) {
          flows.cut(tunnel.connection(), failure);
        }
        tunnel.connection().abort(Http2Error.INADEQUATE_SECURITY, "certificate revoked");
      }
    }
  }

  private void recheck() {
    for (ProxiedConnection connection : connections.toArray(ProxiedConnection[]::new)) {
      PolicyInput input = connection.policyInput();
      if (input != null
          && !connection.isDone()
          && mesh.authorizer().reauthorize(input) instanceof Verdict.Denied denied) {
        connection.abort(describe(denied), ResponseFlag.DENIED);
      }
    }
    if (flows != null) {
      flows.recheck();
    }
  }
}
