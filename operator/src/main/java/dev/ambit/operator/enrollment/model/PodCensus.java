package dev.ambit.operator.enrollment.model;

import dev.ambit.api.ExcludedPod;
import dev.ambit.api.PodCounts;
import dev.ambit.capture.CaptureDecision;
import dev.ambit.capture.Redirection;
import java.util.ArrayList;
import java.util.Collection;
import java.util.Comparator;
import java.util.List;

/**
 * The pods of a namespace, counted. Completed pods do not count.
 *
 * @param captured pods that their node agent has captured, whether they should be or not
 * @param proven of these, pods that have shown their identity in a handshake
 * @param unproven captured pods that should be and have not, each with the problem
 * @param held pods whose step of the rollout has not come
 * @param excluded pods that are left out, by name
 * @param waiting names of pods that should be captured and are not yet
 * @param lingering names of pods that should not be captured and have not left yet
 * @param draining how many of those only have connections left that end in the tunnel
 */
public record PodCensus(
    int total,
    int captured,
    int proven,
    int held,
    List<ExcludedPod> excluded,
    List<String> waiting,
    List<String> unproven,
    List<String> lingering,
    int draining) {

  /** A namespace without pods. */
  public static final PodCensus EMPTY =
      new PodCensus(0, 0, 0, 0, List.of(), List.of(), List.of(), List.of(), 0);

  public PodCensus {
    excluded = List.copyOf(excluded);
    waiting = List.copyOf(waiting);
    unproven = List.copyOf(unproven);
    lingering = List.copyOf(lingering);
  }

  /** Counts. */
  public static PodCensus of(Collection<PodObservation> pods) {
    List<PodObservation> living =
        pods.stream()
            .filter(pod -> !pod.completed())
            .sorted(Comparator.comparing(PodObservation::name))
            .toList();
    int captured = 0;
    int proven = 0;
    int held = 0;
    List<ExcludedPod> excluded = new ArrayList<>();
    List<String> waiting = new ArrayList<>();
    List<String> unproven = new ArrayList<>();
    List<PodObservation> lingering = new ArrayList<>();
    for (PodObservation pod : living) {
      boolean enabled = pod.redirection() == Redirection.ENABLED;
      if (enabled) {
        captured++;
        if (pod.proof().holds()) {
          proven++;
        }
      }
      switch (pod.decision()) {
        case CaptureDecision.Captured ignored -> {
          if (!enabled && pod.started() && !pod.terminating()) {
            waiting.add(pod.name());
          } else if (enabled && !pod.terminating() && !pod.proof().holds()) {
            unproven.add(pod.name() + " (" + pod.proof().problem() + ")");
          }
        }
        case CaptureDecision.Excluded(var reason) -> {
          excluded.add(new ExcludedPod(pod.name(), reason.text()));
          addIfRedirected(pod, lingering);
        }
        case CaptureDecision.Held ignored -> {
          held++;
          addIfRedirected(pod, lingering);
        }
        case CaptureDecision.NotEnrolled ignored -> addIfRedirected(pod, lingering);
      }
    }
    return new PodCensus(
        living.size(),
        captured,
        proven,
        held,
        excluded,
        waiting,
        unproven,
        lingering.stream().map(PodObservation::name).toList(),
        (int) lingering.stream().filter(PodObservation::draining).count());
  }

  private static void addIfRedirected(PodObservation pod, List<PodObservation> lingering) {
    if (pod.redirection() != Redirection.ABSENT && !pod.terminating()) {
      lingering.add(pod);
    }
  }

  /** Whether every pod that should be in the mesh is, and has proven it. */
  boolean allIn() {
    return waiting.isEmpty() && unproven.isEmpty();
  }

  /** The counts as the status shows them. */
  public PodCounts counts() {
    return new PodCounts(total, captured, proven, held, excluded.size());
  }
}
