package dev.ambit.operator.waypoint.life.model;

import dev.ambit.api.Conditions;
import dev.ambit.api.Conditions.Wanted;
import io.fabric8.kubernetes.api.model.Condition;
import io.fabric8.kubernetes.api.model.gatewayapi.v1.Gateway;
import io.fabric8.kubernetes.api.model.gatewayapi.v1.GatewayStatus;
import io.fabric8.kubernetes.api.model.gatewayapi.v1.GatewayStatusAddress;
import io.fabric8.kubernetes.api.model.gatewayapi.v1.GatewayStatusBuilder;
import io.fabric8.kubernetes.api.model.gatewayapi.v1.ListenerStatus;
import io.fabric8.kubernetes.api.model.gatewayapi.v1.ListenerStatusBuilder;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;

/**
 * Turns what is known of a waypoint into its Gateway's status. An address stands there only while
 * an instance can be used: who reads it knows by it that there is a waypoint.
 */
public final class GatewayReport {
  static final String ACCEPTED = "Accepted";
  static final String PROGRAMMED = "Programmed";

  /** Whether all instances are as asked for. */
  static final String UP_TO_DATE = "ambit.dev/UpToDate";

  /** Whether the waypoint's Envoys take all of their configuration. */
  static final String CONFIGURED = "ambit.dev/Configured";

  private static final Set<String> OURS = Set.of(ACCEPTED, PROGRAMMED, UP_TO_DATE, CONFIGURED);

  private static final int MOST_REJECTIONS = 5;

  private GatewayReport() {}

  /** What of a Gateway's status is this controller's. */
  public static GatewayStatus ours(@Nullable GatewayStatus status) {
    if (status == null) {
      return new GatewayStatus();
    }
    return new GatewayStatusBuilder()
        .withAddresses(orEmpty(status.getAddresses()))
        .withConditions(
            orEmpty(status.getConditions()).stream()
                .filter(condition -> OURS.contains(condition.getType()))
                .toList())
        .withListeners(orEmpty(status.getListeners()))
        .build();
  }

  /** The listeners that a waypoint is to have. */
  public static List<WaypointListener> listeners(Gateway gateway) {
    return ListenerReport.of(gateway).stream().flatMap(report -> report.served().stream()).toList();
  }

  /** The status that follows. */
  public static GatewayStatus of(
      @Nullable GatewayStatus before, WaypointObservation observed, Instant now) {
    List<ListenerReport> listeners = ListenerReport.of(observed.gateway());
    Long generation = observed.gateway().getMetadata().getGeneration();
    Wanted accepted = accepted(observed, listeners);
    boolean usable = observed.instances().ready() > 0 && !observed.addresses().isEmpty();
    Wanted programmed = programmed(observed, accepted, usable);
    List<Wanted> wanted = new ArrayList<>(List.of(accepted, programmed));
    upToDate(observed).ifPresent(wanted::add);
    configured(observed, usable).ifPresent(wanted::add);
    List<Condition> conditions =
        Conditions.update(
            before == null ? List.of() : orEmpty(before.getConditions()), wanted, generation, now);
    List<ListenerStatus> statuses = new ArrayList<>();
    for (ListenerReport listener : listeners) {
      List<Condition> last =
          before == null
              ? List.of()
              : orEmpty(before.getListeners()).stream()
                  .filter(each -> listener.name().equals(each.getName()))
                  .findFirst()
                  .map(each -> orEmpty(each.getConditions()))
                  .orElse(List.of());
      statuses.add(
          new ListenerStatusBuilder()
              .withName(listener.name())
              // Those of services, as most are, are attached to the services.
              .withAttachedRoutes(
                  observed.facts().attachedRoutes().getOrDefault(listener.name(), 0))
              .withSupportedKinds(listener.kinds())
              .withConditions(
                  Conditions.update(last, listener.conditions(programmed), generation, now))
              .build());
    }
    return new GatewayStatusBuilder()
        .withAddresses(usable ? observed.addresses() : List.<GatewayStatusAddress>of())
        .withConditions(conditions)
        .withListeners(statuses)
        .build();
  }

  private static Wanted accepted(WaypointObservation observed, List<ListenerReport> listeners) {
    if (!observed.meshInstalled()) {
      return new Wanted(
          ACCEPTED,
          false,
          "Pending",
          "There is no AmbientMesh, or it is being deleted. Create one named default.");
    }
    if (listeners.stream().allMatch(listener -> listener.served().isEmpty())) {
      return new Wanted(
          ACCEPTED,
          false,
          "ListenersNotValid",
          "A waypoint needs a listener of protocol HBONE at port 15008, and none of these is one.");
    }
    if (observed.problem().orElse(null) instanceof WaypointObservation.Problem.Parameters bad) {
      return new Wanted(
          ACCEPTED,
          false,
          "InvalidParameters",
          bad.message() + ". The waypoint stays as it last was.");
    }
    if (listeners.stream().anyMatch(listener -> listener.served().isEmpty())) {
      return new Wanted(
          ACCEPTED, true, "ListenersNotValid", "Some listeners are not served; see theirs.");
    }
    return new Wanted(
        ACCEPTED,
        true,
        ACCEPTED,
        observed.managed()
            ? "Ambit makes this waypoint."
            : "This waypoint's instances are made by others, since spec.addresses says where they"
                + " are.");
  }

  private static Wanted programmed(WaypointObservation observed, Wanted accepted, boolean usable) {
    WaypointObservation.Instances instances = observed.instances();
    if (usable) {
      return new Wanted(
          PROGRAMMED,
          true,
          PROGRAMMED,
          observed.managed()
              ? "Instances that can be used: " + instances.ready() + "."
              : "The waypoint is reached at the addresses of spec.addresses.");
    }
    if (observed.problem().isPresent()) {
      return new Wanted(PROGRAMMED, false, "Invalid", observed.problem().get().message() + ".");
    }
    if (!accepted.holds()) {
      return new Wanted(PROGRAMMED, false, "Invalid", "The Gateway is not accepted.");
    }
    if (!observed.managed()) {
      return new Wanted(
          PROGRAMMED,
          false,
          "AddressNotUsable",
          "No instance is ready behind the addresses of spec.addresses.");
    }
    return new Wanted(
        PROGRAMMED,
        false,
        "Pending",
        "None of "
            + instances.wanted()
            + " instances can be used yet. "
            + instances
                .failure()
                .map(failure -> "They cannot be made: " + failure)
                .orElseGet(
                    () ->
                        "Pods labelled "
                            + WaypointLabels.GATEWAY_NAME
                            + "="
                            + observed.gateway().getMetadata().getName()
                            + " tell why if this lasts."));
  }

  private static Optional<Wanted> upToDate(WaypointObservation observed) {
    if (!observed.managed() || observed.instances().wanted() == 0) {
      return Optional.empty();
    }
    WaypointObservation.Instances instances = observed.instances();
    if (observed.problem().isPresent()) {
      return Optional.of(
          new Wanted(UP_TO_DATE, false, "Held", observed.problem().get().message() + "."));
    }
    if (observed.waitsFor().isPresent()) {
      return Optional.of(new Wanted(UP_TO_DATE, false, "Waiting", observed.waitsFor().get()));
    }
    return Optional.of(
        instances.changing()
            ? new Wanted(
                UP_TO_DATE,
                false,
                "RollingOut",
                instances
                    .failure()
                    .map(failure -> "No more instances can be made: " + failure)
                    .orElse("Instances come and go until all are as asked for."))
            : new Wanted(UP_TO_DATE, true, "UpToDate", "All instances are as asked for."));
  }

  private static Optional<Wanted> configured(WaypointObservation observed, boolean usable) {
    List<String> rejections = observed.facts().rejections();
    if (rejections.isEmpty()) {
      return usable
          ? Optional.of(
              new Wanted(CONFIGURED, true, "Accepted", "Envoy takes all of its configuration."))
          : Optional.empty();
    }
    String told =
        rejections.stream().limit(MOST_REJECTIONS).collect(Collectors.joining("; "))
            + (rejections.size() > MOST_REJECTIONS
                ? "; and " + (rejections.size() - MOST_REJECTIONS) + " more"
                : "");
    return Optional.of(
        new Wanted(
            CONFIGURED,
            false,
            "Rejected",
            "Envoy does not take some of its configuration and keeps what it had of it: " + told));
  }

  private static <T> List<T> orEmpty(@Nullable List<T> list) {
    return list == null ? List.of() : list;
  }
}
