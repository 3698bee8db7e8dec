package dev.ambit.ztunnel.bench;

import com.google.protobuf.ListValue;
import com.google.protobuf.Struct;
import com.google.protobuf.Value;
import com.google.protobuf.util.JsonFormat;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;

/** {@code results.json}: every figure of every round. */
final class ResultsFile {
  private static final String NAME = "results.json";

  private ResultsFile() {}

  static void write(Path folder, Measurements measurements) throws IOException {
    var samples = ListValue.newBuilder();
    for (var sample : measurements.samples()) {
      samples.addValues(
          Value.newBuilder()
              .setStructValue(
                  Struct.newBuilder()
                      .putFields("metric", text(sample.metric().name()))
                      .putFields("title", text(sample.metric().title()))
                      .putFields("unit", text(sample.metric().unit()))
                      .putFields("subject", text(sample.subject()))
                      .putFields("round", number(sample.round()))
                      .putFields("value", number(sample.value()))));
    }
    var errors = ListValue.newBuilder();
    measurements.errors().forEach(error -> errors.addValues(text(error)));
    var all =
        Struct.newBuilder()
            .putFields("machine", text(Report.machine()))
            .putFields("samples", Value.newBuilder().setListValue(samples).build())
            .putFields("errors", Value.newBuilder().setListValue(errors).build());
    Files.writeString(folder.resolve(NAME), JsonFormat.printer().print(all) + "\n");
  }

  private static Value text(String text) {
    return Value.newBuilder().setStringValue(text).build();
  }

  private static Value number(double number) {
    return Value.newBuilder().setNumberValue(number).build();
  }

  static Measurements read(Path folder) throws IOException {
    var all = Struct.newBuilder();
    JsonFormat.parser().merge(Files.readString(folder.resolve(NAME)), all);
    var measurements = new Measurements();
    for (var value : all.getFieldsOrThrow("samples").getListValue().getValuesList()) {
      var sample = value.getStructValue();
      measurements.add(
          Metric.valueOf(sample.getFieldsOrThrow("metric").getStringValue()),
          sample.getFieldsOrThrow("subject").getStringValue(),
          (int) sample.getFieldsOrThrow("round").getNumberValue(),
          sample.getFieldsOrThrow("value").getNumberValue());
    }
    for (var error : all.getFieldsOrThrow("errors").getListValue().getValuesList()) {
      measurements.error(error.getStringValue());
    }
    return measurements;
  }
}
