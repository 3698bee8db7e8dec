package dev.ambit.operator.controlplane;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import io.fabric8.kubernetes.api.model.Service;
import io.fabric8.kubernetes.api.model.ServiceBuilder;
import io.fabric8.kubernetes.client.KubernetesClient;
import io.fabric8.kubernetes.client.informers.ResourceEventHandler;
import io.fabric8.kubernetes.client.informers.SharedIndexInformer;
import io.fabric8.kubernetes.client.server.mock.EnableKubernetesMockClient;
import java.time.Duration;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CountDownLatch;
import org.junit.jupiter.api.Test;

/** What a replica has to have seen before it tells nodes of the mesh. */
@EnableKubernetesMockClient(crud = true, https = false)
class MeshInformersTest {
  private static final Duration SOON = Duration.ofSeconds(30);

  @SuppressWarnings("NullAway.Init") // Set by the extension.
  private KubernetesClient client;

  @Test
  void anInformerHasStartedOnceWhoeverListensHasSeenAllThereIs() {
    for (String name : Set.of("a", "b", "c")) {
      client
          .resource(
              new ServiceBuilder()
                  .withNewMetadata()
                  .withNamespace("shop")
                  .withName(name)
                  .endMetadata()
                  .build())
          .create();
    }
    var busy = new CountDownLatch(1);
    Set<String> seen = ConcurrentHashMap.newKeySet();
    try (SharedIndexInformer<Service> informer =
        MeshInformers.prepared(client.services().inAnyNamespace(), Trimming::annotations)) {
      informer.addEventHandler(
          new ResourceEventHandler<Service>() {
            @Override
            public void onAdd(Service added) {
              try {
                busy.await();
              } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
              }
              seen.add(added.getMetadata().getName());
            }

            @Override
            public void onUpdate(Service before, Service after) {}

            @Override
            public void onDelete(Service deleted, boolean finalStateUnknown) {}
          });
      CompletableFuture<Void> started = informer.start().toCompletableFuture();
      await().atMost(SOON).until(() -> informer.getStore().list().size() == 3);
      await()
          .during(Duration.ofMillis(500))
          .atMost(SOON)
          .until(() -> !started.isDone() && seen.isEmpty());
      busy.countDown();
      assertThat(started.thenApply(_ -> Set.copyOf(seen)))
          .succeedsWithin(SOON)
          .isEqualTo(Set.of("a", "b", "c"));
    }
  }
}
