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
        out.append(BigDecimal.valueOf(bounds[i]).toPlainString());
      } else {
        out.append("+Inf");
      }
      out.append("\"} ").append(below).append('\n');
    }
    out.append(name).append("_sum").append(labels).append(' ').append(sum.sum()).append('\n');
    out.append(name).append("_count").append(labels).append(' ').append(below).append('\n');
  }
}
