package dev.ambit.k3s;

import static org.awaitility.Awaitility.await;

import io.fabric8.kubernetes.api.model.PodBuilder;
import io.fabric8.kubernetes.client.KubernetesClient;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.concurrent.atomic.AtomicInteger;

/**
 * What one node's network interfaces carry, the pods' virtual links among them: a pod on the host's network that prints every
 * TCP segment on the ports it is given.
 */
final class Wire implements AutoCloseable {
  private static final String NAMESPACE = "wire";
  private static final AtomicInteger COUNT = new AtomicInteger();

  private final KubernetesClient client;
  private final String name;

  private Wire(KubernetesClient client, String name) {
    this.client = client;
    this.name = name;
  }

  /** Begins to capture on a node, on {@code any} interface or one of them. */
  static Wire tap(KubernetesClient client, String node, String networkInterface, int... ports) {
    if (client.namespaces().withName(NAMESPACE).get() == null) {
      new Sample(client).namespace(NAMESPACE, Map.of());
    }
    var name = "wire-" + COUNT.incrementAndGet();
    var arguments = new java.util.ArrayList<>(List.of("capture", networkInterface));
    for (int port : ports) {
      arguments.add(Integer.toString(port));
    }
    client
        .resource(
            new PodBuilder()
                .withNewMetadata()
                .withNamespace(NAMESPACE)
                .withName(name)
                .endMetadata()
                .withNewSpec()
                .withNodeName(node)
                .withHostNetwork(true)
                .withTerminationGracePeriodSeconds(0L)
                .addNewContainer()
                .withName("wire")
                .withImage(Sample.IMAGE)
                .withImagePullPolicy("Never")
                .withArgs(arguments)
                .withNewSecurityContext()
                .withRunAsUser(0L)
                .withNewCapabilities()
                .withAdd("NET_RAW")
                .endCapabilities()
                .endSecurityContext()
                .endContainer()
                .endSpec()
                .build())
        .create();
    var wire = new Wire(client, name);
    await("capture on " + node)
        .atMost(Duration.ofSeconds(60))
        .ignoreExceptions()
        .until(() -> wire.text().contains("capturing on"));
    return wire;
  }

  /** All that was captured so far, a line a segment. */
  String text() {
    return client.pods().inNamespace(NAMESPACE).withName(name).getLog();
  }

  List<String> segments() {
    return text().lines().filter(line -> line.contains(" > ")).toList();
  }

  @Override
  public void close() {
    client.pods().inNamespace(NAMESPACE).withName(name).withGracePeriod(0).delete();
  }
}
