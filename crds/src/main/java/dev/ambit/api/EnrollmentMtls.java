package dev.ambit.api;

import com.fasterxml.jackson.annotation.JsonProperty;

/** Whether a namespace's captured pods accept plaintext. */
public enum EnrollmentMtls {
  /** mTLS and plaintext are both accepted. */
  @JsonProperty("Permissive")
  PERMISSIVE,
  /** Only mTLS is accepted. */
  @JsonProperty("Strict")
  STRICT,
  /** Plaintext is accepted and watched until none has arrived for long; then only mTLS is. */
  @JsonProperty("StrictWhenQuiet")
  STRICT_WHEN_QUIET
}
