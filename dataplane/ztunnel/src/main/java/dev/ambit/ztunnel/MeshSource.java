package dev.ambit.ztunnel;

import dev.ambit.ztunnel.identity.TrustDomains;
import dev.ambit.ztunnel.local.LocalMesh;
import dev.ambit.ztunnel.state.InvalidResourceException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Optional;

/**
 * Where the ztunnel learns of workloads, services and policies.
 *
 * @param controlPlane whether a control plane is asked
 * @param onDemand whether it is asked for single workloads and services, as they are needed
 * @param onDemandUnused how long such a one is kept that nobody uses
 * @param file a document that is read at the start
 * @param document the document itself
 */
record MeshSource(
    boolean controlPlane,
    boolean onDemand,
    Duration onDemandUnused,
    Optional<Path> file,
    Optional<String> document) {
  static MeshSource of(Environment environment) throws SettingsException {
    Optional<Path> file = environment.text("LOCAL_XDS_PATH").map(Path::of);
    Optional<String> document = environment.text("LOCAL_XDS");
    if (file.isPresent() && document.isPresent()) {
      throw new SettingsException("LOCAL_XDS_PATH and LOCAL_XDS are both set: leave one of them");
    }
    boolean local = file.isPresent() || document.isPresent();
    return new MeshSource(
        !local || environment.text("XDS_ADDRESS").isPresent(),
        environment.flag("XDS_ON_DEMAND", false),
        environment.duration("XDS_ON_DEMAND_UNUSED_RELEASE_TIMEOUT", Duration.ofMinutes(10)),
        file,
        document);
  }

  /**
   * What the document says, if there is one.
   *
   * @param domains under which principals a caller may be named
   * @throws IOException where it cannot be read, or used
   */
  Optional<LocalMesh> local(TrustDomains domains) throws IOException {
    String from = file.isPresent() ? file.get().toString() : "LOCAL_XDS";
    String text = file.isPresent() ? Files.readString(file.get()) : document.orElse(null);
    if (text == null) {
      return Optional.empty();
    }
    try {
      return Optional.of(LocalMesh.parse(text, domains));
    } catch (InvalidResourceException e) {
      throw new IOException(from + ": " + e.getMessage(), e);
    }
  }
}
