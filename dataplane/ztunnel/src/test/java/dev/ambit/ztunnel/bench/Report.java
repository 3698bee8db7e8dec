package dev.ambit.ztunnel.bench;

import dev.ambit.ztunnel.bench.Measurements.Spread;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.LocalDate;
import java.time.ZoneOffset;
import java.util.Locale;
import java.util.Optional;

/** {@code results.md}: the figures as a table for people. */
final class Report {
  private final Measurements measurements;

  Report(Measurements measurements) {
    this.measurements = measurements;
  }

  String markdown() {
    var text = new StringBuilder();
    text.append(
        "%s, %s. %d rounds; medians over the rounds; ratios are made within each round, with the smallest and the largest.%n%n"
            .formatted(LocalDate.now(ZoneOffset.UTC), machine(), measurements.rounds()));
    text.append("| | no proxy | Ambit | peer | Ambit / peer | Ambit / no proxy | goal |\n");
    text.append("|---|---:|---:|---:|---:|---:|---|\n");
    for (var metric : Metric.values()) {
      if (measurements.samples().stream().anyMatch(sample -> sample.metric() == metric)) {
        text.append(row(metric));
      }
    }
    text.append('\n');
    if (measurements.errors().isEmpty()) {
      text.append("No request, connection or stream failed.\n");
    } else {
      text.append("What failed:\n\n");
      measurements.errors().forEach(error -> text.append("- ").append(error).append('\n'));
    }
    return text.toString();
  }

  private String row(Metric metric) {
    return "| %s, %s | %s | %s | %s | %s | %s | %s |%n"
        .formatted(
            metric.title(),
            metric.unit(),
            value(metric, Subject.NONE),
            value(metric, Subject.AMBIT),
            value(metric, Subject.PEER),
            ratio(metric, Subject.PEER),
            ratio(metric, Subject.NONE),
            goal(metric));
  }

  private String value(Metric metric, String subject) {
    return measurements.spread(metric, subject).map(spread -> number(spread.median())).orElse("");
  }

  private String ratio(Metric metric, String reference) {
    return measurements.ratio(metric, Subject.AMBIT, reference).map(Report::withSpread).orElse("");
  }

  private static String withSpread(Spread spread) {
    return "%.2f (%.2f–%.2f)".formatted(spread.median(), spread.min(), spread.max());
  }

  private String goal(Metric metric) {
    var peers = measurements.ratio(metric, Subject.AMBIT, Subject.PEER).map(Spread::median);
    var direct = measurements.ratio(metric, Subject.AMBIT, Subject.NONE).map(Spread::median);
    var added = measurements.difference(metric, Subject.AMBIT, Subject.NONE).map(Spread::median);
    var own = measurements.spread(metric, Subject.AMBIT).map(Spread::median);
    return switch (metric.goal()) {
      case Goal.AtLeastPeers(double times) ->
          "≥ %s × peer%s".formatted(times, verdict(peers.map(ratio -> ratio >= times)));
      case Goal.AtMostPeers(double times) ->
          "≤ %s × peer%s".formatted(times, verdict(peers.map(ratio -> ratio <= times)));
      case Goal.AtMost(double value) ->
          "≤ %s%s".formatted(number(value), verdict(own.map(median -> median <= value)));
      case Goal.AtLeastDirect(double times) ->
          "≥ %s × no proxy%s".formatted(times, verdict(direct.map(ratio -> ratio >= times)));
      case Goal.AtMostAdded(double value) ->
          "≤ %s more than no proxy%s"
              .formatted(number(value), verdict(added.map(more -> more <= value)));
      case Goal.None() -> "";
    };
  }

  private static String verdict(Optional<Boolean> met) {
    return met.map(yes -> yes ? ", met" : ", **missed**").orElse("");
  }

  /** With three digits that count, and no more than are needed. */
  static String number(double value) {
    if (value >= 1000) {
      return String.format(Locale.ROOT, "%,.0f", value);
    }
    if (value >= 100) {
      return String.format(Locale.ROOT, "%.0f", value);
    }
    return String.format(Locale.ROOT, value >= 10 ? "%.1f" : value >= 1 ? "%.2f" : "%.3f", value);
  }

  static String machine() {
    return "%d processors (%s), %d GiB, Linux %s, Java %s"
        .formatted(
            Runtime.getRuntime().availableProcessors(),
            field("/proc/cpuinfo", "model name"),
            Math.round(
                Long.parseLong(field("/proc/meminfo", "MemTotal").replaceAll("\\D", ""))
                    / 1048576.0),
            System.getProperty("os.version"),
            System.getProperty("java.version"));
  }

  private static String field(String file, String name) {
    try (var lines = Files.lines(Path.of(file))) {
      return lines
          .filter(line -> line.startsWith(name))
          .map(line -> line.substring(line.indexOf(':') + 1).strip())
          .findFirst()
          .orElse("0");
    } catch (IOException e) {
      throw new IllegalStateException("cannot read " + file, e);
    }
  }
}
