package dev.ambit.operator.waypoint.route.model;

import dev.ambit.operator.model.ObjectCondition;
import dev.ambit.operator.waypoint.route.model.Problems.Problem;
import dev.ambit.operator.waypoint.route.model.RouteAttachment.Attached;
import io.fabric8.kubernetes.api.model.gatewayapi.v1.ParentReference;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Collectors;

/** Says what became of a route at a parent. */
final class RouteReport {
  private static final int MOST_LISTED = 10;

  private RouteReport() {}

  static RouteStatus of(
      SourceRoute route,
      ParentReference parent,
      RouteAttachment attachment,
      List<Attached> kept,
      Problems problems,
      boolean answers) {
    List<ObjectCondition> conditions = new ArrayList<>();
    ObjectCondition accepted = accepted(route, attachment, kept, problems);
    conditions.add(accepted);
    conditions.add(resolved(problems));
    if (accepted.holds() && !problems.invalidRules().isEmpty()) {
      conditions.add(
          new ObjectCondition(
              GatewayApi.PARTIALLY_INVALID,
              true,
              problems.invalid().getFirst().reason(),
              "Dropped Rule "
                  + String.join(", ", problems.invalidRules())
                  + ", so requests that fit it get an error: "
                  + listed(problems.invalid())));
    }
    conditions.add(waypoints(attachment));
    conditions.add(enforced(route, attachment, accepted.holds(), kept, problems, answers));
    return new RouteStatus(route.reference(), route.generation(), parent, conditions);
  }

  private static ObjectCondition accepted(
      SourceRoute route, RouteAttachment attachment, List<Attached> kept, Problems problems) {
    if (attachment.refusal().isPresent()) {
      Problem refusal = attachment.refusal().get();
      return new ObjectCondition(GatewayApi.ACCEPTED, false, refusal.reason(), refusal.message());
    }
    if (kept.isEmpty() && !attachment.places().isEmpty()) {
      return new ObjectCondition(
          GatewayApi.ACCEPTED,
          false,
          GatewayApi.CONFLICTED,
          "other routes have all ports of %s that this one could have: a GRPCRoute goes before an"
                  .formatted(attachment.parent())
              + " HTTPRoute, this before a TLSRoute, this before a TCPRoute, and the oldest"
              + " TCPRoute before others");
    }
    if (!problems.anyValid() && !problems.invalid().isEmpty()) {
      return new ObjectCondition(
          GatewayApi.ACCEPTED,
          false,
          problems.invalid().getFirst().reason(),
          listed(problems.invalid()));
    }
    String ports =
        kept.stream()
            .map(each -> each.port().number())
            .distinct()
            .sorted()
            .map(String::valueOf)
            .collect(Collectors.joining(", "));
    String lost = "";
    if (kept.size() < attachment.places().size()) {
      lost =
          "; other routes have port "
              + attachment.places().stream()
                  .filter(place -> !kept.contains(place))
                  .map(each -> each.port().number())
                  .distinct()
                  .sorted()
                  .map(String::valueOf)
                  .collect(Collectors.joining(", "));
    }
    String hostnames =
        attachment.service().isPresent()
                && !route.hostnames().isEmpty()
                && route.kind().ofRequests()
            ? "; spec.hostnames says nothing of requests to a service"
            : "";
    return new ObjectCondition(
        GatewayApi.ACCEPTED,
        true,
        GatewayApi.ACCEPTED,
        (ports.isEmpty()
                ? "attached to %s, through which no service goes yet".formatted(attachment.parent())
                : "attached to %s at port %s".formatted(attachment.parent(), ports))
            + lost
            + hostnames);
  }

  private static ObjectCondition resolved(Problems problems) {
    return problems.unresolved().isEmpty()
        ? new ObjectCondition(
            GatewayApi.RESOLVED_REFS,
            true,
            GatewayApi.RESOLVED_REFS,
            "all that the route refers to is there")
        : new ObjectCondition(
            GatewayApi.RESOLVED_REFS,
            false,
            problems.unresolved().getFirst().reason(),
            listed(problems.unresolved()));
  }

  private static ObjectCondition waypoints(RouteAttachment attachment) {
    if (attachment.binding().isEmpty()) {
      return new ObjectCondition(
          RouteStatus.RESOLVED_WAYPOINTS,
          false,
          GatewayApi.NO_MATCHING_PARENT,
          "the parent is not there");
    }
    return switch (attachment.binding().get()) {
      case ServiceBinding.Bound(String waypoint) ->
          new ObjectCondition(
              RouteStatus.RESOLVED_WAYPOINTS,
              true,
              RouteStatus.RESOLVED_WAYPOINTS,
              "waypoint " + waypoint);
      case ServiceBinding.Unbound(String message) ->
          new ObjectCondition(
              RouteStatus.RESOLVED_WAYPOINTS, false, RouteStatus.NO_WAYPOINT, message);
      case ServiceBinding.Foreign() ->
          new ObjectCondition(
              RouteStatus.RESOLVED_WAYPOINTS,
              false,
              RouteStatus.NO_WAYPOINT,
              "the waypoint is another controller's");
    };
  }

  private static ObjectCondition enforced(
      SourceRoute route,
      RouteAttachment attachment,
      boolean accepted,
      List<Attached> kept,
      Problems problems,
      boolean answers) {
    if (attachment.binding().orElse(null) instanceof ServiceBinding.Unbound(String message)) {
      return new ObjectCondition(
          RouteStatus.ENFORCED,
          false,
          RouteStatus.NO_WAYPOINT,
          "nobody enforces the route: " + message);
    }
    if (!accepted) {
      boolean fails = answers && !kept.isEmpty() && attachment.isServed();
      return new ObjectCondition(
          RouteStatus.ENFORCED,
          false,
          "NotAccepted",
          fails
              ? "none of its rules is as it should be, so requests that fit them get an error"
              : "the route changes nothing, as it is not accepted");
    }
    List<String> unenforced = problems.unenforced();
    if (!unenforced.isEmpty()) {
      return new ObjectCondition(
          RouteStatus.ENFORCED,
          false,
          "PartlyEnforced",
          "all but this of the route is enforced: "
              + unenforced.stream().limit(MOST_LISTED).collect(Collectors.joining("; "))
              + more(unenforced.size()));
    }
    return new ObjectCondition(
        RouteStatus.ENFORCED,
        true,
        RouteStatus.ENFORCED_REASON,
        "the waypoint enforces the route for "
            + (attachment.service().isPresent()
                    && !attachment.service().get().namespace().equals(route.namespace())
                ? "clients of namespace " + route.namespace()
                : "all clients"));
  }

  private static String listed(List<Problem> problems) {
    return problems.stream()
            .map(Problem::message)
            .limit(MOST_LISTED)
            .collect(Collectors.joining("; "))
        + more(problems.size());
  }

  private static String more(int size) {
    return size > MOST_LISTED ? "; and " + (size - MOST_LISTED) + " more" : "";
  }
}
