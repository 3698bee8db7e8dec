package dev.ambit.api;

import com.fasterxml.jackson.annotation.JsonInclude;
import com.fasterxml.jackson.annotation.JsonPropertyDescription;
import io.fabric8.generator.annotation.Default;
import io.fabric8.generator.annotation.Size;
import io.fabric8.generator.annotation.ValidationRule;
import org.jspecify.annotations.Nullable;

/** How OTLP goes by HTTP. */
@JsonInclude(JsonInclude.Include.NON_NULL)
public record OtlpHttp(
    @JsonPropertyDescription("Where it is posted to.")
        @Default("/v1/traces")
        @Size(min = 1, max = 253)
        @ValidationRule(
            value = "self.matches('^/[A-Za-z0-9._~/-]*$')",
            message = "a path begins with a slash and has letters, digits and ._~/- alone")
        String path) {

  public OtlpHttp(@Nullable String path) {
    this.path = path == null ? "/v1/traces" : path;
  }
}
