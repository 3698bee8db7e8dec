package dev.ambit.operator.waypoint.telemetry.model;

import java.util.Map;
import java.util.Optional;

/** Where logs or spans go, or that metrics are kept, under a name that Telemetry objects use. */
sealed interface Provider {
  /** By which Telemetry objects name it. */
  String name();

  /**
   * Access logs, to a file of the waypoint's container.
   *
   * @param path such as "/dev/stdout"
   */
  record FileLog(String name, String path, LogFormat format) implements Provider {}

  /** Access logs, to a collector over OTLP. */
  record CollectorLog(
      String name,
      Collector collector,
      String logName,
      LogFormat format,
      Map<String, String> labels)
      implements Provider {}

  /**
   * Spans, to a collector over OTLP.
   *
   * @param path where spans are posted by HTTP; gRPC where empty
   * @param longestTag how much of a path is kept
   */
  record Tracer(String name, Collector collector, Optional<String> path, int longestTag)
      implements Provider {}

  /** Metrics, kept for Prometheus to scrape. */
  record Scraped(String name) implements Provider {}

  /**
   * A service that collects.
   *
   * @param service its host name, or NAMESPACE/HOST
   */
  record Collector(String service, int port) {}
}
