package dev.ambit.operator.enrollment;

import java.util.Collection;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/**
 * Whose ztunnel does not answer. That of a node which is gone says nothing for as long as its pod
 * is listed, and that matters to namespaces with pods there alone.
 *
 * @param nodes that are to be waited for, or why none answers
 * @param absent those whose ztunnel is not ready either
 */
record Unheard(List<String> nodes, Set<String> absent) {
  static final Unheard NONE = new Unheard(List.of(), Set.of());

  Unheard {
    nodes = List.copyOf(nodes);
    absent = Set.copyOf(absent);
  }

  static Unheard of(Collection<ZtunnelPods.Ztunnel> ztunnels) {
    return new Unheard(
        ztunnels.stream()
            .filter(ZtunnelPods.Ztunnel::ready)
            .map(ZtunnelPods.Ztunnel::node)
            .distinct()
            .sorted()
            .toList(),
        Set.copyOf(
            ztunnels.stream()
                .filter(ztunnel -> !ztunnel.ready())
                .map(ZtunnelPods.Ztunnel::node)
                .toList()));
  }

  static Unheard because(String reason) {
    return new Unheard(List.of(reason), Set.of());
  }

  /** Those that matter to a namespace with pods on such nodes. */
  List<String> by(Set<String> nodesOfPods) {
    return Stream.concat(nodes.stream(), absent.stream().filter(nodesOfPods::contains))
        .collect(Collectors.toCollection(TreeSet::new))
        .stream()
        .toList();
  }
}
