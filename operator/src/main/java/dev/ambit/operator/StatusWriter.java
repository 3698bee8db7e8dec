package dev.ambit.operator;

import io.fabric8.kubernetes.api.model.HasMetadata;
import io.fabric8.kubernetes.api.model.ObjectMetaBuilder;
import io.fabric8.kubernetes.client.CustomResource;
import io.fabric8.kubernetes.client.KubernetesClient;
import io.fabric8.kubernetes.client.KubernetesClientException;
import io.javaoperatorsdk.operator.processing.event.ResourceID;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import org.jspecify.annotations.Nullable;

/**
 * The one way to a kind's status. A cache that has yet to see the last write would make a
 * reconciler repeat it, and its events with it, so the last write is remembered until then.
 *
 * @param <S> what the status is
 */
public final class StatusWriter<S> {
  private final Map<ResourceID, Write<S>> writes = new ConcurrentHashMap<>();

  /** The status that was written on seeing that version of the object. */
  private record Write<S>(String uid, String seenVersion, S status) {}

  /**
   * The object's status: as cached, or as written where the cache is behind.
   *
   * @param cached the status of {@code object}, which is as cached
   */
  public @Nullable S current(HasMetadata object, @Nullable S cached) {
    ResourceID id = ResourceID.fromResource(object);
    Write<S> write = writes.get(id);
    if (write == null) {
      return cached;
    }
    boolean behind =
        write.uid().equals(object.getMetadata().getUid())
            && write.seenVersion().equals(object.getMetadata().getResourceVersion());
    if (!behind) {
      writes.remove(id, write);
      return cached;
    }
    return write.status();
  }

  /** An object is no more. */
  public void forget(HasMetadata object) {
    writes.remove(ResourceID.fromResource(object));
  }

  /**
   * Another object of that name, so that applying it owns the status and nothing else.
   *
   * @param fresh empty
   */
  public static <S, R extends CustomResource<?, S>> R applied(R fresh, R object, S status) {
    fresh.setMetadata(
        new ObjectMetaBuilder()
            .withNamespace(object.getMetadata().getNamespace())
            .withName(object.getMetadata().getName())
            .build());
    fresh.setStatus(status);
    return fresh;
  }

  /**
   * Writes the status by server-side apply. An object that is gone is no error.
   *
   * @param object as cached
   * @param applied the same object with nothing but its name and the status
   */
  public void write(KubernetesClient client, HasMetadata object, HasMetadata applied, S status) {
    try {
      FieldManager.applyStatus(client, applied);
    } catch (KubernetesClientException e) {
      if (NamespaceGone.isCauseOf(e)) {
        forget(object);
        return;
      }
      throw e;
    }
    remember(object, status);
  }

  /** Until the cache shows another version of the object, its status is this. */
  void remember(HasMetadata object, S status) {
    writes.put(
        ResourceID.fromResource(object),
        new Write<>(
            object.getMetadata().getUid(), object.getMetadata().getResourceVersion(), status));
  }
}
