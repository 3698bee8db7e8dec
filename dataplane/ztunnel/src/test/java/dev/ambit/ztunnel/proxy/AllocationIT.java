package dev.ambit.ztunnel.proxy;

import static org.assertj.core.api.Assertions.assertThat;

import com.sun.management.ThreadMXBean;
import io.netty.util.ResourceLeakDetector;
import java.lang.management.ManagementFactory;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/**
 * Bytes that go through leave nothing on the heap. Both halves of the data path run on one event
 * loop, whose thread is asked how much it has allocated.
 */
@Timeout(240)
class AllocationIT {
  private static final int MEBI = 1 << 20;

  /**
   * What a whole MiB may cost, in both halves together. The TLS engine makes one result of 40 bytes
   * for each call, of which there is one for what was read at once. With an object for each TLS
   * record or HTTP/2 frame it would be tens of thousands.
   */
  private static final double BYTES_PER_MEBIBYTE = 8_192;

  /**
   * What a message of a few bytes may cost there and back: two engine calls on each of the four
   * ways through a tunnel's end, and the tasks by which they are flushed.
   */
  private static final double BYTES_PER_ROUND_TRIP = 1_024;

  private final ThreadMXBean memory = (ThreadMXBean) ManagementFactory.getThreadMXBean();
  private final ResourceLeakDetector.Level leakDetection = ResourceLeakDetector.getLevel();
  private BothHalves halves;
  private long thread;

  @SuppressWarnings("NullAway.Init") // set up before each test
  AllocationIT() {}

  @BeforeEach
  void setUp() throws Exception {
    DataPathIT.requireRoot();
    // As the program runs: looking for leaks is what would allocate here.
    ResourceLeakDetector.setLevel(ResourceLeakDetector.Level.DISABLED);
    halves = new BothHalves();
    thread = halves.thread();
  }

  @AfterEach
  void tearDown() throws Exception {
    ResourceLeakDetector.setLevel(leakDetection);
    if (halves != null) {
      halves.close();
    }
  }

  private double allocated() {
    return memory.getThreadAllocatedBytes(thread);
  }

  @Test
  void aStreamAllocatesNothing() throws Exception {
    long mebibytes = 128;
    try (BothHalves.Ends ends = halves.connect()) {
      // Pools fill, and code is compiled.
      ends.there(mebibytes * MEBI);
      ends.back(mebibytes * MEBI);

      double before = allocated();
      ends.there(mebibytes * MEBI);
      double there = (allocated() - before) / mebibytes;
      before = allocated();
      ends.back(mebibytes * MEBI);
      double back = (allocated() - before) / mebibytes;

      System.out.printf("heap bytes of a MiB there %.0f, back %.0f%n", there, back);
      assertThat(there).isLessThan(BYTES_PER_MEBIBYTE);
      assertThat(back).isLessThan(BYTES_PER_MEBIBYTE);
    }
  }

  @Test
  void aSmallMessageAllocatesNextToNothing() throws Exception {
    try (BothHalves.Ends ends = halves.connect()) {
      ends.exchange(5_000);
      int messages = 5_000;
      double before = allocated();
      ends.exchange(messages);
      double each = (allocated() - before) / messages;

      System.out.printf("heap bytes of a round trip %.0f%n", each);
      assertThat(each).isLessThan(BYTES_PER_ROUND_TRIP);
    }
  }
}
