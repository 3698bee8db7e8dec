package dev.ambit.cli.output;

import org.jspecify.annotations.Nullable;

/** A text with its tone. */
public record Cell(String text, Tone tone) {
  /** What stands where there is nothing to say. */
  static final String NOTHING = "-";

  /** A plain text; one that is absent or empty is shown as a dash. */
  public static Cell of(@Nullable Object value) {
    return of(value, Tone.PLAIN);
  }

  public static Cell of(@Nullable Object value, Tone tone) {
    String text = value == null ? "" : value.toString();
    return text.isEmpty() ? new Cell(NOTHING, Tone.QUIET) : new Cell(text, tone);
  }
}
