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

  private Plans() {}

  /** The plan for a namespace that is to come to a stage. */
  public static EnrollmentPlan of(PreflightFacts facts, Stage stage, RolloutSpec rollout) {
    List<Pod> all = Stream.concat(facts.capturable().stream(), facts.otherPods().stream()).toList();
    int inside = (int) all.stream().filter(Plans::isInMesh).count();
    int capturable = facts.capturable().size();
    int staying = (int) facts.capturable().stream().filter(Plans::isInMesh).count();
    boolean enters =
        switch (stage) {
          case NONE -> false;
          case L4, L7 -> true;
        };
    int join = enters ? capturable - staying : 0;
    int leave = enters ? inside - staying : inside;
    List<Integer> steps =
        enters
            ? rollout.steps().stream()
                .map(step -> Math.max(staying, Math.ceilDiv(capturable * step.percent(), 100)))
                .toList()
            : List.of();
    List<PolicyPlan> policies = PolicyChanges.plans(facts, inside > 0, enters);
    return new EnrollmentPlan(
        stage,
        join,
        leave,
        all.size() - join - leave,
        steps,
        policies.stream().limit(MOST_POLICIES).toList(),
        Math.max(0, policies.size() - MOST_POLICIES),
        null,
        null);
  }

  static boolean isInMesh(Pod pod) {
    return Redirection.of(Objects.requireNonNullElse(pod.getMetadata().getAnnotations(), Map.of()))
        == Redirection.ENABLED;
  }
}
