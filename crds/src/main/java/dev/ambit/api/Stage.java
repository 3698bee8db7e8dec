package dev.ambit.api;

import com.fasterxml.jackson.annotation.JsonProperty;

/** How far a namespace is taken into the mesh. */
public enum Stage {
  /** Not in the mesh. */
  @JsonProperty("None")
  NONE("None"),
  /** Captured pods speak mTLS to each other, and L4 policy holds. */
  @JsonProperty("L4")
  L4("L4"),
  /** Besides, requests go through the namespace's waypoint, where L7 policy and routes hold. */
  @JsonProperty("L7")
  L7("L7");

  private final String text;

  Stage(String text) {
    this.text = text;
  }

  /** The value as the API spells it. */
  public String text() {
    return text;
  }
}
