package dev.ambit.operator.enrollment;

import dev.ambit.operator.enrollment.model.Traffic;

/** How namespaces' connections fare, as the nodes' ztunnels count them. */
public interface TrafficCounts {
  /** What was counted since this was last asked; the first time, from now on. */
  Traffic since(String namespace);

  /** No more is asked of a namespace. */
  void forget(String namespace);
}
