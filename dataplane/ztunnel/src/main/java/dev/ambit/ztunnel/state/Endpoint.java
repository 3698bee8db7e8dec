package dev.ambit.ztunnel.state;

import org.jspecify.annotations.Nullable;

/**
 * What a destination was found to be, for telemetry.
 *
 * @param workload the workload, where it is one of the mesh
 * @param service the service, where the destination was one's virtual address
 */
public record Endpoint(@Nullable MeshWorkload workload, @Nullable MeshService service) {
  /** A destination that the mesh knows nothing of. */
  public static final Endpoint UNKNOWN = new Endpoint(null, null);
}
