package dev.ambit.operator.enrollment.model;

import java.util.List;

/**
 * The waypoints of a namespace as its enrollment sees them.
 *
 * @param wanted the one that is asked for
 * @param made whether nothing is to be made of it: its Gateway is as it is asked for, or somebody
 *     else's
 * @param leftovers names of Gateways that the enrollment owns and does not ask for
 */
public record WaypointState(Wanted wanted, boolean made, List<String> leftovers) {
  /** Nothing is there, and nothing is asked for. */
  public static final WaypointState NONE = new WaypointState(new Wanted.Absent(), false, List.of());

  public WaypointState {
    leftovers = List.copyOf(leftovers);
  }

  /** How the waypoint that is asked for is. */
  public sealed interface Wanted {
    /** There is no such Gateway. */
    record Absent() implements Wanted {}

    /**
     * There is one, and it cannot be used.
     *
     * @param problem why, for a person
     */
    record NotReady(String problem) implements Wanted {}

    /**
     * It is programmed, and an instance has shown its identity and let a request through.
     *
     * @param knowsNamespace whether all that let one through know what is to go through them
     */
    record Ready(boolean knowsNamespace) implements Wanted {}
  }

  boolean knowsNamespace() {
    return wanted instanceof Wanted.Ready(boolean knows) && knows;
  }

  boolean isReady() {
    return wanted instanceof Wanted.Ready;
  }
}
