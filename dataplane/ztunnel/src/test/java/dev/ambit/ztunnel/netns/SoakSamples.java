package dev.ambit.ztunnel.netns;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;

/** What the ztunnels hold while they work, looked at every two seconds. */
final class SoakSamples implements AutoCloseable {
  private static final int SECONDS_BETWEEN = 2;

  /** By how much resident memory may grow from the first third of a ztunnel's time to its last. */
  private static final double GROWTH = 1.15;

  private record Sample(String ztunnel, Duration at, Footprint footprint) {}

  private final long started = System.nanoTime();
  private final List<MeshNode> nodes;
  private final List<Sample> samples = new CopyOnWriteArrayList<>();
  private final CountDownLatch over = new CountDownLatch(1);
  private final Thread thread;

  SoakSamples(List<MeshNode> nodes) {
    this.nodes = nodes;
    this.thread = Thread.ofPlatform().daemon().name("soak-samples").start(this::take);
  }

  private void take() {
    try {
      while (!over.await(SECONDS_BETWEEN, TimeUnit.SECONDS)) {
        for (var node : nodes) {
          node.ztunnels().stream().filter(ZtunnelProcess::isAlive).forEach(this::take);
        }
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }

  private void take(ZtunnelProcess ztunnel) {
    try {
      samples.add(new Sample(ztunnel.pod().name(), elapsed(), Footprint.glance(ztunnel)));
    } catch (IllegalStateException | java.util.NoSuchElementException e) {
      if (ztunnel.isAlive()) {
        throw e;
      }
      // It ended meanwhile.
    }
  }

  Duration elapsed() {
    return Duration.ofNanos(System.nanoTime() - started);
  }

  private Map<String, List<Sample>> byZtunnel(Duration from, Duration to) {
    var found = new LinkedHashMap<String, List<Sample>>();
    for (var sample : samples) {
      if (sample.at().compareTo(from) >= 0 && sample.at().compareTo(to) <= 0) {
        found.computeIfAbsent(sample.ztunnel(), key -> new ArrayList<>()).add(sample);
      }
    }
    return found;
  }

  /**
   * What grew while ztunnels worked. Of each the first minute under load does not count, in which
   * code is compiled and pools are filled, nor one that worked for a short time only.
   */
  List<String> growth(Duration from, Duration to) {
    var findings = new ArrayList<String>();
    byZtunnel(from, to)
        .forEach(
            (ztunnel, all) -> {
              var counted = all.stream().skip(60 / SECONDS_BETWEEN).toList();
              int third = counted.size() / 3;
              if (counted.size() >= 180 / SECONDS_BETWEEN) {
                long before = median(counted.subList(0, third));
                long after = median(counted.subList(2 * third, counted.size()));
                if (after > before * GROWTH) {
                  findings.add(
                      "%s: resident memory under load grew from %d to %d MiB"
                          .formatted(ztunnel, before >> 10, after >> 10));
                }
              }
            });
    return findings;
  }

  private static long median(List<Sample> of) {
    return of.stream()
        .mapToLong(sample -> sample.footprint().residentKibibytes())
        .sorted()
        .skip(of.size() / 2)
        .findFirst()
        .orElseThrow();
  }

  String summary(Duration from, Duration to) {
    var out = new StringBuilder();
    byZtunnel(from, to)
        .forEach(
            (ztunnel, all) ->
                out.append(
                    "%s under load, median and most: %d and %d MiB resident, most %d descriptors, %d threads%n"
                        .formatted(
                            ztunnel,
                            median(all) >> 10,
                            most(all, Footprint.Quantity.RESIDENT) >> 10,
                            most(all, Footprint.Quantity.DESCRIPTORS),
                            most(all, Footprint.Quantity.THREADS))));
    return out.toString();
  }

  private static long most(List<Sample> of, Footprint.Quantity quantity) {
    return of.stream().mapToLong(sample -> quantity.of(sample.footprint())).max().orElse(0);
  }

  void write(Path file) throws IOException {
    var out = new StringBuilder("seconds,ztunnel,resident KiB,descriptors,threads\n");
    for (var sample : samples) {
      out.append(
          "%.1f,%s,%d,%d,%d%n"
              .formatted(
                  sample.at().toMillis() / 1000.0,
                  sample.ztunnel(),
                  sample.footprint().residentKibibytes(),
                  sample.footprint().descriptors(),
                  sample.footprint().threads()));
    }
    Files.writeString(file, out);
  }

  @Override
  public void close() throws InterruptedException {
    over.countDown();
    thread.join();
  }
}
