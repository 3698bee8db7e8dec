package dev.ambit.k3s;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.awaitility.Awaitility.await;

import dev.ambit.api.Conditions;
import io.fabric8.kubernetes.api.model.Condition;
import io.fabric8.kubernetes.api.model.HasMetadata;
import io.fabric8.kubernetes.api.model.Service;
import io.fabric8.kubernetes.api.model.ServiceAccount;
import io.fabric8.kubernetes.api.model.apps.Deployment;
import io.fabric8.kubernetes.api.model.autoscaling.v2.HorizontalPodAutoscaler;
import io.fabric8.kubernetes.api.model.gatewayapi.v1.Gateway;
import io.fabric8.kubernetes.api.model.policy.v1.PodDisruptionBudget;
import io.fabric8.kubernetes.client.Config;
import io.fabric8.kubernetes.client.KubernetesClient;
import io.fabric8.kubernetes.client.KubernetesClientBuilder;
import io.fabric8.kubernetes.client.KubernetesClientException;
import io.fabric8.kubernetes.client.dsl.base.PatchContext;
import io.fabric8.kubernetes.client.dsl.base.PatchType;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;
import org.opentest4j.AssertionFailedError;

/** What the operator makes of Gateways, what it leaves alone, and what it cannot touch. */
@ExtendWith(ClusterExtension.class)
class WaypointObjectsIT {
  private static final String NAMESPACE = "waypoint-objects";
  private static final String NO_SUCH_IMAGE = "localhost/no-such-envoy:1";
  private static final Duration SOON = InstalledAmbit.SOON;
  private static final List<Class<? extends HasMetadata>> KINDS =
      List.of(
          ServiceAccount.class,
          Deployment.class,
          Service.class,
          PodDisruptionBudget.class,
          HorizontalPodAutoscaler.class);

  private static InstalledAmbit ambit;
  private static Sample sample;

  @BeforeAll
  static void install(TwoNodeCluster cluster) {
    ambit = InstalledAmbit.on(cluster);
    sample = new Sample(ambit.client());
    // As strict as namespaces can be.
    sample.namespace(NAMESPACE, Map.of("pod-security.kubernetes.io/enforce", "restricted"));
  }

  @AfterEach
  void remove() {
    ambit.client().resources(Gateway.class).inNamespace(NAMESPACE).delete();
    ambit.client().apps().deployments().inNamespace(NAMESPACE).withName("foreign").delete();
    await("no Gateway's objects are left")
        .atMost(SOON)
        .pollInterval(Duration.ofMillis(300))
        .until(
            () -> ambit.client().apps().deployments().inNamespace(NAMESPACE).list().getItems(),
            List::isEmpty);
  }

  private static void gateway(String name, String className, String spec) {
    sample.apply(
        """
        apiVersion: gateway.networking.k8s.io/v1
        kind: Gateway
        metadata:
          namespace: %s
          name: %s
          labels: {app.kubernetes.io/instance: an-argo-application}
          annotations: {argocd.argoproj.io/tracking-id: "an-argo-application:x"}
        spec:
          gatewayClassName: %s
          listeners: [{name: mesh, port: 15008, protocol: HBONE}]
        %s
        """
            .formatted(NAMESPACE, name, className, spec.indent(2).stripTrailing()));
  }

  private static void parameters(String deployment) {
    sample.apply(
        """
        apiVersion: v1
        kind: ConfigMap
        metadata: {namespace: %s, name: parameters}
        data:
          deployment: |
            %s
        """
            .formatted(NAMESPACE, deployment));
  }

  private static Optional<? extends HasMetadata> object(
      Class<? extends HasMetadata> kind, String name) {
    return Optional.ofNullable(
        ambit.client().resources(kind).inNamespace(NAMESPACE).withName(name).get());
  }

  private static Stream<? extends HasMetadata> objects(String name) {
    return KINDS.stream().flatMap(kind -> object(kind, name).stream());
  }

  private static void awaitObjects(String name, int count) {
    await(count + " objects of Gateway " + name)
        .atMost(SOON)
        .pollInterval(Duration.ofMillis(300))
        .until(() -> objects(name).count() == count);
  }

  private static Condition awaitCondition(String name, String type, String status, String reason) {
    await("Gateway " + name + " is " + type + "=" + status + "/" + reason)
        .atMost(SOON)
        .pollInterval(Duration.ofMillis(300))
        .untilAsserted(
            () -> {
              Optional<Condition> condition = condition(name, type);
              if (condition
                  .filter(
                      each -> status.equals(each.getStatus()) && reason.equals(each.getReason()))
                  .isEmpty()) {
                throw new AssertionFailedError("it is " + condition);
              }
            });
    return condition(name, type).orElseThrow();
  }

  private static Optional<Condition> condition(String name, String type) {
    Gateway gateway =
        ambit.client().resources(Gateway.class).inNamespace(NAMESPACE).withName(name).require();
    return gateway.getStatus() == null || gateway.getStatus().getConditions() == null
        ? Optional.empty()
        : Conditions.find(gateway.getStatus().getConditions(), type);
  }

  private static Deployment deployment(String name) {
    return ambit.client().apps().deployments().inNamespace(NAMESPACE).withName(name).require();
  }

  private static String image(String name) {
    return deployment(name).getSpec().getTemplate().getSpec().getContainers().getFirst().getImage();
  }

  @Test
  void a_gateway_becomes_five_objects_that_go_with_it_and_are_nobody_elses() {
    gateway("waypoint", "ambit-waypoint", "infrastructure: {labels: {cost: high}}");
    awaitObjects("waypoint", 5);
    assertThat(objects("waypoint"))
        .allSatisfy(
            object -> {
              assertThat(object.getMetadata().getOwnerReferences())
                  .extracting(owner -> owner.getKind() + "/" + owner.getName())
                  .containsExactly("Gateway/waypoint");
              assertThat(object.getMetadata().getLabels())
                  .containsEntry("cost", "high")
                  .containsEntry("gateway.istio.io/managed", "istio.io-mesh-controller")
                  .doesNotContainKey("app.kubernetes.io/instance");
              assertThat(object.getMetadata().getAnnotations())
                  .satisfiesAnyOf(
                      none -> assertThat(none).isNull(),
                      some -> assertThat(some).doesNotContainKey("argocd.argoproj.io/tracking-id"));
            });
    awaitCondition("waypoint", "Accepted", "True", "Accepted");
    await("pods are admitted by the restricted level")
        .atMost(SOON)
        .until(() -> Objects.equals(deployment("waypoint").getStatus().getReplicas(), 2));

    ambit.client().resources(Gateway.class).inNamespace(NAMESPACE).withName("waypoint").delete();
    awaitObjects("waypoint", 0);
  }

  @Test
  void an_operator_that_starts_again_writes_nothing() {
    gateway("waypoint", "ambit-waypoint", "");
    awaitObjects("waypoint", 5);
    awaitCondition("waypoint", "Accepted", "True", "Accepted");
    List<Long> before = generations();
    String operators = operators();
    ambit
        .client()
        .pods()
        .inNamespace(InstalledAmbit.ROOT)
        .withLabel("app.kubernetes.io/name", "ambit-operator")
        .delete();
    await("other operators lead")
        .atMost(Duration.ofMinutes(2))
        .pollInterval(Duration.ofSeconds(1))
        .until(() -> !operators().equals(operators));
    // What it does once it leads, to see that it does lead.
    gateway("second", "ambit-waypoint", "");
    awaitObjects("second", 5);
    assertThat(generations()).isEqualTo(before);
    assertThat(managers(deployment("waypoint"))).containsOnlyOnce("ambit-operator/Apply");
  }

  private static List<Long> generations() {
    return objects("waypoint")
        .map(object -> object.getMetadata().getGeneration())
        .map(generation -> generation == null ? Long.valueOf(0) : generation)
        .toList();
  }

  private static List<String> managers(HasMetadata object) {
    return object.getMetadata().getManagedFields().stream()
        .map(fields -> fields.getManager() + "/" + fields.getOperation())
        .toList();
  }

  private static String operators() {
    return ambit.client().leases().inNamespace(InstalledAmbit.ROOT).list().getItems().stream()
        .map(lease -> String.valueOf(lease.getSpec().getHolderIdentity()))
        .sorted()
        .toList()
        .toString();
  }

  @Test
  void an_object_that_was_there_before_is_left_alone_and_told_of() {
    sample.apply(
        """
        apiVersion: apps/v1
        kind: Deployment
        metadata: {namespace: %s, name: foreign}
        spec:
          replicas: 0
          selector: {matchLabels: {app: foreign}}
          template:
            metadata: {labels: {app: foreign}}
            spec: {containers: [{name: foreign, image: foreign}]}
        """
            .formatted(NAMESPACE));
    gateway("foreign", "ambit-waypoint", "");
    Condition programmed = awaitCondition("foreign", "Programmed", "False", "Invalid");
    assertThat(programmed.getMessage())
        .contains("Deployment waypoint-objects/foreign was not made for this Gateway");
    assertThat(deployment("foreign").getMetadata().getOwnerReferences()).isEmpty();
    assertThat(image("foreign")).isEqualTo("foreign");
    assertThat(object(HorizontalPodAutoscaler.class, "foreign"))
        .as("somebody else's Deployment must not be scaled")
        .isEmpty();
  }

  @Test
  void parameters_take_effect_and_bad_ones_leave_what_there_is() {
    parameters("{spec: {replicas: 1, template: {metadata: {annotations: {round: first}}}}}");
    gateway(
        "waypoint",
        "ambit-waypoint",
        "infrastructure: {parametersRef: {group: \"\", kind: ConfigMap, name: parameters}}");
    awaitObjects("waypoint", 4);
    assertThat(deployment("waypoint").getSpec().getReplicas()).isEqualTo(1);

    parameters("{spec: {template: {spec: {hostNetwork: true}}}}");
    Condition accepted = awaitCondition("waypoint", "Accepted", "False", "InvalidParameters");
    assertThat(accepted.getMessage()).contains("ConfigMap waypoint-objects/parameters");
    assertThat(deployment("waypoint").getSpec().getReplicas()).isEqualTo(1);
    assertThat(annotations("waypoint")).containsEntry("round", "first");

    parameters("{spec: {template: {metadata: {annotations: {round: second}}}}}");
    awaitCondition("waypoint", "Accepted", "True", "Accepted");
    await("the new parameters are in effect")
        .atMost(SOON)
        .until(() -> "second".equals(annotations("waypoint").get("round")));
    awaitObjects("waypoint", 5);
  }

  private static Map<String, String> annotations(String name) {
    return deployment(name).getSpec().getTemplate().getMetadata().getAnnotations();
  }

  @Test
  void a_classs_parameters_hold_for_its_waypoints_and_a_gateways_own_win() {
    parameters("{spec: {template: {metadata: {annotations: {round: own}}}}}");
    sample.apply(
        """
        apiVersion: v1
        kind: ConfigMap
        metadata:
          namespace: %s
          name: istio-waypoint-defaults
          labels: {gateway.istio.io/defaults-for-class: istio-waypoint}
        data:
          deployment: "{spec: {template: {metadata: {annotations: {round: class, class: seen}}}}}"
        """
            .formatted(InstalledAmbit.ROOT));
    try {
      gateway(
          "defaulted",
          "istio-waypoint",
          "infrastructure: {parametersRef: {group: \"\", kind: ConfigMap, name: parameters}}");
      gateway("other", "ambit-waypoint", "");
      awaitObjects("defaulted", 5);
      awaitObjects("other", 5);
      await("both parameters are in effect")
          .atMost(SOON)
          .until(
              () ->
                  "own".equals(annotations("defaulted").get("round"))
                      && "seen".equals(annotations("defaulted").get("class")));
      assertThat(annotations("other")).doesNotContainKey("class");
    } finally {
      ambit
          .client()
          .configMaps()
          .inNamespace(InstalledAmbit.ROOT)
          .withName("istio-waypoint-defaults")
          .delete();
    }
  }

  @Test
  void how_many_instances_there_are_is_left_to_the_autoscaler() {
    gateway(
        "waypoint",
        "ambit-waypoint",
        "infrastructure: {parametersRef: {group: \"\", kind: ConfigMap, name: autoscaled}}");
    autoscaled(3, "first");
    await("the autoscaler's number of instances")
        .atMost(Duration.ofMinutes(2))
        .pollInterval(Duration.ofMillis(500))
        .until(
            () ->
                object(Deployment.class, "waypoint").isPresent()
                    && Objects.equals(deployment("waypoint").getSpec().getReplicas(), 3));
    // What the operator applies later leaves it.
    autoscaled(3, "second");
    await("other parameters are in effect")
        .atMost(SOON)
        .until(() -> "second".equals(annotations("waypoint").get("round")));
    assertThat(deployment("waypoint").getSpec().getReplicas()).isEqualTo(3);
  }

  private static void autoscaled(int fewest, String round) {
    sample.apply(
        """
        apiVersion: v1
        kind: ConfigMap
        metadata: {namespace: %s, name: autoscaled}
        data:
          horizontalPodAutoscaler: "{spec: {minReplicas: %d}}"
          deployment: "{spec: {template: {metadata: {annotations: {round: %s}}}}}"
        """
            .formatted(NAMESPACE, fewest, round));
  }

  @Test
  void istios_class_is_served_until_there_is_an_istio() {
    gateway("before", "istio-waypoint", "");
    awaitObjects("before", 5);
    sample.apply(
        """
        apiVersion: v1
        kind: Service
        metadata: {namespace: %s, name: istiod, labels: {app: istiod}}
        spec: {ports: [{port: 15012}]}
        """
            .formatted(NAMESPACE));
    try {
      await("the operator has seen it")
          .atMost(SOON)
          .pollInterval(Duration.ofSeconds(1))
          .until(
              () ->
                  ambit.client().v1().events().inNamespace("default").list().getItems().stream()
                      .anyMatch(event -> "LeftToAnother".equals(event.getReason())));
      gateway("after", "istio-waypoint", "");
      gateway("ours", "ambit-waypoint", "");
      awaitObjects("ours", 5);
      assertThat(objects("after")).isEmpty();
      assertThat(objects("before")).as("what serves goes on serving").hasSize(5);
    } finally {
      ambit.client().services().inNamespace(NAMESPACE).withName("istiod").delete();
    }
    awaitObjects("after", 5);
  }

  @Test
  void instances_that_others_run_are_left_to_them() {
    gateway(
        "theirs",
        "ambit-waypoint",
        "addresses: [{type: Hostname, value: ambit-operator.ambit-system.svc.cluster.local}]");
    Condition programmed = awaitCondition("theirs", "Programmed", "False", "AddressNotUsable");
    assertThat(programmed.getMessage()).contains("spec.addresses");
    assertThat(objects("theirs")).isEmpty();

    // The instances of another do for those that somebody runs.
    gateway("run", "ambit-waypoint", "");
    awaitObjects("run", 5);
    sample.apply(
        """
        apiVersion: v1
        kind: Service
        metadata: {namespace: %s, name: somebodys}
        spec:
          selector: {gateway.networking.k8s.io/gateway-name: run}
          ports: [{name: hbone, port: 15008}]
        """
            .formatted(NAMESPACE));
    gateway(
        "theirs",
        "ambit-waypoint",
        "addresses: [{type: Hostname, value: somebodys.waypoint-objects.svc.cluster.local}]");
    awaitCondition("run", "Programmed", "True", "Programmed");
    awaitCondition("theirs", "Programmed", "True", "Programmed");
    assertThat(
            ambit
                .client()
                .resources(Gateway.class)
                .inNamespace(NAMESPACE)
                .withName("theirs")
                .require()
                .getStatus()
                .getAddresses())
        .extracting(address -> address.getValue())
        .containsExactly("somebodys.waypoint-objects.svc.cluster.local");
    assertThat(object(Deployment.class, "theirs")).isEmpty();

    // One that was made, and is somebody's from now on.
    gateway("handed-over", "ambit-waypoint", "");
    awaitObjects("handed-over", 5);
    gateway(
        "handed-over",
        "ambit-waypoint",
        "addresses: [{type: Hostname, value: somebodys.waypoint-objects.svc.cluster.local}]");
    awaitObjects("handed-over", 0);
    awaitCondition("handed-over", "Programmed", "True", "Programmed");
  }

  @Test
  void a_gateway_of_another_control_planes_revision_is_left_alone() {
    sample.apply(
        """
        apiVersion: gateway.networking.k8s.io/v1
        kind: Gateway
        metadata: {namespace: %s, name: revised, labels: {istio.io/rev: canary}}
        spec:
          gatewayClassName: ambit-waypoint
          listeners: [{name: mesh, port: 15008, protocol: HBONE}]
        """
            .formatted(NAMESPACE));
    // Seen after it.
    gateway("ours", "ambit-waypoint", "");
    awaitObjects("ours", 5);
    assertThat(objects("revised")).isEmpty();
    assertThat(
            condition("revised", "Programmed")
                .filter(condition -> condition.getMessage().contains("ambit")))
        .isEmpty();

    sample.label(
        ambit.client().resources(Gateway.class).inNamespace(NAMESPACE).withName("revised"),
        "istio.io/rev",
        "");
    awaitObjects("revised", 5);
  }

  @Test
  void one_waypoint_at_a_time_is_upgraded_where_the_mesh_says_so() {
    gateway("one", "ambit-waypoint", "");
    gateway("two", "ambit-waypoint", "");
    awaitObjects("one", 5);
    awaitObjects("two", 5);
    awaitCondition("one", "ambit.dev/UpToDate", "True", "UpToDate");
    awaitCondition("two", "ambit.dev/UpToDate", "True", "UpToDate");
    String image = image("one");
    ambit.patchMesh("{\"spec\":{\"waypoint\":{\"upgradesAtOnce\":1}}}");
    ambit.patchMesh("{\"spec\":{\"waypoint\":{\"image\":\"%s\"}}}".formatted(NO_SUCH_IMAGE));
    try {
      // Which may be the waypoint of another test.
      await("one waypoint begins").atMost(SOON).until(() -> begun().size() == 1);
      Deployment begun = begun().getFirst();
      String name = begun.getMetadata().getNamespace() + "/" + begun.getMetadata().getName();
      String waiting = image("one").equals(image) ? "one" : "two";
      Condition condition = awaitCondition(waiting, "ambit.dev/UpToDate", "False", "Waiting");
      assertThat(condition.getMessage()).contains(name);
      assertThat(begun())
          .extracting(each -> each.getMetadata().getUid())
          .containsExactly(begun.getMetadata().getUid());
      assertThat(ready(begun))
          .as("an image that cannot be pulled takes no instance of %s away", name)
          .isEqualTo(begun.getSpec().getReplicas());
      assertThat(image(waiting)).isEqualTo(image);
      if (begun.getMetadata().getNamespace().equals(NAMESPACE)) {
        assertThat(condition(begun.getMetadata().getName(), "Programmed").orElseThrow().getStatus())
            .isEqualTo("True");
      }
    } finally {
      ambit.patchMesh(
          "{\"spec\":{\"waypoint\":{\"upgradesAtOnce\":0,\"image\":\"%s\"}}}".formatted(image));
    }
    awaitCondition("one", "ambit.dev/UpToDate", "True", "UpToDate");
    awaitCondition("two", "ambit.dev/UpToDate", "True", "UpToDate");
  }

  private static List<Deployment> begun() {
    return ambit.client().apps().deployments().inAnyNamespace().list().getItems().stream()
        .filter(
            deployment ->
                deployment.getSpec().getTemplate().getSpec().getContainers().stream()
                    .anyMatch(container -> NO_SUCH_IMAGE.equals(container.getImage())))
        .toList();
  }

  private static Integer ready(Deployment deployment) {
    return ambit.client().resource(deployment).get().getStatus().getReadyReplicas();
  }

  @Test
  void the_operators_account_cannot_touch_what_is_not_a_waypoints() {
    Config config = Config.fromKubeconfig(ambit.cluster().kubeconfig());
    config.setImpersonateUsername("system:serviceaccount:ambit-system:ambit-operator");
    config.setImpersonateGroups("system:serviceaccounts", "system:authenticated");
    sample.service(NAMESPACE, "victim", 80);
    try (KubernetesClient operator = new KubernetesClientBuilder().withConfig(config).build()) {
      assertThatThrownBy(
              () -> operator.services().inNamespace(NAMESPACE).withName("victim").delete())
          .isInstanceOf(KubernetesClientException.class)
          .hasMessageContaining("only objects that a Gateway controls");
      assertThatThrownBy(
              () ->
                  operator
                      .resource(
                          new io.fabric8.kubernetes.api.model.ServiceAccountBuilder()
                              .withNewMetadata()
                              .withNamespace(NAMESPACE)
                              .withName("new")
                              .endMetadata()
                              .build())
                      .create())
          .isInstanceOf(KubernetesClientException.class)
          .hasMessageContaining("only objects that a Gateway controls");
      gateway("waypoint", "ambit-waypoint", "");
      awaitObjects("waypoint", 5);
      assertThatThrownBy(
              () ->
                  operator
                      .apps()
                      .deployments()
                      .inNamespace(NAMESPACE)
                      .withName("waypoint")
                      .patch(
                          PatchContext.of(PatchType.JSON_MERGE),
                          "{\"spec\":{\"template\":{\"spec\":{\"hostNetwork\":true}}}}"))
          .isInstanceOf(KubernetesClientException.class)
          .hasMessageContaining("nothing of the node");
    } finally {
      ambit.client().services().inNamespace(NAMESPACE).withName("victim").delete();
    }
  }
}
