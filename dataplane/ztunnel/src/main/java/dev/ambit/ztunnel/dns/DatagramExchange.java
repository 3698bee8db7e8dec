package dev.ambit.ztunnel.dns;

import dev.ambit.ztunnel.dns.Message.Request;
import dev.ambit.ztunnel.telemetry.DnsTelemetry.Counts;
import io.netty.buffer.ByteBuf;
import io.netty.channel.ChannelFuture;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInboundHandlerAdapter;
import io.netty.channel.epoll.EpollDatagramChannel;
import io.netty.channel.socket.DatagramPacket;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * What one socket of the pod and one DNS server say to each other, byte for byte. It has a port of
 * its own that the kernel chose at random, takes datagrams of that server alone, and of these only
 * answers to what was asked; it ends with the last of them.
 */
final class DatagramExchange {
  private static final Logger log = LoggerFactory.getLogger(DatagramExchange.class);

  private static final int MAX_WAITING = 256;

  /** Of an exchange that is not DNS, whose end nothing tells. */
  private static final Duration FOREIGN_IDLE = Duration.ofSeconds(60);

  /** A request that has no answer yet. */
  private record Waiting(byte[] question, int flags, long sinceNanos, Counts counts) {
    void done() {
      counts.upstreamSeconds().observe((System.nanoTime() - sinceNanos) / 1e9);
    }
  }

  private final DatagramServer server;
  private final EpollDatagramChannel channel;
  private final EpollDatagramChannel listener;
  private final InetSocketAddress client;
  private final Runnable onClosed;
  private final Map<Integer, Waiting> waiting = new LinkedHashMap<>();
  private final Deque<ByteBuf> early = new ArrayDeque<>();
  private boolean connected;
  private boolean foreign;
  private boolean closed;
  private long lastNanos = System.nanoTime();

  DatagramExchange(
      DatagramServer server,
      EpollDatagramChannel channel,
      EpollDatagramChannel listener,
      InetSocketAddress client,
      Runnable onClosed) {
    this.server = server;
    this.channel = channel;
    this.listener = listener;
    this.client = client;
    this.onClosed = onClosed;
    channel.pipeline().addLast(new Answers());
  }

  /** From the address that the pod's socket has, since a pod may have several. */
  void connect(InetSocketAddress to) {
    InetAddress from = client.getAddress();
    boolean sameFamily = from.getClass() == to.getAddress().getClass();
    InetSocketAddress source =
        sameFamily && !from.isLoopbackAddress() && !from.isLinkLocalAddress()
            ? new InetSocketAddress(from, 0)
            : null;
    server
        .loop()
        .register(channel)
        .addListener(
            registered -> {
              if (registered.isSuccess()) {
                ChannelFuture connected =
                    source == null ? channel.connect(to) : channel.connect(to, source);
                connected.addListener(done -> onConnected(done.cause()));
              } else {
                onConnected(registered.cause());
              }
            });
  }

  private void onConnected(@Nullable Throwable failure) {
    if (failure != null) {
      fail(failure);
      return;
    }
    connected = true;
    for (ByteBuf datagram = early.poll(); datagram != null; datagram = early.poll()) {
      write(datagram);
    }
  }

  /**
   * Sends a datagram of the pod on as it is.
   *
   * @param request what it is; null where it is no request of DNS
   */
  void send(ByteBuf content, @Nullable Request request, @Nullable Counts counts) {
    lastNanos = System.nanoTime();
    if (request == null || counts == null) {
      foreign = true;
    } else {
      if (waiting.size() >= MAX_WAITING) {
        Iterator<Waiting> eldest = waiting.values().iterator();
        giveUp(eldest.next());
        eldest.remove();
      }
      // Of a question that is repeated, the time counts from the first.
      waiting.putIfAbsent(
          request.id(),
          new Waiting(
              DatagramServer.question(content, request),
              content.getUnsignedShort(content.readerIndex() + 2),
              lastNanos,
              counts));
    }
    if (closed) {
      failAll();
    } else if (connected) {
      write(content.retainedDuplicate());
    } else if (early.size() < MAX_WAITING) {
      early.add(content.retainedDuplicate());
    }
  }

  private void write(ByteBuf datagram) {
    channel
        .writeAndFlush(datagram)
        .addListener(
            sent -> {
              if (!sent.isSuccess()) {
                fail(sent.cause());
              }
            });
  }

  private void onDatagram(ByteBuf content) {
    lastNanos = System.nanoTime();
    Waiting answered = answered(content);
    if (answered != null) {
      answered.done();
    } else if (!foreign) {
      server.dns().proxy().telemetry().dropped();
      return;
    }
    listener.writeAndFlush(new DatagramPacket(content.retainedDuplicate(), client));
    closeWhenDone();
  }

  private @Nullable Waiting answered(ByteBuf content) {
    if (content.readableBytes() < Message.HEADER) {
      return null;
    }
    int id = content.getUnsignedShort(content.readerIndex());
    Waiting asked = waiting.get(id);
    if (asked == null || !MessageReader.answers(content, id, asked.question())) {
      return null;
    }
    waiting.remove(id);
    return asked;
  }

  /** Gives up what has waited for too long. The pod's resolver has long asked again. */
  void expire(long nowNanos) {
    long timeout = server.dns().settings().answerTimeout().toNanos();
    Iterator<Waiting> all = waiting.values().iterator();
    while (all.hasNext()) {
      Waiting next = all.next();
      if (nowNanos - next.sinceNanos() > timeout) {
        giveUp(next);
        all.remove();
      }
    }
    if (foreign && nowNanos - lastNanos > FOREIGN_IDLE.toNanos()) {
      close();
    }
    closeWhenDone();
  }

  private void giveUp(Waiting unanswered) {
    unanswered.counts().upstreamFailures().increment();
    unanswered.done();
    server.onServerFailed();
  }

  private void closeWhenDone() {
    if (waiting.isEmpty() && !foreign) {
      close();
    }
  }

  /** The server cannot be reached: says so to the pod, which may know another. */
  private void fail(Throwable cause) {
    if (closed) {
      return;
    }
    log.atDebug()
        .addKeyValue("namespace", server.dns().pod().pod().namespace())
        .addKeyValue("pod", server.dns().pod().pod().name())
        .addKeyValue("reason", cause.toString())
        .log("a DNS server cannot be reached");
    failAll();
    close();
  }

  private void failAll() {
    waiting.forEach(
        (id, unanswered) -> {
          giveUp(unanswered);
          listener.write(
              new DatagramPacket(
                  AnswerWriter.failure(
                      listener.alloc(), id, unanswered.flags(), unanswered.question()),
                  client));
        });
    waiting.clear();
    listener.flush();
  }

  /** Ends, whatever is under way. */
  void close() {
    if (!closed) {
      closed = true;
      waiting.values().forEach(this::giveUp);
      waiting.clear();
      early.forEach(ByteBuf::release);
      early.clear();
      channel.close();
      onClosed.run();
    }
  }

  private final class Answers extends ChannelInboundHandlerAdapter {
    @Override
    public void channelRead(ChannelHandlerContext context, Object message) {
      DatagramPacket packet = (DatagramPacket) message;
      try {
        if (!closed) {
          onDatagram(packet.content());
        }
      } finally {
        packet.release();
      }
    }

    @Override
    public void exceptionCaught(ChannelHandlerContext context, Throwable cause) {
      fail(cause);
    }
  }
}
