package dev.ambit.ztunnel.netns;

import java.io.IOException;
import java.time.Duration;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.ConcurrentSkipListMap;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.LongAdder;

/** What became of the calls of a soak, and whose fault it was where they failed. */
final class SoakLedger {
  private static final int FAILURES_KEPT = 200;

  /** How often something came to which end. */
  private static final class Count {
    final LongAdder good = new LongAdder();
    final LongAdder excused = new LongAdder();
    final LongAdder failed = new LongAdder();
  }

  private final long started = System.nanoTime();
  private final Map<String, Count> counts = new ConcurrentSkipListMap<>();
  private final Map<String, LongAdder> events = new ConcurrentSkipListMap<>();
  private final List<String> failures = new CopyOnWriteArrayList<>();

  /** Makes a call and notes what became of it. */
  void make(String kind, SoakCall call, Pod from, SoakTarget to, CountDownLatch over)
      throws InterruptedException {
    var count = counts.computeIfAbsent(kind, key -> new Count());
    var attempt = to.attempt();
    try {
      call.make(from, to.address(), attempt, over);
      count.good.increment();
    } catch (IOException e) {
      if (attempt.isExcused()) {
        count.excused.increment();
      } else {
        count.failed.increment();
        fail("%s of %s to %s, after %d ms: %s", kind, from, to, attempt.age().toMillis(), e);
      }
    } finally {
      attempt.over();
    }
  }

  /** Notes something that happened to the mesh. */
  void event(String what) {
    events.computeIfAbsent(what, key -> new LongAdder()).increment();
  }

  /** Notes a failure that no call shows. */
  void fail(String format, Object... arguments) {
    if (failures.size() < FAILURES_KEPT) {
      failures.add(
          String.format(Locale.ROOT, "at %.1f s: ", elapsed().toMillis() / 1000.0)
              + format.formatted(arguments));
    }
  }

  Duration elapsed() {
    return Duration.ofNanos(System.nanoTime() - started);
  }

  List<String> failures() {
    return failures;
  }

  long good() {
    return counts.values().stream().mapToLong(count -> count.good.sum()).sum();
  }

  String table() {
    var out = new StringBuilder();
    out.append(String.format("%-34s %10s %10s %10s%n", "calls", "good", "excused", "failed"));
    counts.forEach(
        (kind, count) ->
            out.append(
                String.format(
                    "%-34s %10d %10d %10d%n",
                    kind, count.good.sum(), count.excused.sum(), count.failed.sum())));
    out.append(String.format("%n%-34s %10s%n", "events", "times"));
    new TreeMap<>(events)
        .forEach((what, times) -> out.append(String.format("%-34s %10d%n", what, times.sum())));
    return out.toString();
  }
}
