package dev.ambit.ztunnel.hbone;

import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import io.netty.buffer.UnpooledByteBufAllocator;
import io.netty.channel.embedded.EmbeddedChannel;
import io.netty.handler.codec.http2.DefaultHttp2Headers;
import io.netty.handler.codec.http2.DefaultHttp2HeadersEncoder;
import io.netty.handler.codec.http2.Http2Exception;
import io.netty.handler.codec.http2.Http2Headers;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;

/** The other side of a connection under test: writes frames by hand and reads what comes back. */
final class Peer {
  /** A frame that came back; its payload is copied. */
  record Frame(int type, int flags, int streamId, byte[] payload) {
    int intAt(int index) {
      return Unpooled.wrappedBuffer(payload).getInt(index);
    }
  }

  final UnpooledByteBufAllocator allocator = new UnpooledByteBufAllocator(true);
  final RecordingListener listener = new RecordingListener();
  final HboneConnection connection;
  final EmbeddedChannel channel = new EmbeddedChannel();
  private final DefaultHttp2HeadersEncoder encoder = new DefaultHttp2HeadersEncoder();
  private final ByteBuf outbound = Unpooled.buffer();

  private Peer(boolean client, HboneSettings settings, MemoryBudget budget) {
    connection =
        client
            ? HboneConnection.client(settings, budget, listener)
            : HboneConnection.server(settings, budget, listener);
    channel.config().setAllocator(allocator);
    channel.freezeTime();
    channel.pipeline().addLast(connection);
    connection.start();
  }

  /** Faces a server. */
  static Peer ofServer() {
    return ofServer(MemoryBudget.unlimited());
  }

  /** Faces a server that has to do with {@code budget}. */
  static Peer ofServer(MemoryBudget budget) {
    return new Peer(false, HboneSettings.server(), budget);
  }

  /** Faces a server that grants {@code settings}. */
  static Peer ofServer(HboneSettings settings) {
    return new Peer(false, settings, MemoryBudget.unlimited());
  }

  /** Faces a client. */
  static Peer ofClient() {
    return new Peer(true, HboneSettings.client(), MemoryBudget.unlimited());
  }

  /** Says what a well-behaved peer says first. */
  Peer greet() {
    if (!isClientSide()) {
      send(Unpooled.wrappedBuffer(Frames.PREFACE));
    }
    send(settings());
    received();
    return this;
  }

  private boolean isClientSide() {
    return connection.local().maxConcurrentStreams() == 0;
  }

  /** Sends {@code bytes}; a connection that is closed does not get them. */
  void send(ByteBuf bytes) {
    if (!channel.isOpen()) {
      bytes.release();
      return;
    }
    ByteBuf copy = allocator.directBuffer(Math.max(1, bytes.readableBytes()));
    copy.writeBytes(bytes);
    bytes.release();
    channel.writeInbound(copy);
  }

  /** The frames that came back since the last call. */
  List<Frame> received() {
    channel.runPendingTasks();
    ByteBuf next;
    while ((next = channel.readOutbound()) != null) {
      outbound.writeBytes(next);
      next.release();
    }
    if (outbound.readableBytes() >= 24 && outbound.getByte(outbound.readerIndex()) == 'P') {
      outbound.skipBytes(24);
    }
    List<Frame> frames = new ArrayList<>();
    while (outbound.readableBytes() >= 9) {
      int length = outbound.readUnsignedMedium();
      int type = outbound.readUnsignedByte();
      int flags = outbound.readUnsignedByte();
      int stream = outbound.readInt();
      byte[] payload = new byte[length];
      outbound.readBytes(payload);
      frames.add(new Frame(type, flags, stream, payload));
    }
    return frames;
  }

  List<Frame> received(int type) {
    return received().stream().filter(frame -> frame.type() == type).toList();
  }

  /** The error of the one GOAWAY that came back last. */
  int goAwayCode() {
    List<Frame> frames = received(Frames.GOAWAY);
    return frames.isEmpty() ? -1 : frames.getLast().intAt(4);
  }

  /** Ends the connection, and says how many bytes of memory were not given back. */
  long leaked() {
    channel.finishAndReleaseAll();
    return allocator.metric().usedDirectMemory() + allocator.metric().usedHeapMemory();
  }

  static ByteBuf frame(int type, int flags, int stream, byte... payload) {
    ByteBuf out = Unpooled.buffer(9 + payload.length);
    Frames.writeHead(out, payload.length, type, flags, stream);
    return out.writeBytes(payload);
  }

  static ByteBuf settings(int... idsAndValues) {
    ByteBuf payload = Unpooled.buffer();
    for (int i = 0; i < idsAndValues.length; i += 2) {
      payload.writeShort(idsAndValues[i]).writeInt(idsAndValues[i + 1]);
    }
    byte[] bytes = new byte[payload.readableBytes()];
    payload.readBytes(bytes);
    return frame(Frames.SETTINGS, 0, 0, bytes);
  }

  static ByteBuf data(int stream, String text, boolean end) {
    return frame(
        Frames.DATA,
        end ? Frames.FLAG_END_STREAM : 0,
        stream,
        text.getBytes(StandardCharsets.US_ASCII));
  }

  static ByteBuf words(int type, int stream, int... words) {
    ByteBuf payload = Unpooled.buffer();
    for (int word : words) {
      payload.writeInt(word);
    }
    byte[] bytes = new byte[payload.readableBytes()];
    payload.readBytes(bytes);
    return frame(type, 0, stream, bytes);
  }

  byte[] block(Http2Headers headers) {
    ByteBuf out = Unpooled.buffer();
    try {
      encoder.encodeHeaders(1, headers, out);
    } catch (Http2Exception e) {
      throw new IllegalStateException(e);
    }
    byte[] bytes = new byte[out.readableBytes()];
    out.readBytes(bytes);
    return bytes;
  }

  ByteBuf connect(int stream) {
    return frame(Frames.HEADERS, Frames.FLAG_END_HEADERS, stream, block(connectHeaders()));
  }

  static Http2Headers connectHeaders() {
    return new DefaultHttp2Headers().method("CONNECT").authority("10.0.0.1:80");
  }

  ByteBuf answer(int stream, int status) {
    return frame(
        Frames.HEADERS,
        Frames.FLAG_END_HEADERS,
        stream,
        block(new DefaultHttp2Headers().status(Integer.toString(status))));
  }
}
