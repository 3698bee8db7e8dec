package dev.ambit.operator.health;

import ch.qos.logback.classic.pattern.ThrowableHandlingConverter;
import ch.qos.logback.classic.spi.ILoggingEvent;
import ch.qos.logback.classic.spi.ThrowableProxy;
import ch.qos.logback.classic.spi.ThrowableProxyUtil;
import io.fabric8.kubernetes.client.KubernetesClientException;
import java.io.IOException;
import java.util.LinkedHashSet;
import java.util.Set;
import java.util.concurrent.TimeoutException;

/**
 * Writes the failure of a log line: one that passes, as of a network or a server, in the same line
 * by what it says, any other with its stack trace.
 */
public final class FailureConverter extends ThrowableHandlingConverter {
  /** Called by Logback. */
  public FailureConverter() {}

  @Override
  public String convert(ILoggingEvent event) {
    if (!(event.getThrowableProxy() instanceof ThrowableProxy proxy)) {
      return "";
    }
    return passes(proxy.getThrowable())
        ? " error=\"" + messages(proxy.getThrowable()) + "\""
        : System.lineSeparator() + ThrowableProxyUtil.asString(proxy).stripTrailing();
  }

  private static boolean passes(Throwable failure) {
    for (Throwable at = failure; at != null; at = at.getCause()) {
      if (at instanceof IOException
          || at instanceof TimeoutException
          || at instanceof KubernetesClientException) {
        return true;
      }
    }
    return false;
  }

  /** From the outermost to the cause, each once: many wrap what they pass on. */
  private static String messages(Throwable failure) {
    Set<String> messages = new LinkedHashSet<>();
    for (Throwable at = failure; at != null; at = at.getCause()) {
      String message =
          at.getMessage() == null || at.getMessage().isBlank()
              ? at.getClass().getSimpleName()
              : at.getMessage();
      messages.add(message.replaceAll("\\s+", " ").replace('"', '\''));
    }
    return String.join(": ", messages);
  }
}
