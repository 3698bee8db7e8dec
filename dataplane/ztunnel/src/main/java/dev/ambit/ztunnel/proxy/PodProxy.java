package dev.ambit.ztunnel.proxy;

import dev.ambit.linux.LinuxException;
import dev.ambit.linux.NetworkNamespace;
import dev.ambit.linux.SharedPort;
import dev.ambit.ztunnel.dns.DnsProxy;
import dev.ambit.ztunnel.state.LocalPod;
import dev.ambit.ztunnel.zds.LiveConnection;
import dev.ambit.ztunnel.zds.PodRuntime;
import io.netty.bootstrap.ServerBootstrap;
import io.netty.channel.Channel;
import io.netty.channel.ChannelFuture;
import io.netty.channel.ChannelInitializer;
import io.netty.channel.EventLoop;
import io.netty.channel.EventLoopGroup;
import io.netty.channel.epoll.EpollServerSocketChannel;
import io.netty.channel.epoll.EpollSocketChannel;
import io.netty.util.concurrent.EventExecutor;
import java.net.Inet6Address;
import java.net.InetSocketAddress;
import java.time.Duration;
import java.util.ArrayList;
import java.util.IdentityHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** A pod that is proxied: its listeners, and its connections on every event loop. */
public final class PodProxy implements PodRuntime.Running {
  private static final Logger log = LoggerFactory.getLogger(PodProxy.class);

  /** For handshakes that are under way to a listener that yielded: a round trip or more. */
  private static final Duration HANDOVER = Duration.ofMillis(200);

  private final LocalPod pod;
  private final NetworkNamespace namespace;
  private final EventLoopGroup loops;
  private final PodSockets sockets;
  private final ProxySettings settings;
  private final TunnelLimits limits;
  private final TunnelAdmission admission;
  private final Map<EventExecutor, PodLoop> podLoops = new IdentityHashMap<>();
  private final List<Channel> listeners = new ArrayList<>();
  private final AtomicInteger openConnections = new AtomicInteger();
  private final @Nullable DnsListener dns;
  private final @Nullable Datagrams datagrams;
  private final Map<FlowKey, InboundFlow> tunnelled = new ConcurrentHashMap<>();
  private final FlowAdmission inboundFlows;
  private final FlowAdmission outboundFlows;
  private DatagramRules.@Nullable Member rules;
  private final Runnable onStopped;
  private final CompletableFuture<Void> stopped = new CompletableFuture<>();
  private boolean draining;

  PodProxy(
      LocalPod pod,
      NetworkNamespace namespace,
      EventLoopGroup loops,
      ProxySettings settings,
      TunnelLimits limits,
      Mesh mesh,
      @Nullable DnsProxy dnsProxy,
      @Nullable Datagrams datagrams,
      java.util.function.Consumer<PodProxy> onStopped) {
    this.pod = pod;
    this.namespace = namespace;
    this.loops = loops;
    this.settings = settings;
    this.limits = limits;
    this.admission = new TunnelAdmission(limits);
    this.sockets = new PodSockets(namespace, settings);
    this.onStopped = () -> onStopped.accept(this);
    this.datagrams = datagrams;
    FlowSettings flows = datagrams == null ? FlowSettings.defaults() : datagrams.settings();
    this.inboundFlows =
        new FlowAdmission(flows.flowsPerSource(), flows.newFlowsPerSecond(), System::nanoTime);
    this.outboundFlows =
        new FlowAdmission(flows.flowsPerPod(), flows.newFlowsPerSecond(), System::nanoTime);
    PodAddresses addresses = new PodAddresses(sockets);
    for (EventExecutor executor : loops) {
      podLoops.put(
          executor,
          new PodLoop(
              this, pod, (EventLoop) executor, sockets, addresses, settings, mesh, datagrams));
    }
    this.dns = dnsProxy == null ? null : new DnsListener(dnsProxy, pod, sockets, mesh.state());
  }

  /** What becomes of a connection that a listener accepted. */
  interface Acceptor {
    void accept(PodLoop loop, EpollSocketChannel channel);
  }

  /** Binds the listeners; all of them or none. */
  CompletableFuture<PodProxy> start() {
    CompletableFuture<PodProxy> started = new CompletableFuture<>();
    // Sockets are made on an event loop's thread: the caller's may be one that cannot change its
    // network namespace.
    loops
        .next()
        .execute(
            () ->
                bindAll(settings.ipv6())
                    .whenComplete(
                        (bound, error) -> {
                          if (error == null) {
                            started.complete(this);
                          } else {
                            abandon();
                            started.completeExceptionally(
                                new IllegalStateException(
                                    "cannot listen in the network namespace "
                                        + namespace
                                        + " of pod "
                                        + pod.namespace()
                                        + "/"
                                        + pod.name()
                                        + ": "
                                        + ConnectionFailure.text(error),
                                    error));
                          }
                        }));
    return started;
  }

  private CompletableFuture<Void> bindAll(boolean ipv6) {
    return bind(ProxySettings.OUTBOUND_PORT, ipv6, OutboundConnection::accept)
        .thenCompose(
            done -> bind(ProxySettings.INBOUND_PLAINTEXT_PORT, ipv6, PassthroughConnection::accept))
        .thenCompose(done -> bind(ProxySettings.INBOUND_PORT, ipv6, InboundTunnel::accept))
        .thenCompose(done -> dns == null ? CompletableFuture.completedFuture(null) : bindDns(dns))
        .thenCompose(
            done ->
                datagrams == null
                    ? CompletableFuture.completedFuture(null)
                    : takeDatagrams(datagrams));
  }

  /** Binds on every event loop, then has datagrams led there. */
  private CompletableFuture<Void> takeDatagrams(Datagrams with) {
    List<CompletableFuture<Void>> listening = new ArrayList<>();
    for (PodLoop podLoop : podLoops.values()) {
      CompletableFuture<Void> bound = new CompletableFuture<>();
      listening.add(bound);
      podLoop
          .loop()
          .execute(
              () -> {
                try {
                  Flows flows = podLoop.flows();
                  if (flows != null) {
                    flows.listen();
                  }
                  bound.complete(null);
                } catch (LinuxException | RuntimeException e) {
                  bound.completeExceptionally(e);
                }
              });
    }
    return CompletableFuture.allOf(listening.toArray(CompletableFuture<?>[]::new))
        .thenCompose(
            bound -> {
              try {
                DatagramRules.Member member = with.rules().add(pod, sockets.duplicate());
                synchronized (this) {
                  rules = member;
                }
                return member.installed();
              } catch (LinuxException e) {
                return CompletableFuture.failedFuture(e);
              }
            });
  }

  /** The flows to the pod that stand for their callers' addresses, of all loops. */
  Map<FlowKey, InboundFlow> tunnelled() {
    return tunnelled;
  }

  FlowAdmission inboundFlows() {
    return inboundFlows;
  }

  FlowAdmission outboundFlows() {
    return outboundFlows;
  }

  private synchronized DatagramRules.@Nullable Member takeRules() {
    DatagramRules.Member member = rules;
    rules = null;
    return member;
  }

  @Override
  public void leaving() {
    DatagramRules.Member member = takeRules();
    if (member != null) {
      member.leave();
    }
  }

  private CompletableFuture<Void> bindDns(DnsListener listener) {
    PodLoop home = loop(loops.next());
    CompletableFuture<Void> bound = listener.bindDatagrams(home);
    boolean first = true;
    for (InetSocketAddress address : listener.addresses()) {
      boolean needed = first;
      first = false;
      bound =
          bound
              .thenCompose(done -> tryBind(address, listener::accept))
              .exceptionallyCompose(
                  error ->
                      needed
                          ? CompletableFuture.failedFuture(error)
                          : CompletableFuture.completedFuture(null));
    }
    return bound;
  }

  private CompletableFuture<Void> bind(int port, boolean ipv6, Acceptor acceptor) {
    CompletableFuture<Void> bound = new CompletableFuture<>();
    tryBind(port, ipv6, acceptor)
        .whenComplete(
            (done, error) -> {
              if (error == null) {
                bound.complete(null);
              } else if (ipv6) {
                log.atWarn()
                    .addKeyValue("namespace", pod.namespace())
                    .addKeyValue("pod", pod.name())
                    .addKeyValue("port", port)
                    .addKeyValue("reason", ConnectionFailure.text(error))
                    .log("cannot listen on IPv6, listening on IPv4 alone");
                tryBind(port, false, acceptor)
                    .whenComplete(
                        (again, second) -> {
                          if (second == null) {
                            bound.complete(null);
                          } else {
                            bound.completeExceptionally(second);
                          }
                        });
              } else {
                bound.completeExceptionally(error);
              }
            });
    return bound;
  }

  private CompletableFuture<Void> tryBind(int port, boolean ipv6, Acceptor acceptor) {
    return tryBind(new InetSocketAddress(ipv6 ? "::" : "0.0.0.0", port), acceptor);
  }

  private CompletableFuture<Void> tryBind(InetSocketAddress address, Acceptor acceptor) {
    boolean tunnels = address.getPort() == ProxySettings.INBOUND_PORT;
    return listen(address, tunnels, acceptor).thenAccept(bound -> {});
  }

  /**
   * Listens until the pod is drained.
   *
   * @param tunnels whether what arrives carries tunnels
   * @return the address, with the port that was chosen where none was given
   */
  CompletableFuture<InetSocketAddress> listen(
      InetSocketAddress address, boolean tunnels, Acceptor acceptor) {
    boolean ipv6 = address.getAddress() instanceof Inet6Address;
    CompletableFuture<InetSocketAddress> bound = new CompletableFuture<>();
    ChannelFuture binding =
        new ServerBootstrap()
            .group(loops)
            .channelFactory(() -> sockets.listener(ipv6))
            .childHandler(
                new ChannelInitializer<EpollSocketChannel>() {
                  @Override
                  protected void initChannel(EpollSocketChannel channel) {
                    if (tunnels) {
                      PodSockets.configureTunnel(channel);
                    } else {
                      PodSockets.configureApplication(channel);
                    }
                    acceptor.accept(loop(channel.eventLoop()), channel);
                  }
                })
            .bind(address);
    binding.addListener(
        done -> {
          if (done.isSuccess()) {
            synchronized (listeners) {
              listeners.add(binding.channel());
            }
            bound.complete((InetSocketAddress) binding.channel().localAddress());
          } else {
            bound.completeExceptionally(done.cause());
          }
        });
    return bound;
  }

  PodLoop loop(EventLoop loop) {
    PodLoop podLoop = podLoops.get(loop);
    if (podLoop == null) {
      throw new IllegalStateException("a connection on an event loop of another group");
    }
    return podLoop;
  }

  private void abandon() {
    closeListeners();
    if (dns != null) {
      dns.abandon();
    }
    leaving();
    for (PodLoop podLoop : podLoops.values()) {
      Flows flows = podLoop.flows();
      if (flows != null) {
        podLoop.loop().execute(flows::abort);
      }
    }
    sockets.close();
  }

  private List<Channel> closeListeners() {
    List<Channel> closing;
    synchronized (listeners) {
      closing = List.copyOf(listeners);
      listeners.clear();
    }
    closing.forEach(Channel::close);
    return closing;
  }

  /** The pod that this is. */
  public LocalPod pod() {
    return pod;
  }

  @Override
  public int openConnections() {
    return openConnections.get();
  }

  @Override
  public CompletionStage<List<LiveConnection>> connections() {
    List<CompletableFuture<List<LiveConnection>>> parts = new ArrayList<>();
    for (PodLoop podLoop : podLoops.values()) {
      parts.add(CompletableFuture.supplyAsync(podLoop::connections, podLoop.loop()));
    }
    return CompletableFuture.allOf(parts.toArray(new CompletableFuture<?>[0]))
        .thenApply(done -> parts.stream().flatMap(part -> part.join().stream()).toList());
  }

  TunnelLimits limits() {
    return limits;
  }

  TunnelAdmission admission() {
    return admission;
  }

  void onOpened() {
    openConnections.incrementAndGet();
  }

  void onEnded() {
    openConnections.decrementAndGet();
  }

  void recheckSoon() {
    podLoops.values().forEach(PodLoop::recheckSoon);
  }

  /** Judges the peers of open tunnels again; from any thread. */
  void recheckPeers() {
    podLoops.values().forEach(podLoop -> podLoop.loop().execute(podLoop::recheckPeers));
  }

  @Override
  public void terminating() {
    podLoops.values().forEach(podLoop -> podLoop.loop().execute(podLoop::terminating));
  }

  @Override
  public CompletionStage<Void> drain(Duration deadline) {
    boolean first;
    synchronized (this) {
      first = !draining;
      draining = true;
    }
    if (first && deadline.compareTo(HANDOVER) > 0) {
      yieldListeners();
      loops.next().schedule(this::drainAll, HANDOVER.toMillis(), TimeUnit.MILLISECONDS);
    } else if (first) {
      drainAll();
    }
    if (deadline.isZero() || deadline.isNegative()) {
      force();
    } else {
      loops.next().schedule(this::force, deadline.toMillis(), TimeUnit.MILLISECONDS);
    }
    return stopped.minimalCompletionStage();
  }

  /**
   * Where another ztunnel listens beside this one, leaves new connections to it. Those that wait to
   * be accepted here would be reset by closing: they are still taken.
   */
  private void yieldListeners() {
    if (dns != null) {
      dns.yieldToSecond();
    }
    synchronized (listeners) {
      for (Channel listener : listeners) {
        try {
          SharedPort.yieldToSecond(((EpollServerSocketChannel) listener).fd().intValue());
        } catch (LinuxException e) {
          log.atWarn()
              .addKeyValue("namespace", pod.namespace())
              .addKeyValue("pod", pod.name())
              .addKeyValue("reason", e.getMessage())
              .log("cannot leave new connections to another ztunnel, a few may be reset");
        }
      }
    }
  }

  private void drainAll() {
    List<Channel> closing = closeListeners();
    DatagramRules.Member member = takeRules();
    if (member != null) {
      // From now on they are the next ztunnel's, however long connections go on here.
      member.keep();
    }
    AtomicInteger open = new AtomicInteger(closing.size() + 1);
    Runnable closed =
        () -> {
          if (open.decrementAndGet() == 0) {
            drainLoops();
          }
        };
    // Connections that a listener had already accepted are on their loops before these drain.
    closing.forEach(channel -> channel.closeFuture().addListener(done -> closed.run()));
    closed.run();
  }

  private void drainLoops() {
    AtomicInteger left = new AtomicInteger(podLoops.size());
    for (PodLoop podLoop : podLoops.values()) {
      podLoop
          .loop()
          .execute(
              () ->
                  podLoop.drain(
                      () -> {
                        if (left.decrementAndGet() == 0) {
                          sockets.close();
                          onStopped.run();
                          stopped.complete(null);
                        }
                      }));
    }
  }

  private void force() {
    if (!stopped.isDone()) {
      podLoops.values().forEach(podLoop -> podLoop.loop().execute(podLoop::force));
    }
  }
}
