package dev.ambit.operator.model;

import dev.ambit.protocol.security.Authorization;
import dev.ambit.protocol.workload.Address;
import java.util.List;
import java.util.Optional;

/**
 * Takes what {@link MeshIndex} puts out; called only with what differs from before. An empty value
 * removes.
 */
public interface MeshOutput {
  /** By the workload's UID, or the service's "namespace/hostname". */
  void address(String name, Optional<Address> address);

  /** By "namespace/name". */
  void authorization(String name, Optional<Authorization> authorization);

  /** What is to be said on an object's status; empty where nothing is. */
  void conditions(BoundObject object, List<ObjectCondition> conditions);
}
