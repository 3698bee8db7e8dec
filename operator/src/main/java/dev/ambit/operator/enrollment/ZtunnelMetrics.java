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
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
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

  /** Of a thousand ztunnels some may be slow, and no more than this are waited for at a time. */
  private static final int AT_ONCE = 32;

  private final Supplier<List<ZtunnelPods.Ztunnel>> ztunnels;
  private final HttpClient http = HttpClient.newBuilder().connectTimeout(ANSWERS_WITHIN).build();
  private final ExecutorService calls =
      Executors.newFixedThreadPool(AT_ONCE, Thread.ofVirtual().factory());
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
    private Unheard unheard = Unheard.because("none has been asked yet");
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
  public synchronized Traffic since(String namespace, Set<String> nodes) {
    Watch watch = watches.get(namespace);
    if (watch == null) {
      watch = new Watch();
      watches.put(namespace, watch);
      if (!scheduler.isShutdown()) {
        scheduler.execute(this::look);
      }
    }
    return new Traffic(watch.connections, watch.failed, watch.unheard.by(nodes));
  }

  @Override
  public synchronized void kept(String namespace, Traffic told) {
    Watch watch = watches.get(namespace);
    if (watch != null) {
      watch.connections = Math.max(0, watch.connections - told.connections());
      watch.failed = Math.max(0, watch.failed - told.failed());
    }
  }

  @Override
  public synchronized void forget(String namespace) {
    watches.remove(namespace);
  }

  /** Asks each ztunnel once, many at the same time. */
  void look() {
    if (nobodyAsks()) {
      return;
    }
    try {
      List<ZtunnelPods.Ztunnel> all = ztunnels.get();
      Map<ZtunnelPods.Ztunnel, Future<Boolean>> pending = new LinkedHashMap<>();
      for (ZtunnelPods.Ztunnel ztunnel : all) {
        Callable<Boolean> call = () -> ask(ztunnel);
        pending.put(ztunnel, calls.submit(call));
      }
      List<ZtunnelPods.Ztunnel> silent = new ArrayList<>();
      for (Map.Entry<ZtunnelPods.Ztunnel, Future<Boolean>> each : pending.entrySet()) {
        if (!isHeard(each.getKey(), each.getValue())) {
          silent.add(each.getKey());
        }
      }
      finish(all, Unheard.of(silent));
    } catch (KubernetesClientException e) {
      finish(List.of(), Unheard.because("the API server does not list them"));
    } catch (RejectedExecutionException e) {
      // Closed meanwhile.
      return;
    } catch (RuntimeException e) {
      LOG.atError().setCause(e).log("cannot read ztunnels' metrics");
      finish(List.of(), Unheard.because("see the operator's log"));
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }

  /** Those before it in line have been waited for already. */
  private static boolean isHeard(ZtunnelPods.Ztunnel ztunnel, Future<Boolean> answer)
      throws InterruptedException {
    try {
      return answer.get(2 * ANSWERS_WITHIN.toMillis(), TimeUnit.MILLISECONDS);
    } catch (TimeoutException e) {
      // Its headers came in time, and the rest did not.
      answer.cancel(true);
      return false;
    } catch (ExecutionException e) {
      LOG.atError()
          .addKeyValue("node", ztunnel.node())
          .setCause(e.getCause())
          .log("cannot read a ztunnel's metrics");
      return false;
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

  private synchronized void finish(List<ZtunnelPods.Ztunnel> all, Unheard unheard) {
    List<String> uids = all.stream().map(ZtunnelPods.Ztunnel::uid).toList();
    watches
        .values()
        .forEach(
            watch -> {
              watch.seen.keySet().retainAll(uids);
              watch.unheard = unheard;
            });
  }

  @Override
  public void close() {
    scheduler.shutdownNow();
    calls.shutdownNow();
    http.shutdownNow();
  }
}
