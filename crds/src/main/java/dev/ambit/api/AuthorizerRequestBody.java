package dev.ambit.api;

import com.fasterxml.jackson.annotation.JsonPropertyDescription;
import io.fabric8.generator.annotation.Default;
import io.fabric8.generator.annotation.Max;
import io.fabric8.generator.annotation.Min;
import io.fabric8.generator.annotation.Required;
import org.jspecify.annotations.Nullable;

/** How much of a request's body an external authorizer is sent. */
public record AuthorizerRequestBody(
    @JsonPropertyDescription(
            "How many bytes at most. A request with more is answered 413, unless"
                + " allowPartialMessage.")
        @Required
        @Min(1)
        @Max(16777216)
        Integer maxRequestBytes,
    @JsonPropertyDescription("Whether a larger body is sent as far as it fits.") @Default("false")
        Boolean allowPartialMessage,
    @JsonPropertyDescription(
            "Whether the body is sent as bytes rather than as text in UTF-8; over gRPC only.")
        @Default("false")
        Boolean packAsBytes) {

  public AuthorizerRequestBody(
      Integer maxRequestBytes,
      @Nullable Boolean allowPartialMessage,
      @Nullable Boolean packAsBytes) {
    this.maxRequestBytes = maxRequestBytes;
    this.allowPartialMessage = allowPartialMessage != null && allowPartialMessage;
    this.packAsBytes = packAsBytes != null && packAsBytes;
  }
}
