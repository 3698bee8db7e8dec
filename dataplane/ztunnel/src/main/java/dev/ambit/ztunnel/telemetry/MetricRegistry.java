package dev.ambit.ztunnel.telemetry;

import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentSkipListMap;
import java.util.concurrent.atomic.LongAdder;
import java.util.function.LongSupplier;
import java.util.stream.Stream;

/**
 * The ztunnel's metrics, written out in Prometheus' text format. Counting never locks; a counter is
 * looked up once and then kept by whoever counts.
 */
public final class MetricRegistry {
  private static final String TOTAL = "_total";

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

  /** How metrics are written out. */
  public enum Format {
    PROMETHEUS("text/plain; version=0.0.4; charset=utf-8"),
    OPEN_METRICS("application/openmetrics-text; version=1.0.0; charset=utf-8");

    private final String contentType;

    Format(String contentType) {
      this.contentType = contentType;
    }

    /** The media type of what is written. */
    public String contentType() {
      return contentType;
    }

    /** What a scraper with these {@code Accept} headers is given. */
    public static Format accepted(List<String> accept) {
      return accept.stream()
              .flatMap(value -> Stream.of(value.split(",", -1)))
              .map(range -> range.split(";", 2)[0].strip())
              .anyMatch("application/openmetrics-text"::equalsIgnoreCase)
          ? OPEN_METRICS
          : PROMETHEUS;
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

    /** Shows {@code labels} no more; a counter of them that is kept somewhere counts for nobody. */
    void remove(Labels labels) {
      values.remove(labels.text());
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

    private void write(Format format, StringBuilder out) {
      String heading = format == Format.OPEN_METRICS ? openName() : name;
      out.append("# HELP ").append(heading).append(' ').append(help).append('\n');
      out.append("# TYPE ").append(heading).append(' ').append(kind.text).append('\n');
      for (Map.Entry<String, LongSupplier> value : values.entrySet()) {
        out.append(name).append(value.getKey()).append(' ');
        out.append(value.getValue().getAsLong()).append('\n');
      }
      histograms.values().forEach(histogram -> histogram.write(name, out));
    }

    /** A counter's samples end in {@code _total}, the counter itself is named without. */
    private String openName() {
      return kind == Kind.COUNTER && name.endsWith(TOTAL)
          ? name.substring(0, name.length() - TOTAL.length())
          : name;
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

  /** All metrics in Prometheus' text format. */
  public String scrape() {
    return scrape(Format.PROMETHEUS);
  }

  /** All metrics. */
  public String scrape(Format format) {
    StringBuilder out = new StringBuilder(16 << 10);
    for (Family family : families.values()) {
      if (!family.isEmpty()) {
        family.write(format, out);
      }
    }
    if (format == Format.OPEN_METRICS) {
      out.append("# EOF\n");
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
