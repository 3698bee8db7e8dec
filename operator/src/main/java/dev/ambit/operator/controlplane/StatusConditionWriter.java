package dev.ambit.operator.controlplane;

import dev.ambit.operator.EventRecorder;
import dev.ambit.operator.FieldManager;
import dev.ambit.operator.NamespaceGone;
import dev.ambit.operator.model.BoundObject;
import dev.ambit.operator.model.ObjectCondition;
import io.fabric8.istio.api.api.meta.v1alpha1.IstioCondition;
import io.fabric8.istio.api.api.meta.v1alpha1.IstioConditionBuilder;
import io.fabric8.istio.api.networking.v1.DestinationRule;
import io.fabric8.istio.api.networking.v1.DestinationRuleBuilder;
import io.fabric8.istio.api.networking.v1.ServiceEntry;
import io.fabric8.istio.api.networking.v1.ServiceEntryBuilder;
import io.fabric8.istio.api.networking.v1.VirtualService;
import io.fabric8.istio.api.networking.v1.VirtualServiceBuilder;
import io.fabric8.istio.api.networking.v1.WorkloadEntry;
import io.fabric8.istio.api.networking.v1.WorkloadEntryBuilder;
import io.fabric8.istio.api.security.v1.AuthorizationPolicy;
import io.fabric8.istio.api.security.v1.AuthorizationPolicyBuilder;
import io.fabric8.istio.api.security.v1.RequestAuthentication;
import io.fabric8.istio.api.security.v1.RequestAuthenticationBuilder;
import io.fabric8.istio.api.telemetry.v1.Telemetry;
import io.fabric8.istio.api.telemetry.v1.TelemetryBuilder;
import io.fabric8.kubernetes.api.model.Condition;
import io.fabric8.kubernetes.api.model.ConditionBuilder;
import io.fabric8.kubernetes.api.model.HasMetadata;
import io.fabric8.kubernetes.api.model.ObjectMeta;
import io.fabric8.kubernetes.api.model.ObjectMetaBuilder;
import io.fabric8.kubernetes.api.model.Service;
import io.fabric8.kubernetes.api.model.ServiceBuilder;
import io.fabric8.kubernetes.client.KubernetesClient;
import io.fabric8.kubernetes.client.KubernetesClientException;
import java.time.Duration;
import java.time.InstantSource;
import java.time.temporal.ChronoUnit;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.Executors;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;
import java.util.stream.Collectors;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Says on the status of Services, ServiceEntries, WorkloadEntries, VirtualServices,
 * DestinationRules and Telemetry objects what the mesh made of them, for one term as the leader. It
 * owns the conditions of its types and no others.
 */
final class StatusConditionWriter implements AutoCloseable {
  static final String FIELD_MANAGER = "ambit-conditions";

  private static final Logger LOG = LoggerFactory.getLogger(StatusConditionWriter.class);
  private static final Duration SETTLE = Duration.ofMillis(100);
  private static final Duration AGAIN = Duration.ofMillis(200);
  private static final Duration RETRY = Duration.ofSeconds(5);

  private final Consumer<HasMetadata> patch;
  private final StatusConditions conditions;
  private final BoundObjects objects;
  private final EventRecorder events;
  private final InstantSource clock;
  private final Set<BoundObject> queued = ConcurrentHashMap.newKeySet();
  private final AutoCloseable subscription;
  private final ScheduledExecutorService executor =
      Executors.newSingleThreadScheduledExecutor(
          Thread.ofPlatform().name("status-conditions").daemon().factory());

  /** What has been written to an object of that UID; confined to the executor's thread. */
  private final Map<BoundObject, Written> written = new HashMap<>();

  private record Written(String uid, List<Present> conditions) {}

  /** A condition as it stands on an object. */
  private record Present(ObjectCondition condition, String since) {}

  /**
   * Begins to write.
   *
   * @param patch makes an object's status have what this one's has, and none else of ours
   */
  StatusConditionWriter(
      Consumer<HasMetadata> patch,
      StatusConditions conditions,
      BoundObjects objects,
      EventRecorder events,
      InstantSource clock) {
    this.patch = patch;
    this.conditions = conditions;
    this.objects = objects;
    this.events = events;
    this.clock = clock;
    this.subscription =
        conditions.onChange(
            object -> {
              if (conditions.isKnown()) {
                enqueue(object, SETTLE);
              }
            });
    schedule(this::begin, Duration.ZERO);
  }

  private void begin() {
    if (!conditions.isKnown()) {
      // To say a part of it, or to take back what was said, would be to say that it is not so.
      schedule(this::begin, AGAIN);
      return;
    }
    conditions.objects().forEach(object -> enqueue(object, SETTLE));
    // What an earlier leader said may be true no longer.
    objects
        .all()
        .filter(object -> !present(object).isEmpty())
        .forEach(object -> enqueue(BoundObjects.key(object), SETTLE));
  }

  /** Server-side apply of a status. */
  static Consumer<HasMetadata> applyBy(KubernetesClient client) {
    return applied -> FieldManager.applyStatus(client, applied, FIELD_MANAGER);
  }

  private void enqueue(BoundObject object, Duration delay) {
    if (queued.add(object) && !schedule(() -> run(object), delay)) {
      queued.remove(object);
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

  private void run(BoundObject object) {
    queued.remove(object);
    try {
      reconcile(object);
    } catch (KubernetesClientException e) {
      if (NamespaceGone.isCauseOf(e)) {
        written.remove(object);
        return;
      }
      LOG.atWarn()
          .addKeyValue("kind", object.kind().text())
          .addKeyValue("namespace", object.namespace())
          .addKeyValue("name", object.name())
          .setCause(e)
          .log("cannot write an object's conditions; it is tried again");
      enqueue(object, RETRY);
    }
  }

  private void reconcile(BoundObject object) {
    HasMetadata cached = objects.cached(object).orElse(null);
    if (cached == null) {
      written.remove(object);
      return;
    }
    String uid = String.valueOf(cached.getMetadata().getUid());
    Written last = written.get(object);
    // The cache may not have seen our own last write yet.
    List<Present> before =
        last != null && last.uid().equals(uid) ? last.conditions() : present(cached);
    List<ObjectCondition> wanted = conditions.of(object);
    if (Set.copyOf(wanted)
        .equals(before.stream().map(Present::condition).collect(Collectors.toSet()))) {
      return;
    }
    List<Present> after =
        wanted.stream().map(condition -> new Present(condition, since(condition, before))).toList();
    patch.accept(applied(object, after));
    written.put(object, new Written(uid, after));
    tell(cached, before, wanted);
  }

  private String since(ObjectCondition condition, List<Present> before) {
    return before.stream()
        .filter(
            present ->
                present.condition().type().equals(condition.type())
                    && present.condition().holds() == condition.holds())
        .map(Present::since)
        .findFirst()
        .orElseGet(() -> clock.instant().truncatedTo(ChronoUnit.SECONDS).toString());
  }

  private void tell(HasMetadata object, List<Present> before, List<ObjectCondition> wanted) {
    for (ObjectCondition condition : wanted) {
      Optional<ObjectCondition> was =
          before.stream()
              .map(Present::condition)
              .filter(each -> each.type().equals(condition.type()))
              .findFirst();
      if (was.filter(condition::agreesWith).isPresent()) {
        continue;
      }
      LOG.atInfo()
          .addKeyValue("kind", object.getKind())
          .addKeyValue("namespace", object.getMetadata().getNamespace())
          .addKeyValue("name", object.getMetadata().getName())
          .addKeyValue("condition", condition.type())
          .addKeyValue("status", condition.holds())
          .addKeyValue("message", condition.message())
          .log("said what became of an object");
      if (!condition.holds()) {
        events.warning(object, condition.reason(), condition.message());
      } else if (was.filter(each -> !each.holds()).isPresent()) {
        events.normal(object, condition.reason(), condition.message());
      }
    }
  }

  /** The conditions of our types. */
  private static List<Present> present(HasMetadata object) {
    List<Present> present = new ArrayList<>();
    switch (object) {
      case Service service when service.getStatus() != null -> {
        for (Condition condition : orEmpty(service.getStatus().getConditions())) {
          present.add(
              present(
                  condition.getType(),
                  condition.getStatus(),
                  condition.getReason(),
                  condition.getMessage(),
                  condition.getLastTransitionTime()));
        }
      }
      case ServiceEntry entry when entry.getStatus() != null ->
          orEmpty(entry.getStatus().getConditions())
              .forEach(condition -> present.add(present(condition)));
      case WorkloadEntry entry when entry.getStatus() != null ->
          orEmpty(entry.getStatus().getConditions())
              .forEach(condition -> present.add(present(condition)));
      case VirtualService service when service.getStatus() != null ->
          orEmpty(service.getStatus().getConditions())
              .forEach(condition -> present.add(present(condition)));
      case DestinationRule rule when rule.getStatus() != null ->
          orEmpty(rule.getStatus().getConditions())
              .forEach(condition -> present.add(present(condition)));
      case AuthorizationPolicy policy when policy.getStatus() != null ->
          orEmpty(policy.getStatus().getConditions())
              .forEach(condition -> present.add(present(condition)));
      case RequestAuthentication policy when policy.getStatus() != null ->
          orEmpty(policy.getStatus().getConditions())
              .forEach(condition -> present.add(present(condition)));
      case Telemetry telemetry when telemetry.getStatus() != null ->
          orEmpty(telemetry.getStatus().getConditions())
              .forEach(condition -> present.add(present(condition)));
      default -> {}
    }
    present.removeIf(each -> !ObjectCondition.TYPES.contains(each.condition().type()));
    return present;
  }

  private static Present present(IstioCondition condition) {
    Present present =
        present(
            condition.getType(),
            condition.getStatus(),
            condition.getReason(),
            condition.getMessage(),
            condition.getLastTransitionTime());
    return condition.getObservedGeneration() == null
        ? present
        : new Present(present.condition().of(condition.getObservedGeneration()), present.since());
  }

  private static Present present(
      String type, String status, String reason, String message, String since) {
    return new Present(
        new ObjectCondition(
            String.valueOf(type),
            "True".equals(status),
            String.valueOf(reason),
            String.valueOf(message)),
        Objects.requireNonNullElse(since, ""));
  }

  /** A fresh object with nothing but what we own: server-side apply leaves all else alone. */
  private static HasMetadata applied(BoundObject object, List<Present> conditions) {
    ObjectMeta metadata =
        new ObjectMetaBuilder().withNamespace(object.namespace()).withName(object.name()).build();
    return switch (object.kind()) {
      case SERVICE ->
          new ServiceBuilder()
              .withMetadata(metadata)
              .withNewStatus()
              .withConditions(
                  conditions.stream()
                      .map(
                          each ->
                              new ConditionBuilder()
                                  .withType(each.condition().type())
                                  .withStatus(status(each))
                                  .withReason(each.condition().reason())
                                  .withMessage(each.condition().message())
                                  .withLastTransitionTime(each.since())
                                  .build())
                      .toList())
              .endStatus()
              .build();
      case SERVICE_ENTRY ->
          new ServiceEntryBuilder()
              .withMetadata(metadata)
              .withNewStatus()
              .withConditions(istio(conditions))
              .endStatus()
              .build();
      case WORKLOAD_ENTRY ->
          new WorkloadEntryBuilder()
              .withMetadata(metadata)
              .withNewStatus()
              .withConditions(istio(conditions))
              .endStatus()
              .build();
      case VIRTUAL_SERVICE ->
          new VirtualServiceBuilder()
              .withMetadata(metadata)
              .withNewStatus()
              .withConditions(istio(conditions))
              .endStatus()
              .build();
      case DESTINATION_RULE ->
          new DestinationRuleBuilder()
              .withMetadata(metadata)
              .withNewStatus()
              .withConditions(istio(conditions))
              .endStatus()
              .build();
      case AUTHORIZATION_POLICY ->
          new AuthorizationPolicyBuilder()
              .withMetadata(metadata)
              .withNewStatus()
              .withConditions(istio(conditions))
              .endStatus()
              .build();
      case REQUEST_AUTHENTICATION ->
          new RequestAuthenticationBuilder()
              .withMetadata(metadata)
              .withNewStatus()
              .withConditions(istio(conditions))
              .endStatus()
              .build();
      case TELEMETRY ->
          new TelemetryBuilder()
              .withMetadata(metadata)
              .withNewStatus()
              .withConditions(istio(conditions))
              .endStatus()
              .build();
    };
  }

  private static List<IstioCondition> istio(List<Present> conditions) {
    return conditions.stream().map(StatusConditionWriter::istio).toList();
  }

  private static IstioCondition istio(Present present) {
    IstioConditionBuilder condition =
        new IstioConditionBuilder()
            .withType(present.condition().type())
            .withStatus(status(present))
            .withReason(present.condition().reason())
            .withMessage(present.condition().message())
            .withLastTransitionTime(present.since());
    present.condition().generation().ifPresent(condition::withObservedGeneration);
    return condition.build();
  }

  private static String status(Present condition) {
    return condition.condition().holds() ? "True" : "False";
  }

  private static <T> List<T> orEmpty(List<T> list) {
    return list == null ? List.of() : list;
  }

  @Override
  public void close() throws Exception {
    subscription.close();
    executor.shutdownNow();
  }
}
