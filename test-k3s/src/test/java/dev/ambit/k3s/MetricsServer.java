package dev.ambit.k3s;

import static org.awaitility.Awaitility.await;

import io.fabric8.kubernetes.api.model.HasMetadata;
import io.fabric8.kubernetes.client.KubernetesClient;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;

/**
 * What autoscalers take the load of pods from: the cluster's own, or, where it has none, the one
 * that {@code test-k3s/bin/metrics-server} has built.
 */
final class MetricsServer implements AutoCloseable {

  private static final String IMAGE = "localhost/metrics-server:0.9.0";

  private final KubernetesClient client;
  private final List<HasMetadata> objects;

  private MetricsServer(KubernetesClient client, List<HasMetadata> objects) {
    this.client = client;
    this.objects = objects;
  }

  /** Returns once it knows the load of a pod of that namespace. */
  static MetricsServer on(TwoNodeCluster cluster, String namespace) throws IOException {
    var server = new MetricsServer(cluster.client(), objects(cluster));
    if (!server.objects.isEmpty()) {
      cluster.load(IMAGE);
      server.client.resourceList(server.objects).serverSideApply();
    }
    await("figures of the load")
        .atMost(Duration.ofMinutes(3))
        .pollInterval(Duration.ofSeconds(1))
        .ignoreExceptions()
        .until(() -> !server.client.top().pods().metrics(namespace).getItems().isEmpty());
    return server;
  }

  private static List<HasMetadata> objects(TwoNodeCluster cluster) throws IOException {
    if (cluster.client().getApiGroup("metrics.k8s.io") != null) {
      return List.of();
    }
    Path manifests = Checkout.root().resolve(".build/metrics-server/components.yaml");
    if (!Files.exists(manifests)) {
      throw new IllegalStateException(
          "The cluster has no metrics server, and there is no "
              + manifests
              + "; run test-k3s/bin/metrics-server");
    }
    try (InputStream stream = Files.newInputStream(manifests)) {
      return cluster.client().load(stream).items();
    }
  }

  /** While one cannot be reached, no namespace can be deleted; other tests take nodes away. */
  @Override
  public void close() {
    client.resourceList(objects).delete();
  }
}
