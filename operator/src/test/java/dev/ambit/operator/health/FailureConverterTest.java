package dev.ambit.operator.health;

import static org.assertj.core.api.Assertions.assertThat;

import ch.qos.logback.classic.Level;
import ch.qos.logback.classic.LoggerContext;
import ch.qos.logback.classic.spi.LoggingEvent;
import io.fabric8.kubernetes.client.KubernetesClientException;
import io.fabric8.kubernetes.client.KubernetesClientTimeoutException;
import java.net.SocketTimeoutException;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;

class FailureConverterTest {
  private static String written(@Nullable Throwable failure) {
    var logger = new LoggerContext().getLogger("test");
    return new FailureConverter()
        .convert(new LoggingEvent("test", logger, Level.WARN, "message", failure, null));
  }

  @Test
  void whatPassesIsOneLine() {
    assertThat(
            written(
                new KubernetesClientException(
                    "cannot list\npods", new SocketTimeoutException("the \"server\" is slow"))))
        .isEqualTo(" error=\"cannot list pods: the 'server' is slow\"");
    assertThat(
            written(
                new IllegalStateException(
                    new KubernetesClientTimeoutException(List.of(), 5, TimeUnit.SECONDS))))
        .startsWith(" error=\"")
        .doesNotContain("\n");
  }

  @Test
  void aMistakeOfOursHasItsStackTrace() {
    assertThat(written(new IllegalStateException("wrong")))
        .startsWith("\njava.lang.IllegalStateException: wrong")
        .contains("at dev.ambit.operator.health.FailureConverterTest");
  }

  @Test
  void withoutAFailureThereIsNothing() {
    assertThat(written(null)).isEmpty();
  }
}
