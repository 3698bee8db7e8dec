package dev.ambit.ztunnel.bench;

import java.util.List;
import java.util.Locale;

/** {@code chart.svg}: how each subject does, with the best of a row as the whole width. */
final class Chart {
  private static final List<Metric> SHOWN =
      List.of(
          Metric.REQUESTS_1,
          Metric.REQUESTS_64,
          Metric.CONNECTIONS,
          Metric.STREAM_1,
          Metric.STREAM_1_REVERSE,
          Metric.STREAM_8,
          Metric.STREAM_8_REVERSE,
          Metric.REQUESTS_1_P99,
          Metric.REQUESTS_64_P99,
          Metric.STEADY_P99,
          Metric.COLD_P99,
          Metric.REQUESTS_64_CPU,
          Metric.STREAM_1_CPU,
          Metric.STEADY_CPU,
          Metric.START,
          Metric.IDLE_RSS,
          Metric.LOADED_RSS,
          Metric.IDLE_CONNECTION,
          Metric.LARGE_RSS,
          Metric.LARGE_CHANGE);

  private record Bars(String subject, String title, String colour) {}

  private static final List<Bars> SUBJECTS =
      List.of(
          new Bars(Subject.NONE, "no proxy", "#9aa5b1"),
          new Bars(Subject.AMBIT, "Ambit", "#2563eb"),
          new Bars(Subject.PEER, "peer", "#d97706"));

  private static final int LABELS = 330;
  private static final int WIDTH = 420;
  private static final int BAR = 11;
  private static final int GAP = 10;
  private static final int TOP = 46;

  private final Measurements measurements;

  Chart(Measurements measurements) {
    this.measurements = measurements;
  }

  String svg() {
    var rows = new StringBuilder();
    int y = TOP;
    for (var metric : SHOWN) {
      double largest = largest(metric);
      if (largest > 0) {
        y = row(rows, metric, largest, y);
      }
    }
    int height = y + GAP;
    var svg = new StringBuilder();
    svg.append(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%d\" height=\"%d\" font-family=\"sans-serif\" font-size=\"11\">%n"
            .formatted(LABELS + WIDTH + 130, height));
    svg.append("<rect width=\"100%\" height=\"100%\" fill=\"#ffffff\"/>\n");
    legend(svg);
    return svg.append(rows).append("</svg>\n").toString();
  }

  private void legend(StringBuilder svg) {
    int x = LABELS;
    for (var bars : SUBJECTS) {
      if (measurements.subjects().contains(bars.subject())) {
        svg.append(
            "<rect x=\"%d\" y=\"14\" width=\"12\" height=\"12\" fill=\"%s\"/>%n"
                .formatted(x, bars.colour()));
        svg.append(text(x + 17, 24, "start", bars.title()));
        x += 100;
      }
    }
  }

  private double largest(Metric metric) {
    return SUBJECTS.stream()
        .flatMap(bars -> measurements.spread(metric, bars.subject()).stream())
        .mapToDouble(Measurements.Spread::median)
        .max()
        .orElse(0);
  }

  private int row(StringBuilder svg, Metric metric, double largest, int top) {
    int y = top;
    var direction = metric.moreIsBetter() ? "more is better" : "less is better";
    svg.append(text(LABELS - 8, top + BAR, "end", metric.title() + ", " + metric.unit()));
    svg.append(
        "<text x=\"%d\" y=\"%d\" text-anchor=\"end\" fill=\"#6b7280\" font-size=\"9\">%s</text>%n"
            .formatted(LABELS - 8, top + 2 * BAR + 1, direction));
    for (var bars : SUBJECTS) {
      var spread = measurements.spread(metric, bars.subject());
      if (spread.isPresent()) {
        double median = spread.get().median();
        svg.append(
            String.format(
                Locale.ROOT,
                "<rect x=\"%d\" y=\"%d\" width=\"%.1f\" height=\"%d\" fill=\"%s\"/>%n",
                LABELS,
                y,
                Math.max(1, median / largest * WIDTH),
                BAR - 1,
                bars.colour()));
        svg.append(
            text(
                LABELS + 6 + (int) (median / largest * WIDTH),
                y + BAR - 2,
                "start",
                Report.number(median)));
        y += BAR;
      }
    }
    return Math.max(y, top + 2 * BAR) + GAP;
  }

  private static String text(int x, int y, String anchor, String text) {
    return "<text x=\"%d\" y=\"%d\" text-anchor=\"%s\">%s</text>%n"
        .formatted(x, y, anchor, text.replace("&", "&amp;").replace("<", "&lt;"));
  }
}
