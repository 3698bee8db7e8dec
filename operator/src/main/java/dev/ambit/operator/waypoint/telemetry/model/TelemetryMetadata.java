package dev.ambit.operator.waypoint.telemetry.model;

import com.google.protobuf.Struct;
import com.google.protobuf.Value;
import dev.ambit.operator.waypoint.model.MeshService;
import dev.ambit.protocol.workload.Workload;
import java.util.List;

/**
 * What metrics and logs know of a request's destination: metadata of Envoy's endpoints, clusters
 * and filter chains, under {@link #NAMESPACE}. The endpoint tells the workload; the cluster tells
 * the service that was chosen, and the chain the one that was asked for, for requests that got no
 * further.
 */
public final class TelemetryMetadata {
  /** The key under which the others are found in an object's filter metadata. */
  public static final String NAMESPACE = "ambit.telemetry";

  static final String WORKLOAD = "workload";
  static final String WORKLOAD_NAMESPACE = "namespace";
  static final String CANONICAL_SERVICE = "canonical_service";
  static final String CANONICAL_REVISION = "canonical_revision";
  static final String CLUSTER = "cluster";
  static final String PRINCIPAL = "principal";
  static final String SERVICE = "service";
  static final String SERVICE_NAME = "service_name";
  static final String SERVICE_NAMESPACE = "service_namespace";

  /** Istio's word for a label's value that nobody knows. */
  static final String UNKNOWN = "unknown";

  /** Labels fall back to their filter chain's, so that each has all that endpoints may lack. */
  private static final Struct UNKNOWN_CHAIN = unknownChain();

  private TelemetryMetadata() {}

  private static Struct unknownChain() {
    Struct.Builder chain = Struct.newBuilder();
    for (String key :
        List.of(
            WORKLOAD,
            WORKLOAD_NAMESPACE,
            CANONICAL_SERVICE,
            CANONICAL_REVISION,
            CLUSTER,
            PRINCIPAL,
            SERVICE,
            SERVICE_NAME,
            SERVICE_NAMESPACE)) {
      chain.putFields(key, text(UNKNOWN));
    }
    return chain.build();
  }

  /**
   * Of an endpoint.
   *
   * @param principal its SPIFFE URI; empty where its identity is not checked
   */
  public static Struct endpoint(Workload workload, String principal) {
    return Struct.newBuilder()
        .putFields(WORKLOAD, known(workload.getWorkloadName()))
        .putFields(WORKLOAD_NAMESPACE, known(workload.getNamespace()))
        .putFields(CANONICAL_SERVICE, known(workload.getCanonicalName()))
        .putFields(CANONICAL_REVISION, known(workload.getCanonicalRevision()))
        .putFields(CLUSTER, known(workload.getClusterId()))
        .putFields(PRINCIPAL, known(principal))
        .build();
  }

  /** Of a cluster of that service's endpoints. */
  public static Struct cluster(MeshService service) {
    return Struct.newBuilder()
        .putFields(SERVICE, text(service.hostname()))
        .putFields(SERVICE_NAME, text(service.name()))
        .putFields(SERVICE_NAMESPACE, text(service.namespace()))
        .build();
  }

  /** Of a filter chain for requests to that service. */
  public static Struct chain(MeshService service) {
    return UNKNOWN_CHAIN.toBuilder().mergeFrom(cluster(service)).build();
  }

  /**
   * Of a filter chain for what is addressed to a pod rather than a service.
   *
   * @param principal of the pods that it is for, as their certificates must prove it
   */
  public static Struct podChain(String namespace, String principal) {
    return UNKNOWN_CHAIN.toBuilder()
        .putFields(WORKLOAD_NAMESPACE, known(namespace))
        .putFields(PRINCIPAL, known(principal))
        .build();
  }

  private static Value known(String value) {
    return text(value.isEmpty() ? UNKNOWN : value);
  }

  private static Value text(String value) {
    return Value.newBuilder().setStringValue(value).build();
  }
}
