package dev.ambit.operator.waypoint.route.model;

import java.util.List;

/**
 * How closely a match describes requests: the numbers that the Gateway API compares, the weightiest
 * first. The greater goes before the less.
 */
record Specificity(List<Integer> ranks) implements Comparable<Specificity> {
  static Specificity of(Integer... ranks) {
    return new Specificity(List.of(ranks));
  }

  @Override
  public int compareTo(Specificity other) {
    int common = Math.min(ranks.size(), other.ranks.size());
    for (int i = 0; i < common; i++) {
      int order = ranks.get(i).compareTo(other.ranks.get(i));
      if (order != 0) {
        return order;
      }
    }
    return Integer.compare(ranks.size(), other.ranks.size());
  }
}
