package dev.ambit.operator.waypoint.traffic.model;

import com.google.protobuf.Duration;
import java.math.BigDecimal;
import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/** Durations as Istio's kinds have them: numbers with units, such as "1h30m" or "0.5s". */
final class Durations {
  /** No limit, where a duration is a limit. */
  static final Duration NONE = Duration.getDefaultInstance();

  private static final Pattern PART =
      Pattern.compile("(\\d+(?:\\.\\d*)?|\\.\\d+)(h|ms|m|us|µs|ns|s)");
  private static final BigDecimal LONGEST = BigDecimal.valueOf(315_576_000_000L);

  private Durations() {}

  /** That of a field; empty where it is absent or, which is reported, not to be understood. */
  static Optional<Duration> of(String path, @Nullable String text, Findings findings) {
    if (text == null) {
      return Optional.empty();
    }
    Optional<Duration> duration = parse(text);
    if (duration.isEmpty()) {
      findings.add(path, "\"" + text + "\" is not a duration; it is as if it were not set");
    }
    return duration;
  }

  /** The same, of a field that has to be more than nothing. */
  static Optional<Duration> positive(String path, @Nullable String text, Findings findings) {
    Optional<Duration> duration = of(path, text, findings);
    if (duration.filter(NONE::equals).isPresent()) {
      findings.add(path, "has to be more than 0; it is as if it were not set");
      return Optional.empty();
    }
    return duration;
  }

  static Optional<Duration> parse(String text) {
    if (text.equals("0")) {
      return Optional.of(NONE);
    }
    Matcher part = PART.matcher(text);
    BigDecimal seconds = BigDecimal.ZERO;
    int end = 0;
    while (end < text.length()) {
      if (!part.find(end) || part.start() != end) {
        return Optional.empty();
      }
      seconds = seconds.add(new BigDecimal(part.group(1)).multiply(unit(part.group(2))));
      end = part.end();
    }
    if (text.isEmpty() || seconds.compareTo(LONGEST) > 0) {
      return Optional.empty();
    }
    return Optional.of(
        Duration.newBuilder()
            .setSeconds(seconds.longValue())
            .setNanos(
                seconds
                    .subtract(BigDecimal.valueOf(seconds.longValue()))
                    .movePointRight(9)
                    .intValue())
            .build());
  }

  private static BigDecimal unit(String unit) {
    return switch (unit) {
      case "h" -> BigDecimal.valueOf(3600);
      case "m" -> BigDecimal.valueOf(60);
      case "s" -> BigDecimal.ONE;
      case "ms" -> new BigDecimal("0.001");
      case "us", "µs" -> new BigDecimal("0.000001");
      default -> new BigDecimal("0.000000001");
    };
  }
}
