package dev.ambit.operator.controlplane;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import dev.ambit.operator.EventRecorder;
import dev.ambit.operator.model.BoundObject;
import dev.ambit.operator.model.ObjectCondition;
import io.fabric8.istio.api.networking.v1.VirtualService;
import io.fabric8.istio.api.networking.v1.VirtualServiceBuilder;
import io.fabric8.kubernetes.api.model.Condition;
import io.fabric8.kubernetes.api.model.ConditionBuilder;
import io.fabric8.kubernetes.api.model.Event;
import io.fabric8.kubernetes.api.model.HasMetadata;
import io.fabric8.kubernetes.api.model.Service;
import io.fabric8.kubernetes.api.model.ServiceBuilder;
import io.fabric8.kubernetes.client.KubernetesClient;
import io.fabric8.kubernetes.client.KubernetesClientException;
import io.fabric8.kubernetes.client.informers.SharedIndexInformer;
import io.fabric8.kubernetes.client.server.mock.EnableKubernetesMockClient;
import java.time.Duration;
import java.time.InstantSource;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** What the leader writes to objects' status, and when. */
@EnableKubernetesMockClient(crud = true)
class StatusConditionWriterTest {
  private static final Duration PATIENCE = Duration.ofSeconds(30);
  private static final BoundObject CART = new BoundObject(BoundObject.Kind.SERVICE, "shop", "cart");
  private static final ObjectCondition NOT_READY =
      new ObjectCondition(ObjectCondition.WAYPOINT_BOUND, false, "WaypointIsNotReady", "wait");
  private static final ObjectCondition BOUND =
      new ObjectCondition(ObjectCondition.WAYPOINT_BOUND, true, "WaypointAccepted", "through it");

  @SuppressWarnings("NullAway.Init") // set by the extension
  KubernetesClient client;

  private final StatusConditions conditions = new StatusConditions();
  private final BoundObjects objects = new BoundObjects();
  private final List<HasMetadata> written = Collections.synchronizedList(new ArrayList<>());
  private final AtomicInteger failures = new AtomicInteger();

  @BeforeEach
  void everythingIsKnown() {
    conditions.known();
  }

  private void create(Condition... present) {
    client
        .resource(
            new ServiceBuilder()
                .withNewMetadata()
                .withNamespace("shop")
                .withName("cart")
                .endMetadata()
                .withNewStatus()
                .withConditions(present)
                .endStatus()
                .build())
        .create();
    SharedIndexInformer<Service> informer = client.services().inAnyNamespace().inform();
    objects.add(BoundObject.Kind.SERVICE, informer);
    await().atMost(PATIENCE).until(() -> objects.cached(CART).isPresent());
  }

  private StatusConditionWriter writer() {
    return writer(conditions);
  }

  private StatusConditionWriter writer(StatusConditions conditions) {
    return new StatusConditionWriter(
        applied -> {
          if (failures.getAndDecrement() > 0) {
            throw new KubernetesClientException("not now");
          }
          written.add(applied);
        },
        conditions,
        objects,
        new EventRecorder(client, "operator-0", InstantSource.system()),
        InstantSource.system());
  }

  private List<Condition> conditions(int write) {
    return ((Service) written.get(write)).getStatus().getConditions();
  }

  private List<Event> events() {
    return client.v1().events().inNamespace("shop").list().getItems();
  }

  @Test
  void whatBecameOfAnObjectIsSaidOnceOnItsStatusAndAsAnEvent() throws Exception {
    create();
    conditions.put(CART, List.of(NOT_READY));
    try (StatusConditionWriter writer = writer()) {
      await().atMost(PATIENCE).until(() -> written.size() == 1);
      assertThat(conditions(0))
          .singleElement()
          .satisfies(
              condition -> {
                assertThat(condition.getType()).isEqualTo("istio.io/WaypointBound");
                assertThat(condition.getStatus()).isEqualTo("False");
                assertThat(condition.getReason()).isEqualTo("WaypointIsNotReady");
                assertThat(condition.getLastTransitionTime()).isNotEmpty();
              });
      await()
          .atMost(PATIENCE)
          .untilAsserted(
              () -> assertThat(events()).extracting(Event::getType).containsExactly("Warning"));

      conditions.put(CART, List.of(NOT_READY));
      conditions.put(CART, List.of(BOUND));
      await().atMost(PATIENCE).until(() -> written.size() == 2);
      assertThat(conditions(1))
          .singleElement()
          .satisfies(c -> assertThat(c.getStatus()).isEqualTo("True"));
      await()
          .atMost(PATIENCE)
          .untilAsserted(
              () ->
                  assertThat(events())
                      .extracting(Event::getType)
                      .containsExactlyInAnyOrder("Warning", "Normal"));

      // What is not asked for any more is taken back.
      conditions.put(CART, List.of());
      await().atMost(PATIENCE).until(() -> written.size() == 3);
      assertThat(conditions(2)).isEmpty();
    }
  }

  @Test
  void aRulesConditionNamesTheGenerationThatItIsSaidOf() throws Exception {
    BoundObject rule = new BoundObject(BoundObject.Kind.VIRTUAL_SERVICE, "shop", "cart");
    client
        .resource(
            new VirtualServiceBuilder()
                .withNewMetadata()
                .withNamespace("shop")
                .withName("cart")
                .endMetadata()
                .build())
        .create();
    objects.add(
        BoundObject.Kind.VIRTUAL_SERVICE,
        client.resources(VirtualService.class).inAnyNamespace().inform());
    await().atMost(PATIENCE).until(() -> objects.cached(rule).isPresent());
    ObjectCondition accepted =
        new ObjectCondition(ObjectCondition.WAYPOINT_ACCEPTED, false, "UnsupportedValue", "tcp");
    conditions.put(rule, List.of(accepted.of(3)));
    try (StatusConditionWriter writer = writer()) {
      await().atMost(PATIENCE).until(() -> written.size() == 1);
      conditions.put(rule, List.of(accepted.of(4)));
      await().atMost(PATIENCE).until(() -> written.size() == 2);
    }
    assertThat(written)
        .extracting(
            object ->
                ((VirtualService) object)
                    .getStatus()
                    .getConditions()
                    .getFirst()
                    .getObservedGeneration())
        .containsExactly(3L, 4L);
    // Another generation of which the same is said is no news.
    await().atMost(PATIENCE).until(() -> events().size() == 1);
  }

  @Test
  void aNewLeaderRepeatsNothingAndTakesBackWhatHoldsNoLonger() throws Exception {
    create(
        new ConditionBuilder()
            .withType(NOT_READY.type())
            .withStatus("False")
            .withReason(NOT_READY.reason())
            .withMessage(NOT_READY.message())
            .withLastTransitionTime("2026-01-01T00:00:00Z")
            .build());
    conditions.put(CART, List.of(NOT_READY));
    ObjectCondition other =
        new ObjectCondition(NOT_READY.type(), false, NOT_READY.reason(), "another");
    try (StatusConditionWriter writer = writer()) {
      conditions.put(CART, List.of(other));
      await().atMost(PATIENCE).until(() -> !written.isEmpty());
      assertThat(conditions(0))
          .singleElement()
          .satisfies(
              condition -> {
                assertThat(condition.getMessage()).isEqualTo("another");
                assertThat(condition.getLastTransitionTime()).isEqualTo("2026-01-01T00:00:00Z");
              });
    }
    conditions.put(CART, List.of());
    written.clear();
    try (StatusConditionWriter writer = writer()) {
      await().atMost(PATIENCE).until(() -> written.size() == 1);
      assertThat(conditions(0)).isEmpty();
    }
  }

  @Test
  void aWriteThatFailsIsMadeAgain() throws Exception {
    create();
    failures.set(1);
    try (StatusConditionWriter writer = writer()) {
      conditions.put(CART, List.of(BOUND));
      await().atMost(PATIENCE).until(() -> written.size() == 1);
    }
  }

  @Test
  void nothingIsTakenBackBeforeAllIsKnown() throws Exception {
    create(
        new ConditionBuilder()
            .withType(BOUND.type())
            .withStatus("True")
            .withReason(BOUND.reason())
            .withMessage(BOUND.message())
            .withLastTransitionTime("2026-01-01T00:00:00Z")
            .build());
    StatusConditions early = new StatusConditions();
    try (StatusConditionWriter writer = writer(early)) {
      early.put(CART, List.of(NOT_READY));
      await().during(Duration.ofSeconds(1)).atMost(PATIENCE).until(written::isEmpty);
      early.put(CART, List.of(BOUND));
      early.known();
      await().during(Duration.ofSeconds(1)).atMost(PATIENCE).until(written::isEmpty);
      early.put(CART, List.of(NOT_READY));
      await().atMost(PATIENCE).until(() -> written.size() == 1);
    }
  }
}
