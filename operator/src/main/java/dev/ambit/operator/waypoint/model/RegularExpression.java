package dev.ambit.operator.waypoint.model;

import com.google.re2j.Pattern;
import com.google.re2j.PatternSyntaxException;
import io.envoyproxy.envoy.type.matcher.v3.RegexMatchAndSubstitute;
import io.envoyproxy.envoy.type.matcher.v3.RegexMatcher;
import java.util.Optional;

/**
 * A regular expression that Envoy takes. One that it does not take costs it the whole resource that
 * holds it, so none is sent unchecked.
 */
public final class RegularExpression {
  /**
   * Instructions that RE2 may compile an expression to: what waypoints' Envoys are told to allow.
   */
  public static final int LARGEST_PROGRAM = 100_000;

  /** Characters: as many as the longest field of the Gateway API takes. */
  static final int LONGEST = 4096;

  /**
   * Instructions that it may be compiled to here, where a class of characters is one; in RE2, which
   * matches bytes, a class is at most about eight.
   */
  private static final int LARGEST_PROGRAM_HERE = 10_000;

  private final String text;
  private final int groups;

  private RegularExpression(String text, int groups) {
    this.text = text;
    this.groups = groups;
  }

  /** The expression; empty where RE2, whose syntax Envoy has, does not take it. */
  public static Optional<RegularExpression> of(String text) {
    if (text.isEmpty() || text.length() > LONGEST) {
      return Optional.empty();
    }
    try {
      Pattern pattern = Pattern.compile(text);
      return pattern.programSize() <= LARGEST_PROGRAM_HERE && Repetitions.areFew(text)
          ? Optional.of(new RegularExpression(text, pattern.groupCount()))
          : Optional.empty();
    } catch (PatternSyntaxException _) {
      return Optional.empty();
    }
  }

  /** Of all of a value, as Envoy matches. */
  public RegexMatcher matcher() {
    return RegexMatcher.newBuilder().setRegex(text).build();
  }

  /**
   * Of each part of a value that it fits; empty where the substitution refers to groups that the
   * expression does not have.
   *
   * @param substitution with "\1" and so on for the groups, and "\\" for a backslash
   */
  public Optional<RegexMatchAndSubstitute> replacedBy(String substitution) {
    for (int i = 0; i < substitution.length(); i++) {
      if (substitution.charAt(i) != '\\') {
        continue;
      }
      i++;
      char next = i < substitution.length() ? substitution.charAt(i) : 0;
      boolean known = next == '\\' || (next >= '0' && next <= '9' && next - '0' <= groups);
      if (!known) {
        return Optional.empty();
      }
    }
    return Optional.of(
        RegexMatchAndSubstitute.newBuilder()
            .setPattern(matcher())
            .setSubstitution(substitution)
            .build());
  }
}
