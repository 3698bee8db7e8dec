package dev.ambit.api;

import com.fasterxml.jackson.annotation.JsonProperty;

/** What becomes of pods that are in the mesh when a rollout is given up. */
public enum OnAbort {
  /** They leave it again. */
  @JsonProperty("Rollback")
  ROLLBACK,
  /** They stay, and no more are taken. */
  @JsonProperty("Hold")
  HOLD
}
