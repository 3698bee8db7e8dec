package dev.ambit.operator.controlplane;

import dev.ambit.operator.ca.PodDirectory;
import io.fabric8.kubernetes.api.model.Pod;
import io.fabric8.kubernetes.client.KubernetesClient;
import io.fabric8.kubernetes.client.KubernetesClientException;
import io.fabric8.kubernetes.client.informers.SharedIndexInformer;
import java.io.IOException;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/** Answers about pods from the informer, and, where asked to, from the API server itself. */
final class InformerPods implements PodDirectory {
  private static final String BY_NODE_AND_ACCOUNT = "node-and-account";

  private final KubernetesClient client;
  private final SharedIndexInformer<Pod> informer;

  /** Adds its index to the informer, which must not run yet. */
  InformerPods(KubernetesClient client, SharedIndexInformer<Pod> informer) {
    this.client = client;
    this.informer = informer;
    informer.addIndexers(Map.of(BY_NODE_AND_ACCOUNT, InformerPods::nodeAndAccount));
  }

  private static List<String> nodeAndAccount(Pod pod) {
    PodFacts facts = facts(pod);
    return facts.node().isEmpty()
        ? List.of()
        : List.of(key(facts.node(), facts.namespace(), facts.serviceAccount()));
  }

  private static String key(String node, String namespace, String account) {
    return node + "/" + namespace + "/" + account;
  }

  @Override
  public Optional<PodFacts> cachedPod(String namespace, String name) {
    return Optional.ofNullable(informer.getStore().getByKey(namespace + "/" + name))
        .map(InformerPods::facts);
  }

  @Override
  public boolean cachedOnNode(String node, String namespace, String serviceAccount) {
    return informer
        .getIndexer()
        .byIndex(BY_NODE_AND_ACCOUNT, key(node, namespace, serviceAccount))
        .stream()
        .anyMatch(pod -> !facts(pod).done());
  }

  @Override
  public Optional<PodFacts> currentPod(String namespace, String name) throws IOException {
    try {
      return Optional.ofNullable(client.pods().inNamespace(namespace).withName(name).get())
          .map(InformerPods::facts);
    } catch (KubernetesClientException e) {
      throw new IOException("cannot get pod " + namespace + "/" + name, e);
    }
  }

  @Override
  public boolean currentlyOnNode(String node, String namespace, String serviceAccount)
      throws IOException {
    try {
      return client
          .pods()
          .inNamespace(namespace)
          .withField("spec.nodeName", node)
          .list()
          .getItems()
          .stream()
          .map(InformerPods::facts)
          // The selector is the server's to apply; that it did is checked all the same.
          .anyMatch(
              pod ->
                  !pod.done()
                      && pod.node().equals(node)
                      && pod.serviceAccount().equals(serviceAccount));
    } catch (KubernetesClientException e) {
      throw new IOException("cannot list pods of namespace " + namespace, e);
    }
  }

  private static PodFacts facts(Pod pod) {
    String phase = pod.getStatus() == null ? null : pod.getStatus().getPhase();
    return new PodFacts(
        pod.getMetadata().getNamespace(),
        pod.getMetadata().getName(),
        text(pod.getMetadata().getUid()),
        pod.getSpec() == null ? "" : text(pod.getSpec().getServiceAccountName()),
        pod.getSpec() == null ? "" : text(pod.getSpec().getNodeName()),
        "Succeeded".equals(phase) || "Failed".equals(phase));
  }

  private static String text(@Nullable String value) {
    return value == null ? "" : value;
  }
}
