package dev.ambit.cli.model;

import java.time.Duration;
import java.time.Instant;
import java.time.format.DateTimeParseException;

/** How long ago, and how long still, in two figures at most. */
public final class Ages {
  private Ages() {}

  /** The time since a timestamp of the API; what is none is shown as it is. */
  public static String since(String timestamp, Instant now) {
    try {
      return of(Duration.between(Instant.parse(timestamp), now));
    } catch (DateTimeParseException e) {
      return timestamp;
    }
  }

  /** A duration as {@code 3m20s} or {@code 5d}; one that is negative as zero. */
  public static String of(Duration duration) {
    long seconds = Math.max(0, duration.toSeconds());
    if (seconds < 60) {
      return seconds + "s";
    }
    if (seconds < 3600) {
      return two(seconds / 60, "m", seconds % 60, "s");
    }
    if (seconds < 86_400) {
      return two(seconds / 3600, "h", seconds % 3600 / 60, "m");
    }
    return seconds / 86_400 + "d";
  }

  private static String two(long large, String largeUnit, long small, String smallUnit) {
    return large + largeUnit + (small == 0 || large >= 10 ? "" : small + smallUnit);
  }
}
