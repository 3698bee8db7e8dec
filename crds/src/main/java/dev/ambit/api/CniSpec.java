package dev.ambit.api;

import com.fasterxml.jackson.annotation.JsonPropertyDescription;
import io.fabric8.generator.annotation.Default;
import io.fabric8.generator.annotation.Pattern;
import org.jspecify.annotations.Nullable;

/** Where the node's container runtime looks for CNI plugins. */
public record CniSpec(
    @JsonPropertyDescription("Directory of plugin binaries on the node.")
        @Default("/opt/cni/bin")
        @Pattern("^/.+$")
        String binDir,
    @JsonPropertyDescription("Directory of network configurations on the node.")
        @Default("/etc/cni/net.d")
        @Pattern("^/.+$")
        String confDir) {

  static final CniSpec DEFAULTS = new CniSpec(null, null);

  public CniSpec(@Nullable String binDir, @Nullable String confDir) {
    this.binDir = binDir == null ? "/opt/cni/bin" : binDir;
    this.confDir = confDir == null ? "/etc/cni/net.d" : confDir;
  }
}
