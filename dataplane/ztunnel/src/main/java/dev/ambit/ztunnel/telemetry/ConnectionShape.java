package dev.ambit.ztunnel.telemetry;

import dev.ambit.ztunnel.identity.Identity;
import dev.ambit.ztunnel.state.MeshService;
import dev.ambit.ztunnel.state.MeshWorkload;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * What connections have in common that are counted together. It is made for each connection and
 * only compared then; the labels are written out for the first of a shape.
 */
record ConnectionShape(
    Reporter reporter,
    Peer source,
    @Nullable Identity sourceIdentity,
    Peer destination,
    @Nullable Identity destinationIdentity,
    String serviceHost,
    String serviceNamespace,
    String serviceName,
    boolean mutualTls) {
  private static final String UNKNOWN = "unknown";

  /** One end's part. */
  record Peer(
      String workload,
      String canonicalService,
      String canonicalRevision,
      String namespace,
      String cluster,
      String region,
      String zone) {
    private static final Peer NOBODY =
        new Peer(UNKNOWN, UNKNOWN, UNKNOWN, UNKNOWN, UNKNOWN, UNKNOWN, UNKNOWN);

    static Peer of(@Nullable MeshWorkload workload) {
      return workload == null
          ? NOBODY
          : new Peer(
              known(workload.workloadName()),
              known(workload.canonicalName()),
              known(workload.canonicalRevision()),
              known(workload.namespace()),
              known(workload.clusterId()),
              known(workload.locality().region()),
              known(workload.locality().zone()));
    }
  }

  /** Here rather than in the label, so that two shapes never share a label set. */
  private static String known(String value) {
    return value.isEmpty() ? UNKNOWN : value;
  }

  static ConnectionShape of(ConnectionInfo info) {
    MeshService service = info.endpoint().service();
    return new ConnectionShape(
        info.reporter(),
        Peer.of(info.sourceWorkload()),
        info.sourceIdentity(),
        Peer.of(info.endpoint().workload()),
        destinationIdentity(info),
        service == null ? UNKNOWN : known(service.hostname()),
        service == null ? UNKNOWN : known(service.namespace()),
        service == null ? UNKNOWN : known(service.name()),
        info.mutualTls());
  }

  /** As at Istio's: who the destination has to be, also where nothing was proven. */
  private static @Nullable Identity destinationIdentity(ConnectionInfo info) {
    MeshWorkload workload = info.endpoint().workload();
    return info.destinationIdentity() == null && workload != null
        ? workload.identity()
        : info.destinationIdentity();
  }

  /** What connections are counted as that find no room of their own. */
  ConnectionShape overflow() {
    return new ConnectionShape(
        reporter, Peer.NOBODY, null, Peer.NOBODY, null, UNKNOWN, UNKNOWN, UNKNOWN, mutualTls);
  }

  /**
   * The label set, as Istio's ztunnel names it.
   *
   * @param further names and values of labels besides
   */
  MetricRegistry.Labels labels(String protocol, ResponseFlag flag, String... further) {
    List<String> all = new ArrayList<>(64);
    add(all, "reporter", reporter.label());
    addPeer(all, "source", source, sourceIdentity);
    addPeer(all, "destination", destination, destinationIdentity);
    add(all, "destination_service", serviceHost);
    add(all, "destination_service_namespace", serviceNamespace);
    add(all, "destination_service_name", serviceName);
    add(all, "request_protocol", protocol);
    add(all, "response_flags", flag.label());
    add(all, "connection_security_policy", mutualTls ? "mutual_tls" : UNKNOWN);
    add(all, "source_region", source.region());
    add(all, "source_zone", source.zone());
    add(all, "destination_region", destination.region());
    add(all, "destination_zone", destination.zone());
    all.addAll(List.of(further));
    return MetricRegistry.Labels.of(all.toArray(new String[0]));
  }

  private static void addPeer(
      List<String> all, String end, Peer peer, @Nullable Identity identity) {
    add(all, end + "_workload", peer.workload());
    add(all, end + "_canonical_service", peer.canonicalService());
    add(all, end + "_canonical_revision", peer.canonicalRevision());
    add(all, end + "_workload_namespace", peer.namespace());
    add(all, end + "_principal", identity == null ? UNKNOWN : identity.uri());
    add(all, end + "_app", peer.canonicalService());
    add(all, end + "_version", peer.canonicalRevision());
    add(all, end + "_cluster", peer.cluster());
  }

  private static void add(List<String> all, String name, String value) {
    all.add(name);
    all.add(value);
  }
}
