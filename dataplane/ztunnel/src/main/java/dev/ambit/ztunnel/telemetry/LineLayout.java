package dev.ambit.ztunnel.telemetry;

import ch.qos.logback.classic.spi.ILoggingEvent;
import ch.qos.logback.classic.spi.ThrowableProxyUtil;
import ch.qos.logback.core.LayoutBase;
import java.util.Locale;
import org.slf4j.event.KeyValuePair;

/** Writes the program's own log lines in the form of the access log. */
final class LineLayout extends LayoutBase<ILoggingEvent> {
  private final LogFormat format;

  LineLayout(LogFormat format) {
    this.format = format;
  }

  @Override
  public String doLayout(ILoggingEvent event) {
    StringBuilder out = new StringBuilder(256);
    LogLine line = new LogLine(format, out);
    String logger = event.getLoggerName();
    line.begin(
        event.getInstant(),
        event.getLevel().toString().toLowerCase(Locale.ROOT),
        logger.substring(logger.lastIndexOf('.') + 1),
        event.getFormattedMessage());
    if (event.getKeyValuePairs() != null) {
      for (KeyValuePair pair : event.getKeyValuePairs()) {
        line.quoted(pair.key, String.valueOf(pair.value));
      }
    }
    if (event.getThrowableProxy() != null) {
      line.quoted("exception", ThrowableProxyUtil.asString(event.getThrowableProxy()));
    }
    line.end();
    return out.toString();
  }
}
