package dev.ambit.operator.model;

import io.fabric8.istio.api.networking.v1.ServiceEntry;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.function.Function;

/** What is to be said on a ServiceEntry's status. */
final class ServiceEntryConditions {
  /** Whom nobody leads there. */
  private static final String PAST_WAYPOINT =
      "; clients outside the mesh or with sidecars go past it";

  private ServiceEntryConditions() {}

  /**
   * Says it.
   *
   * @param otherOwner who answers for a host instead of this entry, if somebody does
   */
  static List<ObjectCondition> of(
      ServiceEntry entry,
      WaypointBinding waypoint,
      Function<String, Optional<HostClaims.Claim>> otherOwner) {
    List<ObjectCondition> conditions = new ArrayList<>();
    waypoint.status().map(ServiceEntryConditions::bound).ifPresent(conditions::add);
    visibility(entry).ifPresent(conditions::add);
    accepted(entry, waypoint, otherOwner).ifPresent(conditions::add);
    return List.copyOf(conditions);
  }

  private static ObjectCondition bound(ObjectCondition condition) {
    return condition.holds()
        ? new ObjectCondition(
            condition.type(), true, condition.reason(), condition.message() + PAST_WAYPOINT)
        : condition;
  }

  private static Optional<ObjectCondition> visibility(ServiceEntry entry) {
    List<String> exportTo = entry.getSpec().getExportTo();
    if (exportTo == null || exportTo.isEmpty()) {
      return Optional.empty();
    }
    if (!ServiceEntries.shared(entry)) {
      return Optional.of(
          visibility(true, "Namespace", "only workloads of its own namespace see it"));
    }
    return Optional.of(
        Set.of("*").containsAll(exportTo)
            ? visibility(true, "Public", "workloads of all namespaces see it")
            : visibility(
                false,
                "UnsupportedValue",
                "spec.exportTo names namespaces; ztunnels tell only \".\" from \"*\", so workloads"
                    + " of all namespaces see it"));
  }

  private static ObjectCondition visibility(boolean holds, String reason, String message) {
    return new ObjectCondition(ObjectCondition.VISIBILITY_APPLIED, holds, reason, message);
  }

  private static Optional<ObjectCondition> accepted(
      ServiceEntry entry,
      WaypointBinding waypoint,
      Function<String, Optional<HostClaims.Claim>> otherOwner) {
    List<String> problems = new ArrayList<>();
    List<String> conflicts = new ArrayList<>();
    if (entry.getSpec().getAddresses() != null) {
      for (String address : entry.getSpec().getAddresses()) {
        if (IpAddresses.parseBlock(address).isEmpty()) {
          problems.add(
              "spec.addresses: \"" + address + "\" is neither an address nor a CIDR block");
        }
      }
    }
    for (String host : ServiceEntries.hosts(entry)) {
      if (host.startsWith("*") && ServiceEntries.hostsAreEndpoints(entry)) {
        problems.add(
            "host "
                + host
                + " cannot be resolved, so "
                + (waypoint.address().isEmpty()
                    ? "connections to it are refused"
                    : "its waypoint reaches nothing under that name and answers with 503, but for"
                        + " what routes send elsewhere")
                + "; declare each name that is used as a host of its own");
      }
      otherOwner
          .apply(host)
          .ifPresent(
              owner ->
                  conflicts.add(
                      "host "
                          + host
                          + " is answered for by "
                          + (owner.entry() ? "the older ServiceEntry " : "Service ")
                          + owner.name()));
    }
    if (problems.isEmpty() && conflicts.isEmpty()) {
      return Optional.empty();
    }
    String reason = conflicts.isEmpty() ? "UnsupportedValue" : "HostConflict";
    conflicts.addAll(problems);
    return Optional.of(
        new ObjectCondition(ObjectCondition.ACCEPTED, false, reason, String.join("; ", conflicts)));
  }
}
