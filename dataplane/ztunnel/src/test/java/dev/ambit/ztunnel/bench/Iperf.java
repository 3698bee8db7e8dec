package dev.ambit.ztunnel.bench;

import com.google.protobuf.InvalidProtocolBufferException;
import com.google.protobuf.Struct;
import com.google.protobuf.util.JsonFormat;
import java.util.ArrayList;
import java.util.List;

/** What {@code iperf3} found: the bytes that arrived, and how fast. */
record Iperf(double gigabitsPerSecond, double gigabytes) {
  static List<String> server() {
    return List.of("iperf3", "--server");
  }

  static List<String> command(String address, int streams, boolean reverse, int seconds) {
    var command =
        new ArrayList<>(
            List.of(
                "iperf3",
                "--client",
                address,
                "--time",
                Integer.toString(seconds),
                "--parallel",
                Integer.toString(streams),
                "--json"));
    if (reverse) {
      command.add("--reverse");
    }
    return command;
  }

  static Iperf parse(String output) {
    try {
      var all = Struct.newBuilder();
      JsonFormat.parser().merge(output, all);
      var received =
          all.getFieldsOrThrow("end")
              .getStructValue()
              .getFieldsOrThrow("sum_received")
              .getStructValue();
      return new Iperf(
          received.getFieldsOrThrow("bits_per_second").getNumberValue() / 1e9,
          received.getFieldsOrThrow("bytes").getNumberValue() / 1e9);
    } catch (InvalidProtocolBufferException | IllegalArgumentException e) {
      throw new IllegalStateException("not what iperf3 says: " + output, e);
    }
  }
}
