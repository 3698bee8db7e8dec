package dev.ambit.operator.enrollment;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.ambit.operator.enrollment.model.PlaintextReport;
import dev.ambit.operator.enrollment.model.PlaintextSightings;
import io.fabric8.kubernetes.client.KubernetesClient;
import io.fabric8.kubernetes.client.KubernetesClientException;
import java.io.IOException;
import java.io.InputStream;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.time.Duration;
import java.time.Instant;
import java.time.InstantSource;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
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
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Asks the ztunnels for their ledgers of plaintext, only while a namespace waits for its last. */
public final class ZtunnelLedgers implements PlaintextWatch, AutoCloseable {
  private static final Logger LOG = LoggerFactory.getLogger(ZtunnelLedgers.class);

  private static final Duration EVERY = Duration.ofSeconds(10);
  private static final Duration ANSWERS_WITHIN = Duration.ofSeconds(4);

  /** Many times what a node's pods and senders come to. */
  private static final int LARGEST_ANSWER = 32 << 20;

  private final Supplier<List<ZtunnelPods.Ztunnel>> ztunnels;
  private final InstantSource clock;
  private final ObjectMapper json = new ObjectMapper();
  private final HttpClient http = HttpClient.newBuilder().connectTimeout(ANSWERS_WITHIN).build();
  private final ExecutorService calls = Executors.newVirtualThreadPerTaskExecutor();
  private final ScheduledExecutorService scheduler =
      Executors.newSingleThreadScheduledExecutor(
          Thread.ofPlatform().name("ztunnel-ledgers").daemon().factory());

  // Guarded by this.
  private final Map<String, PlaintextSightings> watched = new HashMap<>();
  private Unheard unheard = Unheard.NONE;

  /** Asks the ztunnels of the root namespace. */
  public ZtunnelLedgers(KubernetesClient client, String rootNamespace, InstantSource clock) {
    this(() -> ZtunnelPods.list(client, rootNamespace), clock);
  }

  ZtunnelLedgers(Supplier<List<ZtunnelPods.Ztunnel>> ztunnels, InstantSource clock) {
    this.ztunnels = ztunnels;
    this.clock = clock;
    var unused =
        scheduler.scheduleWithFixedDelay(
            this::look, EVERY.toMillis(), EVERY.toMillis(), TimeUnit.MILLISECONDS);
  }

  @Override
  public synchronized PlaintextSightings of(String namespace, Set<String> nodes) {
    PlaintextSightings known = watched.putIfAbsent(namespace, PlaintextSightings.NOT_ASKED);
    if (known == null && !scheduler.isShutdown()) {
      scheduler.execute(this::look);
    }
    return known == null || known.at() == null
        ? PlaintextSightings.NOT_ASKED
        : new PlaintextSightings(known.at(), known.reports(), known.instances(), unheard.by(nodes));
  }

  @Override
  public synchronized void forget(String namespace) {
    watched.remove(namespace);
  }

  private synchronized Set<String> asked() {
    return Set.copyOf(watched.keySet());
  }

  /** What one ztunnel answered. */
  private record Answer(String instance, Map<String, PlaintextReport> reports) {}

  /** Asks each ztunnel once, all at the same time. */
  void look() {
    if (asked().isEmpty()) {
      return;
    }
    Instant at = clock.instant();
    List<Answer> answers = new ArrayList<>();
    List<ZtunnelPods.Ztunnel> silent = new ArrayList<>();
    Unheard problem = Unheard.NONE;
    try {
      Map<ZtunnelPods.Ztunnel, Future<Answer>> pending = new HashMap<>();
      for (ZtunnelPods.Ztunnel ztunnel : ztunnels.get()) {
        Callable<Answer> call = () -> ask(ztunnel);
        pending.put(ztunnel, calls.submit(call));
      }
      for (Map.Entry<ZtunnelPods.Ztunnel, Future<Answer>> each : pending.entrySet()) {
        try {
          answers.add(each.getValue().get(2 * ANSWERS_WITHIN.toMillis(), TimeUnit.MILLISECONDS));
        } catch (TimeoutException e) {
          // Its headers came in time, and the rest did not.
          each.getValue().cancel(true);
          silent.add(each.getKey());
        } catch (ExecutionException e) {
          silent.add(each.getKey());
          LOG.atDebug()
              .addKeyValue("node", each.getKey().node())
              .addKeyValue("problem", String.valueOf(e.getCause()))
              .log("a ztunnel does not tell of plaintext");
        }
      }
    } catch (KubernetesClientException e) {
      problem = Unheard.because("the API server does not list them");
    } catch (RejectedExecutionException e) {
      // Closed meanwhile.
      return;
    } catch (RuntimeException e) {
      LOG.atError().setCause(e).log("cannot read ztunnels' ledgers");
      problem = Unheard.because("see the operator's log");
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      return;
    }
    keep(at, answers, problem.equals(Unheard.NONE) ? Unheard.of(silent) : problem);
  }

  private synchronized void keep(Instant at, List<Answer> answers, Unheard silent) {
    unheard = silent;
    Set<String> instances = new HashSet<>();
    answers.forEach(answer -> instances.add(answer.instance()));
    watched.replaceAll(
        (namespace, before) ->
            new PlaintextSightings(
                at,
                answers.stream()
                    .map(answer -> answer.reports().get(namespace))
                    .filter(report -> report != null)
                    .toList(),
                instances,
                List.of()));
  }

  private Answer ask(ZtunnelPods.Ztunnel ztunnel) throws IOException, InterruptedException {
    URI uri = ztunnel.base().resolve("/plaintext");
    HttpRequest request = HttpRequest.newBuilder(uri).timeout(ANSWERS_WITHIN).build();
    HttpResponse<InputStream> response =
        http.send(request, HttpResponse.BodyHandlers.ofInputStream());
    try (InputStream body = response.body()) {
      if (response.statusCode() != 200) {
        throw new IOException(uri + " answers " + response.statusCode());
      }
      byte[] text = body.readNBytes(LARGEST_ANSWER);
      JsonNode ledger = json.readTree(text);
      return new Answer(
          PlaintextReport.instance(ledger), PlaintextReport.read(ledger, clock.instant()));
    }
  }

  @Override
  public void close() {
    scheduler.shutdownNow();
    calls.shutdownNow();
    http.shutdownNow();
  }
}
