package dev.ambit.operator.model;

import dev.ambit.protocol.workload.Locality;
import io.fabric8.kubernetes.api.model.Node;
import java.util.Map;

/** Where nodes are, as their labels say. */
final class Localities {
  private Localities() {}

  static Locality of(Node node) {
    Map<String, String> labels = node.getMetadata().getLabels();
    if (labels == null) {
      return Locality.getDefaultInstance();
    }
    return Locality.newBuilder()
        .setRegion(labels.getOrDefault("topology.kubernetes.io/region", ""))
        .setZone(labels.getOrDefault("topology.kubernetes.io/zone", ""))
        .setSubzone(labels.getOrDefault("topology.istio.io/subzone", ""))
        .build();
  }
}
