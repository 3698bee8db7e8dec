package dev.ambit.operator.enrollment;

import dev.ambit.operator.enrollment.model.Traffic;
import java.util.Set;

/** How namespaces' connections fare, as the nodes' ztunnels count them. */
public interface TrafficCounts {
  /**
   * What was counted and is not {@linkplain #kept kept} yet; the first time, from now on.
   *
   * @param nodes those with pods of the namespace
   */
  Traffic since(String namespace, Set<String> nodes);

  /** What was told is written down, and need not be told again. */
  void kept(String namespace, Traffic told);

  /** No more is asked of a namespace. */
  void forget(String namespace);
}
