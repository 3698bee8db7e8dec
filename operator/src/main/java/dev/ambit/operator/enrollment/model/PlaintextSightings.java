package dev.ambit.operator.enrollment.model;

import java.time.Instant;
import java.util.List;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * What all ztunnels have seen of plaintext to a namespace's pods.
 *
 * @param at when they were asked, all later than this; null before they were
 * @param reports of those that serve the namespace's pods, or have
 * @param instances runs of ztunnels that have answered
 * @param unheard nodes whose ztunnel did not answer, or why none did
 */
public record PlaintextSightings(
    @Nullable Instant at,
    List<PlaintextReport> reports,
    Set<String> instances,
    List<String> unheard) {
  /** Nobody has been asked. */
  public static final PlaintextSightings NOT_ASKED =
      new PlaintextSightings(null, List.of(), Set.of(), List.of());

  public PlaintextSightings {
    reports = List.copyOf(reports);
    instances = Set.copyOf(instances);
    unheard = List.copyOf(unheard);
  }
}
