package dev.ambit.operator.controlplane;

import dev.ambit.operator.model.BoundObject;
import dev.ambit.operator.model.MeshIndex;
import dev.ambit.operator.model.MeshOutput;
import dev.ambit.operator.model.ObjectCondition;
import dev.ambit.operator.waypoint.config.model.EnvoyTypes;
import dev.ambit.operator.waypoint.config.model.WaypointIndex;
import dev.ambit.operator.waypoint.config.model.WaypointSettings;
import dev.ambit.operator.waypoint.life.WaypointNews;
import dev.ambit.operator.waypoint.route.RouteStatuses;
import dev.ambit.operator.xds.ChangeSet;
import dev.ambit.operator.xds.Debounce;
import dev.ambit.operator.xds.DiscoveryServer;
import dev.ambit.operator.xds.RejectionListener;
import dev.ambit.protocol.security.Authorization;
import dev.ambit.protocol.workload.Address;
import java.time.Duration;
import java.time.Instant;
import java.time.InstantSource;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;
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
  private final WaypointAccounts accounts;
  private final RouteStatuses routeStatuses;
  private final WaypointNews waypointNews;
  private final ScheduledExecutorService scheduler;
  private final InstantSource clock;
  private final Debounce debounce;

  // Guarded by this.
  private final MeshIndex index;
  private final WaypointIndex waypoints;
  private final WaypointConditions waypointConditions;
  private boolean waypointsChanged;
  private ChangeSet.Builder pending = new ChangeSet.Builder();
  private boolean open;

  MeshPublisher(
      WaypointSettings settings,
      DiscoveryServer discovery,
      WaypointAccounts accounts,
      RouteStatuses routeStatuses,
      WaypointNews waypointNews,
      StatusConditions conditions,
      ScheduledExecutorService scheduler,
      InstantSource clock,
      Duration quiet,
      Duration longest) {
    this.discovery = discovery;
    this.accounts = accounts;
    this.routeStatuses = routeStatuses;
    this.waypointNews = waypointNews;
    this.scheduler = scheduler;
    this.clock = clock;
    this.waypoints = new WaypointIndex(settings);
    this.waypointConditions = new WaypointConditions(conditions);
    this.debounce = new Debounce(scheduler, quiet, longest, this::publish);
    this.index =
        new MeshIndex(
            settings.mesh(),
            new MeshOutput() {
              @Override
              public void address(String name, Optional<Address> address) {
                address.ifPresentOrElse(
                    present -> pending.put(MeshTypes.ADDRESS, MeshTypes.resource(name, present)),
                    () -> pending.remove(MeshTypes.ADDRESS, name));
                waypoints.address(name, address);
                waypointsChanged = true;
              }

              @Override
              public void waypoints(String name, Set<String> gateways, Optional<String> past) {
                waypoints.waypoints(name, gateways, past);
                waypointsChanged = true;
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
                waypointConditions.ofMesh(object, wanted);
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
      if (!open || (pending.isEmpty() && !waypointsChanged)) {
        return;
      }
    }
    debounce.changed();
  }

  /** Makes a change to what waypoints turn on. */
  void changeWaypoints(String what, Consumer<WaypointIndex> change) {
    change(
        what,
        _ -> {
          waypointsChanged = true;
          change.accept(waypoints);
        });
  }

  /** A client would not take something: where it is a waypoint, its users are told. */
  void rejected(RejectionListener.Rejection rejection) {
    if (rejection.realm().equals(MeshTypes.NODES)) {
      return;
    }
    // Not on the client's stream, whose lock publishing needs.
    scheduler.execute(
        () ->
            changeWaypoints(
                "waypoint " + rejection.realm(),
                index ->
                    index.rejected(
                        rejection.realm(),
                        rejection.typeUrl(),
                        rejection.versions(),
                        rejection.error())));
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
      if (waypointsChanged) {
        waypointsChanged = false;
        publishWaypoints();
      }
      ChangeSet changes = pending.build();
      pending = new ChangeSet.Builder();
      // Under the lock, so that two publications cannot overtake each other.
      discovery.commit(MeshTypes.NODES, changes);
    }
  }

  /** Before the nodes are told: who sends traffic through a waypoint finds it prepared. */
  private void publishWaypoints() {
    WaypointIndex.Update update;
    try {
      update = waypoints.update(clock.instant());
    } catch (RuntimeException e) {
      LOG.atError().setCause(e).log("cannot work out what waypoints are to be told");
      return;
    }
    for (String waypoint : update.removed()) {
      accounts.remove(waypoint);
      discovery.remove(waypoint);
    }
    update
        .changes()
        .forEach(
            (waypoint, changes) -> {
              discovery.open(waypoint, EnvoyTypes.ALL);
              discovery.commit(waypoint, changes);
              accounts.put(waypoint, WaypointIndex.serviceAccount(waypoint));
            });
    waypointConditions.update(waypoints.conditions());
    routeStatuses.put(waypoints.routeStatuses());
    waypointNews.put(waypoints.facts());
    update.again().ifPresent(this::again);
  }

  private void again(Instant due) {
    scheduler.schedule(
        () -> {
          synchronized (this) {
            waypointsChanged = true;
          }
          debounce.changed();
        },
        Math.max(0, Duration.between(clock.instant(), due).toMillis()) + 1,
        TimeUnit.MILLISECONDS);
  }

  @Override
  public void close() {
    debounce.cancel();
  }
}
