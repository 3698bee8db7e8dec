package dev.ambit.api;

import java.time.Duration;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** How long providers may take to answer, as it is written. */
public final class ProviderTimeout {
  static final String RULE =
      "self.matches('^([0-9]+h)?([0-9]+m)?([0-9]+s)?([0-9]+ms)?$') && duration(self) >="
          + " duration('1ms') && duration(self) <= duration('1h')";

  static final String MESSAGE = "a timeout must be a duration from 1ms to 1h, such as 500ms or 10s";

  private static final Pattern TEXT =
      Pattern.compile("(?:(\\d+)h)?(?:(\\d+)m)?(?:(\\d+)s)?(?:(\\d+)ms)?");

  private ProviderTimeout() {}

  /** Reads one; what the schema would refuse is an {@link IllegalArgumentException}. */
  public static Duration parse(String text) {
    Matcher matcher = TEXT.matcher(text);
    if (text.isEmpty() || !matcher.matches()) {
      throw new IllegalArgumentException(MESSAGE + ": " + text);
    }
    return Duration.ofHours(part(matcher, 1))
        .plusMinutes(part(matcher, 2))
        .plusSeconds(part(matcher, 3))
        .plusMillis(part(matcher, 4));
  }

  private static long part(Matcher matcher, int group) {
    String digits = matcher.group(group);
    return digits == null ? 0 : Long.parseLong(digits);
  }
}
