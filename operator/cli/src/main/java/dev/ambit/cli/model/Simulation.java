package dev.ambit.cli.model;

import com.fasterxml.jackson.annotation.JsonInclude;
import dev.ambit.operator.model.PolicyReport;
import dev.ambit.operator.model.PolicyTranslation;
import dev.ambit.operator.model.PolicyTranslator;
import dev.ambit.operator.model.TrustDomains;
import dev.ambit.protocol.security.Authorization;
import io.fabric8.istio.api.security.v1.AuthorizationPolicy;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/**
 * What policies would have made of connections that were seen.
 *
 * @param seen connections that the logs tell of, in all namespaces
 * @param judged of these, connections to pods that the policies are for
 * @param unknown of these, connections to pods that are no more, so that nobody knows their labels
 * @param changes what would have been otherwise, the most frequent first
 * @param notes what of the policies ztunnels do not enforce as written
 * @param requests what policies at waypoints would have made of requests; null without such
 *     policies
 */
@JsonInclude(JsonInclude.Include.NON_NULL)
public record Simulation(
    int seen,
    int judged,
    int unknown,
    int wouldDeny,
    int wouldAllow,
    List<Change> changes,
    List<String> notes,
    @Nullable RequestSimulation requests) {

  /** The same, with what became of requests. */
  public Simulation with(@Nullable RequestSimulation requests) {
    return new Simulation(seen, judged, unknown, wouldDeny, wouldAllow, changes, notes, requests);
  }

  /** Whether something that was let in would have been refused. */
  public boolean refusesMore() {
    return wouldDeny > 0 || (requests != null && requests.wouldDeny() > 0);
  }

  /**
   * Connections of one source to one port of a workload.
   *
   * @param was Allowed or Denied, by the log
   * @param by the policy that would decide, or that none allows it
   */
  public record Change(
      String source,
      String identity,
      String destination,
      int port,
      String was,
      String would,
      String by,
      int connections) {}

  /**
   * What there is besides.
   *
   * @param existing all AuthorizationPolicies of the cluster
   * @param labels of pods, by namespace and name
   */
  public record Surroundings(
      List<AuthorizationPolicy> existing,
      Map<String, Map<String, String>> labels,
      String rootNamespace,
      TrustDomains trustDomains) {}

  /** A policy and what ztunnels would be told of it. */
  private record Translated(AuthorizationPolicy policy, Authorization authorization) {}

  /** Simulates. The policies take the place of those of the same name. */
  public static Simulation of(
      List<AuthorizationPolicy> policies, List<AccessLine> lines, Surroundings surroundings) {
    List<String> notes = new ArrayList<>();
    List<Translated> candidates = new ArrayList<>();
    for (AuthorizationPolicy policy : policies) {
      PolicyTranslation translation = translate(policy, surroundings);
      if (translation.report().verdict() != PolicyReport.Verdict.ACCEPTED) {
        notes.add(name(policy) + ": " + translation.report().message());
      }
      translation
          .authorization()
          .ifPresent(
              authorization ->
                  candidates.add(
                      new Translated(
                          policy,
                          // A dry run is what this is.
                          authorization.toBuilder().setDryRun(false).build())));
    }
    List<String> replaced = policies.stream().map(Simulation::name).toList();
    List<Translated> others =
        surroundings.existing().stream()
            .filter(policy -> !replaced.contains(name(policy)))
            .flatMap(
                policy ->
                    translate(policy, surroundings).authorization().stream()
                        .map(authorization -> new Translated(policy, authorization)))
            .toList();
    return judge(candidates, others, lines, surroundings, notes);
  }

  private static PolicyTranslation translate(
      AuthorizationPolicy policy, Surroundings surroundings) {
    return PolicyTranslator.translate(
        policy, surroundings.rootNamespace(), surroundings.trustDomains());
  }

  private static Simulation judge(
      List<Translated> candidates,
      List<Translated> others,
      List<AccessLine> lines,
      Surroundings surroundings,
      List<String> notes) {
    int judged = 0;
    int unknown = 0;
    int wouldDeny = 0;
    int wouldAllow = 0;
    Map<String, Change> changes = new TreeMap<>();
    for (AccessLine line : lines) {
      Map<String, String> labels =
          surroundings.labels().get(line.namespace() + "/" + line.workload());
      if (labels == null) {
        unknown++;
        continue;
      }
      if (candidates.stream().noneMatch(each -> isFor(each, line, labels, surroundings))) {
        continue;
      }
      judged++;
      List<Authorization> holding =
          Stream.concat(candidates.stream(), others.stream())
              .filter(each -> isFor(each, line, labels, surroundings))
              .map(Translated::authorization)
              .toList();
      String identity =
          line.identity().startsWith("spiffe://")
              ? line.identity().substring("spiffe://".length())
              : line.identity();
      L4Evaluation.Verdict verdict =
          L4Evaluation.judge(
              holding,
              new L4Evaluation.Connection(
                  identity.isEmpty() ? null : identity,
                  line.sourceAddress(),
                  line.destinationAddress(),
                  line.port()));
      boolean denies = verdict instanceof L4Evaluation.Verdict.Denied;
      if (denies == line.denied()) {
        continue;
      }
      wouldDeny += denies ? 1 : 0;
      wouldAllow += denies ? 0 : 1;
      Change change = change(line, verdict);
      changes.merge(
          change.toString(),
          change,
          (one, another) ->
              new Change(
                  one.source(),
                  one.identity(),
                  one.destination(),
                  one.port(),
                  one.was(),
                  one.would(),
                  one.by(),
                  one.connections() + 1));
    }
    return new Simulation(
        lines.size(),
        judged,
        unknown,
        wouldDeny,
        wouldAllow,
        changes.values().stream()
            .sorted(
                Comparator.comparingInt(Change::connections)
                    .reversed()
                    .thenComparing(Change::source)
                    .thenComparing(Change::destination))
            .collect(Collectors.toList()),
        List.copyOf(notes),
        null);
  }

  private static Change change(AccessLine line, L4Evaluation.Verdict verdict) {
    String by =
        switch (verdict) {
          case L4Evaluation.Verdict.Allowed(String policy) ->
              policy == null ? "no policy denies it" : policy;
          case L4Evaluation.Verdict.Denied(String policy) ->
              policy == null ? "no policy allows it" : policy;
        };
    return new Change(
        line.sourceName(),
        line.identity(),
        line.namespace() + "/" + line.workload(),
        line.port(),
        line.denied() ? "Denied" : "Allowed",
        line.denied() ? "Allowed" : "Denied",
        by,
        1);
  }

  private static boolean isFor(
      Translated policy, AccessLine line, Map<String, String> labels, Surroundings surroundings) {
    String namespace = policy.policy().getMetadata().getNamespace();
    boolean here =
        namespace.equals(line.namespace()) || namespace.equals(surroundings.rootNamespace());
    return here
        && labels.entrySet().containsAll(PolicyTranslator.selector(policy.policy()).entrySet());
  }

  static String name(AuthorizationPolicy policy) {
    return policy.getMetadata().getNamespace() + "/" + policy.getMetadata().getName();
  }
}
