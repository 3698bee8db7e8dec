package dev.ambit.api;

import com.fasterxml.jackson.annotation.JsonInclude;
import com.fasterxml.jackson.annotation.JsonPropertyDescription;
import io.fabric8.generator.annotation.Default;
import io.fabric8.generator.annotation.Max;
import io.fabric8.generator.annotation.Min;
import io.fabric8.generator.annotation.Required;
import io.fabric8.generator.annotation.Size;
import org.jspecify.annotations.Nullable;

/** Access logs to a collector, over OTLP by gRPC. */
@JsonInclude(JsonInclude.Include.NON_NULL)
public record OtlpAccessLog(
    @JsonPropertyDescription(
            "Host name of its Service or ServiceEntry, or NAMESPACE/HOST where several namespaces"
                + " have one.")
        @Required
        @Size(min = 1, max = 317)
        String service,
    @JsonPropertyDescription("Port of the service.") @Required @Min(1) @Max(65535) Integer port,
    @JsonPropertyDescription("By which the collector tells this log from others.")
        @Default("otel_envoy_accesslog")
        @Size(min = 1, max = 253)
        String logName,
    @JsonPropertyDescription(
            "What entries say: the text is an entry's body, and the labels its attributes. By default"
                + " they are Istio's line, and Istio's default fields with who talks to whom.")
        @Nullable AccessLogFormat logFormat) {

  public OtlpAccessLog(
      String service, Integer port, @Nullable String logName, @Nullable AccessLogFormat logFormat) {
    this.service = service;
    this.port = port;
    this.logName = logName == null ? "otel_envoy_accesslog" : logName;
    this.logFormat = logFormat;
  }
}
