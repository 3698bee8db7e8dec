package dev.ambit.operator.fleet.model;

import static org.assertj.core.api.Assertions.assertThat;

import dev.ambit.api.ClusterMeshEnrollmentStatus;
import dev.ambit.api.Conditions;
import dev.ambit.api.Conditions.Wanted;
import dev.ambit.api.WaveStatus;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;

/** Which changes of a fleet's status are told. */
class FleetNewsTest {
  private static final Wanted CONFLICT =
      new Wanted(FleetStatusReport.CONFLICT, true, "NamespacesConflict", "another has it");

  private static ClusterMeshEnrollmentStatus status(
      String wave, String reason, boolean stalled, Wanted... more) {
    List<Wanted> conditions = new ArrayList<>(List.of(more));
    conditions.add(new Wanted(Conditions.READY, false, reason, "message of " + reason));
    conditions.add(new Wanted(Conditions.STALLED, stalled, reason, "message of " + reason));
    return new ClusterMeshEnrollmentStatus(
        1L,
        null,
        Map.of(),
        new WaveStatus(wave, "1/2", "template", null, false),
        List.of(),
        List.of(),
        Conditions.update(List.of(), conditions, 1L, Instant.EPOCH));
  }

  @Test
  void stepsAndWavesAreToldAndCountsAreNot() {
    var moving = status("canary", "NamespacesMoving", false);
    assertThat(FleetNews.of(ClusterMeshEnrollmentStatus.NOTHING_YET, moving))
        .containsExactly(new FleetNews(false, "NamespacesMoving", "message of NamespacesMoving"));
    assertThat(FleetNews.of(moving, status("canary", "NamespacesMoving", false))).isEmpty();
    assertThat(FleetNews.of(moving, status("rest", "NamespacesMoving", false))).hasSize(1);
    assertThat(FleetNews.of(moving, status("canary", "TooManyFailed", true)))
        .containsExactly(new FleetNews(true, "TooManyFailed", "message of TooManyFailed"));
  }

  @Test
  void aConflictIsToldOnceThoughTheFleetGoesOnAsBefore() {
    var before = status("canary", "NamespacesMoving", false);
    var after = status("canary", "NamespacesMoving", false, CONFLICT);
    assertThat(FleetNews.of(before, after))
        .containsExactly(new FleetNews(true, "NamespacesConflict", "another has it"));
    assertThat(FleetNews.of(after, after)).isEmpty();
  }
}
