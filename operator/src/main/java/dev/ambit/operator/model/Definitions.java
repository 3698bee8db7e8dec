package dev.ambit.operator.model;

import io.fabric8.kubernetes.api.model.apiextensions.v1.CustomResourceDefinition;

/** What a CustomResourceDefinition says of the kind that it defines. */
public final class Definitions {
  private Definitions() {}

  /** Whether the API server serves the kind. */
  public static boolean isEstablished(CustomResourceDefinition definition) {
    return definition.getStatus() != null
        && definition.getStatus().getConditions() != null
        && definition.getStatus().getConditions().stream()
            .anyMatch(
                condition ->
                    "Established".equals(condition.getType())
                        && "True".equals(condition.getStatus()));
  }

  /** Whether objects can be read in that version. */
  public static boolean serves(CustomResourceDefinition definition, String version) {
    return definition.getSpec().getVersions().stream()
        .anyMatch(each -> Boolean.TRUE.equals(each.getServed()) && version.equals(each.getName()));
  }
}
