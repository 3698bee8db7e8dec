package dev.ambit.ztunnel.telemetry;

import ch.qos.logback.classic.Level;
import ch.qos.logback.classic.LoggerContext;
import java.util.LinkedHashMap;
import java.util.Locale;
import java.util.Map;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Sets which log lines are written: {@code info}, or {@code info,access=debug,XdsClient=trace},
 * where names are loggers or the last parts of theirs.
 */
public final class LogLevels {
  private static final String OWN = "dev.ambit";

  private static volatile String initial = "info";

  private LogLevels() {}

  /** Sets the levels that {@link #reset} goes back to. */
  public static void begin(String text) {
    set(text);
    initial = text;
  }

  /** Takes all changes back. */
  public static void reset() {
    if (LoggerFactory.getILoggerFactory() instanceof LoggerContext context) {
      reset(context, initial);
    }
  }

  static void reset(LoggerContext context, String to) {
    parse(to);
    context.getLoggerList().stream()
        .filter(logger -> !logger.getName().equals(Logger.ROOT_LOGGER_NAME))
        .forEach(logger -> logger.setLevel(null));
    set(context, "info");
    set(context, to);
  }

  /**
   * Reads and sets levels.
   *
   * @throws IllegalArgumentException where {@code text} is malformed; then nothing is changed
   */
  public static void set(String text) {
    if (LoggerFactory.getILoggerFactory() instanceof LoggerContext context) {
      set(context, text);
    }
  }

  static void set(LoggerContext context, String text) {
    Map<String, Level> levels = parse(text);
    levels.forEach(
        (name, level) -> {
          if (name.isEmpty()) {
            context.getLogger(Logger.ROOT_LOGGER_NAME).setLevel(quietest(level));
            context.getLogger(OWN).setLevel(level);
            context.getLogger("access").setLevel(level);
          } else {
            context.getLogger(name).setLevel(level);
            context.getLoggerList().stream()
                .filter(logger -> logger.getName().endsWith("." + name))
                .forEach(logger -> logger.setLevel(level));
          }
        });
  }

  /** Of the libraries' lines only those that matter, unless all is asked for. */
  private static Level quietest(Level own) {
    return own.isGreaterOrEqual(Level.WARN) || own.equals(Level.TRACE) ? own : Level.WARN;
  }

  /** What is set now. */
  public static String describe() {
    StringBuilder out = new StringBuilder();
    if (LoggerFactory.getILoggerFactory() instanceof LoggerContext context) {
      context.getLoggerList().stream()
          .filter(logger -> logger.getLevel() != null)
          .forEach(
              logger ->
                  out.append(logger.getName())
                      .append('=')
                      .append(logger.getLevel().toString().toLowerCase(Locale.ROOT))
                      .append('\n'));
    }
    return out.toString();
  }

  /** By logger; the empty name stands for all. */
  private static Map<String, Level> parse(String text) {
    Map<String, Level> levels = new LinkedHashMap<>();
    for (String part : text.split(",", -1)) {
      int sign = Math.max(part.indexOf('='), part.indexOf(':'));
      String name = sign < 0 ? "" : part.substring(0, sign).strip();
      levels.put(name, level(part.substring(sign + 1).strip(), text));
    }
    return levels;
  }

  private static Level level(String name, String text) {
    return switch (name.toLowerCase(Locale.ROOT)) {
      case "trace" -> Level.TRACE;
      case "debug" -> Level.DEBUG;
      case "info" -> Level.INFO;
      case "warn", "warning" -> Level.WARN;
      case "error" -> Level.ERROR;
      case "off" -> Level.OFF;
      default ->
          throw new IllegalArgumentException(
              "log level '" + text + "': use trace, debug, info, warn, error or off");
    };
  }
}
