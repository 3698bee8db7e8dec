package dev.ambit.ztunnel.bench;

import dev.ambit.ztunnel.bench.Measurements.Spread;
import java.time.LocalDate;
import java.time.ZoneOffset;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;

/** What was found of waypoints, and the tables of it for people. */
final class WaypointReport {
  private record Figure(Map<Integer, Double> direct, Map<Integer, Double> through) {
    Figure() {
      this(new TreeMap<>(), new TreeMap<>());
    }

    /** Within each round. */
    Optional<Spread> ratio() {
      return Spread.of(
          direct.entrySet().stream()
              .filter(each -> each.getValue() > 0 && through.containsKey(each.getKey()))
              .mapToDouble(each -> through.getOrDefault(each.getKey(), 0.0) / each.getValue())
              .toArray());
    }

    static String median(Map<Integer, Double> values) {
      return Spread.of(values.values().stream().mapToDouble(Double::doubleValue).toArray())
          .map(spread -> Report.number(spread.median()))
          .orElse("");
    }
  }

  private final Map<String, Figure> figures = new LinkedHashMap<>();
  private final Map<String, String> scale = new LinkedHashMap<>();
  private final List<String> errors = new ArrayList<>();

  /** A figure of traffic that stays at layer 4. */
  void direct(String figure, int round, double value) {
    figures.computeIfAbsent(figure, _ -> new Figure()).direct().put(round, value);
  }

  /** A figure of traffic through the waypoint. */
  void through(String figure, int round, double value) {
    figures.computeIfAbsent(figure, _ -> new Figure()).through().put(round, value);
  }

  /** A figure that turns on how many services there are. */
  void scale(String figure, double value) {
    scale.put(figure, Report.number(value));
  }

  void scale(String figure, Spread spread) {
    scale.put(
        figure,
        "%s (%s–%s)"
            .formatted(
                Report.number(spread.median()),
                Report.number(spread.min()),
                Report.number(spread.max())));
  }

  void error(String what) {
    errors.add(what);
  }

  List<String> errors() {
    return List.copyOf(errors);
  }

  String markdown() {
    var text = new StringBuilder();
    text.append(
        "%s, %s. Medians over the rounds; ratios are made within each round, with the smallest and the largest.%n%n"
            .formatted(LocalDate.now(ZoneOffset.UTC), Report.machine()));
    text.append("| | layer 4 | through a waypoint | ratio |\n|---|---:|---:|---:|\n");
    figures.forEach(
        (name, figure) ->
            text.append(
                "| %s | %s | %s | %s |%n"
                    .formatted(
                        name,
                        Figure.median(figure.direct()),
                        Figure.median(figure.through()),
                        figure
                            .ratio()
                            .map(
                                ratio ->
                                    "%.2f (%.2f–%.2f)"
                                        .formatted(ratio.median(), ratio.min(), ratio.max()))
                            .orElse(""))));
    text.append("\n| | |\n|---|---:|\n");
    scale.forEach((name, value) -> text.append("| %s | %s |%n".formatted(name, value)));
    text.append('\n');
    if (errors.isEmpty()) {
      text.append("No request failed.\n");
    } else {
      text.append("What failed:\n\n");
      errors.forEach(error -> text.append("- ").append(error).append('\n'));
    }
    return text.toString();
  }
}
