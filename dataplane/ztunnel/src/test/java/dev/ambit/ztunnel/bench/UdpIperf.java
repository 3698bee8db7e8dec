package dev.ambit.ztunnel.bench;

import com.google.protobuf.InvalidProtocolBufferException;
import com.google.protobuf.Struct;
import com.google.protobuf.util.JsonFormat;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;

/** What {@code iperf3} found of datagrams that one sender sent. */
record UdpIperf(double seconds, long sent, long received) {
  static final int BYTES = 1400;
  private static final long BITS = 8L * BYTES;

  /** More than waits at a receiver that runs at all. */
  private static final long BUFFER = 4L << 20;

  /**
   * The command of the client.
   *
   * @param perSecond how many datagrams to send; 0: as many as it can
   */
  static List<String> command(String address, long perSecond, int seconds) throws IOException {
    return List.of(
        "iperf3",
        "--client",
        address,
        "--udp",
        "--length",
        Integer.toString(BYTES),
        "--bitrate",
        Long.toString(perSecond * BITS),
        "--window",
        Long.toString(buffer()),
        "--time",
        Integer.toString(seconds),
        "--json");
  }

  /** The receiver's own buffer is not what is measured: as large as the system allows. */
  private static long buffer() throws IOException {
    long most = BUFFER;
    for (var bound : List.of("rmem_max", "wmem_max")) {
      // With one read: the kernel gives all of the number to the first, however short that is.
      var lines = Files.readAllLines(Path.of("/proc/sys/net/core", bound));
      most = Math.min(most, Long.parseLong(lines.getFirst()));
    }
    return most;
  }

  static UdpIperf parse(String output) {
    try {
      var all = Struct.newBuilder();
      JsonFormat.parser().merge(output, all);
      var end = all.getFieldsOrThrow("end").getStructValue();
      var sent = end.getFieldsOrThrow("sum_sent").getStructValue();
      // What it calls lost are gaps alone: whatever the receiver got nothing after is not among
      // them.
      var received = end.getFieldsOrThrow("sum_received").getStructValue();
      return new UdpIperf(
          sent.getFieldsOrThrow("seconds").getNumberValue(),
          (long) sent.getFieldsOrThrow("packets").getNumberValue(),
          (long) (received.getFieldsOrThrow("bytes").getNumberValue() / BYTES));
    } catch (InvalidProtocolBufferException | IllegalArgumentException e) {
      throw new IllegalStateException("not what iperf3 says: " + output, e);
    }
  }

  double perSecond() {
    return received / seconds;
  }

  double gigabitsPerSecond() {
    return perSecond() * BITS / 1e9;
  }

  double lossPercent() {
    return 100.0 * (sent - received) / sent;
  }
}
