package dev.ambit.operator.waypoint.model;

import java.util.Optional;

/** The services of the mesh, to look up what routes and policies refer to. */
public interface MeshServices {
  /** The Service or ServiceEntry of that name; of an entry with several hosts, the first host's. */
  Optional<MeshService> named(MeshService.Kind kind, String namespace, String name);

  /**
   * What answers to a full host name, seen from a namespace: its own service of that name before
   * another's.
   */
  Optional<MeshService> answeringTo(String hostname, String viewedFrom);
}
