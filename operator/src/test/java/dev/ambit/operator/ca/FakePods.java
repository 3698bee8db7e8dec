package dev.ambit.operator.ca;

import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/** Pods of which the cache may know fewer than there are. */
final class FakePods implements PodDirectory {
  final List<PodFacts> cached = new ArrayList<>();
  final List<PodFacts> current = new ArrayList<>();
  boolean away;
  int lookups;

  void add(PodFacts pod) {
    cached.add(pod);
    current.add(pod);
  }

  @Override
  public Optional<PodFacts> cachedPod(String namespace, String name) {
    return find(cached, namespace, name);
  }

  @Override
  public boolean cachedOnNode(String node, String namespace, String serviceAccount) {
    return onNode(cached, node, namespace, serviceAccount);
  }

  @Override
  public Optional<PodFacts> currentPod(String namespace, String name) throws IOException {
    lookup();
    return find(current, namespace, name);
  }

  @Override
  public boolean currentlyOnNode(String node, String namespace, String serviceAccount)
      throws IOException {
    lookup();
    return onNode(current, node, namespace, serviceAccount);
  }

  private void lookup() throws IOException {
    lookups++;
    if (away) {
      throw new IOException("away");
    }
  }

  private static Optional<PodFacts> find(List<PodFacts> pods, String namespace, String name) {
    return pods.stream()
        .filter(pod -> pod.namespace().equals(namespace) && pod.name().equals(name))
        .findFirst();
  }

  private static boolean onNode(
      List<PodFacts> pods, String node, String namespace, String account) {
    return pods.stream()
        .anyMatch(
            pod ->
                !pod.done()
                    && pod.node().equals(node)
                    && pod.namespace().equals(namespace)
                    && pod.serviceAccount().equals(account));
  }
}
