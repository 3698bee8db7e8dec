package dev.ambit.agent.pods;

import dev.ambit.linux.LocalAddresses;
import java.io.IOException;
import java.net.InetAddress;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Finds the network namespaces of running pods by the addresses inside them, among those that the
 * container runtime keeps in one directory.
 */
public final class PodNetworks {
  private static final Logger LOG = LoggerFactory.getLogger(PodNetworks.class);

  /** For how long a look at all namespaces serves further searches, as when the agent starts. */
  private static final Duration FRESH = Duration.ofSeconds(1);

  private final Path directory;
  private Map<Path, Set<InetAddress>> seen = Map.of();
  private long seenAt = System.nanoTime() - FRESH.toNanos();

  /** Looks among the entries of a directory, usually {@code /var/run/netns}. */
  public PodNetworks(Path directory) {
    this.directory = directory;
  }

  /**
   * The namespace whose devices have all of a pod's addresses, or empty where there is none yet.
   *
   * @throws IOException if several have, so that it is not known which is the pod's
   */
  public synchronized Optional<PodNetwork> find(Collection<InetAddress> addresses)
      throws IOException {
    if (System.nanoTime() - seenAt > FRESH.toNanos()) {
      look();
    }
    var found = matching(addresses);
    if (found.isEmpty()) {
      look();
      found = matching(addresses);
    }
    if (found.size() > 1) {
      throw new IOException(
          "several network namespaces have the addresses " + addresses + ": " + found);
    }
    return found.isEmpty()
        ? Optional.empty()
        : Optional.of(PodNetwork.open(found.getFirst().toString()));
  }

  /**
   * Opens the namespace that the container runtime names by a path of the node's file system.
   *
   * @throws IOException if the path is not one of this directory's entries
   */
  public PodNetwork open(String pathOnNode) throws IOException {
    var path = Path.of(pathOnNode);
    var name = path.getFileName();
    var parent = path.getParent();
    boolean usual =
        parent != null
            && (parent.equals(directory)
                || parent.equals(Path.of("/var/run/netns"))
                || parent.equals(Path.of("/run/netns")));
    if (name == null || !usual) {
      throw new IOException("network namespace " + pathOnNode + " is not in " + directory);
    }
    return PodNetwork.open(directory.resolve(name).toString());
  }

  private List<Path> matching(Collection<InetAddress> addresses) {
    var found = new ArrayList<Path>();
    seen.forEach(
        (path, inside) -> {
          if (inside.containsAll(addresses)) {
            found.add(path);
          }
        });
    return found;
  }

  private void look() throws IOException {
    var now = new HashMap<Path, Set<InetAddress>>();
    try (var entries = Files.newDirectoryStream(directory)) {
      for (var entry : entries) {
        try (var network = PodNetwork.open(entry.toString())) {
          now.put(entry, network.call(LocalAddresses::read));
        } catch (IOException e) {
          // Gone meanwhile, or an empty file whose mount was removed, or the node's own.
          LOG.atDebug()
              .addKeyValue("path", entry)
              .addKeyValue("reason", e.getMessage())
              .log("skipped an entry that is no pod's network namespace");
        }
      }
    } catch (NoSuchFileException e) {
      LOG.atDebug().addKeyValue("directory", directory).log("no network namespaces yet");
    }
    seen = now;
    seenAt = System.nanoTime();
  }
}
