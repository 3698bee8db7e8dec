package dev.ambit.ztunnel.telemetry;

import java.util.Map;
import java.util.concurrent.ConcurrentSkipListMap;
import java.util.concurrent.atomic.LongAdder;
import java.util.function.LongSupplier;

/**
 * The ztunnel's metrics, written out in Prometheus' text format. Counting never locks; a counter is
 * looked up once and then kept by whoever counts.
 */
public final class MetricRegistry {
  private final Map<String, Family> families = new ConcurrentSkipListMap<>();

  /** What a metric is. */
  public enum Kind {
    COUNTER("counter"),
    GAUGE("gauge"),
    HISTOGRAM("histogram");

    private final String text;

    Kind(String text) {
      this.text = text;
    }
  }

  /** One metric with its values by label set. */
  public static final class Family {
    private final String name;
    private final String help;
    private final Kind kind;
    private final Map<String, LongSupplier> values = new ConcurrentSkipListMap<>();
    private final Map<String, Histogram> histograms = new ConcurrentSkipListMap<>();

    private Family(String name, String help, Kind kind) {
      this.name = name;
      this.help = help;
      this.kind = kind;
    }

    /** The counter of {@code labels}, made at the first call. */
    public LongAdder counter(Labels labels) {
      return ((Counter) values.computeIfAbsent(labels.text(), key -> new Counter())).adder;
    }

    /** Has the value of {@code labels} asked for when metrics are written out. */
    public void gauge(Labels labels, LongSupplier value) {
      values.put(labels.text(), value);
    }

    /**
     * The histogram of {@code labels}, made at the first call.
     *
     * @param bounds the buckets' upper bounds, ascending, in the unit of the metric's name
     */
    public Histogram histogram(Labels labels, double... bounds) {
      return histograms.computeIfAbsent(labels.text(), key -> new Histogram(key, bounds));
    }

    private boolean isEmpty() {
      return values.isEmpty() && histograms.isEmpty();
    }

    private void write(StringBuilder out) {
      out.append("# HELP ").append(name).append(' ').append(help).append('\n');
      out.append("# TYPE ").append(name).append(' ').append(kind.text).append('\n');
      for (Map.Entry<String, LongSupplier> value : values.entrySet()) {
        out.append(name).append(value.getKey()).append(' ');
        out.append(value.getValue().getAsLong()).append('\n');
      }
      histograms.values().forEach(histogram -> histogram.write(name, out));
    }
  }

  private record Counter(LongAdder adder) implements LongSupplier {
    Counter() {
      this(new LongAdder());
    }

    @Override
    public long getAsLong() {
      return adder.sum();
    }
  }

  /**
   * A metric.
   *
   * @param name in full; of a counter with {@code _total}
   */
  public Family family(String name, String help, Kind kind) {
    return families.computeIfAbsent(name, key -> new Family(name, help, kind));
  }

  /** All metrics in Prometheus' text format, version 0.0.4. */
  public String scrape() {
    StringBuilder out = new StringBuilder(16 << 10);
    for (Family family : families.values()) {
      if (!family.isEmpty()) {
        family.write(out);
      }
    }
    return out.toString();
  }

  /**
   * A label set, written out once.
   *
   * @param text {@code {name="value",…}}, or empty
   */
  public record Labels(String text) {
    /** No labels. */
    public static final Labels NONE = new Labels("");

    /**
     * A label set.
     *
     * @param namesAndValues in turn
     */
    public static Labels of(String... namesAndValues) {
      StringBuilder out = new StringBuilder(namesAndValues.length * 24).append('{');
      for (int i = 0; i < namesAndValues.length; i += 2) {
        out.append(i == 0 ? "" : ",").append(namesAndValues[i]).append("=\"");
        escape(out, namesAndValues[i + 1]);
        out.append('"');
      }
      return new Labels(out.append('}').toString());
    }

    private static void escape(StringBuilder out, String value) {
      for (int i = 0; i < value.length(); i++) {
        char c = value.charAt(i);
        switch (c) {
          case '"' -> out.append("\\\"");
          case '\\' -> out.append("\\\\");
          case '\n' -> out.append("\\n");
          default -> out.append(c);
        }
      }
    }
  }
}
