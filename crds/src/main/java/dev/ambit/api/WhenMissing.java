package dev.ambit.api;

import com.fasterxml.jackson.annotation.JsonProperty;
import java.util.Optional;

/** What becomes of traffic whose waypoint cannot be used. */
public enum WhenMissing {
  /** It is refused. */
  @JsonProperty("Reject")
  REJECT("Reject"),
  /** It goes to its destination without the waypoint, and what that was to enforce is not. */
  @JsonProperty("Bypass")
  BYPASS("Bypass");

  private final String text;

  WhenMissing(String text) {
    this.text = text;
  }

  /** The value as the API spells it. */
  public String text() {
    return text;
  }

  /** The value of that spelling. */
  public static Optional<WhenMissing> of(String text) {
    for (WhenMissing value : values()) {
      if (value.text.equals(text)) {
        return Optional.of(value);
      }
    }
    return Optional.empty();
  }
}
