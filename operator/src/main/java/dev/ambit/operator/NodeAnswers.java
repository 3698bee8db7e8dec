package dev.ambit.operator;

import java.util.List;
import java.util.Map;
import java.util.Set;

/** How what runs on nodes is asked: their ztunnels, or their agents. */
@FunctionalInterface
public interface NodeAnswers {
  /**
   * What those of {@code nodes} answer to GET, by node: two where one replaces the other. Where
   * none of a node answers, the node is missing.
   */
  Map<String, List<String>> ask(Set<String> nodes, String path);
}
