package dev.ambit.operator.waypoint.route;

import dev.ambit.operator.EventRecorder;
import dev.ambit.operator.NamespaceGone;
import dev.ambit.operator.model.ObjectCondition;
import dev.ambit.operator.waypoint.model.ObjectReference;
import dev.ambit.operator.waypoint.route.model.ParentStatuses;
import dev.ambit.operator.waypoint.route.model.RouteStatus;
import io.fabric8.kubernetes.api.model.GenericKubernetesResource;
import io.fabric8.kubernetes.client.KubernetesClient;
import io.fabric8.kubernetes.client.KubernetesClientException;
import java.net.HttpURLConnection;
import java.time.Duration;
import java.time.InstantSource;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.Executors;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Says on the status of routes what became of them, for one term as the leader. A route's {@code
 * status.parents} belongs to several controllers, so it is read, changed in our own entries, and
 * written back only if nobody has written in between.
 */
public final class RouteStatusWriter implements AutoCloseable {
  private static final Logger LOG = LoggerFactory.getLogger(RouteStatusWriter.class);
  private static final Duration SETTLE = Duration.ofMillis(100);
  private static final Duration AGAIN = Duration.ofMillis(200);
  private static final Duration RETRY = Duration.ofSeconds(5);

  private final RouteApi routes;
  private final RouteStatuses statuses;
  private final EventRecorder events;
  private final InstantSource clock;
  private final Set<ObjectReference> queued = ConcurrentHashMap.newKeySet();
  private final AutoCloseable subscription;
  private final ScheduledExecutorService executor =
      Executors.newSingleThreadScheduledExecutor(
          Thread.ofPlatform().name("route-status").daemon().factory());

  /** Begins to write. */
  public RouteStatusWriter(
      KubernetesClient client, RouteStatuses statuses, EventRecorder events, InstantSource clock) {
    this.routes = new RouteApi(client);
    this.statuses = statuses;
    this.events = events;
    this.clock = clock;
    this.subscription = statuses.onChange(route -> enqueue(route, SETTLE));
    schedule(this::begin, Duration.ZERO);
  }

  /** What an earlier leader said may be true no longer, and much of it is. */
  private void begin() {
    if (!statuses.isKnown()) {
      // Of nothing yet; to take back what was said would be to say that it is not so.
      schedule(this::begin, AGAIN);
      return;
    }
    List<GenericKubernetesResource> present;
    try {
      present = routes.list();
    } catch (KubernetesClientException e) {
      LOG.atWarn().setCause(e).log("cannot read routes to say what became of them; tried again");
      schedule(this::begin, RETRY);
      return;
    }
    for (GenericKubernetesResource route : present) {
      ObjectReference reference = ObjectReference.of(route);
      if (!merged(route, statuses.of(reference)).equals(parents(route))) {
        enqueue(reference, Duration.ZERO);
      }
    }
  }

  private void enqueue(ObjectReference route, Duration delay) {
    if (queued.add(route) && !schedule(() -> run(route), delay)) {
      queued.remove(route);
    }
  }

  private boolean schedule(Runnable task, Duration delay) {
    try {
      executor.schedule(task, delay.toMillis(), TimeUnit.MILLISECONDS);
      return true;
    } catch (RejectedExecutionException e) {
      // The term is over, and another leader says it.
      return false;
    }
  }

  private void run(ObjectReference route) {
    queued.remove(route);
    try {
      routes.get(route).ifPresent(present -> write(route, present));
    } catch (KubernetesClientException e) {
      if (NamespaceGone.isCauseOf(e)) {
        return;
      }
      if (e.getCode() == HttpURLConnection.HTTP_CONFLICT) {
        // Somebody else has written; read again.
        enqueue(route, AGAIN);
        return;
      }
      LOG.atWarn()
          .addKeyValue("kind", route.kind())
          .addKeyValue("namespace", route.namespace())
          .addKeyValue("name", route.name())
          .setCause(e)
          .log("cannot write a route's status; it is tried again");
      enqueue(route, RETRY);
    }
  }

  private void write(ObjectReference reference, GenericKubernetesResource route) {
    List<RouteStatus> wanted = statuses.of(reference);
    List<Map<String, Object>> before = parents(route);
    List<Map<String, Object>> after = merged(route, wanted);
    if (after.equals(before)) {
      return;
    }
    Map<String, Object> status = new LinkedHashMap<>();
    if (route.getAdditionalProperties().get("status") instanceof Map<?, ?> present) {
      present.forEach((key, value) -> status.put(String.valueOf(key), value));
    }
    status.put("parents", after);
    route.setAdditionalProperty("status", status);
    routes.replaceStatus(reference, route);
    tell(route, before, wanted);
  }

  private List<Map<String, Object>> merged(
      GenericKubernetesResource route, List<RouteStatus> wanted) {
    return ParentStatuses.merge(
        parents(route), wanted, route.getMetadata().getNamespace(), clock.instant());
  }

  private static List<Map<String, Object>> parents(GenericKubernetesResource route) {
    List<Map<String, Object>> parents = new ArrayList<>();
    if (route.getAdditionalProperties().get("status") instanceof Map<?, ?> status
        && status.get("parents") instanceof List<?> list) {
      for (Object each : list) {
        if (each instanceof Map<?, ?> entry) {
          Map<String, Object> parent = new LinkedHashMap<>();
          entry.forEach((key, value) -> parent.put(String.valueOf(key), value));
          parents.add(parent);
        }
      }
    }
    return parents;
  }

  private void tell(
      GenericKubernetesResource route, List<Map<String, Object>> before, List<RouteStatus> wanted) {
    for (RouteStatus status : wanted) {
      for (ObjectCondition condition : status.conditions()) {
        if (!condition.holds()
            && !ParentStatuses.says(
                before, status, route.getMetadata().getNamespace(), condition)) {
          LOG.atInfo()
              .addKeyValue("kind", route.getKind())
              .addKeyValue("namespace", route.getMetadata().getNamespace())
              .addKeyValue("name", route.getMetadata().getName())
              .addKeyValue("condition", condition.type())
              .addKeyValue("message", condition.message())
              .log("said what became of a route");
          events.warning(route, condition.reason(), condition.message());
        }
      }
    }
  }

  @Override
  public void close() throws Exception {
    subscription.close();
    executor.shutdownNow();
  }
}
