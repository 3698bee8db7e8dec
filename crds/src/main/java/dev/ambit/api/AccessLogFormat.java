package dev.ambit.api;

import com.fasterxml.jackson.annotation.JsonInclude;
import com.fasterxml.jackson.annotation.JsonPropertyDescription;
import io.fabric8.generator.annotation.Size;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** What an entry of an access log says. */
@JsonInclude(JsonInclude.Include.NON_NULL)
public record AccessLogFormat(
    @JsonPropertyDescription(
            "A line of text, with Envoy's command operators, such as %RESPONSE_CODE%. Absent:"
                + " Istio's.")
        @Size(min = 1, max = 4096)
        @Nullable String text,
    @JsonPropertyDescription(
            "Fields and Envoy's command operators: an object of JSON in a file, attributes over"
                + " OTLP. Empty means Istio's default fields, and who talks to whom.")
        @Nullable Map<String, String> labels) {}
