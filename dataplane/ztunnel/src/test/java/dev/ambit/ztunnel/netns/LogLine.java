package dev.ambit.ztunnel.netns;

import java.util.HashMap;
import java.util.Map;
import java.util.regex.Pattern;

/** A line of a ztunnel's log, and the fields in it. */
record LogLine(String text, Map<String, String> fields) {
  private static final Pattern FIELD =
      Pattern.compile(
          "(?<=^|[\\s,{])\"?([a-zA-Z_][\\w.]*)\"?[=:]\\s?(?:\"([^\"]*)\"|([^\\s,}\"]+))");

  static LogLine parse(String text) {
    var fields = new HashMap<String, String>();
    FIELD
        .matcher(text)
        .results()
        .forEach(
            field ->
                fields.put(
                    field.group(1), field.group(2) != null ? field.group(2) : field.group(3)));
    return new LogLine(text, fields);
  }

  boolean has(String field, String value) {
    return value.equals(fields.get(field));
  }

  /** Whether it tells of a connection that ended. */
  boolean isConnectionComplete() {
    return text.contains("connection complete");
  }
}
