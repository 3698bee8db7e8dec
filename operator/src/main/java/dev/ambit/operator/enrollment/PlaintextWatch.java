package dev.ambit.operator.enrollment;

import dev.ambit.operator.enrollment.model.PlaintextSightings;
import java.util.Set;

/** What the nodes' ztunnels have seen of plaintext to namespaces' pods. */
public interface PlaintextWatch {
  /** What they told last; they are asked on, from the first call. */
  PlaintextSightings of(String namespace, Set<String> nodes);

  /** No more is asked of a namespace. */
  void forget(String namespace);
}
