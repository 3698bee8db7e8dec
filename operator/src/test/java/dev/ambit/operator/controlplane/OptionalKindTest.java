package dev.ambit.operator.controlplane;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import io.fabric8.kubernetes.api.model.GenericKubernetesResource;
import io.fabric8.kubernetes.api.model.apiextensions.v1.CustomResourceDefinition;
import io.fabric8.kubernetes.client.KubernetesClient;
import io.fabric8.kubernetes.client.dsl.base.ResourceDefinitionContext;
import io.fabric8.kubernetes.client.informers.SharedIndexInformer;
import io.fabric8.kubernetes.client.server.mock.EnableKubernetesMockClient;
import io.fabric8.kubernetes.client.utils.Serialization;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CopyOnWriteArrayList;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/** Kinds that come and go with their CRDs, and with the versions that these serve. */
@EnableKubernetesMockClient(crud = true, https = false)
class OptionalKindTest {
  private static final Duration SOON = Duration.ofSeconds(30);

  @SuppressWarnings("NullAway.Init") // Set by the extension.
  private KubernetesClient client;

  private final List<List<String>> asked = new CopyOnWriteArrayList<>();
  private final List<SharedIndexInformer<?>> informers = new CopyOnWriteArrayList<>();
  private @Nullable OptionalKind kind;

  @AfterEach
  void close() {
    if (kind != null) {
      kind.close();
    }
    assertThat(informers).noneMatch(SharedIndexInformer::isRunning);
  }

  private void begin() {
    OptionalKind begun =
        new OptionalKind(
            client,
            "things.example.com",
            served -> {
              asked.add(served);
              return served.contains("v1")
                  ? Optional.of(new OptionalKind.Watch("v1", informer()))
                  : Optional.empty();
            });
    kind = begun;
    await().atMost(SOON).until(() -> begun.start().isDone());
  }

  private SharedIndexInformer<GenericKubernetesResource> informer() {
    SharedIndexInformer<GenericKubernetesResource> informer =
        MeshInformers.prepared(
            client
                .genericKubernetesResources(
                    new ResourceDefinitionContext.Builder()
                        .withGroup("example.com")
                        .withVersion("v1")
                        .withKind("Thing")
                        .withPlural("things")
                        .withNamespaced(true)
                        .build())
                .inAnyNamespace(),
            _ -> {});
    informers.add(informer);
    return informer;
  }

  private static CustomResourceDefinition definition(boolean established, String versions) {
    return Serialization.unmarshal(
        """
        apiVersion: apiextensions.k8s.io/v1
        kind: CustomResourceDefinition
        metadata: {name: things.example.com}
        spec:
          group: example.com
          scope: Namespaced
          names: {plural: things, kind: Thing}
          versions: %s
        status: {conditions: [{type: Established, status: "%s"}]}
        """
            .formatted(versions, established ? "True" : "False"),
        CustomResourceDefinition.class);
  }

  private void define(boolean established, String versions) {
    client
        .resource(definition(established, versions))
        .createOr(io.fabric8.kubernetes.client.dsl.NonDeletingOperation::update);
  }

  private void undefine() {
    client.resource(definition(true, "[]")).delete();
  }

  private static final String ALPHA = "{name: v1alpha1, served: true, storage: true}";
  private static final String V1 = "{name: v1, served: true, storage: false}";
  private static final String OLD_V1 = "{name: v1, served: false, storage: false}";

  private void watched(int times) {
    await().atMost(SOON).until(() -> informers.size() == times && informers.getLast().hasSynced());
  }

  @Test
  void aKindIsWatchedOnceItIsServedInAVersionThatCanBeRead() {
    begin();
    assertThat(asked).isEmpty();
    define(false, "[" + V1 + "]");
    define(true, "[" + ALPHA + "]");
    await().atMost(SOON).until(() -> asked.contains(List.of("v1alpha1")));
    assertThat(informers).isEmpty();
    define(true, "[" + ALPHA + ", " + OLD_V1 + "]");
    define(true, "[" + ALPHA + ", " + V1 + "]");
    watched(1);
    // Nothing about it is different then.
    define(true, "[" + V1 + "]");
    define(true, "[" + V1 + ", " + ALPHA + "]");
    watched(1);
  }

  @Test
  void aKindThatIsNoLongerServedIsLeftAloneUntilItIsAgain() {
    define(true, "[" + V1 + "]");
    begin();
    watched(1);
    define(true, "[" + ALPHA + ", " + OLD_V1 + "]");
    await().atMost(SOON).until(() -> !informers.getFirst().isRunning());
    define(true, "[" + V1 + "]");
    watched(2);
    undefine();
    await().atMost(SOON).until(() -> !informers.getLast().isRunning());
    define(true, "[" + V1 + "]");
    watched(3);
  }
}
