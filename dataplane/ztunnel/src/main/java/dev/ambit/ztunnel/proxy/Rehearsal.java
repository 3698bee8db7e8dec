package dev.ambit.ztunnel.proxy;

import dev.ambit.linux.LinuxException;
import dev.ambit.linux.NetworkNamespace;
import dev.ambit.ztunnel.certificate.RehearsalAuthority;
import dev.ambit.ztunnel.certificate.TlsIdentity;
import dev.ambit.ztunnel.identity.Identity;
import dev.ambit.ztunnel.policy.PolicyStore;
import dev.ambit.ztunnel.state.Endpoint;
import dev.ambit.ztunnel.state.InboundRoute;
import dev.ambit.ztunnel.state.LocalPod;
import dev.ambit.ztunnel.state.Locality;
import dev.ambit.ztunnel.state.MeshState;
import dev.ambit.ztunnel.state.MeshStore;
import dev.ambit.ztunnel.state.MeshWorkload;
import dev.ambit.ztunnel.state.OutboundRoute;
import dev.ambit.ztunnel.state.Router;
import dev.ambit.ztunnel.state.TunnelProtocol;
import dev.ambit.ztunnel.telemetry.ConnectionLog;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInboundHandlerAdapter;
import io.netty.channel.EventLoopGroup;
import io.netty.channel.epoll.EpollSocketChannel;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.security.GeneralSecurityException;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.Executor;
import java.util.concurrent.TimeUnit;
import javax.net.ssl.SSLException;
import org.jspecify.annotations.Nullable;

/**
 * Sends connections of its own through both halves of the data path, on loopback, before the first
 * pod's connection comes: that one would else wait a third of a second for code to be loaded,
 * linked and run for the first time. It has a mesh of its own, with one workload, which no pod and
 * no peer knows of, and leaves nothing behind.
 */
public final class Rehearsal implements MeshState {
  /** Enough for what each connection does to be found frequent, and compiled. */
  private static final int CONNECTIONS = 40;

  private static final int EXCHANGES = 4;

  /** No connection begins later: a machine that is slow has better things to do. */
  private static final Duration BEGIN_WITHIN = Duration.ofMillis(700);

  /** For what hangs: pods are served, whatever became of this. */
  private static final Duration PATIENCE = Duration.ofSeconds(3);

  /** For the last connection to end at the other half too, which takes a moment. */
  private static final Duration END_WITHIN = Duration.ofMillis(200);

  private static final byte[] LOOPBACK = {127, 0, 0, 1};
  private static final byte[] MESSAGE = new byte[512];
  private static final Identity IDENTITY =
      new Identity("rehearsal.invalid", "rehearsal", "rehearsal");
  private static final LocalPod POD =
      new LocalPod("rehearsal", "rehearsal", IDENTITY.namespace(), IDENTITY.serviceAccount());

  private final MeshStore store = new MeshStore();
  private final Router router;
  private final MeshWorkload workload;
  private final EventLoopGroup loops;
  private final CompletableFuture<Void> ended = new CompletableFuture<>();
  private final CompletableFuture<TlsIdentity> certificate;
  private final PodProxy proxy;
  private final long begin = System.nanoTime();
  private int left = CONNECTIONS;

  private volatile @Nullable InetSocketAddress application;
  private volatile @Nullable InetSocketAddress tunnels;

  private Rehearsal(
      EventLoopGroup loops, ProxySettings settings, ConnectionLog log, Executor executor)
      throws LinuxException {
    this.loops = loops;
    this.router = new Router(store, "", Set.of());
    this.workload = workload();
    store.apply(List.of(workload), List.of(), List.of());
    this.certificate = CompletableFuture.supplyAsync(Rehearsal::issue, executor);
    this.proxy =
        new PodProxy(
            POD,
            NetworkNamespace.open("/proc/thread-self/ns/net"),
            loops,
            settings,
            TunnelLimits.defaults(),
            new Mesh(
                this,
                new PolicyStore(store, (policy, wouldDeny, input) -> {}),
                identity -> certificate,
                PeerTrust.plain(),
                log),
            null,
            null,
            over -> {});
  }

  /**
   * Rehearses.
   *
   * @param loops that will carry traffic
   * @param log hears of each connection
   * @param executor on which keys are made
   * @return completes on any thread when all is over and closed; exceptionally where it did not go
   *     well, which is no reason not to serve pods
   */
  public static CompletionStage<Void> run(
      EventLoopGroup loops, ProxySettings settings, ConnectionLog log, Executor executor) {
    Rehearsal rehearsal;
    try {
      rehearsal = new Rehearsal(loops, settings, log, executor);
    } catch (LinuxException e) {
      return CompletableFuture.failedStage(e);
    }
    rehearsal.begin();
    return rehearsal
        .ended
        .orTimeout(PATIENCE.toMillis(), TimeUnit.MILLISECONDS)
        .handle(
            (done, failure) ->
                rehearsal
                    .proxy
                    .drain(END_WITHIN)
                    .thenCompose(
                        drained ->
                            failure == null
                                ? CompletableFuture.<Void>completedStage(null)
                                : CompletableFuture.<Void>failedStage(failure)))
        .thenCompose(stage -> stage);
  }

  private static TlsIdentity issue() {
    try {
      return RehearsalAuthority.issue(IDENTITY);
    } catch (GeneralSecurityException | SSLException e) {
      throw new CompletionException(e);
    }
  }

  private static MeshWorkload workload() {
    return new MeshWorkload(
        "Kubernetes//Pod/rehearsal/rehearsal",
        POD.name(),
        POD.namespace(),
        IDENTITY,
        List.of(loopback()),
        "",
        "",
        TunnelProtocol.HBONE,
        null,
        null,
        "",
        POD.name(),
        "",
        "pod",
        POD.name(),
        null,
        Map.of(),
        List.of(),
        true,
        "Kubernetes",
        new Locality("", "", ""),
        false,
        1,
        false,
        false);
  }

  private static InetAddress loopback() {
    return Addresses.of(LOOPBACK);
  }

  // -- its connections

  private void begin() {
    // Sockets are made on an event loop's thread: see PodProxy.
    loops
        .next()
        .execute(
            () -> {
              InetSocketAddress any = new InetSocketAddress(loopback(), 0);
              proxy
                  .listen(any, false, (pod, channel) -> answer(channel))
                  .thenCompose(
                      bound -> {
                        application = bound;
                        return proxy.listen(any, true, InboundTunnel::accept);
                      })
                  .thenCompose(
                      bound -> {
                        tunnels = bound;
                        return proxy.listen(any, false, OutboundConnection::accept);
                      })
                  .thenCombine(certificate, (bound, known) -> bound)
                  .whenComplete(
                      (bound, failure) -> {
                        if (failure == null) {
                          PodLoop pod = proxy.loop(loops.next());
                          pod.loop().execute(() -> call(pod, bound));
                        } else {
                          ended.completeExceptionally(failure);
                        }
                      });
            });
  }

  private static void answer(EpollSocketChannel channel) {
    channel.config().setAllowHalfClosure(false);
    channel
        .pipeline()
        .addLast(
            new ChannelInboundHandlerAdapter() {
              @Override
              public void channelRead(ChannelHandlerContext context, Object message) {
                context.writeAndFlush(message, context.voidPromise());
              }

              @Override
              public void exceptionCaught(ChannelHandlerContext context, Throwable cause) {
                context.close();
              }
            });
  }

  /** One connection after the other; all of this on one event loop. */
  private void call(PodLoop pod, InetSocketAddress outbound) {
    if (left-- == 0
        || (left < CONNECTIONS - 1 && System.nanoTime() - begin > BEGIN_WITHIN.toNanos())) {
      ended.complete(null);
      return;
    }
    if (ended.isDone()) {
      return;
    }
    try {
      EpollSocketChannel channel = pod.sockets().outgoing(outbound.getAddress());
      channel.pipeline().addLast(new Caller(() -> call(pod, outbound)));
      pod.dial(
          channel,
          outbound,
          null,
          error -> {
            if (error != null) {
              channel.close();
              ended.completeExceptionally(error);
            }
          });
    } catch (RuntimeException e) {
      ended.completeExceptionally(e);
    }
  }

  /** Says something and hears it again, some times. */
  private final class Caller extends ChannelInboundHandlerAdapter {
    private final Runnable next;
    private int exchanges = EXCHANGES;
    private int awaited;

    Caller(Runnable next) {
      this.next = next;
    }

    @Override
    public void channelActive(ChannelHandlerContext context) {
      say(context);
    }

    private void say(ChannelHandlerContext context) {
      awaited = MESSAGE.length;
      context.writeAndFlush(Unpooled.wrappedBuffer(MESSAGE), context.voidPromise());
    }

    @Override
    public void channelRead(ChannelHandlerContext context, Object message) {
      ByteBuf heard = (ByteBuf) message;
      awaited -= heard.readableBytes();
      heard.release();
      if (awaited == 0) {
        if (--exchanges == 0) {
          context.close();
        } else {
          say(context);
        }
      }
    }

    @Override
    public void channelInactive(ChannelHandlerContext context) {
      if (exchanges == 0) {
        next.run();
      } else {
        ended.completeExceptionally(
            new IllegalStateException("a connection to this process itself was broken off"));
      }
    }

    @Override
    public void exceptionCaught(ChannelHandlerContext context, Throwable cause) {
      context.close();
    }
  }

  // -- its mesh: the usual one, with listeners on other ports

  @Override
  public CompletionStage<MeshWorkload> local(LocalPod pod) {
    return router.local(pod);
  }

  @Override
  public OutboundRoute route(
      MeshWorkload source, InetSocketAddress destination, Set<String> without) {
    InetSocketAddress target = application;
    InetSocketAddress nextHop = tunnels;
    if (target == null || nextHop == null) {
      return new OutboundRoute.Refused("not rehearsing", Endpoint.UNKNOWN);
    }
    OutboundRoute found = router.route(source, target, without);
    return new OutboundRoute.Tunnel(
        nextHop, Addresses.text(target), List.of(IDENTITY), found.destination());
  }

  @Override
  public InboundRoute inbound(
      MeshWorkload self, InetSocketAddress tunnelDestination, String authority) {
    return router.inbound(self, tunnelDestination, authority);
  }

  @Override
  public @Nullable MeshWorkload byAddress(InetAddress address) {
    return router.byAddress(address);
  }
}
