package dev.ambit.cli;

import io.fabric8.kubernetes.client.KubernetesClient;
import java.io.IOException;

/** What a ztunnel or a waypoint tells at its loopback only. */
interface AdminPort {
  /** The answer to GET; a pod that does not give one is told of by an exception. */
  String get(KubernetesClient client, String namespace, String pod, String path) throws IOException;
}
