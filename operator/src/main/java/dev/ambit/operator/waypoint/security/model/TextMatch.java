package dev.ambit.operator.waypoint.security.model;

/** A condition on a text. */
sealed interface TextMatch {
  /** Equal to it, perhaps but for the case of letters. */
  record Exact(String text, boolean ignoreCase) implements TextMatch {}

  /** Begins with it. */
  record Prefix(String text, boolean ignoreCase) implements TextMatch {}

  /** Ends with it. */
  record Suffix(String text, boolean ignoreCase) implements TextMatch {}

  /** Matches a regular expression of RE2 as a whole. */
  record Pattern(String regex) implements TextMatch {}

  /** Is there, and not empty. */
  record Present() implements TextMatch {}
}
