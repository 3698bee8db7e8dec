package dev.ambit.operator.waypoint.traffic.model;

import dev.ambit.operator.model.ObjectCondition;
import dev.ambit.operator.model.PolicyReport.Finding;
import dev.ambit.operator.waypoint.model.ObjectReference;
import io.fabric8.kubernetes.api.model.HasMetadata;
import java.util.Collection;
import java.util.List;
import java.util.TreeSet;
import java.util.stream.Collectors;

/**
 * What waypoints made of a VirtualService or a DestinationRule.
 *
 * @param generation of the object that it is said of
 */
public record TrafficStatus(ObjectReference object, long generation, ObjectCondition condition) {
  /** The condition's type: whether waypoints enforce all of it. */
  public static final String TYPE = "WaypointAccepted";

  private static final int MOST_LISTED = 20;

  /** Nothing of it is enforced. */
  static TrafficStatus rejected(HasMetadata object, String reason, String message) {
    return of(object, false, reason, message);
  }

  /** It is enforced for these services, but for what was found. */
  static TrafficStatus enforced(
      HasMetadata object, Collection<String> hostnames, List<Finding> findings) {
    String where = "waypoints enforce this for " + listed(new TreeSet<>(hostnames));
    return findings.isEmpty()
        ? of(object, true, "Accepted", where)
        : of(
            object,
            false,
            "UnsupportedValue",
            where
                + ", but not as written: "
                + listed(
                    findings.stream()
                        .map(finding -> finding.path() + ": " + finding.effect())
                        .toList()));
  }

  private static TrafficStatus of(
      HasMetadata object, boolean holds, String reason, String message) {
    Long generation = object.getMetadata().getGeneration();
    return new TrafficStatus(
        ObjectReference.of(object),
        generation == null ? 0 : generation,
        new ObjectCondition(TYPE, holds, reason, message));
  }

  private static String listed(Collection<String> items) {
    String all = items.stream().limit(MOST_LISTED).collect(Collectors.joining("; "));
    return items.size() > MOST_LISTED
        ? all + "; and " + (items.size() - MOST_LISTED) + " more"
        : all;
  }
}
