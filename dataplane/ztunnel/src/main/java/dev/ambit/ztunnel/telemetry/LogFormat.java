package dev.ambit.ztunnel.telemetry;

/** How log lines are written. */
public enum LogFormat {
  /** {@code TIME LEVEL SCOPE MESSAGE key=value …}, the first four divided by tabs. */
  TEXT,
  /** One JSON object a line. */
  JSON
}
