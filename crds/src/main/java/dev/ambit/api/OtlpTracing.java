package dev.ambit.api;

import com.fasterxml.jackson.annotation.JsonInclude;
import com.fasterxml.jackson.annotation.JsonPropertyDescription;
import io.fabric8.generator.annotation.Default;
import io.fabric8.generator.annotation.Max;
import io.fabric8.generator.annotation.Min;
import io.fabric8.generator.annotation.Required;
import io.fabric8.generator.annotation.Size;
import org.jspecify.annotations.Nullable;

/** Spans to a collector, over OTLP. */
@JsonInclude(JsonInclude.Include.NON_NULL)
public record OtlpTracing(
    @JsonPropertyDescription(
            "Host name of its Service or ServiceEntry, or NAMESPACE/HOST where several namespaces"
                + " have one.")
        @Required
        @Size(min = 1, max = 317)
        String service,
    @JsonPropertyDescription("Port of the service.") @Required @Min(1) @Max(65535) Integer port,
    @JsonPropertyDescription("How many characters of a request's path a span has.")
        @Default("256")
        @Min(1)
        @Max(65536)
        Integer maxTagLength,
    @JsonPropertyDescription("Posts spans by HTTP. By default they are sent by gRPC.")
        @Nullable OtlpHttp http) {

  public OtlpTracing(
      String service, Integer port, @Nullable Integer maxTagLength, @Nullable OtlpHttp http) {
    this.service = service;
    this.port = port;
    this.maxTagLength = maxTagLength == null ? 256 : maxTagLength;
    this.http = http;
  }
}
