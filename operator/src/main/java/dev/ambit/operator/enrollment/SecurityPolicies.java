package dev.ambit.operator.enrollment;

import dev.ambit.operator.enrollment.model.JudgedPolicy;
import java.util.List;
import java.util.Optional;

/** The policies that bear on namespaces, with what waypoints make of them. */
@FunctionalInterface
public interface SecurityPolicies {
  /** Those of a namespace and of the root namespace; nothing while that is not known. */
  Optional<List<JudgedPolicy>> of(String namespace);
}
