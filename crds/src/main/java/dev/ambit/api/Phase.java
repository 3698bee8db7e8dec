package dev.ambit.api;

import com.fasterxml.jackson.annotation.JsonProperty;

/** What is happening to bring a namespace to the stage that is asked for. */
public enum Phase {
  /** Preflight has found what would break. */
  @JsonProperty("Preflight")
  PREFLIGHT("Preflight"),
  /** A dry run: what would happen is in the plan, and nothing is touched. */
  @JsonProperty("Planned")
  PLANNED("Planned"),
  /** Pods that should be captured are not captured yet. */
  @JsonProperty("Capturing")
  CAPTURING("Capturing"),
  /** Captured pods have yet to show their identity in a handshake. */
  @JsonProperty("Proving")
  PROVING("Proving"),
  /** The pods of a step are in the mesh for its bake time. */
  @JsonProperty("Baking")
  BAKING("Baking"),
  /** The waypoint is made and awaited, and nothing goes to it before it is ready. */
  @JsonProperty("BindingWaypoint")
  BINDING_WAYPOINT("BindingWaypoint"),
  /** Nothing new goes to the waypoint, and it is to go. */
  @JsonProperty("UnbindingWaypoint")
  UNBINDING_WAYPOINT("UnbindingWaypoint"),
  /** A person has stopped it for now. */
  @JsonProperty("Paused")
  PAUSED("Paused"),
  /** Too many connections failed, and pods leave the mesh again. */
  @JsonProperty("RollingBack")
  ROLLING_BACK("RollingBack"),
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
