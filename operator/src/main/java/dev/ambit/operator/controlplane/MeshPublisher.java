package dev.ambit.operator.controlplane;

import dev.ambit.operator.model.BoundObject;
import dev.ambit.operator.model.MeshIndex;
import dev.ambit.operator.model.MeshOutput;
import dev.ambit.operator.model.MeshSettings;
import dev.ambit.operator.model.ObjectCondition;
import dev.ambit.operator.xds.ChangeSet;
import dev.ambit.operator.xds.Debounce;
import dev.ambit.operator.xds.DiscoveryServer;
import dev.ambit.protocol.security.Authorization;
import dev.ambit.protocol.workload.Address;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.ScheduledExecutorService;
import java.util.function.Consumer;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Stands between the index and discovery: takes one change after another, and publishes what came
 * of them when they pause. All that one change brought about is published together. Thread-safe.
 */
final class MeshPublisher implements AutoCloseable {
  private static final Logger LOG = LoggerFactory.getLogger(MeshPublisher.class);

  private final DiscoveryServer discovery;
  private final Debounce debounce;

  // Guarded by this.
  private final MeshIndex index;
  private ChangeSet.Builder pending = new ChangeSet.Builder();
  private boolean open;

  MeshPublisher(
      MeshSettings settings,
      DiscoveryServer discovery,
      StatusConditions conditions,
      ScheduledExecutorService scheduler,
      Duration quiet,
      Duration longest) {
    this.discovery = discovery;
    this.debounce = new Debounce(scheduler, quiet, longest, this::publish);
    this.index =
        new MeshIndex(
            settings,
            new MeshOutput() {
              @Override
              public void address(String name, Optional<Address> address) {
                address.ifPresentOrElse(
                    present -> pending.put(MeshTypes.ADDRESS, MeshTypes.resource(name, present)),
                    () -> pending.remove(MeshTypes.ADDRESS, name));
              }

              @Override
              public void waypoints(String name, Set<String> gateways) {
              }

              @Override
              public void authorization(String name, Optional<Authorization> authorization) {
                authorization.ifPresentOrElse(
                    present ->
                        pending.put(MeshTypes.AUTHORIZATION, MeshTypes.resource(name, present)),
                    () -> pending.remove(MeshTypes.AUTHORIZATION, name));
              }

              @Override
              public void conditions(BoundObject object, List<ObjectCondition> wanted) {
                conditions.put(object, wanted);
              }
            });
  }

  /** Makes a change to the index. One object that cannot be translated must not stop the others. */
  void change(String what, Consumer<MeshIndex> change) {
    synchronized (this) {
      try {
        change.accept(index);
      } catch (RuntimeException e) {
        LOG.atError().addKeyValue("object", what).setCause(e).log("cannot translate an object");
      }
      if (!open || pending.isEmpty()) {
        return;
      }
    }
    debounce.changed();
  }

  /** Publishes all that is known, and from now on what changes. */
  void open() {
    synchronized (this) {
      open = true;
    }
    publish();
  }

  private void publish() {
    synchronized (this) {
      ChangeSet changes = pending.build();
      pending = new ChangeSet.Builder();
      // Under the lock, so that two publications cannot overtake each other.
      discovery.commit(MeshTypes.NODES, changes);
    }
  }

  @Override
  public void close() {
    debounce.cancel();
  }
}
