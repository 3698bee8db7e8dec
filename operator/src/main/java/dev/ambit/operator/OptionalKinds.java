package dev.ambit.operator;

import dev.ambit.operator.model.Definitions;
import io.fabric8.kubernetes.api.model.apiextensions.v1.CustomResourceDefinition;
import io.fabric8.kubernetes.client.KubernetesClient;
import io.fabric8.kubernetes.client.informers.ResourceEventHandler;
import io.fabric8.kubernetes.client.informers.SharedIndexInformer;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Executors;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Calls back, once, for each kind that the cluster serves in a version that can be read, be that at
 * once or later.
 */
final class OptionalKinds implements AutoCloseable {
  private static final Logger LOG = LoggerFactory.getLogger(OptionalKinds.class);

  private static final Duration RETRY = Duration.ofSeconds(10);

  private final KubernetesClient client;
  private final List<SharedIndexInformer<CustomResourceDefinition>> watches = new ArrayList<>();

  /** What is called back may wait for caches, which an informer's own thread must not. */
  private final ScheduledExecutorService executor =
      Executors.newSingleThreadScheduledExecutor(
          Thread.ofPlatform().name("optional-kinds").factory());

  OptionalKinds(KubernetesClient client) {
    this.client = client;
  }

  /** Calls back once the CRD of that name is established and has that version served. */
  void whenPresent(String crd, String version, Runnable present) {
    AtomicBoolean done = new AtomicBoolean();
    watches.add(
        client
            .apiextensions()
            .v1()
            .customResourceDefinitions()
            .withName(crd)
            .inform(
                new ResourceEventHandler<CustomResourceDefinition>() {
                  @Override
                  public void onAdd(CustomResourceDefinition added) {
                    look(added);
                  }

                  @Override
                  public void onUpdate(
                      CustomResourceDefinition before, CustomResourceDefinition after) {
                    look(after);
                  }

                  @Override
                  public void onDelete(
                      CustomResourceDefinition deleted, boolean finalStateUnknown) {}

                  private void look(CustomResourceDefinition definition) {
                    if (Definitions.isEstablished(definition)
                        && Definitions.serves(definition, version)
                        && done.compareAndSet(false, true)) {
                      executor.execute(() -> call(crd, present));
                    }
                  }
                }));
  }

  private void call(String crd, Runnable present) {
    try {
      present.run();
    } catch (RuntimeException e) {
      LOG.atWarn()
          .addKeyValue("crd", crd)
          .setCause(e)
          .log("objects of a kind cannot be reconciled yet; it is tried again");
      var unused = executor.schedule(() -> call(crd, present), RETRY.toSeconds(), TimeUnit.SECONDS);
    }
  }

  @Override
  public void close() {
    watches.forEach(SharedIndexInformer::close);
    executor.shutdownNow();
  }
}
