package dev.ambit.operator.enrollment.model;

import java.util.List;

/** Names in messages: the first few, and how many more. */
final class Names {
  private static final int SHOWN = 5;

  private Names() {}

  static String some(List<String> names) {
    String first = String.join(", ", names.subList(0, Math.min(SHOWN, names.size())));
    return names.size() > SHOWN ? first + " and " + (names.size() - SHOWN) + " more" : first;
  }
}
