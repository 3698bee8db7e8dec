package dev.ambit.ztunnel.telemetry;

import dev.ambit.ztunnel.state.LocalPod;
import dev.ambit.ztunnel.telemetry.MetricRegistry.Kind;
import dev.ambit.ztunnel.telemetry.MetricRegistry.Labels;
import dev.ambit.ztunnel.zds.PodObserver;
import java.util.concurrent.atomic.LongAdder;
import java.util.function.LongSupplier;

/** Counts pods as they come and go, under Istio's metric names. */
public final class PodTelemetry implements PodObserver {
  private final MetricRegistry metrics;
  private final LongAdder started;
  private final LongAdder stopped;

  public PodTelemetry(MetricRegistry metrics) {
    this.metrics = metrics;
    started = counter("istio_workload_manager_proxies_started_total", "Pods taken into service");
    stopped = counter("istio_workload_manager_proxies_stopped_total", "Pods out of service");
  }

  private LongAdder counter(String name, String help) {
    return metrics.family(name, help, Kind.COUNTER).counter(Labels.NONE);
  }

  /** Shows how many pods are served, and how many wait to be. */
  public void gauges(LongSupplier active, LongSupplier pending) {
    metrics
        .family("istio_workload_manager_active_proxy_count", "Pods in service", Kind.GAUGE)
        .gauge(Labels.NONE, active);
    metrics
        .family("istio_workload_manager_pending_proxy_count", "Pods to be served", Kind.GAUGE)
        .gauge(Labels.NONE, pending);
  }

  @Override
  public void added(LocalPod pod) {}

  @Override
  public void removed(LocalPod pod) {}

  @Override
  public void started(LocalPod pod) {
    started.increment();
  }

  @Override
  public void stopped(LocalPod pod) {
    stopped.increment();
  }
}
