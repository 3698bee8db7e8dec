package dev.ambit.operator.preflight.model;

import dev.ambit.api.EnrollmentPlan;
import dev.ambit.api.PolicyPlan;
import dev.ambit.api.RolloutSpec;
import dev.ambit.api.Stage;
import dev.ambit.capture.Redirection;
import io.fabric8.kubernetes.api.model.Pod;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.stream.Stream;

/** What an enrollment would change. */
public final class Plans {
  private static final int MOST_POLICIES = 50;
  private static final int MOST_PODS = 50;

  private Plans() {}

  /** The plan for a namespace that is to come to a stage. */
  public static EnrollmentPlan of(PreflightFacts facts, Stage stage, RolloutSpec rollout) {
    List<Pod> all = Stream.concat(facts.capturable().stream(), facts.otherPods().stream()).toList();
    boolean inside = all.stream().anyMatch(Plans::isInMesh);
    int capturable = facts.capturable().size();
    int staying = (int) facts.capturable().stream().filter(Plans::isInMesh).count();
    boolean enters =
        switch (stage) {
          case NONE -> false;
          case L4, L7 -> true;
        };
    List<Pod> join =
        enters ? facts.capturable().stream().filter(pod -> !isInMesh(pod)).toList() : List.of();
    List<Pod> leave = (enters ? facts.otherPods() : all).stream().filter(Plans::isInMesh).toList();
    List<Integer> steps =
        enters
            ? rollout.steps().stream()
                .map(step -> Math.max(staying, Math.ceilDiv(capturable * step.percent(), 100)))
                .toList()
            : List.of();
    List<PolicyPlan> policies = PolicyChanges.plans(facts, inside, enters);
    return new EnrollmentPlan(
        stage,
        join.size(),
        leave.size(),
        all.size() - join.size() - leave.size(),
        names(join),
        names(leave),
        steps,
        policies.stream().limit(MOST_POLICIES).toList(),
        Math.max(0, policies.size() - MOST_POLICIES),
        null,
        null);
  }

  private static List<String> names(List<Pod> pods) {
    return pods.stream().map(pod -> pod.getMetadata().getName()).sorted().limit(MOST_PODS).toList();
  }

  static boolean isInMesh(Pod pod) {
    return Redirection.of(Objects.requireNonNullElse(pod.getMetadata().getAnnotations(), Map.of()))
        == Redirection.ENABLED;
  }
}
