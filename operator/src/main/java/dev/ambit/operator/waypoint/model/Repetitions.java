package dev.ambit.operator.waypoint.model;

import java.util.ArrayDeque;
import java.util.Deque;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * How often an expression repeats what is in it, where repetitions are in repetitions: RE2 takes a
 * thousand at most, which its port to Java does not look at.
 */
final class Repetitions {
  private static final int MOST = 1000;
  private static final Pattern COUNT = Pattern.compile("\\{([0-9]{1,4})(,([0-9]{0,4}))?\\}");

  private Repetitions() {}

  /** Whether RE2 takes them; the expression is otherwise one that it takes. */
  static boolean areFew(String expression) {
    // The most of what each group that is open has in it so far, the innermost last.
    Deque<Long> groups = new ArrayDeque<>();
    long most = 1;
    long last = 1;
    int position = 0;
    while (position < expression.length()) {
      char character = expression.charAt(position);
      Matcher count = COUNT.matcher(expression).region(position, expression.length());
      if (character == '{' && count.lookingAt()) {
        last *= times(count);
        if (last > MOST) {
          return false;
        }
        position = count.end();
      } else if (character == '(') {
        groups.push(most);
        most = 1;
        last = 1;
        position++;
      } else if (character == ')' && !groups.isEmpty()) {
        last = most;
        most = groups.pop();
        position++;
      } else {
        last = 1;
        position = afterAtom(expression, position);
      }
      most = Math.max(most, last);
    }
    return true;
  }

  private static long times(Matcher count) {
    String from = count.group(1);
    String to = count.group(3);
    return Math.max(1, Long.parseLong(to == null || to.isEmpty() ? from : to));
  }

  /** Where a class, an escape or a quotation that begins here ends, or this character. */
  private static int afterAtom(String expression, int position) {
    if (expression.startsWith("\\Q", position)) {
      int end = expression.indexOf("\\E", position + 2);
      return end < 0 ? expression.length() : end + 2;
    }
    if (expression.startsWith("\\p{", position)
        || expression.startsWith("\\P{", position)
        || expression.startsWith("\\x{", position)) {
      return expression.indexOf('}', position) + 1;
    }
    if (expression.charAt(position) == '\\') {
      return Math.min(position + 2, expression.length());
    }
    return expression.charAt(position) == '[' ? afterClass(expression, position) : position + 1;
  }

  private static int afterClass(String expression, int start) {
    int position = start + 1;
    if (expression.startsWith("^", position)) {
      position++;
    }
    if (expression.startsWith("]", position)) {
      position++;
    }
    while (position < expression.length() && expression.charAt(position) != ']') {
      if (expression.startsWith("[:", position) && expression.indexOf(":]", position) > 0) {
        position = expression.indexOf(":]", position) + 2;
      } else {
        position += expression.charAt(position) == '\\' ? 2 : 1;
      }
    }
    return position + 1;
  }
}
