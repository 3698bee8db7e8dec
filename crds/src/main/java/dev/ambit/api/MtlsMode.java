package dev.ambit.api;

import com.fasterxml.jackson.annotation.JsonProperty;

/** Whether captured pods accept plaintext. */
public enum MtlsMode {
  /** mTLS and plaintext are both accepted. */
  @JsonProperty("Permissive")
  PERMISSIVE,
  /** Only mTLS is accepted. */
  @JsonProperty("Strict")
  STRICT
}
