package dev.ambit.operator.waypoint.telemetry.model;

import java.util.Arrays;
import java.util.EnumSet;
import java.util.Optional;
import java.util.Set;

/** One of Istio's standard metrics. */
enum Metric {
  REQUEST_COUNT("istio_requests_total"),
  REQUEST_DURATION("istio_request_duration_milliseconds"),
  REQUEST_SIZE("istio_request_bytes"),
  RESPONSE_SIZE("istio_response_bytes"),
  GRPC_REQUEST_MESSAGES("istio_request_messages_total"),
  GRPC_RESPONSE_MESSAGES("istio_response_messages_total"),
  TCP_OPENED_CONNECTIONS("istio_tcp_connections_opened_total"),
  TCP_CLOSED_CONNECTIONS("istio_tcp_connections_closed_total"),
  TCP_SENT_BYTES("istio_tcp_sent_bytes_total"),
  TCP_RECEIVED_BYTES("istio_tcp_received_bytes_total");

  private final String series;

  Metric(String series) {
    this.series = series;
  }

  /** As Prometheus sees it. */
  String series() {
    return series;
  }

  /** Of requests, rather than of connections. */
  boolean ofRequests() {
    return switch (this) {
      case REQUEST_COUNT,
          REQUEST_DURATION,
          REQUEST_SIZE,
          RESPONSE_SIZE,
          GRPC_REQUEST_MESSAGES,
          GRPC_RESPONSE_MESSAGES ->
          true;
      case TCP_OPENED_CONNECTIONS, TCP_CLOSED_CONNECTIONS, TCP_SENT_BYTES, TCP_RECEIVED_BYTES ->
          false;
    };
  }

  static Set<Metric> all() {
    return EnumSet.allOf(Metric.class);
  }

  /** By Istio's enumeration's name, or by the series' with or without its prefix. */
  static Optional<Metric> named(String name) {
    return Arrays.stream(values())
        .filter(
            metric ->
                metric.name().equals(name)
                    || metric.series.equals(name)
                    || metric.series.equals("istio_" + name))
        .findFirst();
  }
}
