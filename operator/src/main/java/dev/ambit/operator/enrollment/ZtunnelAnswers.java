package dev.ambit.operator.enrollment;

import java.util.List;
import java.util.Map;
import java.util.Set;

/** How nodes' ztunnels are asked. */
public interface ZtunnelAnswers {
  /**
   * What the ztunnels of those nodes answer to GET, by node: two where one replaces the other.
   * Where none of a node answers, the node is missing.
   */
  Map<String, List<String>> ask(Set<String> nodes, String path);
}
