package dev.ambit.operator.controlplane;

import dev.ambit.operator.model.Definitions;
import io.fabric8.kubernetes.api.model.apiextensions.v1.CustomResourceDefinition;
import io.fabric8.kubernetes.api.model.apiextensions.v1.CustomResourceDefinitionVersion;
import io.fabric8.kubernetes.client.KubernetesClient;
import io.fabric8.kubernetes.client.informers.ResourceEventHandler;
import io.fabric8.kubernetes.client.informers.SharedIndexInformer;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Watches a kind while the cluster serves it in a version that can be read: from when its CRD is
 * there, be that at once or later, until it goes. Without one it waits, and asks for nothing.
 */
final class OptionalKind implements AutoCloseable {
  private static final Logger LOG = LoggerFactory.getLogger(OptionalKind.class);

  private final String name;
  private final Function<List<String>, Optional<Watch>> watch;
  private final SharedIndexInformer<CustomResourceDefinition> definitions;

  // Guarded by this.
  private @Nullable Watch watching;
  private CompletableFuture<Void> synced = CompletableFuture.completedFuture(null);
  private boolean closed;

  /** An informer that has not started, of the kind in that version. */
  record Watch(String version, SharedIndexInformer<?> informer) {}

  /**
   * Waits for the CRD of that name.
   *
   * @param watch given the versions that the cluster serves; empty where none of them can be read
   */
  OptionalKind(
      KubernetesClient client, String name, Function<List<String>, Optional<Watch>> watch) {
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
            follow(served(added));
          }

          @Override
          public void onUpdate(CustomResourceDefinition before, CustomResourceDefinition after) {
            follow(served(after));
          }

          @Override
          public void onDelete(CustomResourceDefinition deleted, boolean finalStateUnknown) {
            // Its objects' deletions have come before.
            follow(List.of());
          }
        });
  }

  private static List<String> served(CustomResourceDefinition definition) {
    return Definitions.isEstablished(definition)
        ? definition.getSpec().getVersions().stream()
            .filter(version -> Boolean.TRUE.equals(version.getServed()))
            .map(CustomResourceDefinitionVersion::getName)
            .toList()
        : List.of();
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
              return follow(served(present.getFirst()));
            });
  }

  private synchronized CompletableFuture<Void> follow(List<String> served) {
    Watch present = watching;
    if (present != null) {
      if (served.contains(present.version())) {
        return synced;
      }
      LOG.atWarn()
          .addKeyValue("crd", name)
          .addKeyValue("version", present.version())
          .log("a kind is no longer served in the version that was watched");
      present.informer().close();
      watching = null;
      synced = CompletableFuture.completedFuture(null);
    }
    if (closed || served.isEmpty()) {
      return synced;
    }
    Optional<Watch> next = watch.apply(served);
    if (next.isEmpty()) {
      LOG.atWarn()
          .addKeyValue("crd", name)
          .addKeyValue("served", served)
          .log("a kind is not served in a version that can be read; waiting for one");
      return synced;
    }
    LOG.atInfo()
        .addKeyValue("crd", name)
        .addKeyValue("version", next.get().version())
        .log("watching a kind");
    watching = next.get();
    synced = next.get().informer().start().toCompletableFuture();
    return synced;
  }

  @Override
  public synchronized void close() {
    closed = true;
    definitions.close();
    Watch present = watching;
    if (present != null) {
      present.informer().close();
    }
  }
}
