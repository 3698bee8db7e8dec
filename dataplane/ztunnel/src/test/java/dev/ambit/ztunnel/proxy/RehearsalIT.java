package dev.ambit.ztunnel.proxy;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import dev.ambit.ztunnel.telemetry.Reporter;
import dev.ambit.ztunnel.telemetry.ResponseFlag;
import io.netty.channel.EventLoopGroup;
import io.netty.channel.MultiThreadIoEventLoopGroup;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** The connections that a ztunnel makes to itself before it serves pods. */
@Timeout(120)
class RehearsalIT {
  private final EventLoopGroup loops = new MultiThreadIoEventLoopGroup(2, ProxyEpoll.factory());
  private final TestMesh heard = new TestMesh();

  @BeforeEach
  void setUp() throws Exception {
    DataPathIT.requireRoot();
  }

  @AfterEach
  void tearDown() throws Exception {
    loops.shutdownGracefully(0, 5, TimeUnit.SECONDS).sync();
  }

  @Test
  void goThroughBothHalvesAndLeaveNothingBehind() throws Exception {
    // The first one makes what the process keeps, such as event loops' descriptors.
    rehearse();
    heard.reports.clear();
    long descriptors = descriptors();

    rehearse();

    assertThat(heard.handshakeFailures).isEmpty();
    assertThat(heard.reports).allMatch(report -> report.established());
    for (Reporter reporter : Reporter.values()) {
      assertThat(heard.reports(reporter)).anyMatch(report -> report.flag() == ResponseFlag.NONE);
      // On a slow machine the last one, and no other, may be cut off when it has said all.
      assertThat(heard.reports(reporter))
          .filteredOn(report -> report.flag() != ResponseFlag.NONE)
          .hasSizeLessThan(2);
    }
    assertThat(heard.open).isEmpty();
    await().atMost(Duration.ofSeconds(30)).until(() -> descriptors() <= descriptors);
  }

  private void rehearse() throws Exception {
    Rehearsal.run(loops, ProxySettings.defaults(), heard, Runnable::run)
        .toCompletableFuture()
        .get(30, TimeUnit.SECONDS);
  }

  /** All but files, which the class loader opens when it likes. */
  private static long descriptors() throws IOException {
    try (Stream<Path> open = Files.list(Path.of("/proc/self/fd"))) {
      return open.filter(RehearsalIT::isNoFile).count();
    }
  }

  private static boolean isNoFile(Path descriptor) {
    try {
      return !Files.readSymbolicLink(descriptor).toString().startsWith("/");
    } catch (IOException e) {
      // Closed since it was listed.
      return false;
    }
  }
}
