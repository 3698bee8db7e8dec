package dev.ambit.ztunnel.netns;

import static org.awaitility.Awaitility.await;

import java.io.IOException;
import java.net.InetSocketAddress;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import java.util.function.Predicate;
import java.util.stream.Collectors;

/** The real ztunnel program, running in a pod of its own on a node. */
final class ZtunnelProcess implements AutoCloseable {
  private static final int READINESS_PORT = 15021;
  private static final int METRICS_PORT = 15020;
  private static final int ADMIN_PORT = 15000;

  private final Pod pod;
  private final Process process;
  private final List<LogLine> log = new ArrayList<>();
  private final Thread reader;

  private ZtunnelProcess(Pod pod, Process process) {
    this.pod = pod;
    this.process = process;
    this.reader = Thread.ofPlatform().daemon().name("log-" + pod).start(this::read);
  }

  /**
   * Starts it.
   *
   * @param program what is run
   * @param pod the pod in which it runs
   * @param environment variables besides those that each ztunnel has
   */
  static ZtunnelProcess start(
      ZtunnelProgram program,
      Pod pod,
      FakeControlPlane controlPlane,
      Path zds,
      Path folder,
      Map<String, String> environment) {
    return start(
        program,
        pod,
        new ControlPlaneAccess(
            FakeControlPlane.url(), controlPlane.authority().rootPem(), CertificateService.TOKEN),
        zds,
        folder,
        environment);
  }

  /** Where a control plane is, what it is trusted by, and what is shown to it. */
  record ControlPlaneAccess(String url, String rootPem, String token) {}

  /** Starts it with another control plane. */
  static ZtunnelProcess start(
      ZtunnelProgram program,
      Pod pod,
      ControlPlaneAccess controlPlane,
      Path zds,
      Path folder,
      Map<String, String> environment) {
    try {
      Files.createDirectories(folder);
      var root = Files.writeString(folder.resolve("root-cert.pem"), controlPlane.rootPem());
      var token = Files.writeString(folder.resolve("token"), controlPlane.token());
      var builder = new ProcessBuilder(pod.host().command(program.confined()));
      builder.redirectErrorStream(true);
      var variables = new HashMap<String, String>();
      variables.put("XDS_ADDRESS", controlPlane.url());
      variables.put("CA_ADDRESS", controlPlane.url());
      variables.put("XDS_ROOT_CA", root.toString());
      variables.put("CA_ROOT_CA", root.toString());
      variables.put("AUTH_TOKEN", token.toString());
      variables.put("INPOD_UDS", zds.toString());
      variables.put("NODE_NAME", pod.node().name());
      variables.put("POD_NAME", pod.name());
      variables.put("POD_NAMESPACE", pod.namespace());
      variables.put("SERVICE_ACCOUNT", pod.serviceAccount());
      variables.put("INSTANCE_IP", pod.ipv4().getHostAddress());
      variables.put("CLUSTER_ID", "Kubernetes");
      variables.putAll(environment);
      builder.environment().putAll(variables);
      return new ZtunnelProcess(pod, builder.start());
    } catch (IOException e) {
      throw new IllegalStateException("cannot start the ztunnel in " + pod, e);
    }
  }

  private void read() {
    try (var lines = process.inputReader(StandardCharsets.UTF_8)) {
      for (String line = lines.readLine(); line != null; line = lines.readLine()) {
        var parsed = LogLine.parse(line);
        synchronized (log) {
          log.add(parsed);
        }
      }
    } catch (IOException ended) {
      // The process is gone, and with it its output.
    }
  }

  Pod pod() {
    return pod;
  }

  long pid() {
    return process.pid();
  }

  boolean isAlive() {
    return process.isAlive();
  }

  boolean isReady() {
    try {
      return get(READINESS_PORT, "/healthz/ready").status() == 200;
    } catch (IOException notYet) {
      return false;
    }
  }

  ZtunnelProcess awaitReady() {
    await("readiness of " + pod)
        .atMost(Patience.LONG)
        .pollInterval(Duration.ofMillis(50))
        .failFast("the ztunnel ended", () -> !process.isAlive())
        .until(this::isReady);
    return this;
  }

  HttpProbe.Answer readiness() throws IOException {
    return get(READINESS_PORT, "/healthz/ready");
  }

  Metrics metrics() {
    try {
      var answer = get(METRICS_PORT, "/metrics");
      if (answer.status() != 200) {
        throw new IllegalStateException("/metrics answers " + answer);
      }
      return Metrics.parse(answer.body());
    } catch (IOException e) {
      throw new IllegalStateException("/metrics of " + pod + " does not answer", e);
    }
  }

  /** What it tells of plaintext, as it writes it. */
  String plaintext() throws IOException {
    return get(METRICS_PORT, "/plaintext").body();
  }

  String configDump() throws IOException {
    return HttpProbe.get(pod.host(), new InetSocketAddress("127.0.0.1", ADMIN_PORT), "/config_dump")
        .body();
  }

  /** Asks at the loopback port that is for people. */
  HttpProbe.Answer admin(String method, String path) throws IOException {
    return HttpProbe.send(pod.host(), new InetSocketAddress("127.0.0.1", ADMIN_PORT), method, path);
  }

  /** Asks for metrics as a scraper does. */
  HttpProbe.Answer scrape(String... headers) throws IOException {
    return HttpProbe.send(pod.host(), pod.at(METRICS_PORT), "GET", "/stats/prometheus", headers);
  }

  private HttpProbe.Answer get(int port, String path) throws IOException {
    return HttpProbe.get(pod.host(), pod.at(port), path);
  }

  List<LogLine> log() {
    synchronized (log) {
      return List.copyOf(log);
    }
  }

  /** A mark in the log, to look only at what comes after. */
  int logSize() {
    return log().size();
  }

  LogLine awaitLog(String what, Predicate<LogLine> wanted) {
    return awaitLog(what, 0, wanted);
  }

  LogLine awaitLog(String what, int from, Predicate<LogLine> wanted) {
    await(what + " in the log of " + pod)
        .atMost(Patience.LONG)
        .pollInterval(Duration.ofMillis(20))
        .until(() -> log().stream().skip(from).anyMatch(wanted));
    return log().stream().skip(from).filter(wanted).findFirst().orElseThrow();
  }

  String logText() {
    return log().stream().map(LogLine::text).collect(Collectors.joining("\n", "", "\n"));
  }

  /** How many files and sockets it has open. */
  long openDescriptors() {
    try (var descriptors = Files.list(Path.of("/proc", Long.toString(process.pid()), "fd"))) {
      return descriptors.count();
    } catch (IOException e) {
      throw new IllegalStateException("cannot see the descriptors of " + pod, e);
    }
  }

  /** How many of its descriptors are {@code namespace}. */
  long openDescriptors(dev.ambit.linux.NetworkNamespace namespace) {
    try (var descriptors = Files.list(Path.of("/proc", Long.toString(process.pid()), "fd"))) {
      var name = "net:[" + namespace.inode() + "]";
      return descriptors.filter(descriptor -> name.equals(target(descriptor))).count();
    } catch (IOException e) {
      throw new IllegalStateException("cannot see the descriptors of " + pod, e);
    }
  }

  /** How much memory it has, in KiB. */
  long residentKibibytes() {
    try (var lines = Files.lines(Path.of("/proc", Long.toString(process.pid()), "status"))) {
      return lines
          .filter(line -> line.startsWith("VmRSS:"))
          .mapToLong(line -> Long.parseLong(line.replaceAll("\\D", "")))
          .findFirst()
          .orElseThrow();
    } catch (IOException e) {
      throw new IllegalStateException("cannot see the memory of " + pod, e);
    }
  }

  private static String target(Path descriptor) {
    try {
      return Files.readSymbolicLink(descriptor).toString();
    } catch (IOException closedMeanwhile) {
      return "";
    }
  }

  /** Asks it to end (SIGTERM). */
  void terminate() {
    // Through the handle, since Process.destroy also closes the pipe that its log comes through.
    process.toHandle().destroy();
  }

  /** Ends it without a chance to do anything (SIGKILL). */
  void kill() {
    process.destroyForcibly();
    awaitExit(Patience.MIDDLE);
  }

  /** Waits until it has ended and returns its exit code. */
  int awaitExit(Duration atMost) {
    try {
      if (!process.waitFor(atMost.toMillis(), TimeUnit.MILLISECONDS)) {
        throw new IllegalStateException("the ztunnel of " + pod + " has not ended in " + atMost);
      }
      reader.join(Patience.LONG);
      return process.exitValue();
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new IllegalStateException(e);
    }
  }

  @Override
  public void close() {
    if (process.isAlive()) {
      kill();
    }
  }
}
