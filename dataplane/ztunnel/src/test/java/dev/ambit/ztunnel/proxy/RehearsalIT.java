package dev.ambit.ztunnel.proxy;

import static org.assertj.core.api.Assertions.assertThat;

import dev.ambit.ztunnel.telemetry.Reporter;
import dev.ambit.ztunnel.telemetry.ResponseFlag;
import io.netty.channel.EventLoopGroup;
import io.netty.channel.MultiThreadIoEventLoopGroup;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** The connections that a ztunnel makes to itself before it serves pods. */
@Timeout(120)
class RehearsalIT {
  private final EventLoopGroup loops =
      new MultiThreadIoEventLoopGroup(2, FreshDescriptors.factory());
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
    assertThat(heard.reports)
        .allMatch(report -> report.established() && report.flag() == ResponseFlag.NONE);
    assertThat(heard.reports(Reporter.SOURCE)).isNotEmpty();
    assertThat(heard.reports(Reporter.DESTINATION)).isNotEmpty();
    assertThat(heard.open).isEmpty();
    assertThat(descriptors()).isLessThanOrEqualTo(descriptors);
  }

  private void rehearse() throws Exception {
    Rehearsal.run(loops, ProxySettings.defaults(), heard, Runnable::run)
        .toCompletableFuture()
        .get(30, TimeUnit.SECONDS);
  }

  private static long descriptors() throws Exception {
    try (var open = Files.list(Path.of("/proc/self/fd"))) {
      return open.count();
    }
  }
}
