package dev.ambit.api;

import com.fasterxml.jackson.annotation.JsonProperty;

/** What a finding means for an enrollment. */
public enum Severity {
  /** Something would break: the enrollment is held. */
  @JsonProperty("Error")
  ERROR("Error"),
  /** A person should know. */
  @JsonProperty("Warning")
  WARNING("Warning");

  private final String text;

  Severity(String text) {
    this.text = text;
  }

  /** The value as the API spells it. */
  public String text() {
    return text;
  }
}
