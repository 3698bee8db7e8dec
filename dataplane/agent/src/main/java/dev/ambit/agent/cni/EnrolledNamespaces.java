package dev.ambit.agent.cni;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.Collection;
import java.util.TreeSet;
import org.jspecify.annotations.Nullable;

/**
 * The file by which the plugin knows, while the agent is away, for which namespaces a pod must not
 * start without it: one name a line.
 */
public final class EnrolledNamespaces {
  static final String FILE = "cni-namespaces";

  private final Path file;
  private @Nullable String written;

  /** Keeps the file in a directory that survives the agent and the node's restart. */
  public EnrolledNamespaces(Path directory) {
    this.file = directory.resolve(FILE);
  }

  /** Writes the file where it differs. */
  public synchronized void write(Collection<String> namespaces) throws IOException {
    var content = new StringBuilder();
    for (var namespace : new TreeSet<>(namespaces)) {
      content.append(namespace).append('\n');
    }
    var text = content.toString();
    if (!text.equals(written) || !Files.exists(file)) {
      Files.createDirectories(file.toAbsolutePath().getParent());
      AtomicFile.write(
          file,
          text.getBytes(StandardCharsets.UTF_8),
          PosixFilePermissions.fromString("rw-r--r--"));
      written = text;
    }
  }

  /** Takes the file away: without it every pod starts. */
  public synchronized void delete() throws IOException {
    written = null;
    Files.deleteIfExists(file);
  }
}
