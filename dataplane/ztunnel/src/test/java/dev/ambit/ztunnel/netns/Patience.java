package dev.ambit.ztunnel.netns;

import java.time.Duration;

/**
 * How long to wait for what happens at once on a machine that has nothing else to do. A wait ends
 * with its condition, so that only failures take this long; and a machine may be busy.
 */
final class Patience {
  /** For single steps, such as one answer on a connection. */
  static final Duration MIDDLE = Duration.ofSeconds(30);

  /** For whole chains of them, such as the start of a process. */
  static final Duration LONG = Duration.ofSeconds(90);

  /** More than a caller may ever be held up by others. */
  static final Duration SHORT = Duration.ofSeconds(20);

  private Patience() {}
}
