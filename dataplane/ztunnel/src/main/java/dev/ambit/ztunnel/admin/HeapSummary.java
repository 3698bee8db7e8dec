package dev.ambit.ztunnel.admin;

import java.lang.management.BufferPoolMXBean;
import java.lang.management.ManagementFactory;
import java.lang.management.MemoryUsage;
import javax.management.JMException;
import javax.management.ObjectName;

/** What the program's memory is used for, in text. */
public final class HeapSummary {
  private static final int LINES = 100;

  private HeapSummary() {}

  /** Stops all threads for a moment: some milliseconds for each 10 MiB of heap. */
  public static String write() {
    StringBuilder out = new StringBuilder(16 << 10);
    usage(out, "heap", ManagementFactory.getMemoryMXBean().getHeapMemoryUsage());
    usage(out, "outside the heap", ManagementFactory.getMemoryMXBean().getNonHeapMemoryUsage());
    for (BufferPoolMXBean pool : ManagementFactory.getPlatformMXBeans(BufferPoolMXBean.class)) {
      out.append("buffers, ").append(pool.getName()).append(": ").append(pool.getMemoryUsed());
      out.append(" bytes in ").append(pool.getCount()).append('\n');
    }
    out.append("threads: ").append(ManagementFactory.getThreadMXBean().getThreadCount());
    out.append("\n\n");
    histogram().lines().limit(LINES).forEach(line -> out.append(line).append('\n'));
    return out.toString();
  }

  private static void usage(StringBuilder out, String what, MemoryUsage usage) {
    out.append(what).append(": ").append(usage.getUsed()).append(" bytes used, ");
    out.append(usage.getCommitted()).append(" committed, ");
    out.append(usage.getMax()).append(" at most\n");
  }

  /** With what is garbage: looking for what is not would take a full collection. */
  private static String histogram() {
    try {
      Object text =
          ManagementFactory.getPlatformMBeanServer()
              .invoke(
                  new ObjectName("com.sun.management:type=DiagnosticCommand"),
                  "gcClassHistogram",
                  new Object[] {new String[] {"-all"}},
                  new String[] {String[].class.getName()});
      return String.valueOf(text);
    } catch (JMException e) {
      throw new IllegalStateException("the JVM gives no histogram", e);
    }
  }
}
