package dev.ambit.api;

import com.fasterxml.jackson.annotation.JsonInclude;
import com.fasterxml.jackson.annotation.JsonPropertyDescription;
import io.fabric8.generator.annotation.Default;
import io.fabric8.generator.annotation.Size;
import io.fabric8.generator.annotation.ValidationRule;
import org.jspecify.annotations.Nullable;

/** Access logs to a file of the proxy's container. */
@JsonInclude(JsonInclude.Include.NON_NULL)
public record FileAccessLog(
    @JsonPropertyDescription("The file; /dev/stdout is the container's log.")
        @Default("/dev/stdout")
        @Size(min = 2, max = 253)
        @ValidationRule(value = "self.startsWith('/')", message = "the path is not absolute")
        String path,
    @JsonPropertyDescription("What entries say. By default it is Istio's line of text.")
        @ValidationRule(
            value = "has(self.text) != has(self.labels)",
            message = "a file's entries are either text or labels, which make JSON")
        @Nullable AccessLogFormat logFormat) {

  public FileAccessLog(@Nullable String path, @Nullable AccessLogFormat logFormat) {
    this.path = path == null ? "/dev/stdout" : path;
    this.logFormat = logFormat;
  }
}
