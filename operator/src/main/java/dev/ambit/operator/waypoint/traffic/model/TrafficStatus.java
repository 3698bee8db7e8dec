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
 * What waypoints made of a VirtualService or a DestinationRule, with the generation that it is said
 * of.
 */
public record TrafficStatus(ObjectReference object, ObjectCondition condition) {
  private static final int MOST_LISTED = 20;

  /** Nothing of it is enforced. */
  static TrafficStatus rejected(HasMetadata object, String reason, String message) {
    return of(object, false, reason, message);
  }

  /** Nothing of it is enforced, and there is more to say than why. */
  static TrafficStatus rejected(
      HasMetadata object, String reason, String message, List<Finding> findings) {
    return findings.isEmpty()
        ? rejected(object, reason, message)
        : rejected(object, reason, message + "; " + told(findings));
  }

  /** It is enforced for these services, but for what was found. */
  static TrafficStatus enforced(
      HasMetadata object, Collection<String> hostnames, List<Finding> findings) {
    String where = "waypoints enforce this for " + listed(new TreeSet<>(hostnames));
    return findings.isEmpty()
        ? of(object, true, "Accepted", where)
        : of(object, false, "UnsupportedValue", where + ", but not as written: " + told(findings));
  }

  private static String told(List<Finding> findings) {
    return listed(
        findings.stream().map(finding -> finding.path() + ": " + finding.effect()).toList());
  }

  private static TrafficStatus of(
      HasMetadata object, boolean holds, String reason, String message) {
    Long generation = object.getMetadata().getGeneration();
    return new TrafficStatus(
        ObjectReference.of(object),
        new ObjectCondition(ObjectCondition.WAYPOINT_ACCEPTED, holds, reason, message)
            .of(generation == null ? 0 : generation));
  }

  private static String listed(Collection<String> items) {
    String all = items.stream().limit(MOST_LISTED).collect(Collectors.joining("; "));
    return items.size() > MOST_LISTED
        ? all + "; and " + (items.size() - MOST_LISTED) + " more"
        : all;
  }
}
