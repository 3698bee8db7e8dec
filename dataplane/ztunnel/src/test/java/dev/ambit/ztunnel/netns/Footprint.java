package dev.ambit.ztunnel.netns;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.regex.Pattern;

/**
 * What a ztunnel holds at one moment.
 *
 * @param residentKibibytes of its memory
 * @param heapKibibytes of live objects, where they were counted, else 0
 * @param directKibibytes of memory outside the heap that buffers take, where counted, else 0
 */
record Footprint(
    long residentKibibytes,
    long heapKibibytes,
    long directKibibytes,
    long descriptors,
    long threads) {
  /** What is counted. */
  enum Quantity {
    RESIDENT("resident memory in KiB"),
    HEAP("live objects in KiB"),
    DIRECT("buffers in KiB"),
    DESCRIPTORS("descriptors"),
    THREADS("threads");

    private final String text;

    Quantity(String text) {
      this.text = text;
    }

    long of(Footprint footprint) {
      return switch (this) {
        case RESIDENT -> footprint.residentKibibytes();
        case HEAP -> footprint.heapKibibytes();
        case DIRECT -> footprint.directKibibytes();
        case DESCRIPTORS -> footprint.descriptors();
        case THREADS -> footprint.threads();
      };
    }

    @Override
    public String toString() {
      return text;
    }
  }

  /** Has the JVM count what {@link #collected} reads. */
  static final String JVM_OPTIONS = "-XX:NativeMemoryTracking=summary";

  private static final Pattern LIVE = Pattern.compile("(?m)^Total\\s+\\d+\\s+(\\d+)");
  private static final Pattern DIRECT = Pattern.compile("Other \\([^)]*committed=(\\d+)KB");

  /** What can be seen from outside, at no cost to it. */
  static Footprint glance(ZtunnelProcess ztunnel) {
    return new Footprint(
        ztunnel.residentKibibytes(), 0, 0, ztunnel.openDescriptors(), threads(ztunnel));
  }

  /**
   * What is left after all garbage was collected.
   *
   * @param objects where to write how many objects there are of each class
   */
  static Footprint collected(ZtunnelProcess ztunnel, Path objects) throws IOException {
    // The first collection lets go of what is freed by cleaners, the second counts.
    jcmd(ztunnel, "GC.run");
    var histogram = jcmd(ztunnel, "GC.class_histogram");
    Files.writeString(objects, histogram);
    long heap = number(LIVE, histogram) / 1024;
    long direct = number(DIRECT, jcmd(ztunnel, "VM.native_memory", "summary"));
    return new Footprint(
        ztunnel.residentKibibytes(), heap, direct, ztunnel.openDescriptors(), threads(ztunnel));
  }

  private static String jcmd(ZtunnelProcess ztunnel, String... command) {
    var program = Path.of(System.getProperty("java.home"), "bin", "jcmd").toString();
    var whole = new java.util.ArrayList<>(List.of(program, Long.toString(ztunnel.pid())));
    whole.addAll(List.of(command));
    return Command.runWithInput("", whole);
  }

  private static long number(Pattern pattern, String text) {
    var matcher = pattern.matcher(text);
    if (!matcher.find()) {
      throw new IllegalStateException("no " + pattern + " in:\n" + text);
    }
    return Long.parseLong(matcher.group(1));
  }

  private static long threads(ZtunnelProcess ztunnel) {
    try (var tasks = Files.list(Path.of("/proc", Long.toString(ztunnel.pid()), "task"))) {
      return tasks.count();
    } catch (IOException e) {
      throw new IllegalStateException("cannot see the threads of " + ztunnel.pod(), e);
    }
  }

  @Override
  public String toString() {
    return "%d MiB resident, %d KiB of live objects, %d KiB of buffers, %d descriptors, %d threads"
        .formatted(residentKibibytes >> 10, heapKibibytes, directKibibytes, descriptors, threads);
  }
}
