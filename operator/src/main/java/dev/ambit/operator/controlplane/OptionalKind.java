package dev.ambit.operator.controlplane;

import dev.ambit.operator.model.Definitions;
import io.fabric8.kubernetes.api.model.apiextensions.v1.CustomResourceDefinition;
import io.fabric8.kubernetes.api.model.apiextensions.v1.CustomResourceDefinitionVersion;
import io.fabric8.kubernetes.client.KubernetesClient;
import io.fabric8.kubernetes.client.informers.ResourceEventHandler;
import io.fabric8.kubernetes.client.informers.SharedIndexInformer;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Starts to watch a kind once its CRD is there, be that at once or later. */
final class OptionalKind implements AutoCloseable {
  private static final Logger LOG = LoggerFactory.getLogger(OptionalKind.class);

  private final String name;
  private final Function<List<String>, CompletableFuture<Void>> watch;
  private final SharedIndexInformer<CustomResourceDefinition> definitions;
  private @Nullable CompletableFuture<Void> watching;

  /**
   * Waits for the CRD of that name.
   *
   * @param watch given the versions in which objects of the kind can be read
   */
  OptionalKind(
      KubernetesClient client, String name, Function<List<String>, CompletableFuture<Void>> watch) {
    this.name = name;
    this.watch = watch;
    this.definitions =
        MeshInformers.prepared(
            client.apiextensions().v1().customResourceDefinitions().withName(name),
            // Its schemas are the bulk of it.
            definition ->
                definition.getSpec().getVersions().forEach(version -> version.setSchema(null)));
    definitions.addEventHandler(
        new ResourceEventHandler<CustomResourceDefinition>() {
          @Override
          public void onAdd(CustomResourceDefinition added) {
            watchIfEstablished(added);
          }

          @Override
          public void onUpdate(CustomResourceDefinition before, CustomResourceDefinition after) {
            watchIfEstablished(after);
          }

          @Override
          public void onDelete(CustomResourceDefinition deleted, boolean finalStateUnknown) {
            // Its objects' deletions have come before; the watch tries on until the CRD is back.
            LOG.atWarn().addKeyValue("crd", name).log("a CRD was deleted");
          }
        });
  }

  /** Done once it is known that the CRD is absent, or all objects of its kind have been seen. */
  CompletableFuture<Void> start() {
    return definitions
        .start()
        .toCompletableFuture()
        .thenCompose(
            _ -> {
              List<CustomResourceDefinition> present = definitions.getStore().list();
              if (present.isEmpty()) {
                LOG.atInfo().addKeyValue("crd", name).log("waiting for a CRD to appear");
                return CompletableFuture.completedFuture(null);
              }
              return watchIfEstablished(present.getFirst());
            });
  }

  private synchronized CompletableFuture<Void> watchIfEstablished(
      CustomResourceDefinition definition) {
    CompletableFuture<Void> present = watching;
    if (present != null) {
      return present;
    }
    if (!Definitions.isEstablished(definition)) {
      return CompletableFuture.completedFuture(null);
    }
    LOG.atInfo().addKeyValue("crd", name).log("watching a kind");
    CompletableFuture<Void> next =
        watch.apply(
            definition.getSpec().getVersions().stream()
                .filter(version -> Boolean.TRUE.equals(version.getServed()))
                .map(CustomResourceDefinitionVersion::getName)
                .toList());
    watching = next;
    return next;
  }

  @Override
  public void close() {
    definitions.close();
  }
}
