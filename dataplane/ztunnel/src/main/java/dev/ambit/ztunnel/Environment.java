package dev.ambit.ztunnel;

import java.net.InetSocketAddress;
import java.time.Duration;
import java.util.HashMap;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** Reads environment variables as what they are to be. */
record Environment(Map<String, String> variables) {
  private static final Pattern DURATION_PART = Pattern.compile("(\\d+(?:\\.\\d+)?)(ms|s|m|h|d)");

  Environment {
    variables = Map.copyOf(variables);
  }

  Optional<String> text(String name) {
    return Optional.ofNullable(variables.get(name)).filter(value -> !value.isBlank());
  }

  String text(String name, String whenUnset) {
    return text(name).orElse(whenUnset);
  }

  int number(String name, int whenUnset, int least, int most) throws SettingsException {
    Optional<String> value = text(name);
    if (value.isEmpty()) {
      return whenUnset;
    }
    try {
      int number = Integer.decode(value.get().strip());
      if (number >= least && number <= most) {
        return number;
      }
    } catch (NumberFormatException e) {
      // Said below, like a number out of range.
    }
    throw wrong(name, value.get(), "a number from " + least + " to " + most);
  }

  boolean flag(String name, boolean whenUnset) throws SettingsException {
    Optional<String> value = text(name);
    if (value.isEmpty()) {
      return whenUnset;
    }
    return switch (value.get().strip().toLowerCase(Locale.ROOT)) {
      case "true", "1", "yes" -> true;
      case "false", "0", "no" -> false;
      default -> throw wrong(name, value.get(), "true or false");
    };
  }

  /** A duration such as {@code 24h}, {@code 1h30m}, {@code 500ms}, or a number of seconds. */
  Duration duration(String name, Duration whenUnset) throws SettingsException {
    Optional<String> value = text(name);
    if (value.isEmpty()) {
      return whenUnset;
    }
    String text = value.get().strip();
    Duration duration = Duration.ZERO;
    try {
      if (text.matches("\\d{1,9}")) {
        duration = Duration.ofSeconds(Long.parseLong(text));
      } else {
        Matcher part = DURATION_PART.matcher(text);
        int end = 0;
        while (part.find() && part.start() == end) {
          end = part.end();
          duration = duration.plus(part(part.group(1), part.group(2)));
        }
        if (end != text.length() || end == 0) {
          throw wrong(name, text, "a duration such as 24h, 1h30m or 90s");
        }
      }
    } catch (ArithmeticException e) {
      throw wrong(name, text, "a duration of a sensible length");
    }
    return duration;
  }

  private static Duration part(String amount, String unit) {
    long nanosPerUnit =
        switch (unit) {
          case "ms" -> 1_000_000L;
          case "s" -> 1_000_000_000L;
          case "m" -> 60_000_000_000L;
          case "h" -> 3_600_000_000_000L;
          case "d" -> 86_400_000_000_000L;
          default -> throw new AssertionError(unit);
        };
    double nanos = Double.parseDouble(amount) * nanosPerUnit;
    if (nanos > Long.MAX_VALUE / 2.0) {
      throw new ArithmeticException("too long");
    }
    return Duration.ofNanos((long) nanos);
  }

  /** {@code host:port}; {@code localhost} and literals only, so that nothing is looked up. */
  InetSocketAddress address(String name, InetSocketAddress whenUnset) throws SettingsException {
    Optional<String> value = text(name);
    if (value.isEmpty()) {
      return whenUnset;
    }
    String text = value.get().strip();
    int colon = text.lastIndexOf(':');
    try {
      if (colon > 0) {
        String host = text.substring(0, colon);
        if (host.startsWith("[") && host.endsWith("]")) {
          host = host.substring(1, host.length() - 1);
        }
        String literal = host.equals("localhost") ? "127.0.0.1" : host;
        return new InetSocketAddress(
            java.net.InetAddress.ofLiteral(literal), Integer.parseInt(text.substring(colon + 1)));
      }
    } catch (IllegalArgumentException e) {
      // Said below.
    }
    throw wrong(name, text, "an address such as 127.0.0.1:15000 or [::]:15021");
  }

  /** The variables called {@code prefix} and more, by the rest of their names. */
  Map<String, String> withPrefix(String prefix) {
    Map<String, String> found = new HashMap<>();
    variables.forEach(
        (name, value) -> {
          if (name.startsWith(prefix) && name.length() > prefix.length()) {
            found.put(name.substring(prefix.length()), value);
          }
        });
    return found;
  }

  static SettingsException wrong(String name, String value, String wanted) {
    return new SettingsException(name + " is '" + value + "': set it to " + wanted);
  }
}
