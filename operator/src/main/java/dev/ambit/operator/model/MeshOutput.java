package dev.ambit.operator.model;

import dev.ambit.protocol.security.Authorization;
import dev.ambit.protocol.workload.Address;
import java.util.List;
import java.util.Optional;
import java.util.Set;

/**
 * Takes what {@link MeshIndex} puts out; called only with what differs from before. An empty value
 * removes.
 */
public interface MeshOutput {
  /** By the workload's UID, or the service's "namespace/hostname". */
  void address(String name, Optional<Address> address);

  /**
   * By the same names, the Gateways, "namespace/name", whose waypoints are meant for it and take
   * it, be they ready yet or not; none where traffic is not meant to go through any.
   *
   * @param past why traffic goes past the waypoint that was asked for, or nowhere for good: a
   *     sentence for a person; empty where it goes through one, or none was asked for
   */
  void waypoints(String name, Set<String> gateways, Optional<String> past);

  /** By "namespace/name". */
  void authorization(String name, Optional<Authorization> authorization);

  /** What is to be said on an object's status; empty where nothing is. */
  void conditions(BoundObject object, List<ObjectCondition> conditions);
}
