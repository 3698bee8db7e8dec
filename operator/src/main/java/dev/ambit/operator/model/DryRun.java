package dev.ambit.operator.model;

import io.fabric8.kubernetes.api.model.HasMetadata;
import java.util.Map;
import java.util.Set;

/** Whether a policy is only to be tried: the annotation {@code istio.io/dry-run}. */
public final class DryRun {
  private static final String ANNOTATION = "istio.io/dry-run";

  /** What Istio takes for true; a policy with anything else is enforced. */
  private static final Set<String> TRUE = Set.of("1", "t", "T", "TRUE", "true", "True");

  private DryRun() {}

  /** Whether it is. */
  public static boolean is(HasMetadata policy) {
    Map<String, String> annotations = policy.getMetadata().getAnnotations();
    return annotations != null && TRUE.contains(annotations.getOrDefault(ANNOTATION, ""));
  }
}
