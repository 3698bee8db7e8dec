package dev.ambit.ztunnel.hbone;

import io.netty.buffer.ByteBuf;
import io.netty.buffer.PooledByteBufAllocator;
import io.netty.channel.embedded.EmbeddedChannel;
import io.netty.handler.codec.http2.DefaultHttp2Headers;
import io.netty.handler.codec.http2.Http2Error;
import io.netty.handler.codec.http2.Http2Headers;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Fork;
import org.openjdk.jmh.annotations.Measurement;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Param;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.TearDown;
import org.openjdk.jmh.annotations.Warmup;

/**
 * The frame codec and the copy path: what one application wrote goes into a tunnel as a DATA frame
 * and comes out of it at the other end, without sockets and without TLS.
 */
@State(Scope.Thread)
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.NANOSECONDS)
@Fork(value = 1, jvmArgsAppend = "-Dio.netty.leakDetection.level=disabled")
@Warmup(iterations = 3, time = 1)
@Measurement(iterations = 5, time = 1)
public class FrameBenchmark {
  /** Bytes that an application wrote at once. */
  @Param({"64", "16384", "262144"})
  public int size;

  private final PooledByteBufAllocator allocator = PooledByteBufAllocator.DEFAULT;
  private final Passing passing = new Passing();
  private final HboneConnection client = HboneConnection.client(HboneSettings.client(), passing);
  private final HboneConnection server = HboneConnection.server(HboneSettings.server(), passing);
  private final EmbeddedChannel clientChannel = new EmbeddedChannel();
  private final EmbeddedChannel serverChannel = new EmbeddedChannel();
  private HboneStream stream;

  @SuppressWarnings("NullAway.Init") // JMH sets it up
  public FrameBenchmark() {}

  @Setup
  public void connect() {
    clientChannel.config().setAllocator(allocator);
    serverChannel.config().setAllocator(allocator);
    clientChannel.pipeline().addLast(client);
    serverChannel.pipeline().addLast(server);
    client.start();
    server.start();
    exchange();
    stream =
        client.open(new DefaultHttp2Headers().method("CONNECT").authority("10.0.0.1:80"), passing);
    exchange();
  }

  @TearDown
  public void close() {
    clientChannel.finishAndReleaseAll();
    serverChannel.finishAndReleaseAll();
  }

  private void exchange() {
    for (int i = 0; i < 3; i++) {
      pass(clientChannel, serverChannel);
      pass(serverChannel, clientChannel);
    }
  }

  private static void pass(EmbeddedChannel from, EmbeddedChannel to) {
    from.runPendingTasks();
    for (ByteBuf bytes = from.readOutbound(); bytes != null; bytes = from.readOutbound()) {
      to.writeInbound(bytes);
    }
  }

  @Benchmark
  public long oneWrite() {
    ByteBuf data = allocator.directBuffer(size + Frames.HEAD_LENGTH);
    data.setIndex(Frames.HEAD_LENGTH, Frames.HEAD_LENGTH + size);
    stream.write(data);
    stream.flush();
    pass(clientChannel, serverChannel);
    pass(serverChannel, clientChannel);
    return passing.bytes;
  }

  /** Takes all bytes at once. */
  private static final class Passing implements HboneListener, StreamHandler {
    private long bytes;
    private @Nullable HboneStream accepted;

    @Override
    public void onRequest(HboneStream stream, Http2Headers headers) {
      accepted = stream;
      stream.handler(this);
      stream.respond(new DefaultHttp2Headers().status("200"), false);
    }

    @Override
    public void onCapacityChange() {}

    @Override
    public void onClosed(@Nullable Throwable cause) {}

    @Override
    public void onResponse(Http2Headers headers) {}

    @Override
    public void onData(ByteBuf data) {
      int count = data.readableBytes();
      bytes += count;
      data.release();
      if (accepted != null) {
        accepted.consumed(count);
      }
    }

    @Override
    public void onDataComplete() {}

    @Override
    public void onEnd() {}

    @Override
    public void onReset(Http2Error error) {
      throw new IllegalStateException("the stream was reset: " + error);
    }

    @Override
    public void onWritable() {}
  }
}
