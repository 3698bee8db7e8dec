package dev.ambit.operator.enrollment;

import dev.ambit.operator.enrollment.model.ConnectionSeries;
import dev.ambit.operator.enrollment.model.Traffic;
import io.fabric8.kubernetes.client.KubernetesClient;
import io.fabric8.kubernetes.client.KubernetesClientException;
import java.io.IOException;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.Executors;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;
import java.util.function.Supplier;
import java.util.stream.Stream;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Asks the ztunnels for their metrics, only while there is a namespace whose rollout turns on them.
 */
public final class ZtunnelMetrics implements TrafficCounts, AutoCloseable {
  private static final Logger LOG = LoggerFactory.getLogger(ZtunnelMetrics.class);

  private static final Duration EVERY = Duration.ofSeconds(5);
  private static final Duration ANSWERS_WITHIN = Duration.ofSeconds(4);
  private static final String NOT_ASKED = "none has been asked yet";

  private final Supplier<List<ZtunnelPods.Ztunnel>> ztunnels;
  private final HttpClient http = HttpClient.newBuilder().connectTimeout(ANSWERS_WITHIN).build();
  private final ScheduledExecutorService scheduler =
      Executors.newSingleThreadScheduledExecutor(
          Thread.ofPlatform().name("ztunnel-metrics").daemon().factory());

  // Guarded by this.
  private final Map<String, Watch> watches = new HashMap<>();

  /** What is known of one namespace. */
  private static final class Watch {
    /** The counters of each ztunnel as last seen, by its UID and then by series. */
    private final Map<String, Map<String, Long>> seen = new HashMap<>();

    private long connections;
    private long failed;
    private List<String> unheard = List.of(NOT_ASKED);
  }

  /** Asks the ztunnels of the root namespace. */
  public ZtunnelMetrics(KubernetesClient client, String rootNamespace) {
    this(() -> ZtunnelPods.list(client, rootNamespace));
  }

  ZtunnelMetrics(Supplier<List<ZtunnelPods.Ztunnel>> ztunnels) {
    this.ztunnels = ztunnels;
    var unused =
        scheduler.scheduleWithFixedDelay(
            this::look, EVERY.toMillis(), EVERY.toMillis(), TimeUnit.MILLISECONDS);
  }

  @Override
  public synchronized Traffic since(String namespace) {
    Watch watch = watches.get(namespace);
    if (watch == null) {
      watch = new Watch();
      watches.put(namespace, watch);
      if (!scheduler.isShutdown()) {
        scheduler.execute(this::look);
      }
    }
    Traffic traffic = new Traffic(watch.connections, watch.failed, watch.unheard);
    watch.connections = 0;
    watch.failed = 0;
    return traffic;
  }

  @Override
  public synchronized void forget(String namespace) {
    watches.remove(namespace);
  }

  /** Asks each ztunnel once. */
  void look() {
    if (nobodyAsks()) {
      return;
    }
    try {
      List<ZtunnelPods.Ztunnel> all = ztunnels.get();
      List<String> unheard = new ArrayList<>();
      for (ZtunnelPods.Ztunnel ztunnel : all) {
        if (!ask(ztunnel)) {
          unheard.add(ztunnel.node());
        }
      }
      finish(all, unheard);
    } catch (KubernetesClientException e) {
      finish(List.of(), List.of("the API server does not list them"));
    } catch (RuntimeException e) {
      LOG.atError().setCause(e).log("cannot read ztunnels' metrics");
      finish(List.of(), List.of("see the operator's log"));
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }

  private synchronized boolean nobodyAsks() {
    return watches.isEmpty();
  }

  private boolean ask(ZtunnelPods.Ztunnel ztunnel) throws InterruptedException {
    HttpRequest request =
        HttpRequest.newBuilder(ztunnel.base().resolve("/metrics"))
            .timeout(ANSWERS_WITHIN)
            .header("Accept", "text/plain")
            .build();
    try {
      HttpResponse<Stream<String>> response =
          http.send(request, HttpResponse.BodyHandlers.ofLines());
      try (Stream<String> lines = response.body()) {
        if (response.statusCode() != 200) {
          return false;
        }
        add(ztunnel.uid(), lines.map(ConnectionSeries::parse).flatMap(Optional::stream).toList());
        return true;
      }
    } catch (IOException | java.io.UncheckedIOException e) {
      LOG.atDebug()
          .addKeyValue("node", ztunnel.node())
          .addKeyValue("problem", e.toString())
          .log("a ztunnel does not serve its metrics");
      return false;
    }
  }

  private synchronized void add(String uid, List<ConnectionSeries> series) {
    watches.forEach(
        (namespace, watch) -> {
          Map<String, Long> before = watch.seen.get(uid);
          Map<String, Long> now = new HashMap<>();
          for (ConnectionSeries each : series) {
            if (!each.concerns(namespace)) {
              continue;
            }
            now.put(each.name(), each.value());
            if (before == null) {
              // What was before the first look is of another time.
              continue;
            }
            long last = before.getOrDefault(each.name(), 0L);
            // A series that was dropped comes back at zero.
            long more = each.value() >= last ? each.value() - last : each.value();
            watch.connections += more;
            watch.failed += each.failed() ? more : 0;
          }
          watch.seen.put(uid, now);
        });
  }

  private synchronized void finish(List<ZtunnelPods.Ztunnel> all, List<String> unheard) {
    List<String> uids = all.stream().map(ZtunnelPods.Ztunnel::uid).toList();
    watches
        .values()
        .forEach(
            watch -> {
              watch.seen.keySet().retainAll(uids);
              watch.unheard = List.copyOf(unheard);
            });
  }

  @Override
  public void close() {
    scheduler.shutdownNow();
    http.shutdownNow();
  }
}
