package dev.ambit.ztunnel.telemetry;

import dev.ambit.ztunnel.json.JsonWriter;
import java.time.Instant;
import java.time.ZoneOffset;
import java.time.format.DateTimeFormatter;

/** Builds one line of the log in either format. For one thread; used anew for each line. */
final class LogLine {
  private static final DateTimeFormatter TIME =
      DateTimeFormatter.ofPattern("yyyy-MM-dd'T'HH:mm:ss.SSSSSS'Z'").withZone(ZoneOffset.UTC);

  private final LogFormat format;
  private final StringBuilder out;
  private final JsonWriter json;

  LogLine(LogFormat format, StringBuilder out) {
    this.format = format;
    this.out = out;
    this.json = new JsonWriter(out);
  }

  LogLine begin(Instant time, String level, String scope, String message) {
    String stamp = TIME.format(time);
    switch (format) {
      case TEXT -> {
        out.append(stamp).append('\t').append(level).append('\t').append(scope).append('\t');
        appendPlain(message);
      }
      case JSON ->
          json.beginObject()
              .field("level", level)
              .field("time", stamp)
              .field("scope", scope)
              .field("message", message);
    }
    return this;
  }

  /** A field whose value is quoted in text. */
  LogLine quoted(String name, String value) {
    switch (format) {
      case TEXT -> {
        out.append(' ').append(name).append("=\"");
        appendQuoted(value);
        out.append('"');
      }
      case JSON -> json.field(name, value);
    }
    return this;
  }

  /** A field whose value is written as it is, such as an address. */
  LogLine plain(String name, String value) {
    switch (format) {
      case TEXT -> {
        out.append(' ').append(name).append('=');
        appendPlain(value);
      }
      case JSON -> json.field(name, value);
    }
    return this;
  }

  LogLine number(String name, long value) {
    switch (format) {
      case TEXT -> out.append(' ').append(name).append('=').append(value);
      case JSON -> json.field(name, value);
    }
    return this;
  }

  void end() {
    switch (format) {
      case TEXT -> {}
      case JSON -> json.endObject();
    }
    out.append('\n');
  }

  /** A line break in a value must not begin a line that looks like one of ours. */
  private void appendPlain(String value) {
    for (int i = 0; i < value.length(); i++) {
      char c = value.charAt(i);
      out.append(c < 0x20 ? ' ' : c);
    }
  }

  private void appendQuoted(String value) {
    for (int i = 0; i < value.length(); i++) {
      char c = value.charAt(i);
      if (c == '"' || c == '\\') {
        out.append('\\');
      }
      out.append(c < 0x20 ? ' ' : c);
    }
  }
}
