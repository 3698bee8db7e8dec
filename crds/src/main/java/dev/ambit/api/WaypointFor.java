package dev.ambit.api;

import com.fasterxml.jackson.annotation.JsonProperty;

/** What traffic a waypoint is for. */
public enum WaypointFor {
  /** Traffic to services. */
  @JsonProperty("service")
  SERVICE("service"),
  /** Traffic to the addresses of pods. */
  @JsonProperty("workload")
  WORKLOAD("workload"),
  /** Both. */
  @JsonProperty("all")
  ALL("all");

  private final String text;

  WaypointFor(String text) {
    this.text = text;
  }

  /** The value as the API and the label istio.io/waypoint-for spell it. */
  public String text() {
    return text;
  }
}
