package dev.ambit.operator.waypoint.model;

import io.fabric8.kubernetes.api.model.HasMetadata;

/**
 * An object that users wrote and whose status can say what became of it.
 *
 * @param group of the API, empty for core
 */
public record ObjectReference(String group, String kind, String namespace, String name) {
  /** That object's. */
  public static ObjectReference of(HasMetadata object) {
    String version = object.getApiVersion();
    int slash = version.indexOf('/');
    String namespace = object.getMetadata().getNamespace();
    return new ObjectReference(
        slash < 0 ? "" : version.substring(0, slash),
        object.getKind(),
        namespace == null ? "" : namespace,
        object.getMetadata().getName());
  }

  @Override
  public String toString() {
    return kind + " " + (namespace.isEmpty() ? "" : namespace + "/") + name;
  }
}
