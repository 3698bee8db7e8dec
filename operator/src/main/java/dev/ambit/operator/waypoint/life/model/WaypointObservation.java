package dev.ambit.operator.waypoint.life.model;

import io.fabric8.kubernetes.api.model.gatewayapi.v1.Gateway;
import io.fabric8.kubernetes.api.model.gatewayapi.v1.GatewayStatusAddress;
import java.util.List;
import java.util.Optional;

/**
 * All that is known of a waypoint.
 *
 * @param meshInstalled whether there is an AmbientMesh that is not being deleted
 * @param problem what keeps it from being made as asked, if anything does
 * @param instances its instances
 * @param waitsFor why its instances are not brought up to date yet, if they are not
 * @param addresses where it is reached once an instance is ready
 * @param managed whether its instances are the operator's to make
 * @param facts what the control plane knows of it
 */
public record WaypointObservation(
    Gateway gateway,
    boolean meshInstalled,
    Optional<Problem> problem,
    Instances instances,
    Optional<String> waitsFor,
    List<GatewayStatusAddress> addresses,
    boolean managed,
    WaypointFacts facts) {
  public WaypointObservation {
    addresses = List.copyOf(addresses);
  }

  /** What keeps a waypoint from being made as asked. */
  public sealed interface Problem {
    /** For a person. */
    String message();

    /** Its parameters, or its class's, cannot be used; it stays as it last was. */
    record Parameters(String message) implements Problem {}

    /** An object of its name is somebody else's. */
    record Occupied(String message) implements Problem {}

    /** The API server refuses what was asked of it. */
    record Refused(String message) implements Problem {}
  }

  /**
   * How many instances there are.
   *
   * @param wanted how many there should be
   * @param ready how many can be used
   * @param upToDate how many are as asked for
   * @param changing whether some still come or go
   * @param failure why no more can be made, where Kubernetes says so
   */
  public record Instances(
      int wanted, int ready, int upToDate, boolean changing, Optional<String> failure) {
    public static final Instances NONE = new Instances(0, 0, 0, false, Optional.empty());

    /** So many, all of them as asked for. */
    public static Instances settled(int count) {
      return new Instances(count, count, count, false, Optional.empty());
    }
  }
}
