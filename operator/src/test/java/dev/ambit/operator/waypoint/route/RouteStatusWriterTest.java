package dev.ambit.operator.waypoint.route;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import dev.ambit.operator.EventRecorder;
import dev.ambit.operator.model.ObjectCondition;
import dev.ambit.operator.waypoint.model.ObjectReference;
import dev.ambit.operator.waypoint.route.model.RouteStatus;
import io.fabric8.kubernetes.api.model.APIResourceListBuilder;
import io.fabric8.kubernetes.api.model.Event;
import io.fabric8.kubernetes.api.model.gatewayapi.v1.HTTPRoute;
import io.fabric8.kubernetes.api.model.gatewayapi.v1.HTTPRouteBuilder;
import io.fabric8.kubernetes.api.model.gatewayapi.v1.ParentReferenceBuilder;
import io.fabric8.kubernetes.api.model.gatewayapi.v1.RouteParentStatus;
import io.fabric8.kubernetes.api.model.gatewayapi.v1alpha2.TCPRoute;
import io.fabric8.kubernetes.client.KubernetesClient;
import io.fabric8.kubernetes.client.server.mock.EnableKubernetesMockClient;
import io.fabric8.kubernetes.client.server.mock.KubernetesMockServer;
import java.time.Duration;
import java.time.InstantSource;
import java.util.List;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** What the leader writes to routes' status, and when. */
@EnableKubernetesMockClient(crud = true)
class RouteStatusWriterTest {
  private static final Duration PATIENCE = Duration.ofSeconds(30);
  private static final ObjectReference ROUTE =
      new ObjectReference("gateway.networking.k8s.io", "HTTPRoute", "shop", "route");

  @SuppressWarnings("NullAway.Init") // set by the extension
  KubernetesClient client;

  @SuppressWarnings("NullAway.Init") // set by the extension
  KubernetesMockServer server;

  private final RouteStatuses statuses = new RouteStatuses();

  @BeforeEach
  void kinds() {
    server
        .expect()
        .get()
        .withPath("/apis/gateway.networking.k8s.io/v1")
        .andReturn(
            200,
            new APIResourceListBuilder()
                .addNewResource()
                .withName("httproutes")
                .withKind("HTTPRoute")
                .withNamespaced(true)
                .endResource()
                .addNewResource()
                .withName("httproutes/status")
                .withKind("HTTPRoute")
                .withNamespaced(true)
                .endResource()
                .build())
        .always();
  }

  private void create(RouteParentStatus... parents) {
    client
        .resource(
            new HTTPRouteBuilder()
                .withNewMetadata()
                .withNamespace("shop")
                .withName("route")
                .endMetadata()
                .withNewSpec()
                .endSpec()
                .withNewStatus()
                .withParents(parents)
                .endStatus()
                .build())
        .create();
  }

  private static RouteParentStatus entry(String controller) {
    RouteParentStatus status = new RouteParentStatus();
    status.setControllerName(controller);
    status.setParentRef(new ParentReferenceBuilder().withName("gateway").build());
    status.setConditions(List.of());
    return status;
  }

  private static RouteStatus status(boolean accepted) {
    return new RouteStatus(
        ROUTE,
        1,
        new ParentReferenceBuilder().withGroup("").withKind("Service").withName("web").build(),
        List.of(new ObjectCondition("Accepted", accepted, "Reason", "message")));
  }

  private RouteStatusWriter writer() {
    return new RouteStatusWriter(
        client,
        statuses,
        new EventRecorder(client, "operator-0", InstantSource.system()),
        InstantSource.system());
  }

  private List<RouteParentStatus> parents() {
    HTTPRoute route = client.resources(HTTPRoute.class).inNamespace("shop").withName("route").get();
    return route.getStatus() == null ? List.of() : route.getStatus().getParents();
  }

  private List<Event> events() {
    return client.v1().events().inNamespace("shop").list().getItems();
  }

  @Test
  void saysWhatBecameOfARouteAndLeavesOthersEntries() throws Exception {
    create(entry("example.org/controller"));
    statuses.put(List.of(status(false)));
    try (RouteStatusWriter writer = writer()) {
      await().atMost(PATIENCE).until(() -> parents().size() == 2);
      assertThat(parents())
          .extracting(RouteParentStatus::getControllerName)
          .containsExactly("example.org/controller", RouteStatus.CONTROLLER_NAME);
      assertThat(parents().get(1).getConditions().getFirst().getStatus()).isEqualTo("False");
      await()
          .atMost(PATIENCE)
          .untilAsserted(
              () -> assertThat(events()).extracting(Event::getReason).containsExactly("Reason"));

      statuses.put(List.of(status(true)));
      await()
          .atMost(PATIENCE)
          .until(() -> parents().get(1).getConditions().getFirst().getStatus().equals("True"));

      statuses.put(List.of());
      await().atMost(PATIENCE).until(() -> parents().size() == 1);
      assertThat(writer).isNotNull();
    }
  }

  @Test
  void takesBackWhatAnEarlierLeaderSaid() throws Exception {
    create(entry(RouteStatus.CONTROLLER_NAME), entry("example.org/controller"));
    try (RouteStatusWriter writer = writer()) {
      // Not before it is known that it is not so.
      await()
          .during(Duration.ofMillis(500))
          .atMost(PATIENCE)
          .untilAsserted(() -> assertThat(parents()).hasSize(2));
      statuses.put(List.of());
      await().atMost(PATIENCE).until(() -> parents().size() == 1);
      assertThat(parents().getFirst().getControllerName()).isEqualTo("example.org/controller");
      assertThat(writer).isNotNull();
    }
  }

  @Test
  void readsRoutesInTheVersionThatIsServed() {
    server
        .expect()
        .get()
        .withPath("/apis/gateway.networking.k8s.io/v1alpha2")
        .andReturn(
            200,
            new APIResourceListBuilder()
                .addNewResource()
                .withName("tcproutes")
                .withKind("TCPRoute")
                .withNamespaced(true)
                .endResource()
                .build())
        .always();
    RouteApi routes = new RouteApi(client);
    client
        .resource(
            """
            apiVersion: gateway.networking.k8s.io/v1alpha2
            kind: TCPRoute
            metadata: {name: route, namespace: shop}
            spec: {rules: [{name: one, unknown: 1}]}
            """)
        .create();
    assertThat(routes.ofKind("TLSRoute")).isEmpty();
    assertThat(
            routes.ofKind("TCPRoute").orElseThrow().list().getItems().stream()
                .map(route -> routes.as(TCPRoute.class, route).getSpec().getRules().getFirst()))
        .singleElement()
        .satisfies(
            rule -> {
              assertThat(rule.getName()).isEqualTo("one");
              assertThat(rule.getAdditionalProperties()).containsEntry("unknown", 1);
            });
  }

  @Test
  void writesNothingOfARouteThatIsGone() throws Exception {
    statuses.put(List.of(status(true)));
    try (RouteStatusWriter writer = writer()) {
      await()
          .during(Duration.ofMillis(300))
          .atMost(PATIENCE)
          .untilAsserted(
              () -> assertThat(client.resources(HTTPRoute.class).list().getItems()).isEmpty());
      assertThat(writer).isNotNull();
    }
  }
}
