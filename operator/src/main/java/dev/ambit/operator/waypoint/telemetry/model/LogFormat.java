package dev.ambit.operator.waypoint.telemetry.model;

import java.util.LinkedHashMap;
import java.util.Map;

/** What an entry of an access log says. */
sealed interface LogFormat {
  /** A line of text, with Envoy's command operators. */
  record Text(String line) implements LogFormat {}

  /** An object of JSON, whose values are Envoy's command operators. */
  record Json(Map<String, String> fields) implements LogFormat {
    public Json {
      fields = java.util.Collections.unmodifiableMap(new LinkedHashMap<>(fields));
    }
  }

  /** Istio's default. */
  Text ISTIO =
      new Text(
          "[%START_TIME%] \"%REQ(:METHOD)% %REQ(X-ENVOY-ORIGINAL-PATH?:PATH)% %PROTOCOL%\""
              + " %RESPONSE_CODE% %RESPONSE_FLAGS% %RESPONSE_CODE_DETAILS%"
              + " %CONNECTION_TERMINATION_DETAILS% \"%UPSTREAM_TRANSPORT_FAILURE_REASON%\""
              + " %BYTES_RECEIVED% %BYTES_SENT% %DURATION% %RESP(X-ENVOY-UPSTREAM-SERVICE-TIME)%"
              + " \"%REQ(X-FORWARDED-FOR)%\" \"%REQ(USER-AGENT)%\" \"%REQ(X-REQUEST-ID)%\""
              + " \"%REQ(:AUTHORITY)%\" \"%UPSTREAM_HOST%\" %UPSTREAM_CLUSTER_RAW%"
              + " %UPSTREAM_LOCAL_ADDRESS% %DOWNSTREAM_LOCAL_ADDRESS% %DOWNSTREAM_REMOTE_ADDRESS%"
              + " %REQUESTED_SERVER_NAME% %ROUTE_NAME%\n");

  /** Istio's default fields, and who talks to whom. */
  Json FIELDS = new Json(LogFields.REQUESTS);
}
