package dev.ambit.agent.cluster;

import dev.ambit.api.AmbientMeshSpec;

/** Whether this cluster has a mesh. */
public sealed interface MeshState {
  /** There is no AmbientMesh: nothing new is captured, and what is captured stays so. */
  record Absent() implements MeshState {}

  /** There is one. */
  record Present(AmbientMeshSpec spec) implements MeshState {}

  /** It is being deleted: every pod leaves, and the node is cleaned. */
  record Leaving(AmbientMeshSpec spec) implements MeshState {}
}
