package dev.ambit.ztunnel.telemetry;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import ch.qos.logback.classic.Level;
import ch.qos.logback.classic.LoggerContext;
import org.junit.jupiter.api.Test;

class LogLevelsTest {
  private final LoggerContext context = new LoggerContext();

  @Test
  void oneLevelIsForOurOwnLinesLibrariesStayQuiet() {
    LogLevels.set(context, "debug");
    assertThat(context.getLogger("dev.ambit.ztunnel.X").getEffectiveLevel()).isEqualTo(Level.DEBUG);
    assertThat(context.getLogger("access").getEffectiveLevel()).isEqualTo(Level.DEBUG);
    assertThat(context.getLogger("io.netty.X").getEffectiveLevel()).isEqualTo(Level.WARN);
    LogLevels.set(context, "error");
    assertThat(context.getLogger("io.netty.X").getEffectiveLevel()).isEqualTo(Level.ERROR);
  }

  @Test
  void singleLoggersGoByTheirLastName() {
    context.getLogger("dev.ambit.ztunnel.xds.XdsClient");
    LogLevels.set(context, "info,XdsClient=trace,access:off");
    assertThat(context.getLogger("dev.ambit.ztunnel.xds.XdsClient").getEffectiveLevel())
        .isEqualTo(Level.TRACE);
    assertThat(context.getLogger("access").getEffectiveLevel()).isEqualTo(Level.OFF);
  }

  @Test
  void resettingTakesEveryChangeBack() {
    context.getLogger("dev.ambit.ztunnel.xds.XdsClient");
    LogLevels.set(context, "trace,XdsClient=off,io.netty=debug");
    LogLevels.reset(context, "warn,access=info");
    assertThat(context.getLogger("dev.ambit.ztunnel.xds.XdsClient").getEffectiveLevel())
        .isEqualTo(Level.WARN);
    assertThat(context.getLogger("io.netty").getEffectiveLevel()).isEqualTo(Level.WARN);
    assertThat(context.getLogger("access").getEffectiveLevel()).isEqualTo(Level.INFO);
  }

  @Test
  void anUnknownLevelChangesNothing() {
    LogLevels.set(context, "info");
    assertThatThrownBy(() -> LogLevels.set(context, "debug,access=loud"))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining("access=loud");
    assertThat(context.getLogger("access").getEffectiveLevel()).isEqualTo(Level.INFO);
  }
}
