package dev.ambit.operator.waypoint.telemetry.model;

import dev.ambit.operator.waypoint.model.FilterState;
import java.util.Arrays;
import java.util.List;

/** A label of Istio's standard metrics, in Istio's order, and what Envoy formats its value from. */
enum Label {
  REPORTER("waypoint"),
  SOURCE_WORKLOAD(state(SourceWorkload.WORKLOAD)),
  SOURCE_CANONICAL_SERVICE(state(SourceWorkload.SERVICE)),
  SOURCE_CANONICAL_REVISION(state(SourceWorkload.REVISION)),
  SOURCE_WORKLOAD_NAMESPACE(state(SourceWorkload.NAMESPACE)),
  SOURCE_PRINCIPAL(state(FilterState.PEER_PRINCIPAL)),
  SOURCE_APP(state(SourceWorkload.SERVICE)),
  SOURCE_VERSION(state(SourceWorkload.REVISION)),
  SOURCE_CLUSTER(state(SourceWorkload.CLUSTER)),
  DESTINATION_WORKLOAD(endpoint(TelemetryMetadata.WORKLOAD)),
  DESTINATION_WORKLOAD_NAMESPACE(endpoint(TelemetryMetadata.WORKLOAD_NAMESPACE)),
  DESTINATION_PRINCIPAL(endpoint(TelemetryMetadata.PRINCIPAL)),
  DESTINATION_APP(endpoint(TelemetryMetadata.CANONICAL_SERVICE)),
  DESTINATION_VERSION(endpoint(TelemetryMetadata.CANONICAL_REVISION)),
  DESTINATION_SERVICE(cluster(TelemetryMetadata.SERVICE)),
  DESTINATION_CANONICAL_SERVICE(endpoint(TelemetryMetadata.CANONICAL_SERVICE)),
  DESTINATION_CANONICAL_REVISION(endpoint(TelemetryMetadata.CANONICAL_REVISION)),
  DESTINATION_SERVICE_NAME(cluster(TelemetryMetadata.SERVICE_NAME)),
  DESTINATION_SERVICE_NAMESPACE(cluster(TelemetryMetadata.SERVICE_NAMESPACE)),
  DESTINATION_CLUSTER(endpoint(TelemetryMetadata.CLUSTER)),
  REQUEST_PROTOCOL(""),
  RESPONSE_FLAGS("%RESPONSE_FLAGS%"),
  // All that reaches a waypoint came through HBONE.
  CONNECTION_SECURITY_POLICY("mutual_tls"),
  RESPONSE_CODE("%RESPONSE_CODE%"),
  GRPC_RESPONSE_STATUS("%GRPC_STATUS_NUMBER%");

  private final String format;

  Label(String format) {
    this.format = format;
  }

  /** In the series. */
  String label() {
    return name().toLowerCase(java.util.Locale.ROOT);
  }

  /** Its value in entries of that traffic. */
  String format(Traffic traffic) {
    return this == REQUEST_PROTOCOL ? traffic.protocol() : format;
  }

  static List<Label> of(Traffic traffic) {
    return Arrays.stream(values()).filter(label -> label.isOf(traffic)).toList();
  }

  private boolean isOf(Traffic traffic) {
    return switch (this) {
      case RESPONSE_CODE -> traffic != Traffic.TCP;
      case GRPC_RESPONSE_STATUS -> traffic == Traffic.GRPC;
      case REPORTER,
          SOURCE_WORKLOAD,
          SOURCE_CANONICAL_SERVICE,
          SOURCE_CANONICAL_REVISION,
          SOURCE_WORKLOAD_NAMESPACE,
          SOURCE_PRINCIPAL,
          SOURCE_APP,
          SOURCE_VERSION,
          SOURCE_CLUSTER,
          DESTINATION_WORKLOAD,
          DESTINATION_WORKLOAD_NAMESPACE,
          DESTINATION_PRINCIPAL,
          DESTINATION_APP,
          DESTINATION_VERSION,
          DESTINATION_SERVICE,
          DESTINATION_CANONICAL_SERVICE,
          DESTINATION_CANONICAL_REVISION,
          DESTINATION_SERVICE_NAME,
          DESTINATION_SERVICE_NAMESPACE,
          DESTINATION_CLUSTER,
          REQUEST_PROTOCOL,
          RESPONSE_FLAGS,
          CONNECTION_SECURITY_POLICY ->
          true;
    };
  }

  /** What kind of entry of an access log is counted. */
  enum Traffic {
    HTTP("http"),
    GRPC("grpc"),
    TCP("tcp");

    private final String protocol;

    Traffic(String protocol) {
      this.protocol = protocol;
    }

    String protocol() {
      return protocol;
    }
  }

  private static String state(String key) {
    return "%FILTER_STATE(" + key + ":PLAIN)%";
  }

  private static String endpoint(String key) {
    return first("UPSTREAM_HOST:" + metadata(key), chain(key));
  }

  private static String cluster(String key) {
    return first("CLUSTER:" + metadata(key), chain(key));
  }

  private static String chain(String key) {
    return "LISTENER_FILTER_CHAIN:" + metadata(key);
  }

  private static String metadata(String key) {
    return TelemetryMetadata.NAMESPACE + ":" + key;
  }

  /** The first of these metadata that there is. */
  private static String first(String... metadata) {
    return Arrays.stream(metadata)
        .map(one -> "{\"command\":\"METADATA\",\"param\":\"" + one + "\"}")
        .collect(java.util.stream.Collectors.joining(",", "%COALESCE({\"operators\":[", "]})%"));
  }
}
