package dev.ambit.ztunnel.telemetry;

import java.math.BigDecimal;
import java.util.concurrent.atomic.DoubleAdder;
import java.util.concurrent.atomic.LongAdder;

/** How often values of a metric were how large. Counting never locks. */
public final class Histogram {
  private final String labels;
  private final double[] bounds;
  private final LongAdder[] counts;
  private final DoubleAdder sum = new DoubleAdder();

  Histogram(String labels, double... bounds) {
    this.labels = labels;
    this.bounds = bounds.clone();
    this.counts = new LongAdder[bounds.length + 1];
    for (int i = 0; i < counts.length; i++) {
      counts[i] = new LongAdder();
    }
  }

  /** Counts a value. */
  public void observe(double value) {
    int bucket = 0;
    while (bucket < bounds.length && value > bounds[bucket]) {
      bucket++;
    }
    counts[bucket].increment();
    sum.add(value);
  }

  void write(String name, StringBuilder out) {
    String inner = labels.isEmpty() ? "" : labels.substring(1, labels.length() - 1) + ",";
    long below = 0;
    for (int i = 0; i < counts.length; i++) {
      below += counts[i].sum();
      out.append(name).append("_bucket{").append(inner).append("le=\"");
      if (i < bounds.length) {
        out.append(text(bounds[i]));
      } else {
        out.append("+Inf");
      }
      out.append("\"} ").append(below).append('\n');
    }
    out.append(name).append("_sum").append(labels).append(' ').append(sum.sum()).append('\n');
    out.append(name).append("_count").append(labels).append(' ').append(below).append('\n');
  }

  /** Without an exponent, and always with a fraction: {@code 0.0005}, {@code 5.0}. */
  private static String text(double bound) {
    String plain = BigDecimal.valueOf(bound).stripTrailingZeros().toPlainString();
    return plain.indexOf('.') < 0 ? plain + ".0" : plain;
  }
}
