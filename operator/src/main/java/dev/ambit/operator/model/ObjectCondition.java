package dev.ambit.operator.model;

import java.util.Set;

/**
 * What the mesh made of one thing that an object asks for, as a condition of its status.
 *
 * @param holds whether it is as the object asks
 * @param reason one word
 * @param message for a person: what happens, and what to do where it is not as asked
 */
public record ObjectCondition(String type, boolean holds, String reason, String message) {
  /** Whether traffic goes through the waypoint that was asked for; Istio's type. */
  public static final String WAYPOINT_BOUND = "istio.io/WaypointBound";

  /** Whether {@code exportTo} is kept to; Istio's type. */
  static final String VISIBILITY_APPLIED = "istio.io/VisibilityApplied";

  /** Whether all else is taken as written; set only where it is not. */
  static final String ACCEPTED = "ambit.dev/Accepted";

  /** All of them. */
  public static final Set<String> TYPES = Set.of(WAYPOINT_BOUND, VISIBILITY_APPLIED, ACCEPTED);
}
