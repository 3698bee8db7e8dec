package dev.ambit.operator.model;

import java.util.OptionalLong;
import java.util.Set;

/**
 * What the mesh made of one thing that an object asks for, as a condition of its status.
 *
 * @param holds whether it is as the object asks
 * @param reason one word
 * @param message for a person: what happens, and what to do where it is not as asked
 * @param generation of the object that it is said of, where the object's status has a place for it
 */
public record ObjectCondition(
    String type, boolean holds, String reason, String message, OptionalLong generation) {
  /** Whether traffic goes through the waypoint that was asked for; Istio's type. */
  public static final String WAYPOINT_BOUND = "istio.io/WaypointBound";

  /** Whether {@code exportTo} is kept to; Istio's type. */
  static final String VISIBILITY_APPLIED = "istio.io/VisibilityApplied";

  /** Whether all else is taken as written; set only where it is not. */
  static final String ACCEPTED = "ambit.dev/Accepted";

  /** Whether waypoints enforce all of it; Istio's type. */
  public static final String WAYPOINT_ACCEPTED = "WaypointAccepted";

  /** All of them. */
  public static final Set<String> TYPES =
      Set.of(WAYPOINT_BOUND, VISIBILITY_APPLIED, ACCEPTED, WAYPOINT_ACCEPTED);

  /** One that is said of no generation in particular. */
  public ObjectCondition(String type, boolean holds, String reason, String message) {
    this(type, holds, reason, message, OptionalLong.empty());
  }

  /** The same, of that generation of the object. */
  public ObjectCondition of(long observed) {
    return new ObjectCondition(type, holds, reason, message, OptionalLong.of(observed));
  }

  /** Whether both say the same, of whatever generation. */
  public boolean agreesWith(ObjectCondition other) {
    return type.equals(other.type)
        && holds == other.holds
        && reason.equals(other.reason)
        && message.equals(other.message);
  }
}
