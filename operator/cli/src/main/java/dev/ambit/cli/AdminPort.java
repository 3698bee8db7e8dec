package dev.ambit.cli;

import io.fabric8.kubernetes.client.KubernetesClient;
import java.io.IOException;

/** What a ztunnel, a waypoint or an agent tells at its loopback. */
interface AdminPort {
  int ZTUNNELS = 15000;
  int AGENTS = 15019;

  /** The answer to GET; a pod that does not give one is told of by an exception. */
  String get(KubernetesClient client, String namespace, String pod, int port, String path)
      throws IOException;

  /** The same, of a ztunnel or a waypoint. */
  default String get(KubernetesClient client, String namespace, String pod, String path)
      throws IOException {
    return get(client, namespace, pod, ZTUNNELS, path);
  }
}
