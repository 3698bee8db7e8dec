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
   */
  void waypoints(String name, Set<String> gateways);

  /** By "namespace/name". */
  void authorization(String name, Optional<Authorization> authorization);

  /** What is to be said on an object's status; empty where nothing is. */
  void conditions(BoundObject object, List<ObjectCondition> conditions);
}
