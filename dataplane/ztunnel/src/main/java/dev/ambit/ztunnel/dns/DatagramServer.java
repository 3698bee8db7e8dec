package dev.ambit.ztunnel.dns;

import dev.ambit.linux.ConnectionTracking;
import dev.ambit.linux.LinuxException;
import dev.ambit.linux.SharedPort;
import dev.ambit.ztunnel.dns.Message.AddressQuestion;
import dev.ambit.ztunnel.dns.Message.Request;
import dev.ambit.ztunnel.telemetry.DnsTelemetry.Counts;
import dev.ambit.ztunnel.telemetry.DnsTelemetry.Protocol;
import io.netty.buffer.ByteBuf;
import io.netty.channel.ChannelException;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInboundHandlerAdapter;
import io.netty.channel.EventLoop;
import io.netty.channel.epoll.EpollDatagramChannel;
import io.netty.channel.socket.DatagramPacket;
import io.netty.util.concurrent.Future;
import java.io.IOException;
import java.net.Inet6Address;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Takes a pod's datagrams for DNS servers: answers what the mesh knows, and exchanges all others
 * with the server that the pod had sent them to. Confined to one event loop.
 */
public final class DatagramServer implements PodDns.Open {
  private static final Logger log = LoggerFactory.getLogger(DatagramServer.class);

  /** In which Ambit's node agent has redirected datagrams tracked; Istio's uses the other. */
  private static final int[] ZONES = {1, 0};

  private static final long SWEEP_SECONDS = 1;

  private final PodDns dns;
  private final EventLoop loop;
  private final List<EpollDatagramChannel> listeners = new ArrayList<>();

  /** Those used last are at the end. */
  private final Map<Route, DatagramExchange> exchanges = new LinkedHashMap<>(16, 0.75f, true);

  private final CompletableFuture<Void> closed = new CompletableFuture<>();
  private @Nullable ConnectionTracking tracking;
  private @Nullable Future<?> sweep;
  private boolean trackingFailed;
  private int zone;
  private int ownServer;
  private boolean draining;

  /** From whom to whom: what one socket of the pod exchanges with one server. */
  private record Route(
      EpollDatagramChannel listener, InetSocketAddress client, InetSocketAddress server) {}

  DatagramServer(PodDns dns, EventLoop loop) {
    this.dns = dns;
    this.loop = loop;
  }

  PodDns dns() {
    return dns;
  }

  /** The event loop that it is confined to. */
  public EventLoop loop() {
    return loop;
  }

  /**
   * Binds every address. All but the first may be missing, as IPv6 may be in a pod.
   *
   * @return completes on the event loop
   */
  public CompletableFuture<Void> bind() {
    CompletableFuture<Void> bound = new CompletableFuture<>();
    loop.execute(() -> bind(0, bound));
    return bound;
  }

  /** Completes on the event loop once nothing is open. */
  public CompletableFuture<Void> closed() {
    return closed;
  }

  private void bind(int index, CompletableFuture<Void> bound) {
    List<InetAddress> addresses = dns.settings().listen();
    if (index == addresses.size()) {
      bound.complete(null);
      return;
    }
    InetSocketAddress address = new InetSocketAddress(addresses.get(index), dns.settings().port());
    EpollDatagramChannel channel;
    try {
      channel = dns.pod().datagrams(address.getAddress() instanceof Inet6Address, true);
    } catch (ChannelException e) {
      afterBind(index, bound, e);
      return;
    }
    channel.pipeline().addLast(new Questions(channel));
    loop.register(channel)
        .addListener(
            registered -> {
              if (!registered.isSuccess()) {
                afterBind(index, bound, registered.cause());
                return;
              }
              channel
                  .bind(address)
                  .addListener(
                      done -> {
                        if (done.isSuccess()) {
                          listeners.add(channel);
                        } else {
                          channel.close();
                        }
                        afterBind(index, bound, done.cause());
                      });
            });
  }

  private void afterBind(int index, CompletableFuture<Void> bound, @Nullable Throwable failure) {
    if (failure != null && index == 0) {
      bound.completeExceptionally(failure);
      return;
    }
    if (failure != null) {
      log.atDebug()
          .addKeyValue("namespace", dns.pod().pod().namespace())
          .addKeyValue("pod", dns.pod().pod().name())
          .addKeyValue("address", dns.settings().listen().get(index).getHostAddress())
          .addKeyValue("reason", failure.toString())
          .log("DNS is not served at this address of the pod");
    }
    bind(index + 1, bound);
  }

  /** Where another ztunnel is bound beside this one, leaves new questions to it. */
  public void yieldToSecond() {
    for (EpollDatagramChannel listener : listeners) {
      try {
        SharedPort.yieldToSecond(listener.fd().intValue());
      } catch (LinuxException e) {
        log.atWarn()
            .addKeyValue("namespace", dns.pod().pod().namespace())
            .addKeyValue("pod", dns.pod().pod().name())
            .addKeyValue("reason", e.getMessage())
            .log("cannot leave new questions to another ztunnel, a few may be lost");
      }
    }
  }

  @Override
  public void drain() {
    draining = true;
    // Not for ever where questions keep coming, as without another ztunnel they do.
    loop.schedule(this::abort, dns.settings().answerTimeout().toMillis(), TimeUnit.MILLISECONDS);
    checkDone();
  }

  @Override
  public void abort() {
    draining = true;
    for (DatagramExchange exchange : exchanges.values().toArray(DatagramExchange[]::new)) {
      exchange.close();
    }
    checkDone();
  }

  private void checkDone() {
    if (!draining || !exchanges.isEmpty() || closed.isDone()) {
      return;
    }
    listeners.forEach(EpollDatagramChannel::close);
    listeners.clear();
    closeTracking();
    if (sweep != null) {
      sweep.cancel(false);
      sweep = null;
    }
    closed.complete(null);
  }

  private void onMessage(EpollDatagramChannel listener, InetSocketAddress client, ByteBuf content) {
    Message message = MessageReader.read(content);
    switch (message) {
      case AddressQuestion question -> {
        ByteBuf answer =
            dns.proxy()
                .answer(
                    listener.alloc(),
                    content,
                    question,
                    dns.pod().pod(),
                    AnswerWriter.datagramLimit(question));
        Counts counts = count(question);
        if (answer != null) {
          listener.writeAndFlush(new DatagramPacket(answer, client));
        } else {
          handOn(listener, client, content, question, counts);
        }
      }
      case Request request -> handOn(listener, client, content, request, count(request));
      case Message.Foreign foreign -> handOn(listener, client, content, null, null);
    }
  }

  private Counts count(Request request) {
    Counts counts = dns.counts(request.type(), Protocol.UDP);
    counts.requests().increment();
    return counts;
  }

  private void handOn(
      EpollDatagramChannel listener,
      InetSocketAddress client,
      ByteBuf content,
      @Nullable Request request,
      @Nullable Counts counts) {
    if (counts != null) {
      counts.upstreamRequests().increment();
    }
    InetSocketAddress server = server(listener.localAddress(), client);
    if (server == null) {
      if (request != null && counts != null) {
        counts.upstreamFailures().increment();
        fail(listener, client, request, content);
      }
      return;
    }
    Route route = new Route(listener, client, server);
    DatagramExchange exchange = exchanges.get(route);
    if (exchange == null) {
      exchange = open(route);
    }
    if (exchange != null) {
      exchange.send(content, request, counts);
    } else if (request != null && counts != null) {
      counts.upstreamFailures().increment();
      fail(listener, client, request, content);
    }
  }

  private @Nullable DatagramExchange open(Route route) {
    if (exchanges.size() >= dns.settings().maxExchanges()) {
      // The one that has been silent for longest is most likely given up by the pod.
      dns.proxy().telemetry().dropped();
      exchanges.values().iterator().next().close();
    }
    EpollDatagramChannel channel;
    try {
      channel = dns.pod().datagrams(route.server().getAddress() instanceof Inet6Address, false);
    } catch (ChannelException e) {
      log.atWarn()
          .addKeyValue("namespace", dns.pod().pod().namespace())
          .addKeyValue("pod", dns.pod().pod().name())
          .addKeyValue("reason", e.getMessage())
          .log("cannot open a socket to a DNS server");
      return null;
    }
    DatagramExchange exchange =
        new DatagramExchange(this, channel, route.listener(), route.client(), () -> remove(route));
    exchanges.put(route, exchange);
    exchange.connect(route.server());
    if (sweep == null) {
      sweep = loop.scheduleAtFixedRate(this::sweep, SWEEP_SECONDS, SWEEP_SECONDS, TimeUnit.SECONDS);
    }
    return exchange;
  }

  private void remove(Route route) {
    exchanges.remove(route);
    checkDone();
  }

  private void sweep() {
    long now = System.nanoTime();
    for (DatagramExchange exchange : exchanges.values().toArray(DatagramExchange[]::new)) {
      exchange.expire(now);
    }
    if (exchanges.isEmpty() && sweep != null) {
      sweep.cancel(false);
      sweep = null;
    }
  }

  /** Whom the client had asked, or else one of the ztunnel's own servers. */
  private @Nullable InetSocketAddress server(InetSocketAddress here, InetSocketAddress client) {
    InetSocketAddress asked = addressed(here, client);
    if (asked != null && !asked.getAddress().isLoopbackAddress()) {
      return asked;
    }
    dns.proxy().telemetry().serverUnknown();
    List<InetSocketAddress> own = dns.proxy().ownServers();
    return own.isEmpty() ? null : own.get(Math.floorMod(ownServer, own.size()));
  }

  private @Nullable InetSocketAddress addressed(InetSocketAddress here, InetSocketAddress client) {
    try {
      ConnectionTracking open = tracking;
      if (open == null) {
        open = dns.pod().connectionTracking();
        tracking = open;
      }
      for (int i = 0; i < ZONES.length; i++) {
        int index = (zone + i) % ZONES.length;
        InetSocketAddress found = open.originalDestination(ZONES[index], here, client);
        if (found != null) {
          zone = index;
          return found;
        }
      }
    } catch (IOException | ChannelException e) {
      closeTracking();
      if (!trackingFailed) {
        trackingFailed = true;
        log.atWarn()
            .addKeyValue("namespace", dns.pod().pod().namespace())
            .addKeyValue("pod", dns.pod().pod().name())
            .addKeyValue("reason", String.valueOf(e.getMessage()))
            .log("cannot ask the kernel which DNS server the pod means, using the ztunnel's own");
      }
    }
    return null;
  }

  private void closeTracking() {
    if (tracking != null) {
      tracking.close();
      tracking = null;
    }
  }

  /** A server has not answered: where there is a choice, another is tried. */
  void onServerFailed() {
    ownServer++;
  }

  private static void fail(
      EpollDatagramChannel listener, InetSocketAddress client, Request request, ByteBuf content) {
    listener.writeAndFlush(
        new DatagramPacket(
            AnswerWriter.failure(
                listener.alloc(),
                request.id(),
                content.getUnsignedShort(content.readerIndex() + 2),
                question(content, request)),
            client));
  }

  /** A request's bytes between header and the question's end. */
  static byte[] question(ByteBuf content, Request request) {
    byte[] question = new byte[request.questionEnd() - Message.HEADER];
    content.getBytes(content.readerIndex() + Message.HEADER, question);
    return question;
  }

  private final class Questions extends ChannelInboundHandlerAdapter {
    private final EpollDatagramChannel listener;

    Questions(EpollDatagramChannel listener) {
      this.listener = listener;
    }

    @Override
    public void channelRead(ChannelHandlerContext context, Object message) {
      DatagramPacket packet = (DatagramPacket) message;
      try {
        onMessage(listener, packet.sender(), packet.content());
      } finally {
        packet.release();
      }
    }

    @Override
    public void exceptionCaught(ChannelHandlerContext context, Throwable cause) {
      // Such as a client that is gone before its answer; the socket goes on.
      log.atDebug()
          .addKeyValue("namespace", dns.pod().pod().namespace())
          .addKeyValue("pod", dns.pod().pod().name())
          .addKeyValue("reason", cause.toString())
          .log("a DNS message was lost");
    }
  }
}
