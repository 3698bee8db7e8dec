package dev.ambit.ztunnel.hbone;

import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import io.netty.channel.Channel;
import io.netty.channel.ChannelFutureListener;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInboundHandlerAdapter;
import io.netty.channel.ChannelOutboundBuffer;
import io.netty.channel.socket.SocketChannelConfig;
import io.netty.handler.codec.http2.DefaultHttp2HeadersDecoder;
import io.netty.handler.codec.http2.DefaultHttp2HeadersEncoder;
import io.netty.handler.codec.http2.Http2Error;
import io.netty.handler.codec.http2.Http2Exception;
import io.netty.handler.codec.http2.Http2Headers;
import io.netty.handler.codec.http2.Http2HeadersEncoder;
import io.netty.util.collection.IntObjectHashMap;
import io.netty.util.concurrent.Future;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/**
 * One HTTP/2 connection that carries CONNECT streams; it sits behind TLS as the last handler of its
 * channel. Bytes of DATA frames are passed on as they arrive and sent from the buffers they were
 * read into. All methods are for the channel's event loop.
 *
 * <p>Flow control: the connection's credit goes back when bytes arrive, a stream's when they have
 * been passed on. So a stream whose reader stalls holds up to a stream's window and stops nobody
 * else. What was written in a turn of the event loop is flushed once, at its end.
 */
public final class HboneConnection extends ChannelInboundHandlerAdapter {
  /** Never put into HPACK's table: values that no other request has would only push others out. */
  private static final Http2HeadersEncoder.SensitivityDetector UNIQUE_VALUES =
      (name, value) ->
          name.length() >= 9
              && ("forwarded".contentEquals(name) || "traceparent".contentEquals(name));

  private static final int MAX_HEADER_TABLE = 4096;
  private static final int INITIAL_HEADERS_BUFFER = 512;
  private static final long DRAIN_PING = 0x616d_6269_7464_726eL;
  private static final long KEEP_ALIVE_PING = 0x616d_6269_746b_6565L;

  private static final long FLOOD_PERIOD = TimeUnit.SECONDS.toNanos(10);
  private static final int MAX_IDLE_FRAMES = 2_000;
  private static final int MAX_PINGS_AND_SETTINGS = 1_000;
  private static final int MAX_EARLY_RESETS = 2_000;
  private static final int MAX_RESETS = 100_000;

  /** WINDOW_UPDATEs that a peer may send besides those for the streams and the DATA that it got. */
  private static final int MAX_UNPROVOKED_UPDATES = 1_000;

  private static final int UPDATES_PER_STREAM = 4;
  private static final int UPDATES_PER_DATA_FRAME = 10;

  /** What may wait to be sent in answer to a peer that does not read. */
  private static final int MAX_UNREAD_ANSWERS = 10_000;

  /** What a tunnel may hold while all together hold too much. */
  private static final int ALWAYS_HELD = 64 << 10;

  /** How many bytes of datagrams in a while are so many that streams have to be thought of. */
  private static final int MUCH_TOGETHER = 128 << 10;

  private static final int BUDGET_STEP = 64 << 10;

  private final boolean client;
  private final HboneSettings local;
  private final HboneListener listener;
  private final FrameReader reader;
  private final DefaultHttp2HeadersEncoder encoder = new DefaultHttp2HeadersEncoder(UNIQUE_VALUES);
  private final DefaultHttp2HeadersDecoder decoder;
  private final IntObjectHashMap<HboneStream> streams = new IntObjectHashMap<>();

  /**
   * Streams that wait for a window or for the socket, in the order in which they get their turn.
   */
  private final ArrayDeque<HboneStream> waiting = new ArrayDeque<>();

  /** Streams that got bytes in this turn and have not been told that these were all. */
  private final ArrayList<HboneStream> touched = new ArrayList<>();

  private final FloodGuard idleFrames = new FloodGuard(MAX_IDLE_FRAMES, FLOOD_PERIOD);
  private final FloodGuard pingsAndSettings = new FloodGuard(MAX_PINGS_AND_SETTINGS, FLOOD_PERIOD);
  private final FloodGuard earlyResets = new FloodGuard(MAX_EARLY_RESETS, FLOOD_PERIOD);
  private final FloodGuard resets = new FloodGuard(MAX_RESETS, FLOOD_PERIOD);
  private long updatesAllowed = MAX_UNPROVOKED_UPDATES;
  private int unreadAnswers;

  private final MemoryBudget budget;

  /** Bytes that came and that no stream has passed on; and of them those told to the budget. */
  private int held;

  private int budgeted;
  private boolean paused;
  private long unfinishedAtLastCheck;

  private @Nullable ChannelHandlerContext context;
  private boolean started;
  private boolean settled;
  private boolean closed;
  private boolean failed;
  private @Nullable Throwable cause;
  private boolean flushScheduled;
  private final DatagramShare datagrams = new DatagramShare(MUCH_TOGETHER);

  /** One object for all turns. */
  private final Runnable flush = this::flushNow;

  // What the peer grants.
  private long sendWindow = Frames.DEFAULT_WINDOW;
  private int peerStreamWindow = Frames.DEFAULT_WINDOW;
  private int peerMaxFrame = Frames.DEFAULT_MAX_FRAME;

  /** One until the peer's SETTINGS say more: no peer grants less, save one that grants none. */
  private long peerMaxStreams = 1;

  private boolean peerLimitsStreams;
  private boolean peerExtendsConnect;

  // What we grant.
  private int receiveWindow;
  private int received;

  /** A long, so that it cannot overflow into a valid number. */
  private long nextStreamId = 1;

  private int lastPeerStreamId;

  private boolean goAwayReceived;
  private boolean goAwaySent;
  private boolean finalGoAwaySent;
  private int lastAcceptedStreamId = Integer.MAX_VALUE;

  private @Nullable HboneStream current;
  private boolean wantsCurrent;

  private @Nullable Future<?> settingsTimer;
  private @Nullable Future<?> keepAliveTimer;
  private @Nullable Future<?> drainTimer;
  private boolean readSincePing;
  private long silentNanos;
  private boolean pingOutstanding;

  private HboneConnection(
      boolean client, HboneSettings local, MemoryBudget budget, HboneListener listener) {
    this.client = client;
    this.local = local;
    this.budget = budget;
    this.listener = listener;
    this.receiveWindow = local.connectionWindow();
    this.decoder = new DefaultHttp2HeadersDecoder(true, local.maxHeaderListSize());
    this.reader =
        new FrameReader(new Frontend(), !client, local.maxFrameSize(), local.maxHeaderListSize());
  }

  /** The side that opens streams, without a bound on what all tunnels hold. */
  public static HboneConnection client(HboneSettings settings, HboneListener listener) {
    return client(settings, MemoryBudget.unlimited(), listener);
  }

  /** The side that answers streams, without a bound on what all tunnels hold. */
  public static HboneConnection server(HboneSettings settings, HboneListener listener) {
    return server(settings, MemoryBudget.unlimited(), listener);
  }

  /** The side that opens streams. */
  public static HboneConnection client(
      HboneSettings settings, MemoryBudget budget, HboneListener listener) {
    return new HboneConnection(true, settings, budget, listener);
  }

  /** The side that answers streams. */
  public static HboneConnection server(
      HboneSettings settings, MemoryBudget budget, HboneListener listener) {
    return new HboneConnection(false, settings, budget, listener);
  }

  HboneSettings local() {
    return local;
  }

  /** What the peer grants a new stream. */
  int peerStreamWindow() {
    return peerStreamWindow;
  }

  /** The channel that carries it. */
  public Channel channel() {
    return context().channel();
  }

  /** How many streams are open. */
  public int activeStreams() {
    return streams.size();
  }

  /** Whether it is closed, or takes no more streams and will be when the open ones are done. */
  public boolean isEnding() {
    return closed || failed || goAwayReceived || goAwaySent;
  }

  /**
   * Whether {@link #open} may be called now: no more than {@code limit} streams, nor the peer's.
   */
  public boolean canOpen(int limit) {
    return started
        && !isEnding()
        && nextStreamId <= Integer.MAX_VALUE
        && streams.size() < limit
        && streams.size() < peerMaxStreams;
  }

  /** Whether the peer's SETTINGS have arrived, and with them how many streams it takes. */
  public boolean isSettled() {
    return settled;
  }

  /**
   * Whether the peer takes other protocols than TCP (RFC 8441); known once it {@link #isSettled}.
   */
  public boolean takesExtendedConnect() {
    return peerExtendsConnect;
  }

  /** Begins: to be called once TLS stands and the peer is who it should be. */
  public void start() {
    ChannelHandlerContext ctx = context();
    if (started || closed) {
      return;
    }
    started = true;
    ByteBuf out = ctx.alloc().directBuffer(128);
    if (client) {
      out.writeBytes(Frames.PREFACE);
    }
    int head = out.writerIndex();
    out.writeZero(Frames.HEAD_LENGTH);
    if (client) {
      writeSetting(out, Frames.SETTINGS_ENABLE_PUSH, 0);
    } else {
      writeSetting(out, Frames.SETTINGS_MAX_CONCURRENT_STREAMS, local.maxConcurrentStreams());
      if (local.extendedConnect()) {
        writeSetting(out, Frames.SETTINGS_ENABLE_CONNECT_PROTOCOL, 1);
      }
    }
    writeSetting(out, Frames.SETTINGS_INITIAL_WINDOW_SIZE, local.streamWindow());
    writeSetting(out, Frames.SETTINGS_MAX_FRAME_SIZE, local.maxFrameSize());
    writeSetting(out, Frames.SETTINGS_MAX_HEADER_LIST_SIZE, local.maxHeaderListSize());
    int length = out.writerIndex() - head - Frames.HEAD_LENGTH;
    Frames.setHead(out, head, length, Frames.SETTINGS, 0, 0);
    if (local.connectionWindow() > Frames.DEFAULT_WINDOW) {
      Frames.writeHead(out, 4, Frames.WINDOW_UPDATE, 0, 0);
      out.writeInt(local.connectionWindow() - Frames.DEFAULT_WINDOW);
    }
    ctx.writeAndFlush(out, ctx.voidPromise());
    settingsTimer =
        ctx.executor()
            .schedule(
                this::onSettingsTimeout, local.settingsTimeout().toNanos(), TimeUnit.NANOSECONDS);
    long interval = local.keepAliveInterval().toNanos();
    keepAliveTimer =
        ctx.executor()
            .scheduleAtFixedRate(this::keepAlive, interval, interval, TimeUnit.NANOSECONDS);
  }

  private static void writeSetting(ByteBuf out, int id, int value) {
    out.writeShort(id);
    out.writeInt(value);
  }

  /** Opens a stream; only where {@link #canOpen}. */
  public HboneStream open(Http2Headers headers, StreamHandler handler) {
    if (!client || !canOpen(Integer.MAX_VALUE)) {
      throw new IllegalStateException("no stream can be opened on this connection");
    }
    HboneStream stream =
        new HboneStream(this, (int) nextStreamId, handler, peerStreamWindow, local.streamWindow());
    nextStreamId += 2;
    streams.put(stream.id(), stream);
    updatesAllowed += UPDATES_PER_STREAM;
    writeHeaders(stream, headers, false);
    flushSoon();
    return stream;
  }

  /**
   * Ends gracefully: no more streams are taken, open ones go on, and the connection is closed when
   * the last is done.
   */
  public void shutdown() {
    if (closed || failed || goAwaySent) {
      return;
    }
    if (!started) {
      context().close();
      return;
    }
    goAwaySent = true;
    if (client) {
      finalGoAwaySent = true;
      writeGoAway(0, Http2Error.NO_ERROR, "");
    } else {
      // RFC 9113, section 6.8: streams that are already on their way are still taken; the PING
      // comes back after them.
      writeGoAway(Integer.MAX_VALUE, Http2Error.NO_ERROR, "");
      writePing(DRAIN_PING, false);
      drainTimer =
          context()
              .executor()
              .schedule(
                  this::finishShutdown, local.lingerTimeout().toNanos(), TimeUnit.NANOSECONDS);
    }
    flushSoon();
    closeIfDone();
  }

  private void finishShutdown() {
    if (closed || failed || finalGoAwaySent) {
      return;
    }
    finalGoAwaySent = true;
    lastAcceptedStreamId = lastPeerStreamId;
    writeGoAway(lastPeerStreamId, Http2Error.NO_ERROR, "");
    flushSoon();
    closeIfDone();
  }

  /** Ends at once; open streams are reset. */
  public void abort(Throwable reason) {
    if (!closed && cause == null) {
      cause = reason;
    }
    context().close();
  }

  /** Ends at once, and tells the peer why; open streams are reset. */
  public void abort(Http2Error error, String reason) {
    fail(new HboneException(error, reason));
  }

  /**
   * Ends at once, with a last word: the peer learns by GOAWAY which streams were taken, and that
   * the connection is over. Open streams are reset. Does not wait for a peer that reads nothing.
   */
  public void cut(Http2Error error, String reason) {
    if (started && !closed && !failed) {
      failed = true;
      writeGoAway(client ? 0 : lastPeerStreamId, error, reason);
      // TLS drops what it has not sealed when it is closed.
      context().flush();
    }
    context().close();
  }

  /**
   * Closes once nothing is left to do. The client closes first; the server waits for it a little,
   * since closing under bytes that are on their way would reset the connection and could take the
   * last answers with it.
   */
  private void closeIfDone() {
    if (closed || !streams.isEmpty()) {
      return;
    }
    if (client ? isEnding() : goAwayReceived && goAwaySent) {
      flushAndClose();
    } else if (!client && finalGoAwaySent) {
      if (drainTimer != null) {
        drainTimer.cancel(false);
      }
      drainTimer =
          context()
              .executor()
              .schedule(this::flushAndClose, local.lingerTimeout().toNanos(), TimeUnit.NANOSECONDS);
    }
  }

  private void flushAndClose() {
    if (!closed) {
      ChannelHandlerContext ctx = context();
      ctx.writeAndFlush(Unpooled.EMPTY_BUFFER).addListener(ChannelFutureListener.CLOSE);
      // A peer that reads nothing cannot keep what it is sent, and the socket, for ever.
      Duration patience = failed ? local.lingerTimeout() : local.keepAliveTimeout();
      cancel(drainTimer);
      drainTimer =
          ctx.executor().schedule(() -> ctx.close(), patience.toNanos(), TimeUnit.NANOSECONDS);
    }
  }

  // -- timers

  private void onSettingsTimeout() {
    if (!closed && !settled) {
      fail(
          new HboneException(
              Http2Error.SETTINGS_TIMEOUT,
              "no SETTINGS from the peer within " + local.settingsTimeout().toMillis() + " ms"));
    }
  }

  private void keepAlive() {
    if (closed || failed) {
      return;
    }
    long unfinished = reader.unfinished();
    if (!paused && unfinished != 0 && unfinished == unfinishedAtLastCheck) {
      fail(
          new HboneException(
              Http2Error.ENHANCE_YOUR_CALM,
              "a frame or header block is not complete after "
                  + local.keepAliveInterval().toMillis()
                  + " ms"));
      return;
    }
    unfinishedAtLastCheck = unfinished;
    resumeWhereAllowed();
    // Anything read proves the peer alive, also where its ACK queues behind data.
    if (pingOutstanding && !readSincePing) {
      silentNanos += local.keepAliveInterval().toNanos();
      if (silentNanos >= local.keepAliveTimeout().toNanos()) {
        if (context().channel().config() instanceof SocketChannelConfig socket) {
          // Nobody is there to take leave of: the kernel would keep the socket for minutes, and
          // with
          // it the rules of a pod that leaves the mesh.
          socket.setSoLinger(0);
        }
        abort(
            new IOException(
                "no answer to PING within " + local.keepAliveTimeout().toMillis() + " ms"));
      }
      return;
    }
    silentNanos = 0;
    pingOutstanding = true;
    readSincePing = false;
    writePing(KEEP_ALIVE_PING, false);
    flushSoon();
  }

  // -- channel events

  @Override
  public void handlerAdded(ChannelHandlerContext ctx) {
    context = ctx;
  }

  @Override
  public void channelRead(ChannelHandlerContext ctx, Object message) {
    ByteBuf in = (ByteBuf) message;
    try {
      readSincePing = true;
      if (!closed && !failed) {
        reader.read(in);
      }
    } catch (HboneException e) {
      fail(e);
    } catch (RuntimeException e) {
      cause = e;
      fail(new HboneException(Http2Error.INTERNAL_ERROR, "internal error"));
    } finally {
      in.release();
    }
  }

  @Override
  public void channelReadComplete(ChannelHandlerContext ctx) {
    // A handler may close streams, but adds none to this list.
    for (int i = 0; i < touched.size(); i++) {
      HboneStream stream = touched.get(i);
      if (stream.isDataPending()) {
        stream.setDataPending(false);
        if (!stream.isClosed()) {
          stream.handler().onDataComplete();
        }
      }
    }
    touched.clear();
    if (held > ALWAYS_HELD && !paused && budget.isExceeded()) {
      // Its peer is answerable for it: where nothing gets taken, silence will end the tunnel.
      paused = true;
      ctx.channel().config().setAutoRead(false);
    }
    ctx.fireChannelReadComplete();
  }

  /** {@code bytes} that came for a stream are kept until they are passed on. */
  void hold(int bytes) {
    held += bytes;
    if (held - budgeted >= BUDGET_STEP) {
      tellBudget();
    }
  }

  /** {@code bytes} of those are kept no more. */
  void release(int bytes) {
    held -= bytes;
    if (budgeted - held >= BUDGET_STEP) {
      tellBudget();
    }
    if (paused) {
      resumeWhereAllowed();
    }
  }

  private void tellBudget() {
    budget.add(held - budgeted);
    budgeted = held;
  }

  private void resumeWhereAllowed() {
    if (paused && !closed && (held <= ALWAYS_HELD || !budget.isExceeded())) {
      paused = false;
      context().channel().config().setAutoRead(true);
    }
  }

  @Override
  public void channelWritabilityChanged(ChannelHandlerContext ctx) {
    if (ctx.channel().isWritable()) {
      serveWaiting();
    }
    ctx.fireChannelWritabilityChanged();
  }

  @Override
  public void channelInactive(ChannelHandlerContext ctx) {
    onClosed();
    ctx.fireChannelInactive();
  }

  @Override
  public void handlerRemoved(ChannelHandlerContext ctx) {
    onClosed();
  }

  @Override
  public void exceptionCaught(ChannelHandlerContext ctx, Throwable error) {
    // Writes that fail come here too, since they carry no promises of their own.
    abort(error);
  }

  private void onClosed() {
    if (closed) {
      return;
    }
    closed = true;
    cancel(settingsTimer);
    cancel(keepAliveTimer);
    cancel(drainTimer);
    for (HboneStream stream : new ArrayList<>(streams.values())) {
      stream.close();
      stream.handler().onReset(Http2Error.CONNECT_ERROR);
    }
    waiting.clear();
    budget.add(-budgeted);
    budgeted = 0;
    encoder.close();
    if (cause == null && started && !settled) {
      cause = new IOException("the peer closed the connection before its SETTINGS");
    }
    listener.onClosed(cause);
  }

  private static void cancel(@Nullable Future<?> timer) {
    if (timer != null) {
      timer.cancel(false);
    }
  }

  /** Tells the peer what it did wrong, and closes. */
  private void fail(HboneException error) {
    if (closed || failed) {
      return;
    }
    failed = true;
    if (cause == null) {
      cause = error;
    }
    writeGoAway(lastPeerStreamId, error.error(), String.valueOf(error.getMessage()));
    flushAndClose();
  }

  // -- writing

  private ChannelHandlerContext context() {
    ChannelHandlerContext ctx = context;
    if (ctx == null) {
      throw new IllegalStateException("not in a pipeline");
    }
    return ctx;
  }

  void flushSoon() {
    if (!flushScheduled && !closed) {
      flushScheduled = true;
      context().executor().execute(flush);
    }
  }

  private void flushNow() {
    flushScheduled = false;
    if (!closed) {
      context().flush();
    }
  }

  boolean isWritable() {
    return sendWindow > 0 && context().channel().isWritable();
  }

  /**
   * A few datagrams find room even where streams have filled the connection. Many leave room: those
   * of one stream to those of others, and all together to streams, which write again below the low
   * watermark.
   */
  boolean takesDatagrams(boolean much, int bytes, long nanos) {
    Channel channel = context().channel();
    ChannelOutboundBuffer unsent = channel.unsafe().outboundBuffer();
    if (unsent == null || sendWindow <= 0) {
      return false;
    }
    boolean muchTogether = datagrams.isMuch(bytes, nanos);
    int low = channel.config().getWriteBufferLowWaterMark();
    int most =
        much
            ? low / 2
            : muchTogether ? low / 4 * 3 : low + channel.config().getWriteBufferHighWaterMark();
    return unsent.totalPendingWriteBytes() < most;
  }

  /** How long the next DATA frame of a stream with {@code streamWindow} may be. */
  int sendAllowance(long streamWindow) {
    return (int) Math.min(Math.min(streamWindow, sendWindow), peerMaxFrame);
  }

  /** Sends a DATA frame; {@code data} is exactly its payload and is released when written. */
  void writeData(int streamId, ByteBuf data, int length) {
    sendWindow -= length;
    updatesAllowed += UPDATES_PER_DATA_FRAME;
    ChannelHandlerContext ctx = context();
    int start = data.readerIndex() - Frames.HEAD_LENGTH;
    if (start >= 0 && data.refCnt() == 1 && data.unwrap() == null && !data.isReadOnly()) {
      // Nobody else sees this buffer, and what lies before the bytes is free or was read.
      Frames.setHead(data, start, length, Frames.DATA, 0, streamId);
      data.readerIndex(start);
    } else {
      ByteBuf head = ctx.alloc().directBuffer(Frames.HEAD_LENGTH);
      Frames.writeHead(head, length, Frames.DATA, 0, streamId);
      ctx.write(head, ctx.voidPromise());
    }
    ctx.write(data, ctx.voidPromise());
  }

  void writeEnd(int streamId) {
    ChannelHandlerContext ctx = context();
    ByteBuf out = ctx.alloc().directBuffer(Frames.HEAD_LENGTH);
    Frames.writeHead(out, 0, Frames.DATA, Frames.FLAG_END_STREAM, streamId);
    ctx.write(out, ctx.voidPromise());
  }

  void writeHeaders(HboneStream stream, Http2Headers headers, boolean end) {
    ChannelHandlerContext ctx = context();
    countAnswer(ctx);
    ByteBuf out = ctx.alloc().directBuffer(INITIAL_HEADERS_BUFFER);
    out.writeZero(Frames.HEAD_LENGTH);
    try {
      encoder.encodeHeaders(stream.id(), headers, out);
    } catch (Http2Exception e) {
      out.release();
      cause = e;
      fail(new HboneException(Http2Error.INTERNAL_ERROR, "cannot encode headers"));
      return;
    }
    int length = out.writerIndex() - Frames.HEAD_LENGTH;
    int endStream = end ? Frames.FLAG_END_STREAM : 0;
    if (length <= peerMaxFrame) {
      int flags = Frames.FLAG_END_HEADERS | endStream;
      Frames.setHead(out, 0, length, Frames.HEADERS, flags, stream.id());
      ctx.write(out, ctx.voidPromise());
      return;
    }
    Frames.setHead(out, 0, peerMaxFrame, Frames.HEADERS, endStream, stream.id());
    ctx.write(out.readRetainedSlice(Frames.HEAD_LENGTH + peerMaxFrame), ctx.voidPromise());
    while (out.isReadable()) {
      int count = Math.min(out.readableBytes(), peerMaxFrame);
      int flags = count == out.readableBytes() ? Frames.FLAG_END_HEADERS : 0;
      ByteBuf head = ctx.alloc().directBuffer(Frames.HEAD_LENGTH);
      Frames.writeHead(head, count, Frames.CONTINUATION, flags, stream.id());
      ctx.write(head, ctx.voidPromise());
      ctx.write(out.readRetainedSlice(count), ctx.voidPromise());
    }
    out.release();
  }

  void writeReset(int streamId, Http2Error error) {
    if (closed) {
      return;
    }
    ChannelHandlerContext ctx = context();
    countAnswer(ctx);
    ByteBuf out = ctx.alloc().directBuffer(Frames.HEAD_LENGTH + 4);
    Frames.writeHead(out, 4, Frames.RST_STREAM, 0, streamId);
    out.writeInt((int) error.code());
    ctx.write(out, ctx.voidPromise());
  }

  void writeWindowUpdate(int streamId, int increment) {
    ChannelHandlerContext ctx = context();
    ByteBuf out = ctx.alloc().directBuffer(Frames.HEAD_LENGTH + 4);
    Frames.writeHead(out, 4, Frames.WINDOW_UPDATE, 0, streamId);
    out.writeInt(increment);
    ctx.write(out, ctx.voidPromise());
  }

  private void writePing(long data, boolean ack) {
    ChannelHandlerContext ctx = context();
    countAnswer(ctx);
    ByteBuf out = ctx.alloc().directBuffer(Frames.HEAD_LENGTH + 8);
    Frames.writeHead(out, 8, Frames.PING, ack ? Frames.FLAG_ACK : 0, 0);
    out.writeLong(data);
    ctx.write(out, ctx.voidPromise());
  }

  /** Bounds what is kept for a peer that asks and asks, and does not read the answers. */
  private void countAnswer(ChannelHandlerContext ctx) {
    if (ctx.channel().isWritable()) {
      unreadAnswers = 0;
    } else if (++unreadAnswers == MAX_UNREAD_ANSWERS) {
      abort(new IOException("the peer does not read what it is answered"));
    }
  }

  private void writeGoAway(int lastStreamId, Http2Error error, String debug) {
    ChannelHandlerContext ctx = context();
    byte[] text = debug.getBytes(StandardCharsets.US_ASCII);
    ByteBuf out = ctx.alloc().directBuffer(Frames.HEAD_LENGTH + 8 + text.length);
    Frames.writeHead(out, 8 + text.length, Frames.GOAWAY, 0, 0);
    out.writeInt(lastStreamId);
    out.writeInt((int) error.code());
    out.writeBytes(text);
    ctx.write(out, ctx.voidPromise());
  }

  // -- streams

  void awaitCapacity(HboneStream stream) {
    if (!stream.isWaiting()) {
      stream.setWaiting(true);
      waiting.add(stream);
    }
  }

  /** Gives each waiting stream one turn; those still without capacity line up again. */
  private void serveWaiting() {
    for (int n = waiting.size(); n > 0; n--) {
      HboneStream stream = waiting.poll();
      if (stream == null) {
        return;
      }
      stream.setWaiting(false);
      if (stream.isClosed()) {
        continue;
      }
      stream.drain();
      if (!stream.isClosed() && stream.isWritable()) {
        stream.handler().onWritable();
      }
    }
    flushSoon();
  }

  void onStreamClosed(HboneStream stream) {
    streams.remove(stream.id());
    if (closed) {
      return;
    }
    closeIfDone();
    listener.onCapacityChange();
  }

  /** A stream broke a rule: it is reset, and its handler told. */
  private void failStream(HboneStream stream, Http2Error error) throws HboneException {
    guard(earlyResets, "too many broken streams");
    writeReset(stream.id(), error);
    flushSoon();
    stream.close();
    stream.handler().onReset(error);
  }

  private static void guard(FloodGuard guard, String message) throws HboneException {
    if (!guard.allows(System.nanoTime())) {
      throw new HboneException(Http2Error.ENHANCE_YOUR_CALM, message);
    }
  }

  /** Whether a frame for {@code streamId} comes before the stream was opened. */
  private boolean isIdle(int streamId) {
    boolean ours = (streamId & 1) == (client ? 1 : 0);
    return ours ? streamId >= nextStreamId || !client : streamId > lastPeerStreamId;
  }

  private void requireNotIdle(int streamId, String what) throws HboneException {
    if (isIdle(streamId)) {
      throw new HboneException(
          Http2Error.PROTOCOL_ERROR, what + " for stream " + streamId + ", which was not opened");
    }
  }

  /** What the peer's frames do. */
  private final class Frontend implements FrameReader.Sink {
    private boolean streamWindowChanged;

    @Override
    public void onDataBegin(int streamId, int length) throws HboneException {
      HboneStream stream = streams.get(streamId);
      if (stream == null) {
        // A stream that is over: what was under way when we reset it is read and forgotten.
        requireNotIdle(streamId, "DATA");
      }
      receiveWindow -= length;
      if (receiveWindow < 0) {
        throw new HboneException(
            Http2Error.FLOW_CONTROL_ERROR, "more DATA than the connection's window allows");
      }
      received += length;
      if (received >= local.connectionWindow() / 4) {
        receiveWindow += received;
        writeWindowUpdate(0, received);
        received = 0;
        flushSoon();
      }
      current = stream;
      wantsCurrent = false;
      if (stream != null) {
        if (stream.isRemoteEnded()) {
          failStream(stream, Http2Error.STREAM_CLOSED);
        } else if (!stream.receive(length)) {
          failStream(stream, Http2Error.FLOW_CONTROL_ERROR);
        } else if (client && !stream.isAnswered()) {
          failStream(stream, Http2Error.PROTOCOL_ERROR);
        } else {
          wantsCurrent = true;
        }
      }
    }

    @Override
    public boolean wantsData() {
      return wantsCurrent;
    }

    @Override
    public void onData(ByteBuf data) {
      HboneStream stream = current;
      if (stream == null || stream.isClosed()) {
        data.release();
        return;
      }
      if (!stream.isDataPending()) {
        stream.setDataPending(true);
        touched.add(stream);
      }
      stream.handler().onData(data);
    }

    @Override
    public void onPadding(int length) {
      if (wantsCurrent && current != null) {
        current.consumed(length);
      }
    }

    @Override
    public void onDataFinish(boolean endStream) {
      HboneStream stream = current;
      current = null;
      if (endStream && wantsCurrent && stream != null && !stream.isClosed()) {
        stream.endRemote();
      }
      wantsCurrent = false;
    }

    @Override
    public void onHeaders(int streamId, ByteBuf block, boolean endStream) throws HboneException {
      HboneStream stream = streams.get(streamId);
      boolean opens = false;
      if (client) {
        if ((streamId & 1) == 0) {
          throw new HboneException(Http2Error.PROTOCOL_ERROR, "a server cannot open streams");
        }
        requireNotIdle(streamId, "HEADERS");
      } else {
        if ((streamId & 1) == 0) {
          throw new HboneException(
              Http2Error.PROTOCOL_ERROR, "a client cannot open stream " + streamId);
        }
        opens = streamId > lastPeerStreamId;
        if (opens) {
          lastPeerStreamId = streamId;
        }
      }
      Http2Headers headers;
      try {
        // Also where nobody wants them: the table that both sides keep has to stay the same.
        headers = decoder.decodeHeaders(streamId, block);
      } catch (Http2Exception.StreamException e) {
        rejectHeaders(streamId, stream, e.error());
        return;
      } catch (Http2Exception e) {
        throw new HboneException(e.error(), String.valueOf(e.getMessage()));
      }
      if (opens) {
        onRequest(streamId, headers, endStream);
      } else if (stream != null) {
        onMoreHeaders(stream, headers, endStream);
      }
    }

    private void rejectHeaders(int streamId, @Nullable HboneStream stream, Http2Error error)
        throws HboneException {
      if (stream != null) {
        failStream(stream, error);
      } else {
        guard(earlyResets, "too many malformed requests");
        writeReset(streamId, error);
        flushSoon();
      }
    }

    private void onRequest(int streamId, Http2Headers headers, boolean endStream)
        throws HboneException {
      if (streamId > lastAcceptedStreamId) {
        return; // GOAWAY has told the peer that this one was not taken.
      }
      if (streams.size() >= local.maxConcurrentStreams()) {
        guard(earlyResets, "too many streams beyond the limit");
        writeReset(streamId, Http2Error.REFUSED_STREAM);
        flushSoon();
        return;
      }
      HboneStream stream =
          new HboneStream(
              HboneConnection.this,
              streamId,
              DiscardingHandler.INSTANCE,
              peerStreamWindow,
              local.streamWindow());
      streams.put(streamId, stream);
      updatesAllowed += UPDATES_PER_STREAM;
      listener.onRequest(stream, headers);
      if (endStream && !stream.isClosed()) {
        stream.endRemote();
      }
    }

    /** Headers of a stream that is open: an answer, or trailers. */
    private void onMoreHeaders(HboneStream stream, Http2Headers headers, boolean endStream)
        throws HboneException {
      if (stream.isRemoteEnded()) {
        failStream(stream, Http2Error.STREAM_CLOSED);
        return;
      }
      if (client && !stream.isAnswered()) {
        CharSequence status = headers.status();
        if (status == null || status.length() != 3) {
          failStream(stream, Http2Error.PROTOCOL_ERROR);
          return;
        }
        if (status.charAt(0) == '1') {
          if (endStream) {
            failStream(stream, Http2Error.PROTOCOL_ERROR);
          }
          return;
        }
        stream.setAnswered();
        stream.handler().onResponse(headers);
      } else if (!endStream) {
        failStream(stream, Http2Error.PROTOCOL_ERROR); // trailers end a stream
        return;
      }
      if (endStream && !stream.isClosed()) {
        stream.endRemote();
      }
    }

    @Override
    public void onReset(int streamId, long code) throws HboneException {
      requireNotIdle(streamId, "RST_STREAM");
      HboneStream stream = streams.get(streamId);
      guard(resets, "too many resets");
      if (stream == null) {
        return;
      }
      if (!client && !stream.isAnswered()) {
        // A request that is withdrawn before it is answered has cost us work for nothing.
        guard(earlyResets, "too many requests withdrawn");
      }
      if (stream.isDataPending()) {
        stream.setDataPending(false);
        stream.handler().onDataComplete();
      }
      if (!stream.isClosed()) {
        stream.close();
        Http2Error error = Http2Error.valueOf(code);
        stream.handler().onReset(error == null ? Http2Error.INTERNAL_ERROR : error);
      }
    }

    @Override
    public void onSettingsBegin() throws HboneException {
      guard(pingsAndSettings, "too many PING and SETTINGS frames");
      streamWindowChanged = false;
    }

    @Override
    public void onSetting(int id, long value) throws HboneException {
      switch (id) {
        case Frames.SETTINGS_HEADER_TABLE_SIZE -> {
          try {
            encoder.maxHeaderTableSize(Math.min(value, MAX_HEADER_TABLE));
          } catch (Http2Exception e) {
            throw new HboneException(Http2Error.PROTOCOL_ERROR, String.valueOf(e.getMessage()));
          }
        }
        case Frames.SETTINGS_ENABLE_PUSH -> {
          if (value > 1 || (client && value != 0)) {
            throw new HboneException(Http2Error.PROTOCOL_ERROR, "ENABLE_PUSH of " + value);
          }
        }
        case Frames.SETTINGS_MAX_CONCURRENT_STREAMS -> {
          peerLimitsStreams = true;
          peerMaxStreams = value;
        }
        case Frames.SETTINGS_INITIAL_WINDOW_SIZE -> {
          if (value > Integer.MAX_VALUE) {
            throw new HboneException(
                Http2Error.FLOW_CONTROL_ERROR, "INITIAL_WINDOW_SIZE of " + value);
          }
          long delta = value - peerStreamWindow;
          peerStreamWindow = (int) value;
          for (HboneStream stream : streams.values()) {
            if (!stream.grow(delta)) {
              throw new HboneException(
                  Http2Error.FLOW_CONTROL_ERROR, "INITIAL_WINDOW_SIZE overflows a window");
            }
          }
          streamWindowChanged |= delta > 0;
        }
        case Frames.SETTINGS_MAX_FRAME_SIZE -> {
          if (value < Frames.DEFAULT_MAX_FRAME || value > Frames.LARGEST_MAX_FRAME) {
            throw new HboneException(Http2Error.PROTOCOL_ERROR, "MAX_FRAME_SIZE of " + value);
          }
          peerMaxFrame = (int) value;
        }
        case Frames.SETTINGS_ENABLE_CONNECT_PROTOCOL -> {
          // RFC 8441, section 3: once given it is not taken back.
          if (value > 1 || (value == 0 && peerExtendsConnect)) {
            throw new HboneException(
                Http2Error.PROTOCOL_ERROR, "ENABLE_CONNECT_PROTOCOL of " + value);
          }
          peerExtendsConnect = value == 1;
        }
        default -> {} // MAX_HEADER_LIST_SIZE is advice; others are to be ignored
      }
    }

    @Override
    public void onSettingsEnd() {
      ChannelHandlerContext ctx = context();
      countAnswer(ctx);
      ByteBuf out = ctx.alloc().directBuffer(Frames.HEAD_LENGTH);
      Frames.writeHead(out, 0, Frames.SETTINGS, Frames.FLAG_ACK, 0);
      ctx.write(out, ctx.voidPromise());
      if (!settled) {
        settled = true;
        cancel(settingsTimer);
        if (!peerLimitsStreams) {
          peerMaxStreams = Long.MAX_VALUE;
        }
      }
      if (streamWindowChanged) {
        serveWaiting();
      }
      flushSoon();
      listener.onCapacityChange();
    }

    @Override
    public void onSettingsAck() {
      // Ours hold from the start: they only allow more than the defaults do.
    }

    @Override
    public void onPing(long data, boolean ack) throws HboneException {
      if (!ack) {
        guard(pingsAndSettings, "too many PING and SETTINGS frames");
        writePing(data, true);
        flushSoon();
      } else if (data == KEEP_ALIVE_PING) {
        pingOutstanding = false;
      } else if (data == DRAIN_PING && goAwaySent) {
        cancel(drainTimer);
        finishShutdown();
      }
    }

    @Override
    public void onGoAway(int lastStreamId, long code, String debug) {
      goAwayReceived = true;
      if (code != Http2Error.NO_ERROR.code() && cause == null) {
        Http2Error error = Http2Error.valueOf(code);
        cause =
            new IOException(
                "the peer ended the connection: " + (error == null ? code : error) + " " + debug);
      }
      if (client) {
        for (HboneStream stream : new ArrayList<>(streams.values())) {
          if (stream.id() > lastStreamId) {
            stream.close();
            stream.handler().onReset(Http2Error.REFUSED_STREAM);
          }
        }
      }
      closeIfDone();
      if (!closed) {
        listener.onCapacityChange();
      }
    }

    @Override
    public void onWindowUpdate(int streamId, int increment) throws HboneException {
      if (--updatesAllowed < 0) {
        throw new HboneException(
            Http2Error.ENHANCE_YOUR_CALM, "too many WINDOW_UPDATE frames for what was sent");
      }
      if (streamId == 0) {
        if (increment == 0) {
          throw new HboneException(Http2Error.PROTOCOL_ERROR, "WINDOW_UPDATE of nothing");
        }
        sendWindow += increment;
        if (sendWindow > Integer.MAX_VALUE) {
          throw new HboneException(
              Http2Error.FLOW_CONTROL_ERROR, "WINDOW_UPDATE overflows the connection's window");
        }
        serveWaiting();
        return;
      }
      requireNotIdle(streamId, "WINDOW_UPDATE");
      HboneStream stream = streams.get(streamId);
      if (stream == null) {
        return;
      }
      if (increment == 0) {
        failStream(stream, Http2Error.PROTOCOL_ERROR);
      } else if (!stream.grow(increment)) {
        failStream(stream, Http2Error.FLOW_CONTROL_ERROR);
      } else if (stream.isWaiting()) {
        serveOne(stream);
      }
    }

    /** Its own window grew: it alone may go on, and keeps its place if it cannot. */
    private void serveOne(HboneStream stream) {
      stream.drain();
      if (!stream.isClosed() && stream.isWritable()) {
        stream.handler().onWritable();
      }
      flushSoon();
    }

    @Override
    public void onIdleFrame() throws HboneException {
      guard(idleFrames, "too many frames that carry nothing");
    }
  }
}
