package dev.ambit.ztunnel.proxy;

import java.util.concurrent.TimeUnit;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Fork;
import org.openjdk.jmh.annotations.Measurement;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OperationsPerInvocation;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.TearDown;
import org.openjdk.jmh.annotations.Warmup;

/**
 * The whole copy path: from an application's socket, through TLS and a tunnel's stream, to the
 * other application's socket, with both halves on one event loop. Needs root.
 */
@State(Scope.Thread)
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.MICROSECONDS)
@Fork(value = 1, jvmArgsAppend = "-Dio.netty.leakDetection.level=disabled")
@Warmup(iterations = 3, time = 2)
@Measurement(iterations = 5, time = 2)
public class CopyBenchmark {
  private static final int MEBIBYTES = 16;
  private static final int MESSAGES = 500;

  private BothHalves halves;
  private BothHalves.Ends ends;

  @SuppressWarnings("NullAway.Init") // JMH sets it up
  public CopyBenchmark() {}

  @Setup
  public void connect() throws Exception {
    halves = new BothHalves();
    ends = halves.connect();
  }

  @TearDown
  public void close() throws Exception {
    ends.close();
    halves.close();
  }

  /** A MiB of a stream. */
  @Benchmark
  @OperationsPerInvocation(MEBIBYTES)
  public void mebibyte() throws Exception {
    ends.there((long) MEBIBYTES << 20);
  }

  /** 64 bytes there and back. */
  @Benchmark
  @OperationsPerInvocation(MESSAGES)
  public void roundTrip() throws Exception {
    ends.exchange(MESSAGES);
  }
}
