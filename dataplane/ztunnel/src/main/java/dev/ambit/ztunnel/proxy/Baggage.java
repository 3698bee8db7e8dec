package dev.ambit.ztunnel.proxy;

import dev.ambit.ztunnel.state.MeshWorkload;

/** The {@code baggage} header by which either end of a tunnel says what workload it stands for. */
final class Baggage {
  private Baggage() {}

  /** Names and their order are Istio's; what is not known is left out. */
  static String of(MeshWorkload workload) {
    StringBuilder text = new StringBuilder(160);
    add(text, "k8s.cluster.name", workload.clusterId());
    add(text, "k8s.namespace.name", workload.namespace());
    if (!workload.workloadType().isEmpty()) {
      add(text, "k8s." + workload.workloadType() + ".name", workload.workloadName());
    }
    add(text, "service.name", workload.canonicalName());
    add(text, "service.version", workload.canonicalRevision());
    add(text, "cloud.region", workload.locality().region());
    add(text, "cloud.availability_zone", workload.locality().zone());
    return text.toString();
  }

  private static void add(StringBuilder text, String name, String value) {
    if (!value.isEmpty()) {
      if (!text.isEmpty()) {
        text.append(',');
      }
      text.append(name).append('=').append(value);
    }
  }
}
