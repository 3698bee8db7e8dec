package dev.ambit.capture;

import java.util.Map;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * What the capture decision needs to know of a pod's namespace.
 *
 * @param excludedNamespaces what the AmbientMesh excludes; the caller adds Ambit's own namespace
 * @param cut what a user's enrollment has released: pods whose {@link PodNumber} is below it are
 *     captured; null where the namespace's labels decide
 */
public record NamespaceFacts(
    String name,
    Map<String, String> labels,
    Set<String> excludedNamespaces,
    @Nullable Integer cut) {

  public NamespaceFacts {
    labels = Map.copyOf(labels);
    excludedNamespaces = Set.copyOf(excludedNamespaces);
  }
}
