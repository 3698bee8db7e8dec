package dev.ambit.operator.waypoint.model;

import java.util.List;
import java.util.Optional;

/** The services of the mesh, to look up what routes and policies refer to. */
public interface MeshServices {
  /** The Service or ServiceEntry of that name; of an entry with several hosts, one of them. */
  default Optional<MeshService> named(MeshService.Kind kind, String namespace, String name) {
    return allNamed(kind, namespace, name).stream().findFirst();
  }

  /** All that an object declares: of a ServiceEntry, one for each of its hosts. */
  List<MeshService> allNamed(MeshService.Kind kind, String namespace, String name);

  /**
   * What answers to a full host name, seen from a namespace: its own service of that name before
   * another's.
   */
  Optional<MeshService> answeringTo(String hostname, String viewedFrom);
}
