package dev.ambit.ztunnel.bench;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;

/** What was measured so far, and what went wrong meanwhile. */
final class Measurements {
  /** A figure of one subject in one round. */
  record Sample(Metric metric, String subject, int round, double value) {}

  /** The middle of some figures, and the smallest and the largest of them. */
  record Spread(double median, double min, double max) {
    static Optional<Spread> of(double[] values) {
      if (values.length == 0) {
        return Optional.empty();
      }
      var sorted = values.clone();
      Arrays.sort(sorted);
      return Optional.of(new Spread(median(sorted), sorted[0], sorted[sorted.length - 1]));
    }

    private static double median(double[] sorted) {
      int middle = sorted.length / 2;
      return sorted.length % 2 == 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
    }
  }

  private final List<Sample> samples = new ArrayList<>();
  private final List<String> errors = new ArrayList<>();

  void add(Metric metric, String subject, int round, double value) {
    samples.add(new Sample(metric, subject, round, value));
  }

  void error(String what) {
    errors.add(what);
  }

  /** Takes over another run's, with rounds that go on after those here. */
  void addAll(Measurements other) {
    int before = rounds();
    other.samples.forEach(
        sample -> add(sample.metric(), sample.subject(), before + sample.round(), sample.value()));
    errors.addAll(other.errors);
  }

  List<Sample> samples() {
    return List.copyOf(samples);
  }

  List<String> errors() {
    return List.copyOf(errors);
  }

  int rounds() {
    return samples.stream().mapToInt(Sample::round).max().orElse(0);
  }

  Set<String> subjects() {
    var subjects = new LinkedHashSet<String>();
    samples.forEach(sample -> subjects.add(sample.subject()));
    return subjects;
  }

  /** Over the rounds, of the median of each. */
  Optional<Spread> spread(Metric metric, String subject) {
    var rounds = new ArrayList<Double>();
    for (int round = 1; round <= rounds(); round++) {
      inRound(metric, subject, round).ifPresent(rounds::add);
    }
    return Spread.of(rounds.stream().mapToDouble(Double::doubleValue).toArray());
  }

  /** How {@code subject} relates to {@code reference}, compared within each round. */
  Optional<Spread> ratio(Metric metric, String subject, String reference) {
    var ratios = new ArrayList<Double>();
    for (int round = 1; round <= rounds(); round++) {
      var mine = inRound(metric, subject, round);
      var theirs = inRound(metric, reference, round);
      if (mine.isPresent() && theirs.isPresent() && theirs.get() != 0) {
        ratios.add(mine.get() / theirs.get());
      }
    }
    return Spread.of(ratios.stream().mapToDouble(Double::doubleValue).toArray());
  }

  /** How much more {@code subject} has than {@code reference}, compared within each round. */
  Optional<Spread> difference(Metric metric, String subject, String reference) {
    var differences = new ArrayList<Double>();
    for (int round = 1; round <= rounds(); round++) {
      var mine = inRound(metric, subject, round);
      var theirs = inRound(metric, reference, round);
      if (mine.isPresent() && theirs.isPresent()) {
        differences.add(mine.get() - theirs.get());
      }
    }
    return Spread.of(differences.stream().mapToDouble(Double::doubleValue).toArray());
  }

  private Optional<Double> inRound(Metric metric, String subject, int round) {
    return Spread.of(
            samples.stream()
                .filter(s -> s.metric() == metric && s.round() == round)
                .filter(s -> s.subject().equals(subject))
                .mapToDouble(Sample::value)
                .toArray())
        .map(Spread::median);
  }
}
