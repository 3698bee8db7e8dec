package dev.ambit.operator.waypoint.life.model;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.ambit.api.LogLevel;
import dev.ambit.api.ResourceDemand;
import dev.ambit.api.WaypointAutoscaling;
import dev.ambit.api.WaypointSpec;
import io.fabric8.kubernetes.api.model.Container;
import io.fabric8.kubernetes.api.model.HasMetadata;
import io.fabric8.kubernetes.api.model.PodSpec;
import io.fabric8.kubernetes.api.model.Quantity;
import io.fabric8.kubernetes.api.model.ResourceRequirements;
import io.fabric8.kubernetes.api.model.ResourceRequirementsBuilder;
import io.fabric8.kubernetes.api.model.apps.Deployment;
import io.fabric8.kubernetes.api.model.gatewayapi.v1.Gateway;
import io.fabric8.kubernetes.client.utils.Serialization;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class WaypointObjectsTest {
  private static final String GATEWAY =
      """
      apiVersion: gateway.networking.k8s.io/v1
      kind: Gateway
      metadata:
        namespace: shop
        name: waypoint
        uid: u-1
        labels: {app.kubernetes.io/instance: argo-application, team: carts}
        annotations: {argocd.argoproj.io/tracking-id: "argo:x"}
      spec:
        gatewayClassName: ambit-waypoint
        infrastructure:
          labels: {cost: high, app.kubernetes.io/instance: argo-application, istio.io/dataplane-mode: ambient}
          annotations: {note: yes-please, argocd.argoproj.io/tracking-id: "argo:x"}
        listeners: [{name: mesh, port: 15008, protocol: HBONE}]
      """;

  private static WaypointRequest request(WaypointSpec mesh, WaypointParameters... parameters) {
    return new WaypointRequest(
        Serialization.unmarshal(GATEWAY, Gateway.class),
        List.of(new WaypointListener("mesh", 15008)),
        mesh,
        Map.of("envoy.yaml", "node: {}"),
        List.of(parameters));
  }

  private static WaypointObjects objects(WaypointParameters... parameters)
      throws InvalidParametersException {
    return WaypointObjects.of(request(WaypointSpec.DEFAULTS, parameters));
  }

  private static WaypointParameters own(String key, String patch) {
    return new WaypointParameters("ConfigMap shop/own", false, Map.of(key, yaml(patch)));
  }

  private static WaypointParameters ofClass(String key, String patch) {
    return new WaypointParameters("ConfigMap ambit-system/all", true, Map.of(key, yaml(patch)));
  }

  private static ObjectNode yaml(String text) {
    return (ObjectNode)
        Objects.requireNonNull(
            new ObjectMapper().valueToTree(Serialization.unmarshal("---\n" + text, Object.class)));
  }

  /** As where an enrollment has made the Gateway, before parameters of its own. */
  private static WaypointObjects bySettings(
      WaypointSpec mesh, WaypointSettings settings, WaypointParameters... own)
      throws InvalidParametersException {
    List<WaypointParameters> parameters = new ArrayList<>();
    parameters.add(ofClass("deployment", "spec: {replicas: 7}"));
    parameters.add(settings.parameters(own.length == 0 ? null : own[0]));
    parameters.addAll(List.of(own));
    return WaypointObjects.of(request(mesh, parameters.toArray(WaypointParameters[]::new)));
  }

  private static ResourceRequirements cpu(String amount) {
    return new ResourceRequirementsBuilder().addToRequests("cpu", new Quantity(amount)).build();
  }

  @Test
  void anEnrollmentFixesTheNumberOrHasItFollowTheLoad() throws InvalidParametersException {
    WaypointObjects fixed = bySettings(WaypointSpec.DEFAULTS, new WaypointSettings(3, null, null));
    assertThat(fixed.autoscaler()).isEmpty();
    assertThat(fixed.deployment().getSpec().getReplicas()).isEqualTo(3);
    WaypointObjects following =
        bySettings(
            WaypointSpec.DEFAULTS,
            new WaypointSettings(null, new WaypointAutoscaling(4, 9, 55), null));
    assertThat(following.autoscaler().orElseThrow().getSpec().getMinReplicas()).isEqualTo(4);
    assertThat(following.autoscaler().orElseThrow().getSpec().getMaxReplicas()).isEqualTo(9);
    assertThat(
            following
                .autoscaler()
                .orElseThrow()
                .getSpec()
                .getMetrics()
                .getFirst()
                .getResource()
                .getTarget()
                .getAverageUtilization())
        .isEqualTo(55);
    assertThat(following.deployment().getSpec().getReplicas()).isNull();
  }

  @Test
  void anEnrollmentsResourcesReplaceTheOthers() throws InvalidParametersException {
    WaypointObjects objects =
        bySettings(WaypointSpec.DEFAULTS, new WaypointSettings(null, null, cpu("3")));
    ResourceRequirements resources =
        objects
            .deployment()
            .getSpec()
            .getTemplate()
            .getSpec()
            .getContainers()
            .getFirst()
            .getResources();
    assertThat(resources.getRequests()).isEqualTo(Map.of("cpu", new Quantity("3")));
    assertThat(resources.getLimits()).isNullOrEmpty();
  }

  @Test
  void whatItRequestsIsKnownBeforeItIsMade() throws InvalidParametersException {
    WaypointCost cost =
        WaypointCost.of(
            bySettings(
                WaypointSpec.DEFAULTS,
                new WaypointSettings(null, new WaypointAutoscaling(4, 10, 55), null)));
    assertThat(cost.fewest()).isEqualTo(new ResourceDemand(4, "400m", "512Mi"));
    assertThat(cost.most()).isEqualTo(new ResourceDemand(10, "1", "1280Mi"));
    WaypointCost fixed =
        WaypointCost.of(
            bySettings(WaypointSpec.DEFAULTS, new WaypointSettings(3, null, cpu("250m"))));
    assertThat(fixed.fewest()).isEqualTo(new ResourceDemand(3, "750m", null));
    assertThat(fixed.most()).isEqualTo(fixed.fewest());
  }

  @Test
  void aGatewaysOwnParametersWinOverTheEnrollment() throws InvalidParametersException {
    WaypointSettings settings = new WaypointSettings(3, null, cpu("3"));
    WaypointObjects scaled =
        bySettings(
            WaypointSpec.DEFAULTS,
            settings,
            own("horizontalPodAutoscaler", "spec: {minReplicas: 5, maxReplicas: 6}"));
    assertThat(scaled.autoscaler().orElseThrow().getSpec().getMinReplicas()).isEqualTo(5);
    WaypointObjects fixed =
        bySettings(
            WaypointSpec.DEFAULTS,
            new WaypointSettings(null, new WaypointAutoscaling(4, 9, 55), null),
            own("deployment", "spec: {replicas: 1}"));
    assertThat(fixed.autoscaler()).isEmpty();
    assertThat(fixed.deployment().getSpec().getReplicas()).isEqualTo(1);
  }

  @Test
  void settingsAreReadFromTheGatewayAsTheyWereWrittenAndGoNoFurther()
      throws InvalidParametersException {
    WaypointSettings settings =
        new WaypointSettings(null, new WaypointAutoscaling(4, 9, 55), cpu("3"));
    Gateway gateway = Serialization.unmarshal(GATEWAY, Gateway.class);
    assertThat(WaypointSettings.of(gateway)).isEmpty();
    gateway
        .getSpec()
        .getInfrastructure()
        .getAnnotations()
        .put(WaypointSettings.ANNOTATION, settings.text());
    assertThat(WaypointSettings.of(gateway)).contains(settings);
    assertThat(WaypointObjects.infrastructureAnnotations(gateway))
        .doesNotContainKey(WaypointSettings.ANNOTATION)
        .containsEntry("note", "yes-please");
    gateway
        .getSpec()
        .getInfrastructure()
        .getAnnotations()
        .put(WaypointSettings.ANNOTATION, "replicas: many");
    assertThatThrownBy(() -> WaypointSettings.of(gateway))
        .isInstanceOf(InvalidParametersException.class)
        .hasMessageContaining(WaypointSettings.ANNOTATION);
  }

  private static List<HasMetadata> all(WaypointObjects objects) {
    List<HasMetadata> all =
        new ArrayList<>(List.of(objects.serviceAccount(), objects.deployment(), objects.service()));
    objects.disruptionBudget().ifPresent(all::add);
    objects.autoscaler().ifPresent(all::add);
    return all;
  }

  private static PodSpec pod(WaypointObjects objects) {
    return objects.deployment().getSpec().getTemplate().getSpec();
  }

  private static Container envoy(WaypointObjects objects) {
    return pod(objects).getContainers().getFirst();
  }

  @Test
  void allOfItIsNamedAsTheGatewayAndControlledByIt() throws InvalidParametersException {
    assertThat(all(objects()))
        .hasSize(5)
        .allSatisfy(
            object -> {
              assertThat(object.getMetadata().getName()).isEqualTo("waypoint");
              assertThat(object.getMetadata().getNamespace()).isEqualTo("shop");
              assertThat(object.getMetadata().getOwnerReferences())
                  .singleElement()
                  .satisfies(
                      owner -> {
                        assertThat(owner.getUid()).isEqualTo("u-1");
                        assertThat(owner.getKind()).isEqualTo("Gateway");
                        assertThat(owner.getController()).isTrue();
                      });
              assertThat(object.getMetadata().getLabels())
                  .containsEntry("gateway.networking.k8s.io/gateway-name", "waypoint")
                  .containsEntry("gateway.istio.io/managed", "istio.io-mesh-controller")
                  .containsEntry("app.kubernetes.io/managed-by", "ambit");
            });
  }

  @Test
  void itCarriesWhatTheGatewayAsksForButNoMarksOfToolsThatMadeTheGateway()
      throws InvalidParametersException {
    WaypointObjects objects = objects();
    List<Map<String, String>> labels = new ArrayList<>();
    List<Map<String, String>> annotations = new ArrayList<>();
    all(objects)
        .forEach(
            object -> {
              labels.add(object.getMetadata().getLabels());
              annotations.add(object.getMetadata().getAnnotations());
            });
    labels.add(objects.deployment().getSpec().getTemplate().getMetadata().getLabels());
    annotations.add(objects.deployment().getSpec().getTemplate().getMetadata().getAnnotations());
    assertThat(labels)
        .allSatisfy(
            each ->
                assertThat(each)
                    .containsEntry("cost", "high")
                    .doesNotContainKeys("app.kubernetes.io/instance", "team"));
    assertThat(annotations)
        .allSatisfy(
            each ->
                assertThat(each)
                    .containsEntry("note", "yes-please")
                    .doesNotContainKey("argocd.argoproj.io/tracking-id"));
    assertThat(labels.getLast())
        .as("a waypoint that were captured would send to itself")
        .containsEntry("istio.io/dataplane-mode", "none");
  }

  @Test
  void podsMeetTheRestrictedPodSecurityLevel() throws InvalidParametersException {
    PodRestrictions.check(pod(objects()));
    assertThat(envoy(objects()).getSecurityContext().getReadOnlyRootFilesystem()).isTrue();
    assertThat(pod(objects()).getAutomountServiceAccountToken()).isFalse();
  }

  @Test
  void anInstanceHasTimeToDrainBeforeItIsKilled() throws InvalidParametersException {
    WaypointSpec mesh =
        new WaypointSpec(null, null, null, null, null, 90, LogLevel.DEBUG, null, null);
    WaypointObjects objects = WaypointObjects.of(request(mesh));
    assertThat(pod(objects).getTerminationGracePeriodSeconds()).isGreaterThan(90);
    assertThat(envoy(objects).getLifecycle().getPreStop().getHttpGet().getPath())
        .isEqualTo("/drain/u-1");
    assertThat(envoy(objects).getArgs())
        .containsSequence("--drain-time-s", "90")
        .containsSequence("--log-level", "debug");
    assertThat(objects.deployment().getSpec().getStrategy().getRollingUpdate().getMaxUnavailable())
        .satisfies(unavailable -> assertThat(unavailable.getIntVal()).isZero());
  }

  @Test
  void theConfigurationThatEnvoyStartsWithIsPartOfThePodTemplate()
      throws InvalidParametersException {
    assertThat(objects().deployment().getSpec().getTemplate().getMetadata().getAnnotations())
        .containsEntry("envoy.ambit.dev/envoy.yaml", "node: {}");
    assertThat(pod(objects()).getVolumes())
        .filteredOn(volume -> volume.getDownwardAPI() != null)
        .singleElement()
        .satisfies(
            volume ->
                assertThat(volume.getDownwardAPI().getItems())
                    .singleElement()
                    .satisfies(
                        item -> {
                          assertThat(item.getPath()).isEqualTo("envoy.yaml");
                          assertThat(item.getFieldRef().getFieldPath())
                              .isEqualTo("metadata.annotations['envoy.ambit.dev/envoy.yaml']");
                        }));
  }

  @Test
  void theServiceHasTheListenersAndTheProbesPort() throws InvalidParametersException {
    assertThat(objects().service().getSpec().getPorts())
        .extracting(port -> port.getName() + ":" + port.getPort())
        .containsExactly("status-port:15021", "mesh:15008");
  }

  @Test
  void whereAnAutoscalerDecidesTheNumberIsSetOnceAndThenLeftToIt()
      throws InvalidParametersException {
    WaypointObjects objects = objects();
    assertThat(objects.autoscaler().orElseThrow().getSpec().getMinReplicas()).isEqualTo(2);
    assertThat(objects.deployment(false, null).getSpec().getReplicas()).isEqualTo(2);
    assertThat(objects.deployment(true, 2).getSpec().getReplicas())
        .as("nobody else has set it, and to let go would make it one")
        .isEqualTo(2);
    assertThat(objects.deployment(true, null).getSpec().getReplicas())
        .as("the autoscaler has set it")
        .isNull();
  }

  @Test
  void whereTheNumberIsFixedThereIsNoAutoscaler() throws InvalidParametersException {
    WaypointObjects byMesh =
        WaypointObjects.of(
            request(new WaypointSpec(null, null, 3, null, null, null, null, null, null)));
    assertThat(byMesh.autoscaler()).isEmpty();
    assertThat(byMesh.deployment(true, null).getSpec().getReplicas()).isEqualTo(3);

    WaypointObjects byParameters = objects(own("deployment", "{spec: {replicas: 4}}"));
    assertThat(byParameters.autoscaler()).isEmpty();
    assertThat(byParameters.deployment(true, null).getSpec().getReplicas()).isEqualTo(4);

    WaypointObjects removed = objects(own("horizontalPodAutoscaler", "{$patch: delete}"));
    assertThat(removed.autoscaler()).isEmpty();
    assertThat(removed.deployment(true, null).getSpec().getReplicas()).isEqualTo(2);
  }

  @Test
  void parametersAreMergedAndAGatewaysOwnWinOverItsClasss() throws InvalidParametersException {
    WaypointObjects objects =
        WaypointObjects.of(
            request(
                new WaypointSpec(
                    null,
                    null,
                    null,
                    new WaypointAutoscaling(1, 3, null),
                    null,
                    null,
                    null,
                    null,
                    null),
                ofClass(
                    "deployment",
                    """
                    metadata: {annotations: {a: class, b: class}}
                    spec:
                      template:
                        spec:
                          priorityClassName: high
                          containers:
                          - name: istio-proxy
                            resources: {requests: {cpu: 1}}
                    """),
                own(
                    "deployment",
                    """
                    metadata: {annotations: {a: own}}
                    spec:
                      template:
                        spec:
                          containers:
                          - name: istio-proxy
                            resources: {limits: {memory: 2Gi}}
                    """),
                own("horizontalPodAutoscaler", "{spec: {maxReplicas: 7}}")));
    assertThat(objects.deployment().getMetadata().getAnnotations())
        .containsEntry("a", "own")
        .containsEntry("b", "class");
    assertThat(pod(objects).getPriorityClassName()).isEqualTo("high");
    assertThat(envoy(objects).getResources().getRequests()).containsEntry("cpu", new Quantity("1"));
    assertThat(envoy(objects).getResources().getLimits())
        .containsEntry("memory", new Quantity("2Gi"))
        .containsEntry("cpu", new Quantity("2"));
    assertThat(objects.autoscaler().orElseThrow().getSpec().getMinReplicas()).isEqualTo(1);
    assertThat(objects.autoscaler().orElseThrow().getSpec().getMaxReplicas()).isEqualTo(7);
  }

  @Test
  void onlyWhatTheMeshChangesIsAnUpgrade() throws InvalidParametersException {
    String before = Rollout.revision(objects().deployment()).orElseThrow();
    assertThat(Rollout.revision(objects(own("deployment", "{spec: {replicas: 4}}")).deployment()))
        .hasValue(before);
    assertThat(
            Rollout.revision(
                objects(own("deployment", "{spec: {template: {spec: {priorityClassName: x}}}}"))
                    .deployment()))
        .hasValue(before);
    assertThat(
            Rollout.revision(
                objects(ofClass("deployment", "{spec: {template: {spec: {priorityClassName: x}}}}"))
                    .deployment()))
        .get()
        .isNotEqualTo(before);
    assertThat(
            Rollout.revision(
                WaypointObjects.of(
                        request(
                            new WaypointSpec(
                                "envoy:2", null, null, null, null, null, null, null, null)))
                    .deployment()))
        .get()
        .isNotEqualTo(before);
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "deployment | {metadata: {name: other}} | metadata.name cannot be changed",
        "deployment | {metadata: {labels: {gateway.istio.io/managed: x}}} | cannot be changed",
        "deployment | {metadata: {ownerReferences: [{uid: u-2}]}} | ownerReferences cannot be changed",
        "deployment | {spec: {selector: {matchLabels: {a: b}}}} | spec.selector cannot be changed",
        "deployment | {spec: {template: {spec: {serviceAccountName: admin}}}} | serviceAccountName"
            + " cannot be changed",
        "deployment | {spec: {template: {spec: {containers: [{name: envoy}]}}}} | container envoy has"
            + " no image",
        "deployment | {spec: {template: {spec: {containers: [{name: istio-proxy, $patch: delete}]}}}} |"
            + " cannot be removed",
        "deployment | {$patch: delete} | cannot do without",
        "deployment | {spec: {replicas: many}} | is not what a Deployment can be",
        "service | {spec: {type: ExternalName}} | spec.type cannot be ExternalName",
        "service | {spec: {selector: {a: b}}} | spec.selector cannot be changed"
      })
  void whatWouldMakeAWaypointAnothersIsRefused(String key, String patch, String message) {
    assertThatThrownBy(() -> objects(ofClass(key, patch)))
        .isInstanceOf(InvalidParametersException.class)
        .hasMessageContaining(message);
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "{hostNetwork: true} | hostNetwork",
        "{hostPID: true} | hostPID",
        "{automountServiceAccountToken: true} | automountServiceAccountToken",
        "{volumes: [{name: v, hostPath: {path: /}}]} | volume v",
        "{volumes: [{name: v, secret: {secretName: s}}]} | volume v",
        "{volumes: [{name: v, projected: {sources: [{secret: {name: s}}]}}]} | volume v",
        "{volumes: [{name: v, projected: {sources: [{serviceAccountToken: {path: t}}]}}]} | volume v",
        "{containers: [{name: istio-proxy, env: [{name: A, valueFrom: {secretKeyRef: {name: s, key:"
            + " k}}}]}]} | the Secret in variable A",
        "{containers: [{name: istio-proxy, envFrom: [{secretRef: {name: s}}]}]} | envFrom",
        "{containers: [{name: istio-proxy, securityContext: {privileged: true}}]} | privileged",
        "{containers: [{name: istio-proxy, securityContext: {runAsUser: 0}}]} | runAsUser",
        "{containers: [{name: istio-proxy, securityContext: {runAsNonRoot: false}}]} | runAsNonRoot",
        "{containers: [{name: istio-proxy, securityContext: {allowPrivilegeEscalation: true}}]} |"
            + " allowPrivilegeEscalation",
        "{containers: [{name: istio-proxy, securityContext: {capabilities: {add: [NET_ADMIN]}}}]} |"
            + " capabilities",
        "{containers: [{name: more, image: i}]} | securityContext of container more",
        "{containers: [{name: istio-proxy, securityContext: {appArmorProfile: {type: Unconfined}}}]} |"
            + " appArmorProfile",
        "{securityContext: {seLinuxOptions: {type: spc_t}}} | seLinuxOptions",
        "{initContainers: [{name: more, image: i}]} | securityContext of container more",
        "{securityContext: {seccompProfile: {type: Unconfined}}} | seccompProfile"
      })
  void aNamespacesOwnParametersGetNobodyMoreThanTheyMay(String pod, String what)
      throws InvalidParametersException {
    String patch = "{spec: {template: {spec: " + pod + "}}}";
    assertThatThrownBy(() -> objects(own("deployment", patch)))
        .isInstanceOf(InvalidParametersException.class)
        .hasMessageContaining("ConfigMap shop/own, key deployment")
        .hasMessageContaining("cannot ask for")
        .hasMessageContaining(what);
    Deployment byClass = objects(ofClass("deployment", patch)).deployment();
    assertThat(byClass).as("whoever owns the mesh's namespace may").isNotNull();
  }
}
