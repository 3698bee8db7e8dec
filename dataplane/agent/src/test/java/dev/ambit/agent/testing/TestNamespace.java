package dev.ambit.agent.testing;

import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.ambit.linux.NetworkNamespace;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.concurrent.atomic.AtomicInteger;

/** A network namespace of a test's own, removed with it. */
public final class TestNamespace implements AutoCloseable {
  private static final AtomicInteger COUNT = new AtomicInteger();

  /** A wait ends with what it waits for, so that only failures take this long. */
  public static final int TIMEOUT_MILLIS = 30_000;

  private final String name;
  private final NetworkNamespace namespace;

  /** Makes one, or skips the test where that needs a right the user lacks. */
  public TestNamespace(String role) throws Exception {
    if (!"true".equals(System.getenv("CI"))) {
      assumeTrue(
          "root".equals(System.getProperty("user.name")), "needs root to make network namespaces");
    }
    name = "ambit-%d-%d-%s".formatted(ProcessHandle.current().pid(), COUNT.incrementAndGet(), role);
    run("ip", "netns", "add", name);
    namespace = NetworkNamespace.open(path());
    for (var scope : List.of("all", "default")) {
      // Else IPv6 through a router waits for its link-local address, almost until it gives up.
      setParameter("net/ipv6/conf/" + scope + "/accept_dad", "0");
    }
    ip("link", "set", "lo", "up");
  }

  private void setParameter(String name, String value) throws Exception {
    call(() -> Files.writeString(Path.of("/proc/sys", name), value));
  }

  /** Joins two by a pair of devices, each with addresses in CIDR form. */
  public static void join(
      TestNamespace a,
      String deviceA,
      List<String> addressesA,
      TestNamespace b,
      String deviceB,
      List<String> addressesB)
      throws Exception {
    a.ip("link", "add", deviceA, "type", "veth", "peer", "name", deviceB, "netns", b.name);
    a.up(deviceA, addressesA);
    b.up(deviceB, addressesB);
  }

  private void up(String device, List<String> addresses) throws Exception {
    for (var address : addresses) {
      var command = new ArrayList<>(List.of("address", "add", address, "dev", device));
      if (address.contains(":")) {
        command.add("nodad");
      }
      ip(command.toArray(String[]::new));
    }
    ip("link", "set", device, "up");
  }

  public String path() {
    return "/var/run/netns/" + name;
  }

  public <T> T call(Callable<T> work) throws Exception {
    return namespace.call(work);
  }

  /** A listener inside, on all addresses. */
  public ServerSocket listen(int port) throws Exception {
    return call(
        () -> {
          var listener = new ServerSocket();
          listener.setReuseAddress(true);
          listener.setSoTimeout(TIMEOUT_MILLIS);
          listener.bind(new InetSocketAddress("::", port), 16);
          return listener;
        });
  }

  /** A connection from inside. */
  public Socket connect(String address, int port) throws Exception {
    return call(
        () -> {
          var socket = new Socket();
          try {
            socket.setSoTimeout(TIMEOUT_MILLIS);
            socket.connect(
                new InetSocketAddress(InetAddress.ofLiteral(address), port), TIMEOUT_MILLIS);
          } catch (IOException e) {
            socket.close();
            throw e;
          }
          return socket;
        });
  }

  /** What the program {@code ip} says inside. */
  public String ip(String... arguments) throws Exception {
    var command = new ArrayList<>(List.of("ip", "-n", name));
    command.addAll(List.of(arguments));
    return run(command.toArray(String[]::new));
  }

  /** What a program says inside. */
  public String exec(String... arguments) throws Exception {
    var command = new ArrayList<>(List.of("ip", "netns", "exec", name));
    command.addAll(List.of(arguments));
    return run(command.toArray(String[]::new));
  }

  private static String run(String... command) throws Exception {
    var process = new ProcessBuilder(command).redirectErrorStream(true).start();
    var output = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
    if (process.waitFor() != 0) {
      throw new IOException(String.join(" ", command) + ": " + output);
    }
    return output;
  }

  @Override
  public void close() throws Exception {
    namespace.close();
    run("ip", "netns", "del", name);
  }
}
