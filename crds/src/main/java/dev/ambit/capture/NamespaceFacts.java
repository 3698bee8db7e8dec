package dev.ambit.capture;

import dev.ambit.api.Stage;
import java.util.Map;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * What the capture decision needs to know of a pod's namespace.
 *
 * @param excludedNamespaces what the AmbientMesh excludes; the caller adds Ambit's own namespace
 * @param userStage the stage that the effective enrollment of a user asks for, if there is one;
 *     mirrors do not count, since they repeat the labels
 */
public record NamespaceFacts(
    String name,
    Map<String, String> labels,
    Set<String> excludedNamespaces,
    @Nullable Stage userStage) {

  public NamespaceFacts {
    labels = Map.copyOf(labels);
    excludedNamespaces = Set.copyOf(excludedNamespaces);
  }
}
