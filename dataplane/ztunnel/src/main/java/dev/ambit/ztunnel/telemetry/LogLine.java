package dev.ambit.ztunnel.telemetry;

import dev.ambit.ztunnel.json.JsonWriter;
import java.time.Instant;
import java.time.ZoneOffset;
import java.time.format.DateTimeFormatter;

/** Builds one line of the log in either format. For one thread; used anew for each line. */
final class LogLine {
  private static final DateTimeFormatter SECOND =
      DateTimeFormatter.ofPattern("yyyy-MM-dd'T'HH:mm:ss.").withZone(ZoneOffset.UTC);

  private static final int MICROS_PER_SECOND = 1_000_000;

  /** Most lines are of the same second as those before. */
  private static volatile Second last = Second.of(0);

  private final LogFormat format;
  private final StringBuilder out;
  private final JsonWriter json;

  LogLine(LogFormat format, StringBuilder out) {
    this.format = format;
    this.out = out;
    this.json = new JsonWriter(out);
  }

  private record Second(long sinceEpoch, String text) {
    static Second of(long sinceEpoch) {
      return new Second(sinceEpoch, SECOND.format(Instant.ofEpochSecond(sinceEpoch)));
    }
  }

  /** To the microsecond, in UTC. */
  static String stamp(Instant time) {
    Second second = last;
    if (second.sinceEpoch() != time.getEpochSecond()) {
      second = Second.of(time.getEpochSecond());
      last = second;
    }
    // A digit more in front keeps the zeros.
    int micros = MICROS_PER_SECOND + time.getNano() / 1000;
    return second.text() + Integer.toString(micros).substring(1) + 'Z';
  }

  LogLine begin(Instant time, String level, String scope, String message) {
    String stamp = stamp(time);
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
