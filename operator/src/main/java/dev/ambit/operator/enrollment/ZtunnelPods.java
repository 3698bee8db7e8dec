package dev.ambit.operator.enrollment;

import dev.ambit.operator.CommonLabels;
import dev.ambit.operator.install.model.ZtunnelDaemonSet;
import io.fabric8.kubernetes.api.model.ListOptionsBuilder;
import io.fabric8.kubernetes.api.model.Pod;
import io.fabric8.kubernetes.client.KubernetesClient;
import io.fabric8.kubernetes.client.readiness.Readiness;
import java.net.URI;
import java.util.ArrayList;
import java.util.List;

/** Where the nodes' ztunnels answer the operator. */
final class ZtunnelPods {
  private static final int PORT = 15020;

  private ZtunnelPods() {}

  /**
   * A ztunnel to ask.
   *
   * @param uid of its pod, whose counters begin at zero
   * @param base where it serves its metrics and what else it tells
   * @param ready whether its node says so; that of a node which is gone no longer is
   */
  record Ztunnel(String uid, String node, URI base, boolean ready) {}

  /** Those of the root namespace that run. */
  static List<Ztunnel> list(KubernetesClient client, String rootNamespace) {
    List<Ztunnel> ztunnels = new ArrayList<>();
    for (Pod pod :
        client
            .pods()
            .inNamespace(rootNamespace)
            .withLabel(CommonLabels.NAME, ZtunnelDaemonSet.NAME)
            .list(new ListOptionsBuilder().withResourceVersion("0").build())
            .getItems()) {
      String ip = pod.getStatus() == null ? null : pod.getStatus().getPodIP();
      if (ip != null && "Running".equals(pod.getStatus().getPhase())) {
        String host = ip.contains(":") ? "[" + ip + "]" : ip;
        ztunnels.add(
            new Ztunnel(
                pod.getMetadata().getUid(),
                String.valueOf(pod.getSpec().getNodeName()),
                URI.create("http://" + host + ":" + PORT),
                Readiness.isPodReady(pod)));
      }
    }
    return ztunnels;
  }
}
