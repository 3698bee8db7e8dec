package dev.ambit.operator.model;

import java.util.List;

/** Names in messages: the first few, and how many more. */
public final class Names {
  private static final int SHOWN = 5;

  private Names() {}

  /** The first five. */
  public static String some(List<String> names) {
    return some(names, SHOWN);
  }

  /** The first so many. */
  public static String some(List<String> names, int shown) {
    String first = String.join(", ", names.subList(0, Math.min(shown, names.size())));
    return names.size() > shown ? first + " and " + (names.size() - shown) + " more" : first;
  }
}
