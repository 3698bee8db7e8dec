package dev.ambit.operator.fleet.model;

import dev.ambit.api.ClusterMeshEnrollmentStatus;
import dev.ambit.api.Conditions;
import dev.ambit.api.WaveStatus;
import java.util.List;
import java.util.Optional;
import java.util.stream.Stream;

/**
 * What a person should hear of a fleet once it is so, besides reading its status.
 *
 * @param warning whether somebody has to look at it
 * @param reason in one word, as the condition has it
 */
public record FleetNews(boolean warning, String reason, String message) {

  /** What a status says that the one before did not. */
  public static List<FleetNews> of(
      ClusterMeshEnrollmentStatus before, ClusterMeshEnrollmentStatus after) {
    boolean stalled = Conditions.holds(after.conditions(), Conditions.STALLED);
    Optional<FleetNews> step =
        told(after, Conditions.READY, stalled)
            .filter(
                news -> !news.reason().equals(last(before)) || !wave(after).equals(wave(before)));
    Optional<FleetNews> conflict =
        told(after, FleetStatusReport.CONFLICT, true)
            .filter(_ -> !Conditions.holds(before.conditions(), FleetStatusReport.CONFLICT));
    return Stream.concat(step.stream(), conflict.stream()).distinct().toList();
  }

  private static Optional<FleetNews> told(
      ClusterMeshEnrollmentStatus status, String condition, boolean warning) {
    return Conditions.find(status.conditions(), condition)
        .map(each -> new FleetNews(warning, each.getReason(), each.getMessage()));
  }

  private static String last(ClusterMeshEnrollmentStatus status) {
    return told(status, Conditions.READY, false).map(FleetNews::reason).orElse("");
  }

  private static String wave(ClusterMeshEnrollmentStatus status) {
    WaveStatus wave = status.wave();
    return wave == null ? "" : wave.name();
  }
}
