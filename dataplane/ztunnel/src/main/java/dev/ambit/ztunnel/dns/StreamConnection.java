package dev.ambit.ztunnel.dns;

import dev.ambit.ztunnel.dns.Message.AddressQuestion;
import dev.ambit.ztunnel.dns.Message.Request;
import dev.ambit.ztunnel.telemetry.DnsTelemetry.Counts;
import dev.ambit.ztunnel.telemetry.DnsTelemetry.Protocol;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import io.netty.channel.ChannelException;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInboundHandlerAdapter;
import io.netty.channel.ChannelOption;
import io.netty.channel.EventLoop;
import io.netty.channel.epoll.EpollSocketChannel;
import io.netty.channel.socket.ChannelInputShutdownEvent;
import java.net.InetSocketAddress;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * A pod's connection to a DNS server (RFC 7766). What the mesh knows is answered here; all else
 * goes on a connection of our own to that server, as it is and in both directions. What turns out
 * not to be DNS is carried like any other bytes. Confined to its event loop.
 */
final class StreamConnection implements PodDns.Open {
  private static final Logger log = LoggerFactory.getLogger(StreamConnection.class);

  /** No question that the mesh answers is longer: such messages need not be held until complete. */
  private static final int LONGEST_QUESTION = 4096;

  private static final int LENGTH = 2;
  private static final int MAX_WAITING = 1024;
  private static final int MAX_QUEUED_BYTES = 64 << 10;

  /** A request that has no answer yet. */
  private record Waiting(byte[] question, int flags, long sinceNanos, Counts counts) {
    void done() {
      counts.upstreamSeconds().observe((System.nanoTime() - sinceNanos) / 1e9);
    }
  }

  private final PodDns dns;
  private final EpollSocketChannel client;
  private final EventLoop loop;
  private final @Nullable InetSocketAddress asked;
  private final Consumer<PodDns.Open> onClosed;

  private final ByteBuf input;
  private final Map<Integer, Waiting> waiting = new HashMap<>();
  private final FrameBoundary answersOfServer = new FrameBoundary(this::onAnswered);

  /** The mesh's answers, while one of the server's is under way. */
  private final Deque<ByteBuf> ownAnswers = new ArrayDeque<>();

  /** For the server, while there is no connection to it yet. */
  private final Deque<ByteBuf> queued = new ArrayDeque<>();

  private int queuedBytes;
  private @Nullable EpollSocketChannel server;
  private boolean serverConnected;
  private int passing;
  private boolean foreign;
  private boolean inputEnded;
  private boolean draining;
  private boolean closed;
  private long lastNanos = System.nanoTime();

  StreamConnection(
      PodDns dns,
      EpollSocketChannel client,
      @Nullable InetSocketAddress asked,
      Consumer<PodDns.Open> onClosed) {
    this.dns = dns;
    this.client = client;
    this.loop = client.eventLoop();
    this.asked = asked;
    this.onClosed = onClosed;
    this.input = client.alloc().buffer();
    client.closeFuture().addListener(done -> close());
    client.config().setAutoRead(false);
    loop.execute(this::start);
  }

  private void start() {
    if (closed) {
      return;
    }
    client.pipeline().addLast(new Questions());
    if (asked != null) {
      // As without us: the server hears of the connection at once, and may be the first to speak.
      connect(List.of(asked), 0);
    }
    client.config().setAutoRead(true);
    checkIdle();
  }

  private void checkIdle() {
    if (closed) {
      return;
    }
    long limit = dns.settings().idleTimeout().toNanos();
    long left = limit - (System.nanoTime() - lastNanos);
    if (left <= 0 && !foreign) {
      close();
    } else {
      loop.schedule(this::checkIdle, left <= 0 ? limit : left, TimeUnit.NANOSECONDS);
    }
  }

  @Override
  public void drain() {
    draining = true;
    closeWhenDrained();
  }

  private void closeWhenDrained() {
    if (draining && !foreign && waiting.isEmpty() && ownAnswers.isEmpty() && passing == 0) {
      closeAfterWrites();
    }
  }

  @Override
  public void abort() {
    close();
  }

  // -- from the pod

  private void onInput(ByteBuf data) {
    lastNanos = System.nanoTime();
    input.writeBytes(data);
    while (!closed && input.isReadable() && readMessage()) {
      // All that is complete.
    }
    if (closed) {
      return;
    }
    input.discardSomeReadBytes();
    if (server != null && serverConnected) {
      server.flush();
    }
    client.flush();
    throttle();
  }

  /** Whether there may be more. */
  private boolean readMessage() {
    if (foreign) {
      handOn(input.readBytes(input.readableBytes()));
      return false;
    }
    if (passing > 0) {
      int part = Math.min(passing, input.readableBytes());
      passing -= part;
      handOn(input.readBytes(part));
      return true;
    }
    if (input.readableBytes() < LENGTH) {
      return false;
    }
    int length = input.getUnsignedShort(input.readerIndex());
    if (length < Message.HEADER) {
      foreign = true;
      return true;
    }
    if (length > LONGEST_QUESTION) {
      Counts counts = dns.counts(Message.NO_TYPE, Protocol.TCP);
      counts.requests().increment();
      counts.upstreamRequests().increment();
      passing = LENGTH + length;
      return true;
    }
    if (input.readableBytes() < LENGTH + length) {
      return false;
    }
    ByteBuf frame = input.readBytes(LENGTH + length);
    ByteBuf message = frame.slice(LENGTH, length);
    switch (MessageReader.read(message)) {
      case AddressQuestion question -> {
        Counts counts = count(question);
        ByteBuf answer =
            dns.proxy()
                .answer(
                    client.alloc(), message, question, dns.pod().pod(), AnswerWriter.STREAM_LIMIT);
        if (answer == null) {
          ask(frame, message, question, counts);
        } else {
          frame.release();
          respond(answer);
        }
      }
      case Request request -> ask(frame, message, request, count(request));
      case Message.Foreign _ -> {
        foreign = true;
        handOn(frame);
      }
    }
    return true;
  }

  private Counts count(Request request) {
    Counts counts = dns.counts(request.type(), Protocol.TCP);
    counts.requests().increment();
    return counts;
  }

  private void ask(ByteBuf frame, ByteBuf message, Request request, Counts counts) {
    counts.upstreamRequests().increment();
    if (asked == null) {
      dns.proxy().telemetry().serverUnknown();
    }
    if (waiting.size() < MAX_WAITING || waiting.containsKey(request.id())) {
      waiting.put(
          request.id(),
          new Waiting(
              DatagramServer.question(message, request),
              message.getUnsignedShort(2),
              System.nanoTime(),
              counts));
    }
    handOn(frame);
  }

  private void handOn(ByteBuf bytes) {
    EpollSocketChannel open = server;
    if (open != null && serverConnected) {
      open.write(bytes, open.voidPromise());
      return;
    }
    queued.add(bytes);
    queuedBytes += bytes.readableBytes();
    if (open == null) {
      List<InetSocketAddress> servers = asked != null ? List.of(asked) : dns.proxy().ownServers();
      connect(servers, 0);
    }
  }

  private void onInputEnd() {
    if (inputEnded) {
      return;
    }
    inputEnded = true;
    if (server == null) {
      closeAfterWrites();
    } else if (serverConnected) {
      endServer();
    }
  }

  private void endServer() {
    EpollSocketChannel open = server;
    if (open != null) {
      open.writeAndFlush(Unpooled.EMPTY_BUFFER)
          .addListener(
              done -> {
                if (open.isActive()) {
                  open.shutdownOutput();
                }
              });
    }
  }

  // -- the server

  private void connect(List<InetSocketAddress> servers, int index) {
    if (index == servers.size()) {
      onUnreachable();
      return;
    }
    InetSocketAddress to = servers.get(index);
    EpollSocketChannel channel;
    try {
      channel = dns.pod().connection(to.getAddress());
    } catch (ChannelException e) {
      onNotConnected(servers, index, e);
      return;
    }
    server = channel;
    channel
        .config()
        .setOption(
            ChannelOption.CONNECT_TIMEOUT_MILLIS, (int) dns.settings().connectTimeout().toMillis());
    channel.config().setTcpNoDelay(true);
    loop.register(channel)
        .addListener(
            registered -> {
              if (!registered.isSuccess()) {
                channel.close();
                onNotConnected(servers, index, registered.cause());
                return;
              }
              channel
                  .connect(to)
                  .addListener(
                      done -> {
                        if (done.isSuccess()) {
                          onConnected(channel);
                        } else {
                          channel.close();
                          onNotConnected(servers, index, done.cause());
                        }
                      });
            });
  }

  private void onNotConnected(List<InetSocketAddress> servers, int index, Throwable cause) {
    log.atDebug()
        .addKeyValue("namespace", dns.pod().pod().namespace())
        .addKeyValue("pod", dns.pod().pod().name())
        .addKeyValue("server", servers.get(index))
        .addKeyValue("reason", String.valueOf(cause))
        .log("cannot connect to a DNS server");
    server = null;
    if (!closed) {
      connect(servers, index + 1);
    }
  }

  private void onConnected(EpollSocketChannel channel) {
    if (closed) {
      channel.close();
      return;
    }
    serverConnected = true;
    channel.pipeline().addLast(new Answers());
    for (ByteBuf bytes = queued.poll(); bytes != null; bytes = queued.poll()) {
      channel.write(bytes, channel.voidPromise());
    }
    queuedBytes = 0;
    channel.flush();
    if (inputEnded) {
      endServer();
    }
    throttle();
  }

  /** What can be answered with a failure is; the next question tries again. */
  private void onUnreachable() {
    server = null;
    boolean lost = foreign || passing > 0;
    queued.forEach(ByteBuf::release);
    queued.clear();
    queuedBytes = 0;
    waiting.forEach(
        (id, unanswered) -> {
          unanswered.counts().upstreamFailures().increment();
          unanswered.done();
          respond(
              AnswerWriter.failure(client.alloc(), id, unanswered.flags(), unanswered.question()));
        });
    waiting.clear();
    client.flush();
    if (lost) {
      close();
    } else if (inputEnded) {
      closeAfterWrites();
    } else {
      throttle();
      closeWhenDrained();
    }
  }

  // -- to the pod

  private void respond(ByteBuf answer) {
    if (answersOfServer.isBetween()) {
      write(answer);
    } else {
      ownAnswers.add(answer);
    }
  }

  private void write(ByteBuf answer) {
    client.write(client.alloc().buffer(LENGTH).writeShort(answer.readableBytes()));
    client.write(answer);
  }

  private void onAnswer(ByteBuf bytes) {
    lastNanos = System.nanoTime();
    while (bytes.isReadable() && !ownAnswers.isEmpty()) {
      int end = answersOfServer.advance(bytes, bytes.readerIndex());
      client.write(bytes.readRetainedSlice(end - bytes.readerIndex()));
      if (answersOfServer.isBetween()) {
        ownAnswers.forEach(this::write);
        ownAnswers.clear();
      }
    }
    if (bytes.isReadable()) {
      for (int at = bytes.readerIndex(); at < bytes.writerIndex(); ) {
        at = answersOfServer.advance(bytes, at);
      }
      client.write(bytes.readRetainedSlice(bytes.readableBytes()));
    }
    client.flush();
    throttle();
    closeWhenDrained();
  }

  private void onAnswered(int id) {
    Waiting answered = waiting.remove(id);
    if (answered != null) {
      answered.done();
    }
  }

  private void onServerClosed() {
    waiting.values().forEach(unanswered -> unanswered.counts().upstreamFailures().increment());
    waiting.clear();
    closeAfterWrites();
  }

  /** Reads from either side only what the other takes. */
  private void throttle() {
    EpollSocketChannel open = server;
    if (closed) {
      return;
    }
    if (!inputEnded) {
      boolean serverTakes =
          open == null || (serverConnected ? open.isWritable() : queuedBytes < MAX_QUEUED_BYTES);
      client.config().setAutoRead(serverTakes && client.isWritable());
    }
    if (open != null && serverConnected && open.isActive()) {
      open.config().setAutoRead(client.isWritable());
    }
  }

  private void closeAfterWrites() {
    if (!closed) {
      client.writeAndFlush(Unpooled.EMPTY_BUFFER).addListener(done -> close());
    }
  }

  private void close() {
    if (closed) {
      return;
    }
    closed = true;
    waiting.values().forEach(unanswered -> unanswered.counts().upstreamFailures().increment());
    waiting.clear();
    input.release();
    queued.forEach(ByteBuf::release);
    queued.clear();
    ownAnswers.forEach(ByteBuf::release);
    ownAnswers.clear();
    client.close();
    if (server != null) {
      server.close();
    }
    onClosed.accept(this);
  }

  private final class Questions extends ChannelInboundHandlerAdapter {
    @Override
    public void channelRead(ChannelHandlerContext context, Object message) {
      ByteBuf data = (ByteBuf) message;
      try {
        if (!closed) {
          onInput(data);
        }
      } finally {
        data.release();
      }
    }

    @Override
    public void channelWritabilityChanged(ChannelHandlerContext context) {
      throttle();
    }

    @Override
    public void userEventTriggered(ChannelHandlerContext context, Object event) {
      if (event == ChannelInputShutdownEvent.INSTANCE) {
        onInputEnd();
      }
    }

    @Override
    public void exceptionCaught(ChannelHandlerContext context, Throwable cause) {
      close();
    }
  }

  private final class Answers extends ChannelInboundHandlerAdapter {
    @Override
    public void channelRead(ChannelHandlerContext context, Object message) {
      ByteBuf data = (ByteBuf) message;
      try {
        if (!closed) {
          onAnswer(data);
        }
      } finally {
        data.release();
      }
    }

    @Override
    public void channelWritabilityChanged(ChannelHandlerContext context) {
      throttle();
    }

    @Override
    public void channelInactive(ChannelHandlerContext context) {
      onServerClosed();
    }

    @Override
    public void exceptionCaught(ChannelHandlerContext context, Throwable cause) {
      context.close();
    }
  }
}
