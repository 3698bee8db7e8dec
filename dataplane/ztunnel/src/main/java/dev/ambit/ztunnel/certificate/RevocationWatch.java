package dev.ambit.ztunnel.certificate;

import java.io.IOException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.NotDirectoryException;
import java.nio.file.Path;
import java.security.cert.CRLException;
import java.security.cert.X509CRL;
import java.time.Clock;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.SortedMap;
import java.util.TreeMap;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.Future;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.LongAdder;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Keeps {@link Revocations} as a file, or the files of a folder, say. Looks every second, so that
 * it follows files that are written in place, moved in, or swapped behind symbolic links as
 * Kubernetes does; takes a change once the files are the same at two looks. Of a file that cannot
 * be read the lists it had stay in force; a file that is gone has none.
 */
public final class RevocationWatch implements AutoCloseable {
  private static final Logger log = LoggerFactory.getLogger(RevocationWatch.class);
  private static final Duration INTERVAL = Duration.ofSeconds(1);
  private static final long LARGEST_FILE = 64L << 20;

  private final Path path;
  private final ScheduledExecutorService executor;
  private final Clock clock;
  private final Revocations revocations = Revocations.enabled();
  private final CompletableFuture<Void> loaded = new CompletableFuture<>();
  private final LongAdder failures = new LongAdder();

  // Confined to the executor's thread.
  private @Nullable Future<?> timer;
  private Map<Path, Version> seen = Map.of();
  private Map<Path, Version> taken = Map.of();
  private boolean looked;
  private SortedMap<Path, List<X509CRL>> lists = new TreeMap<>();
  private Set<X509CRL> overdue = Set.of();

  /** What tells a file from what was there before under its name. */
  private record Version(Map<String, Object> attributes) {}

  /**
   * @param path a file, or a folder whose files that do not begin with a dot are read; it need not
   *     exist
   * @param executor one thread, on which files are read
   */
  public RevocationWatch(Path path, ScheduledExecutorService executor, Clock clock) {
    this.path = path;
    this.executor = executor;
    this.clock = clock;
  }

  /** Begins to read and to look for changes. */
  public void start() {
    long nanos = INTERVAL.toNanos();
    executor.execute(
        () -> {
          look();
          timer = executor.scheduleWithFixedDelay(this::look, nanos, nanos, TimeUnit.NANOSECONDS);
        });
  }

  /** What is revoked now. */
  public Revocations revocations() {
    return revocations;
  }

  /** Completes once every file that is there has been read without an error. */
  public CompletionStage<Void> loaded() {
    return loaded;
  }

  /** How often a file could not be read. */
  public long failures() {
    return failures.sum();
  }

  /** How many of the lists in force should have been replaced by now. */
  public int overdue() {
    return revocations.current().overdue(clock.instant()).size();
  }

  @Override
  public void close() {
    executor.execute(
        () -> {
          if (timer != null) {
            timer.cancel(false);
          }
        });
  }

  private void look() {
    try {
      Map<Path, Version> now = versions();
      boolean settled = !looked || now.equals(seen);
      seen = now;
      if (settled && (!looked || !now.equals(taken))) {
        looked = true;
        taken = now;
        read(now);
      }
      complainOfOverdue();
    } catch (IOException | RuntimeException e) {
      failures.increment();
      log.atError()
          .addKeyValue("path", path)
          .addKeyValue("reason", e.toString())
          .log("cannot look for revocation lists; those read before stay in force");
    }
  }

  private Map<Path, Version> versions() throws IOException {
    Map<Path, Version> versions = new TreeMap<>();
    try (DirectoryStream<Path> files = Files.newDirectoryStream(path)) {
      for (Path file : files) {
        if (!file.getFileName().toString().startsWith(".") && !Files.isDirectory(file)) {
          addVersion(versions, file);
        }
      }
    } catch (NotDirectoryException e) {
      addVersion(versions, path);
    } catch (NoSuchFileException e) {
      return Map.of();
    }
    return versions;
  }

  private static void addVersion(Map<Path, Version> versions, Path file) throws IOException {
    try {
      versions.put(
          file, new Version(Files.readAttributes(file, "unix:ino,ctime,lastModifiedTime,size")));
    } catch (NoSuchFileException e) {
      // Gone since its name was read: as if it had not been there.
    }
  }

  private void read(Map<Path, Version> files) {
    SortedMap<Path, List<X509CRL>> read = new TreeMap<>();
    int unreadable = 0;
    for (Path file : files.keySet()) {
      try {
        read.put(file, RevocationListFile.parse(bytes(file)));
      } catch (NoSuchFileException e) {
        continue;
      } catch (IOException | CRLException e) {
        unreadable++;
        failures.increment();
        List<X509CRL> before = lists.get(file);
        if (before != null) {
          read.put(file, before);
        }
        log.atError()
            .addKeyValue("file", file)
            .addKeyValue("reason", e.getMessage())
            .addKeyValue("listsKept", before == null ? 0 : before.size())
            .log("cannot read revocation lists: replace the file by one in PEM or DER");
      }
    }
    lists = read;
    List<X509CRL> all = new ArrayList<>();
    read.values().forEach(all::addAll);
    revocations.replace(new RevocationLists(all));
    log.atInfo()
        .addKeyValue("path", path)
        .addKeyValue("files", files.size())
        .addKeyValue("lists", all.size())
        .addKeyValue("unreadable", unreadable)
        .log("revocation lists read");
    if (unreadable == 0) {
      loaded.complete(null);
    }
  }

  private static byte[] bytes(Path file) throws IOException {
    if (Files.size(file) > LARGEST_FILE) {
      throw new IOException("it is larger than " + LARGEST_FILE + " bytes");
    }
    return Files.readAllBytes(file);
  }

  private void complainOfOverdue() {
    List<X509CRL> now = revocations.current().overdue(clock.instant());
    if (now.isEmpty() && overdue.isEmpty()) {
      return;
    }
    for (X509CRL list : now) {
      if (!overdue.contains(list)) {
        log.atWarn()
            .addKeyValue("issuer", list.getIssuerX500Principal())
            .addKeyValue("nextUpdate", list.getNextUpdate().toInstant())
            .log("a revocation list is overdue to be replaced; it stays in force");
      }
    }
    overdue = new HashSet<>(now);
  }
}
