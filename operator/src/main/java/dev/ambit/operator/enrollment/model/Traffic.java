package dev.ambit.operator.enrollment.model;

import java.util.List;

/**
 * What ztunnels have counted of a namespace's connections since they were last asked.
 *
 * @param connections established ones, and those that failed
 * @param failed those that failed
 * @param unheard nodes whose ztunnel did not answer
 */
public record Traffic(long connections, long failed, List<String> unheard) {
  /** Nothing counted, and nobody to ask. */
  public static final Traffic NONE = new Traffic(0, 0, List.of());

  public Traffic {
    unheard = List.copyOf(unheard);
  }
}
