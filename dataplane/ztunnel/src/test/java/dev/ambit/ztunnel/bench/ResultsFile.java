package dev.ambit.ztunnel.bench;

import com.google.protobuf.Struct;
import com.google.protobuf.util.JsonFormat;
import dev.ambit.ztunnel.json.JsonWriter;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;

/** {@code results.json}: every figure of every round. */
final class ResultsFile {
  private static final String NAME = "results.json";

  private ResultsFile() {}

  static void write(Path folder, Measurements measurements) throws IOException {
    var text = new StringBuilder();
    var json = new JsonWriter(text).beginObject();
    json.name("samples").beginArray();
    for (var sample : measurements.samples()) {
      json.beginObject()
          .field("metric", sample.metric().name())
          .field("title", sample.metric().title())
          .field("unit", sample.metric().unit())
          .field("subject", sample.subject())
          .field("round", sample.round())
          .field("value", Double.toString(sample.value()))
          .endObject();
    }
    json.endArray();
    json.field("errors", measurements.errors());
    json.endObject();
    Files.writeString(folder.resolve(NAME), text.append('\n'));
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
          Double.parseDouble(sample.getFieldsOrThrow("value").getStringValue()));
    }
    for (var error : all.getFieldsOrThrow("errors").getListValue().getValuesList()) {
      measurements.error(error.getStringValue());
    }
    return measurements;
  }
}
