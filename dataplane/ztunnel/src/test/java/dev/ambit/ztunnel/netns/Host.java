package dev.ambit.ztunnel.netns;

import dev.ambit.linux.LinuxException;
import dev.ambit.linux.NetworkNamespace;
import java.io.IOException;
import java.net.BindException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.Optional;
import java.util.concurrent.Callable;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.regex.Pattern;
import org.awaitility.Awaitility;

/**
 * A network namespace of this test process, with a name that {@code ip netns} knows. The name holds
 * the process that made it, so that what a crashed one left behind is found and removed.
 */
final class Host implements AutoCloseable {
  private static final Path NAMES = Path.of("/var/run/netns");
  private static final Pattern NAME = Pattern.compile("ambit-ns-(\\d+)-(\\d+)-\\d+-.*");
  private static final AtomicInteger COUNTER = new AtomicInteger();

  static {
    sweep();
  }

  private final String name;
  private final NetworkNamespace namespace;
  private boolean closed;

  private Host(String name, NetworkNamespace namespace) {
    this.name = name;
    this.namespace = namespace;
  }

  /**
   * Makes a namespace with its loopback interface up. Its interfaces use their IPv6 addresses at
   * once: else a router's first packets wait for its link-local address to be known as unique,
   * which takes two seconds of the three after which the destination counts as unreachable.
   */
  static Host create(String role) {
    var self = ProcessHandle.current();
    var name =
        "ambit-ns-%d-%d-%d-%s"
            .formatted(self.pid(), started(self), COUNTER.incrementAndGet(), role);
    Command.run("ip", "netns", "add", name);
    try {
      var host = new Host(name, NetworkNamespace.open(NAMES.resolve(name).toString()));
      host.sysctl("net/ipv6/conf/all/accept_dad", "0");
      host.sysctl("net/ipv6/conf/default/accept_dad", "0");
      host.ip("link set lo up");
      return host;
    } catch (LinuxException e) {
      Command.run("ip", "netns", "del", name);
      throw new IllegalStateException("cannot open network namespace " + name, e);
    }
  }

  /** Removes the namespaces, and what runs in them, of test processes that are no more. */
  static void sweep() {
    try (var names = Files.list(NAMES)) {
      names.map(path -> path.getFileName().toString()).filter(Host::isOrphan).forEach(Host::remove);
    } catch (java.nio.file.NoSuchFileException none) {
      // No namespace was ever made on this machine.
    } catch (IOException e) {
      throw new IllegalStateException("cannot list " + NAMES, e);
    }
  }

  private static boolean isOrphan(String name) {
    var matcher = NAME.matcher(name);
    if (!matcher.matches()) {
      return false;
    }
    Optional<ProcessHandle> owner = ProcessHandle.of(Long.parseLong(matcher.group(1)));
    return owner.isEmpty() || started(owner.get()) != Long.parseLong(matcher.group(2));
  }

  /**
   * When a process started, as the kernel counts. The time of day would not do: each JVM computes
   * it from the clock, which others may have set meanwhile.
   */
  private static long started(ProcessHandle process) {
    try {
      var stat = Files.readString(Path.of("/proc", Long.toString(process.pid()), "stat"));
      return Long.parseLong(stat.substring(stat.lastIndexOf(')') + 2).split(" ")[19]);
    } catch (IOException ended) {
      return -1;
    }
  }

  private static void remove(String name) {
    for (String pid : Command.run("ip", "netns", "pids", name).split("\\s+")) {
      if (!pid.isBlank()) {
        ProcessHandle.of(Long.parseLong(pid)).ifPresent(ProcessHandle::destroyForcibly);
      }
    }
    Command.run("ip", "netns", "del", name);
  }

  String name() {
    return name;
  }

  NetworkNamespace namespace() {
    return namespace;
  }

  /** Runs lines of {@code ip} inside this namespace. */
  void ip(String... lines) {
    Command.runWithInput(String.join("\n", lines) + "\n", List.of("ip", "-n", name, "-batch", "-"));
  }

  /** Runs lines of {@code ip} for IPv6 inside this namespace. */
  void ip6(String... lines) {
    Command.runWithInput(
        String.join("\n", lines) + "\n", List.of("ip", "-n", name, "-6", "-batch", "-"));
  }

  /** Loads rules into this namespace, all or none. */
  void nft(String rules) {
    Command.runWithInput(rules, List.of("ip", "netns", "exec", name, "nft", "-f", "-"));
  }

  /** Has programs that are started in here from now on ask {@code server} for names. */
  void nameServer(String server) {
    try {
      Files.createDirectories(resolverFolder());
      Files.writeString(resolverFolder().resolve("resolv.conf"), "nameserver " + server + "\n");
    } catch (IOException e) {
      throw new IllegalStateException("no resolv.conf for " + name, e);
    }
  }

  /** What {@code ip netns exec} puts in place of {@code /etc}'s files. */
  private Path resolverFolder() {
    return Path.of("/etc/netns", name);
  }

  /** Sets a kernel parameter, such as {@code net/ipv4/ip_forward}, of this namespace. */
  void sysctl(String parameter, String value) {
    call(() -> Files.writeString(Path.of("/proc/sys").resolve(parameter), value));
  }

  /** The command that runs {@code command} inside this namespace. */
  List<String> command(List<String> command) {
    var inside = new ArrayList<>(List.of("ip", "netns", "exec", name));
    inside.addAll(command);
    return inside;
  }

  /** Runs {@code work} with this thread inside the namespace. */
  <T> T call(Callable<T> work) {
    try {
      return namespace.call(work);
    } catch (RuntimeException e) {
      throw e;
    } catch (Exception e) {
      throw new IllegalStateException("failed in " + name + ": " + e, e);
    }
  }

  /** Runs {@code work}, which opens sockets, with this thread inside the namespace. */
  <T> T callSocket(Callable<T> work) throws IOException {
    try {
      return namespace.call(work);
    } catch (RuntimeException | IOException e) {
      throw e;
    } catch (Exception e) {
      throw new IOException("failed in " + name + ": " + e, e);
    }
  }

  /**
   * As {@link #callSocket}, waiting for the port: the kernel keeps one while a thread waits on it.
   */
  <T> T bindSocket(Callable<T> work) {
    return Awaitility.await("the port")
        .atMost(Patience.SHORT)
        .pollDelay(Duration.ZERO)
        .pollInSameThread()
        .ignoreExceptionsInstanceOf(BindException.class)
        .until(() -> callSocket(work), Objects::nonNull);
  }

  @Override
  public synchronized void close() {
    if (!closed) {
      closed = true;
      namespace.close();
      remove(name);
      try {
        Files.deleteIfExists(resolverFolder().resolve("resolv.conf"));
        Files.deleteIfExists(resolverFolder());
      } catch (IOException e) {
        throw new IllegalStateException("cannot remove " + resolverFolder(), e);
      }
    }
  }

  @Override
  public String toString() {
    return name;
  }
}
