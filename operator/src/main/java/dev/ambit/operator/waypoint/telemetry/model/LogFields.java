package dev.ambit.operator.waypoint.telemetry.model;

import dev.ambit.operator.waypoint.model.FilterState;
import java.util.LinkedHashMap;
import java.util.Map;

/** The fields of the logs that are not given a format. */
final class LogFields {
  /** Of requests and of connections; what an entry does not have is null. */
  static final Map<String, String> REQUESTS = requests();

  /** Of tunnels that a waypoint refuses. */
  static final Map<String, String> TUNNELS = tunnels();

  /** Of connections to endpoints that do not come about. */
  static final Map<String, String> ORIGINATE = originate();

  private LogFields() {}

  private static Map<String, String> requests() {
    Map<String, String> fields = new LinkedHashMap<>();
    fields.put("start_time", "%START_TIME%");
    fields.put("method", "%REQ(:METHOD)%");
    fields.put("path", "%REQ(X-ENVOY-ORIGINAL-PATH?:PATH)%");
    fields.put("protocol", "%PROTOCOL%");
    fields.put("response_code", "%RESPONSE_CODE%");
    fields.put("grpc_status", "%GRPC_STATUS_NUMBER%");
    fields.put("response_flags", "%RESPONSE_FLAGS%");
    fields.put("response_code_details", "%RESPONSE_CODE_DETAILS%");
    fields.put("connection_termination_details", "%CONNECTION_TERMINATION_DETAILS%");
    fields.put("upstream_transport_failure_reason", "%UPSTREAM_TRANSPORT_FAILURE_REASON%");
    fields.put("bytes_received", "%BYTES_RECEIVED%");
    fields.put("bytes_sent", "%BYTES_SENT%");
    fields.put("duration", "%DURATION%");
    fields.put("upstream_service_time", "%RESP(X-ENVOY-UPSTREAM-SERVICE-TIME)%");
    fields.put("upstream_attempts", "%UPSTREAM_REQUEST_ATTEMPT_COUNT%");
    fields.put("x_forwarded_for", "%REQ(X-FORWARDED-FOR)%");
    fields.put("user_agent", "%REQ(USER-AGENT)%");
    fields.put("request_id", "%REQ(X-REQUEST-ID)%");
    fields.put("trace_id", "%TRACE_ID%");
    fields.put("authority", "%REQ(:AUTHORITY)%");
    fields.put("requested_server_name", "%REQUESTED_SERVER_NAME%");
    fields.put("filter_chain", "%FILTER_CHAIN_NAME%");
    fields.put("route_name", "%ROUTE_NAME%");
    fields.put("upstream_cluster", "%UPSTREAM_CLUSTER_RAW%");
    fields.put("upstream_host", "%UPSTREAM_HOST%");
    fields.put("downstream_local_address", "%DOWNSTREAM_LOCAL_ADDRESS%");
    fields.put("downstream_remote_address", "%DOWNSTREAM_REMOTE_ADDRESS%");
    for (Label label :
        new Label[] {
          Label.SOURCE_PRINCIPAL,
          Label.SOURCE_WORKLOAD,
          Label.SOURCE_WORKLOAD_NAMESPACE,
          Label.DESTINATION_PRINCIPAL,
          Label.DESTINATION_WORKLOAD,
          Label.DESTINATION_WORKLOAD_NAMESPACE,
          Label.DESTINATION_SERVICE
        }) {
      fields.put(label.label(), label.format(Label.Traffic.HTTP));
    }
    // What policies found, those that are only tried out too.
    fields.put("policies", "%DYNAMIC_METADATA(envoy.filters.http.rbac)%");
    return java.util.Collections.unmodifiableMap(fields);
  }

  private static Map<String, String> tunnels() {
    Map<String, String> fields = new LinkedHashMap<>();
    fields.put("start_time", "%START_TIME%");
    fields.put("event", "tunnel refused");
    fields.put("source_principal", "%DOWNSTREAM_PEER_URI_SAN%");
    fields.put("source_address", "%DOWNSTREAM_REMOTE_ADDRESS%");
    fields.put("destination", "%REQ(:AUTHORITY)%");
    fields.put("response_code", "%RESPONSE_CODE%");
    fields.put("response_flags", "%RESPONSE_FLAGS%");
    fields.put("details", "%RESPONSE_CODE_DETAILS%");
    fields.put("policies", "%DYNAMIC_METADATA(envoy.filters.http.rbac)%");
    return java.util.Collections.unmodifiableMap(fields);
  }

  private static Map<String, String> originate() {
    Map<String, String> fields = new LinkedHashMap<>();
    fields.put("start_time", "%START_TIME%");
    fields.put("event", "endpoint not reached");
    fields.put("destination", "%DOWNSTREAM_LOCAL_ADDRESS%");
    fields.put("expected_principal", "%FILTER_STATE(" + FilterState.UPSTREAM_NAMES + ":PLAIN)%");
    fields.put("upstream_host", "%UPSTREAM_HOST%");
    fields.put("response_flags", "%RESPONSE_FLAGS%");
    fields.put("failure", "%UPSTREAM_TRANSPORT_FAILURE_REASON%");
    fields.put("details", "%CONNECTION_TERMINATION_DETAILS%");
    fields.put("duration", "%DURATION%");
    return java.util.Collections.unmodifiableMap(fields);
  }
}
