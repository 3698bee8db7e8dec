package dev.ambit.api;

import com.fasterxml.jackson.annotation.JsonProperty;
import java.util.Locale;

/** How much a program logs. */
public enum LogLevel {
  @JsonProperty("error")
  ERROR,
  @JsonProperty("warn")
  WARN,
  @JsonProperty("info")
  INFO,
  @JsonProperty("debug")
  DEBUG,
  @JsonProperty("trace")
  TRACE;

  /** The value as the API spells it. */
  public String text() {
    return name().toLowerCase(Locale.ROOT);
  }
}
