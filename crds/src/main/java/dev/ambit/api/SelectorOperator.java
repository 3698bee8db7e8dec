package dev.ambit.api;

import com.fasterxml.jackson.annotation.JsonProperty;

/** How a label selector's requirement looks at a label. */
public enum SelectorOperator {
  @JsonProperty("In")
  IN,
  @JsonProperty("NotIn")
  NOT_IN,
  @JsonProperty("Exists")
  EXISTS,
  @JsonProperty("DoesNotExist")
  DOES_NOT_EXIST
}
