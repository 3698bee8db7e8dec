package dev.ambit.ztunnel.telemetry;

import dev.ambit.ztunnel.state.MeshWorkload;
import dev.ambit.ztunnel.telemetry.MetricRegistry.Family;
import dev.ambit.ztunnel.telemetry.MetricRegistry.Kind;
import dev.ambit.ztunnel.telemetry.MetricRegistry.Labels;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.LongAdder;
import org.jspecify.annotations.Nullable;

/** Counts what pods ask of DNS, under Istio's metric names. */
public final class DnsTelemetry {
  private static final String UNKNOWN = "unknown";
  private static final double[] SECONDS = {0.0005, 0.001, 0.01, 0.1, 1, 5};

  /** Others are counted together, since a pod may ask for any of 65,536. */
  private static final Map<Integer, String> TYPES =
      Map.ofEntries(
          Map.entry(1, "a"),
          Map.entry(2, "ns"),
          Map.entry(5, "cname"),
          Map.entry(6, "soa"),
          Map.entry(12, "ptr"),
          Map.entry(15, "mx"),
          Map.entry(16, "txt"),
          Map.entry(28, "aaaa"),
          Map.entry(33, "srv"),
          Map.entry(35, "naptr"),
          Map.entry(43, "ds"),
          Map.entry(48, "dnskey"),
          Map.entry(52, "tlsa"),
          Map.entry(64, "svcb"),
          Map.entry(65, "https"),
          Map.entry(251, "ixfr"),
          Map.entry(252, "axfr"),
          Map.entry(255, "any"),
          Map.entry(257, "caa"));

  /** What a request came by. */
  public enum Protocol {
    UDP("udp"),
    TCP("tcp");

    private final String label;

    Protocol(String label) {
      this.label = label;
    }
  }

  /** What is counted of requests that have their labels in common. */
  public record Counts(
      LongAdder requests,
      LongAdder upstreamRequests,
      LongAdder upstreamFailures,
      Histogram upstreamSeconds) {}

  private record Shape(String type, Protocol protocol, String service, String revision) {}

  private final Family requests;
  private final Family upstreamRequests;
  private final Family upstreamFailures;
  private final Family upstreamSeconds;
  private final LongAdder serverUnknown;
  private final LongAdder dropped;
  private final Map<Shape, Counts> counts = new ConcurrentHashMap<>();

  public DnsTelemetry(MetricRegistry metrics) {
    requests = metrics.family("istio_dns_requests_total", "DNS requests of pods", Kind.COUNTER);
    upstreamRequests =
        metrics.family(
            "istio_dns_upstream_requests_total",
            "DNS requests handed on to a server",
            Kind.COUNTER);
    upstreamFailures =
        metrics.family(
            "istio_dns_upstream_failures_total",
            "DNS requests handed on that no server answered",
            Kind.COUNTER);
    upstreamSeconds =
        metrics.family(
            "istio_dns_upstream_request_duration_seconds",
            "Time until a server had answered a DNS request",
            Kind.HISTOGRAM);
    serverUnknown =
        metrics
            .family(
                "ambit_dns_server_unknown_total",
                "DNS requests of which it is not known whom the pod had asked",
                Kind.COUNTER)
            .counter(Labels.NONE);
    dropped =
        metrics
            .family(
                "ambit_dns_dropped_total",
                "DNS messages dropped: answers to no question, or questions beyond a pod's limit",
                Kind.COUNTER)
            .counter(Labels.NONE);
  }

  /**
   * What counts a request.
   *
   * @param type its number; any other number where it has none
   * @param source the pod that asks, where it is known
   */
  public Counts counts(int type, Protocol protocol, @Nullable MeshWorkload source) {
    Shape shape =
        new Shape(
            TYPES.getOrDefault(type, UNKNOWN),
            protocol,
            source == null ? UNKNOWN : orUnknown(source.canonicalName()),
            source == null ? UNKNOWN : orUnknown(source.canonicalRevision()));
    return counts.computeIfAbsent(shape, this::make);
  }

  /** A request goes to one of the ztunnel's own servers. */
  public void serverUnknown() {
    serverUnknown.increment();
  }

  /** A message was dropped. */
  public void dropped() {
    dropped.increment();
  }

  private Counts make(Shape shape) {
    Labels labels =
        Labels.of(
            "request_query_type",
            shape.type(),
            "request_protocol",
            shape.protocol().label,
            "source_canonical_service",
            shape.service(),
            "source_canonical_revision",
            shape.revision());
    return new Counts(
        requests.counter(labels),
        upstreamRequests.counter(labels),
        upstreamFailures.counter(labels),
        upstreamSeconds.histogram(labels, SECONDS));
  }

  private static String orUnknown(String value) {
    return value.isEmpty() ? UNKNOWN : value;
  }
}
