package dev.ambit.ztunnel.telemetry;

import dev.ambit.ztunnel.telemetry.MetricRegistry.Family;
import dev.ambit.ztunnel.telemetry.MetricRegistry.Kind;
import dev.ambit.ztunnel.telemetry.MetricRegistry.Labels;
import dev.ambit.ztunnel.xds.XdsObserver;

/** Counts what happens on the stream to the control plane, under Istio's metric names. */
public final class XdsTelemetry implements XdsObserver {
  private final Family terminations;
  private final Family messages;
  private final Family bytes;
  private final Family rejections;

  public XdsTelemetry(MetricRegistry metrics) {
    terminations =
        counter(metrics, "istio_xds_connection_terminations_total", "Ended xDS streams");
    messages = counter(metrics, "istio_xds_message_total", "xDS responses received");
    bytes = counter(metrics, "istio_xds_message_bytes_total", "Bytes of xDS responses received");
    rejections = counter(metrics, "ambit_xds_rejected_total", "xDS resources rejected");
  }

  private static Family counter(MetricRegistry metrics, String name, String help) {
    return metrics.family(name, help, Kind.COUNTER);
  }

  @Override
  public void terminated(Termination reason) {
    String label =
        switch (reason) {
          case CONNECTION_ERROR -> "connection_error";
          case ERROR -> "error";
          case COMPLETE -> "complete";
        };
    terminations.counter(Labels.of("reason", label)).increment();
  }

  @Override
  public void received(String typeUrl, int size) {
    Labels labels = Labels.of("url", typeUrl);
    messages.counter(labels).increment();
    bytes.counter(labels).add(size);
  }

  @Override
  public void rejected(String typeUrl) {
    rejections.counter(Labels.of("url", typeUrl)).increment();
  }
}
