package dev.ambit.ztunnel.telemetry;

import ch.qos.logback.classic.Logger;
import ch.qos.logback.classic.LoggerContext;
import ch.qos.logback.classic.spi.Configurator;
import ch.qos.logback.classic.spi.ILoggingEvent;
import ch.qos.logback.core.ConsoleAppender;
import ch.qos.logback.core.encoder.LayoutWrappingEncoder;
import ch.qos.logback.core.spi.ContextAwareBase;
import java.util.Map;

/**
 * Sets logging up from {@code LOG_LEVEL} and {@code LOG_FORMAT}: found by Logback as a service,
 * which is quicker at start than reading a file. A value that cannot be read leaves the default;
 * the settings then say so.
 */
public final class LoggingConfigurator extends ContextAwareBase implements Configurator {
  /** Called by Logback. */
  public LoggingConfigurator() {}

  @Override
  public ExecutionStatus configure(LoggerContext context) {
    Map<String, String> environment = System.getenv();
    LogFormat format =
        environment.getOrDefault("LOG_FORMAT", "").equalsIgnoreCase("json")
            ? LogFormat.JSON
            : LogFormat.TEXT;
    LineLayout layout = new LineLayout(format);
    layout.setContext(context);
    layout.start();
    LayoutWrappingEncoder<ILoggingEvent> encoder = new LayoutWrappingEncoder<>();
    encoder.setContext(context);
    encoder.setLayout(layout);
    ConsoleAppender<ILoggingEvent> console = new ConsoleAppender<>();
    console.setContext(context);
    console.setEncoder(encoder);
    encoder.start();
    console.start();
    context.getLogger(Logger.ROOT_LOGGER_NAME).addAppender(console);
    LogLevels.set(context, "info");
    try {
      LogLevels.set(context, environment.getOrDefault("LOG_LEVEL", "info"));
    } catch (IllegalArgumentException e) {
      addError(e.getMessage());
    }
    return ExecutionStatus.DO_NOT_INVOKE_NEXT_IF_ANY;
  }
}
