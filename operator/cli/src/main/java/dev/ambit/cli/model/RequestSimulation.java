package dev.ambit.cli.model;

import dev.ambit.operator.model.DryRun;
import dev.ambit.operator.model.TrustDomains;
import dev.ambit.operator.waypoint.security.model.PolicyTrial;
import dev.ambit.operator.waypoint.security.model.PolicyTrial.Outcome;
import io.fabric8.istio.api.api.type.v1beta1.PolicyTargetReference;
import io.fabric8.istio.api.security.v1.AuthorizationPolicy;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.stream.Stream;

/**
 * What policies at waypoints would have made of requests that were seen.
 *
 * @param seen requests that the waypoints' logs tell of with who sent them
 * @param judged of these, requests that the policies are for
 * @param undecided of these, requests of which the log does not have what a rule turns on
 * @param changes what would have been otherwise, the most frequent first
 * @param notes what of the policies waypoints do not do as it is written
 */
public record RequestSimulation(
    int seen,
    int judged,
    int undecided,
    int wouldDeny,
    int wouldAllow,
    List<Change> changes,
    List<String> notes) {

  /**
   * Requests of one source for one path of a service.
   *
   * @param was Allowed or Denied, by the log
   * @param by the rule that would decide
   */
  public record Change(
      String source,
      String identity,
      String service,
      int port,
      String method,
      String path,
      String was,
      String would,
      String by,
      int requests) {}

  /**
   * Requests that one waypoint logged.
   *
   * @param gateway its name
   * @param gatewayClass its class
   */
  public record WaypointLog(
      String namespace, String gateway, String gatewayClass, List<RequestLine> lines) {}

  /** Simulates. The policies take the place of those of the same name. */
  public static RequestSimulation of(
      List<AuthorizationPolicy> policies,
      List<WaypointLog> logs,
      List<AuthorizationPolicy> existing,
      TrustDomains trustDomains) {
    List<String> replaced = policies.stream().map(Simulation::name).toList();
    List<AuthorizationPolicy> others =
        existing.stream()
            .filter(policy -> !replaced.contains(Simulation.name(policy)))
            .filter(policy -> !DryRun.is(policy))
            .toList();
    Counter counter = new Counter();
    Map<List<AuthorizationPolicy>, PolicyTrial> trials = new HashMap<>();
    for (WaypointLog log : logs) {
      for (RequestLine line : log.lines()) {
        counter.seen++;
        List<AuthorizationPolicy> candidates =
            policies.stream().filter(policy -> isFor(policy, log, line)).toList();
        if (candidates.isEmpty()) {
          continue;
        }
        List<AuthorizationPolicy> holding =
            Stream.concat(
                    candidates.stream(), others.stream().filter(policy -> isFor(policy, log, line)))
                .toList();
        PolicyTrial trial =
            trials.computeIfAbsent(holding, all -> new PolicyTrial(all, trustDomains));
        counter.notes.addAll(trial.notes());
        counter.count(line, trial.judge(line.request()));
      }
    }
    return counter.result();
  }

  private static final class Counter {
    private final Map<String, Change> changes = new TreeMap<>();
    private final Set<String> notes = new LinkedHashSet<>();
    private int seen;
    private int judged;
    private int undecided;
    private int wouldDeny;
    private int wouldAllow;

    void count(RequestLine line, Outcome outcome) {
      judged++;
      switch (outcome) {
        case Outcome.Unknown _ -> undecided++;
        case Outcome.Allowed(String rule) -> {
          if (line.denied()) {
            wouldAllow++;
            change(line, "Allowed", rule.isEmpty() ? "no policy denies it" : rule);
          }
        }
        case Outcome.Denied(String rule) -> {
          if (!line.denied()) {
            wouldDeny++;
            change(line, "Denied", rule.isEmpty() ? "no policy allows it" : rule);
          }
        }
      }
    }

    private void change(RequestLine line, String would, String by) {
      String path = line.request().path();
      int query = path.indexOf('?');
      String principal = line.request().principal();
      Change change =
          new Change(
              line.source(),
              principal == null ? "" : principal,
              line.hostname(),
              line.request().port(),
              line.request().method(),
              query < 0 ? path : path.substring(0, query),
              line.denied() ? "Denied" : "Allowed",
              would,
              by,
              1);
      changes.merge(
          change.toString(),
          change,
          (one, another) ->
              new Change(
                  one.source(),
                  one.identity(),
                  one.service(),
                  one.port(),
                  one.method(),
                  one.path(),
                  one.was(),
                  one.would(),
                  one.by(),
                  one.requests() + another.requests()));
    }

    RequestSimulation result() {
      List<Change> sorted = new ArrayList<>(changes.values());
      sorted.sort(
          Comparator.comparingInt(Change::requests)
              .reversed()
              .thenComparing(Change::source)
              .thenComparing(Change::path));
      return new RequestSimulation(
          seen, judged, undecided, wouldDeny, wouldAllow, sorted, List.copyOf(notes));
    }
  }

  private static boolean isFor(AuthorizationPolicy policy, WaypointLog log, RequestLine line) {
    String namespace = policy.getMetadata().getNamespace();
    return targets(policy)
        .anyMatch(
            target ->
                switch (String.valueOf(target.getKind())) {
                  case "Service" ->
                      line.namespace().equals(namespace)
                          && line.hostname()
                              .startsWith(target.getName() + "." + namespace + ".svc.");
                  case "Gateway" ->
                      log.namespace().equals(namespace) && log.gateway().equals(target.getName());
                  case "GatewayClass" -> log.gatewayClass().equals(target.getName());
                  default -> false;
                });
  }

  /** What a policy is attached to. */
  public static Stream<PolicyTargetReference> targets(AuthorizationPolicy policy) {
    var spec = policy.getSpec();
    if (spec == null) {
      return Stream.empty();
    }
    return Stream.concat(
        Stream.ofNullable(spec.getTargetRef()),
        spec.getTargetRefs() == null ? Stream.empty() : spec.getTargetRefs().stream());
  }
}
