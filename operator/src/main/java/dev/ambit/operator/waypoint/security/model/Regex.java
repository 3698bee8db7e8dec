package dev.ambit.operator.waypoint.security.model;

import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.Locale;
import java.util.Optional;

/** Pieces of regular expressions as RE2 reads them, all of ASCII. */
final class Regex {
  private static final String SPECIAL = "\\.+*?()|[]{}^$";

  /** What servers take for a slash, once or more. */
  static final String SLASHES = "(?:/|\\\\|%2[fF]|%5[cC])+";

  /** Whatever there is. */
  static final String ANYTHING = "(?s:.*)";

  /** Parameters of a segment, which some servers drop. */
  private static final String PARAMETERS = "(?:;[^/\\\\]*)?";

  /**
   * Beyond so many bytes a path is not written out, lest the expression get too large for Envoy.
   */
  private static final int LONGEST = 120;

  private Regex() {}

  /** That text and no other. */
  static String literal(String text) {
    StringBuilder regex = new StringBuilder();
    text.codePoints().forEach(c -> appendLiteral(regex, c));
    return regex.toString();
  }

  private static void appendLiteral(StringBuilder regex, int codePoint) {
    if (SPECIAL.indexOf(codePoint) >= 0) {
      regex.append('\\');
    }
    regex.appendCodePoint(codePoint);
  }

  /** Whatever a server may take for that path; of a very long one, for its beginning. */
  static String anySpellingOf(String path) {
    byte[] bytes = path.getBytes(StandardCharsets.UTF_8);
    return bytes.length <= LONGEST
        ? anySpelling(bytes) + PARAMETERS
        : anySpelling(Arrays.copyOf(bytes, LONGEST)) + ANYTHING;
  }

  /** Whatever a server may take for a path that begins like that. */
  static String anySpellingOfBeginning(String path) {
    byte[] bytes = path.getBytes(StandardCharsets.UTF_8);
    return anySpelling(Arrays.copyOf(bytes, Math.min(bytes.length, LONGEST))) + ANYTHING;
  }

  /** Whatever a server may take for a path that ends like that. */
  static String anySpellingOfEnd(String path) {
    byte[] bytes = path.getBytes(StandardCharsets.UTF_8);
    return ANYTHING
        + anySpelling(Arrays.copyOfRange(bytes, Math.max(0, bytes.length - LONGEST), bytes.length))
        + PARAMETERS;
  }

  /**
   * Whatever a server may take for that part of a path: slashes doubled, backward or encoded, other
   * characters encoded, and parameters at the end of a segment.
   */
  private static String anySpelling(byte[] path) {
    StringBuilder regex = new StringBuilder();
    boolean slash = false;
    boolean text = false;
    for (byte each : path) {
      char c = (char) (each & 0xff);
      if (c == '/') {
        if (text) {
          regex.append(PARAMETERS);
        }
        if (!slash) {
          regex.append(SLASHES);
        }
        slash = true;
        text = false;
      } else {
        appendAnySpelling(regex, c);
        slash = false;
        text = true;
      }
    }
    return regex.toString();
  }

  private static void appendAnySpelling(StringBuilder regex, char c) {
    String hex = "%" + nibble(c >> 4) + nibble(c & 0xf);
    if (c >= 0x80) {
      // The bytes of what is not ASCII stand in paths as they are or encoded.
      regex.append("(?:[^\\x00-\\x7f]|").append(hex).append(')');
      return;
    }
    regex.append("(?:");
    appendLiteral(regex, c);
    regex.append('|').append(hex).append(')');
  }

  private static String nibble(int value) {
    String digit = Integer.toHexString(value);
    return value < 10 ? digit : "[" + digit + digit.toUpperCase(Locale.ROOT) + "]";
  }

  /** Every text but that one; empty where it is too long for that. */
  static Optional<String> otherThan(String text) {
    return ofUsualLength(text).map(_ -> differing(text, Optional.of("(?s:.+)")));
  }

  /** Every text that does not begin like that; empty where it is too long for that. */
  static Optional<String> notBeginningWith(String text) {
    return ofUsualLength(text).map(_ -> differing(text, Optional.empty()));
  }

  /** Every text that does not end like that; empty where it is too long for that. */
  static Optional<String> notEndingWith(String text) {
    return ofUsualLength(text)
        .map(
            _ -> {
              Optional<String> before = Optional.empty();
              for (int c : text.codePoints().toArray()) {
                String further = before.map(regex -> "|" + regex + literal(c)).orElse("");
                before = Optional.of("(?:" + ANYTHING + anyBut(c) + further + ")?");
              }
              return before.orElseThrow();
            });
  }

  private static Optional<String> ofUsualLength(String text) {
    return !text.isEmpty() && text.length() <= LONGEST ? Optional.of(text) : Optional.empty();
  }

  /** What differs from a text in one of its characters, or ends before, or goes on like that. */
  private static String differing(String text, Optional<String> further) {
    int[] characters = text.codePoints().toArray();
    Optional<String> after = further;
    for (int i = characters.length - 1; i >= 0; i--) {
      int c = characters[i];
      String same = after.map(regex -> "|" + literal(c) + regex).orElse("");
      after = Optional.of("(?:" + anyBut(c) + ANYTHING + same + ")?");
    }
    return after.orElseThrow();
  }

  private static String anyBut(int codePoint) {
    return "[^\\x{" + Integer.toHexString(codePoint) + "}]";
  }

  private static String literal(int codePoint) {
    StringBuilder regex = new StringBuilder();
    appendLiteral(regex, codePoint);
    return regex.toString();
  }

  /** A path with a segment that may lead up, which Envoy did not resolve. */
  static String unresolvedPath() {
    String dots = "(?:\\.|%2[eE]){1,2}";
    return "(?s:(?:.*" + SLASHES + ")?" + dots + PARAMETERS + "(?:" + SLASHES + ".*)?)";
  }
}
