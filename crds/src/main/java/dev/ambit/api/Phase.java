package dev.ambit.api;

import com.fasterxml.jackson.annotation.JsonProperty;

/** What is happening to bring a namespace to the stage that is asked for. */
public enum Phase {
  /** Pods that should be captured are not captured yet. */
  @JsonProperty("Capturing")
  CAPTURING("Capturing"),
  /** Pods that should no longer be captured still are. */
  @JsonProperty("Leaving")
  LEAVING("Leaving"),
  /** The namespace is where it should be. */
  @JsonProperty("Done")
  DONE("Done"),
  /** Nothing happens until a person changes something; the conditions say what. */
  @JsonProperty("Stalled")
  STALLED("Stalled");

  private final String text;

  Phase(String text) {
    this.text = text;
  }

  /** The value as the API spells it. */
  public String text() {
    return text;
  }
}
