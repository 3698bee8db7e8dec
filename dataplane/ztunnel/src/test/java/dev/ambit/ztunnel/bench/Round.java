package dev.ambit.ztunnel.bench;

import dev.ambit.ztunnel.netns.MeasuredMesh;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.concurrent.TimeUnit;

/**
 * One round: every step with every subject. Within a step the subjects follow each other at once,
 * so that what else the machine does meets all of them.
 */
final class Round implements AutoCloseable {
  private static final String WARM_UP = "warm-up";
  private static final int IDLE_CONNECTIONS = 2000;
  private static final int STEADY_RATE = 1000;

  /** So many round trips that what they need is compiled, as wrk's are for requests. */
  private static final int WARM_UP_RATE = 10_000;

  private static final int STEADY_CONNECTIONS = 10;
  private static final int LARGE = 100_000;
  private static final int MOVES = 20;

  /** Memory has settled when so many looks, so far apart, find hardly a difference. */
  private static final int SAME_LOOKS = 4;

  private static final Duration LOOKING = Duration.ofSeconds(2);
  private static final int MOST_LOOKS = 40;
  private static final long HARDLY_KIBIBYTES = 256;

  private final BenchSettings settings;
  private final Measurements measurements;
  private final LineProcess servers;
  private final LineProcess client;
  private final int number;
  private final Map<Subject, MeasuredMesh> meshes = new LinkedHashMap<>();
  private final Map<Subject, MeasuredMesh> datagramMeshes = new LinkedHashMap<>();
  private final List<Process> background = new ArrayList<>();

  Round(
      int number,
      BenchSettings settings,
      Measurements measurements,
      LineProcess servers,
      LineProcess client) {
    this.number = number;
    this.settings = settings;
    this.measurements = measurements;
    this.servers = servers;
    this.client = client;
  }

  /** Makes the networks of all subjects, with servers in them. */
  void prepare(List<Subject> subjects) throws IOException {
    for (var subject : subjects) {
      var mesh = subject.mesh(settings.folder());
      meshes.put(subject, mesh);
      serve(mesh);
      if (settings.has(Step.UDP)) {
        if (subject.program().isEmpty()) {
          datagramMeshes.put(subject, mesh);
        } else if (subject.carrying().isPresent()) {
          var carrying =
              MeasuredMesh.createWithUdp(subject.carrying().get(), subject.log(settings.folder()));
          datagramMeshes.put(subject, carrying);
          serve(carrying);
        }
      }
    }
  }

  private void serve(MeasuredMesh mesh) throws IOException {
    servers.ask("listen " + mesh.serverNamespace() + " s");
    servers.ask("listen " + mesh.otherServerNamespace() + " o");
    for (var command : List.of(mesh.inServer(Iperf.server()), mesh.inOutsider(Iperf.server()))) {
      background.add(
          new ProcessBuilder(command)
              .redirectErrorStream(true)
              .redirectOutput(ProcessBuilder.Redirect.DISCARD)
              .start());
    }
  }

  /** Measures; what fails is among the errors, and the rest goes on. */
  void run() {
    var subjects = rotated();
    var proxied = subjects.stream().filter(s -> mesh(s).isProxied()).toList();
    if (settings.has(Step.IDLE)) {
      proxied.forEach(subject -> attempt(subject, Step.IDLE.name(), this::idle));
      proxied.forEach(subject -> mesh(subject).killZtunnels());
    }
    if (settings.has(Step.COLD) || settings.hasWarmSteps()) {
      proxied.forEach(subject -> attempt(subject, Step.COLD.name(), this::cold));
      if (settings.hasWarmSteps()) {
        subjects.forEach(subject -> attempt(subject, WARM_UP, this::warmUp));
      }
      for (var step : settings.steps()) {
        if (step.isWarm()) {
          subjects.forEach(
              subject -> attempt(subject, step.name(), (s, mesh) -> warm(step, s, mesh)));
        }
      }
      proxied.forEach(subject -> attempt(subject, "memory", this::loaded));
      proxied.forEach(subject -> mesh(subject).killZtunnels());
    }
    if (settings.has(Step.UDP)) {
      datagrams(subjects.stream().filter(datagramMeshes::containsKey).toList());
    }
    if (settings.has(Step.LARGE)) {
      proxied.forEach(subject -> attempt(subject, Step.LARGE.name(), this::large));
      proxied.forEach(subject -> mesh(subject).killZtunnels());
    }
  }

  /** UDP: by ztunnels that carry it, which others need not, and without any. */
  private void datagrams(List<Subject> subjects) {
    var rates = new LinkedHashMap<Subject, Double>();
    for (var work :
        List.<Work>of(
            this::startDatagrams,
            (subject, mesh) -> rates.put(subject, datagramRate(subject, mesh)),
            (subject, mesh) -> {
              Double rate = rates.get(subject);
              if (rate != null) {
                datagramLoss(subject, mesh, (long) (rate / 2));
              }
            },
            this::datagramLatency,
            this::datagramsToOutside,
            this::besideDatagrams)) {
      for (var subject : subjects) {
        attempt(subject, Step.UDP.name(), work, datagramMesh(subject));
      }
    }
    subjects.forEach(subject -> datagramMesh(subject).killZtunnels());
  }

  private void startDatagrams(Subject subject, MeasuredMesh mesh) throws IOException {
    if (mesh.isProxied()) {
      mesh.startZtunnels();
      mesh.awaitDatagrams();
    }
    int quarter = Math.max(1, settings.warmUpSeconds() / 4);
    udp(mesh, 0, 2 * quarter);
    echo(mesh, "udp", WARM_UP_RATE, quarter);
    echo(mesh, "tcp", WARM_UP_RATE, quarter);
    iperf(mesh, 1, false, quarter);
  }

  private double datagramRate(Subject subject, MeasuredMesh mesh) throws IOException {
    var used = new Cpu(mesh);
    var found = udp(mesh, 0, settings.seconds());
    used.addPer(found.received() / 1e6, Metric.UDP_CPU, subject);
    add(Metric.UDP_RATE, subject, found.perSecond());
    add(Metric.UDP_SPEED, subject, found.gigabitsPerSecond());
    return found.perSecond();
  }

  private void datagramLoss(Subject subject, MeasuredMesh mesh, long perSecond) throws IOException {
    var used = new Cpu(mesh);
    var found = udp(mesh, perSecond, settings.seconds());
    used.addPer(found.received() / 1e6, Metric.UDP_LOSS_CPU, subject);
    add(Metric.UDP_LOSS, subject, found.lossPercent());
  }

  private void datagramLatency(Subject subject, MeasuredMesh mesh) throws IOException {
    var used = new Cpu(mesh);
    var found = echo(mesh, "udp", STEADY_RATE, settings.seconds());
    used.addPer(found.sent() / 1e6, Metric.UDP_STEADY_CPU, subject);
    add(Metric.UDP_P50, subject, found.p50());
    add(Metric.UDP_P99, subject, found.p99());
    add(Metric.UDP_LATE, subject, 100.0 * found.lost() / found.sent());
  }

  /** What the mesh does not carry: it is to be as quick as without one. */
  private void datagramsToOutside(Subject subject, MeasuredMesh mesh) throws IOException {
    var found = udp(mesh, mesh.outsiderAddress(), 0, settings.seconds());
    add(Metric.UDP_OUTSIDE, subject, found.perSecond());
  }

  private void besideDatagrams(Subject subject, MeasuredMesh mesh) throws IOException {
    var used = new Cpu(mesh);
    var stream = iperf(mesh, 1, false, settings.seconds());
    used.addPer(stream.gigabytes() * 1e3 / UdpIperf.BYTES, Metric.TCP_CPU, subject);
    add(Metric.TCP_SPEED, subject, stream.gigabitsPerSecond());
    var found = echo(mesh, "tcp", STEADY_RATE, settings.seconds());
    add(Metric.TCP_P50, subject, found.p50());
    add(Metric.TCP_P99, subject, found.p99());
  }

  private static UdpIperf udp(MeasuredMesh mesh, long perSecond, int seconds) throws IOException {
    return udp(mesh, mesh.serverAddress(), perSecond, seconds);
  }

  private static UdpIperf udp(MeasuredMesh mesh, String address, long perSecond, int seconds)
      throws IOException {
    var command = UdpIperf.command(address, perSecond, seconds);
    return UdpIperf.parse(output(mesh.inClient(command), seconds));
  }

  private record Echo(long sent, long lost, long p50, long p99) {}

  private Echo echo(MeasuredMesh mesh, String protocol, int rate, int seconds) throws IOException {
    var question =
        "echo %s %s %s %d %d"
            .formatted(mesh.clientNamespace(), mesh.serverAddress(), protocol, rate, seconds);
    var answer =
        Arrays.stream(client.ask(question).split(" ")).mapToLong(Long::parseLong).toArray();
    return new Echo(answer[0], answer[1], answer[2], answer[3]);
  }

  @FunctionalInterface
  private interface Work {
    void with(Subject subject, MeasuredMesh mesh) throws IOException;
  }

  private void attempt(Subject subject, String what, Work work) {
    attempt(subject, what, work, mesh(subject));
  }

  private void attempt(Subject subject, String what, Work work, MeasuredMesh mesh) {
    System.err.printf("round %d: %s, %s%n", number, what, subject.name());
    try {
      work.with(subject, mesh);
    } catch (IOException | RuntimeException e) {
      error(subject, what, e.getMessage() + tail(subject, mesh));
    }
  }

  /** The last lines that the subject's ztunnels printed, where they have ended. */
  private String tail(Subject subject, MeasuredMesh mesh) {
    try {
      boolean alive =
          mesh.ztunnels().stream()
              .allMatch(pid -> ProcessHandle.of(pid).filter(ProcessHandle::isAlive).isPresent());
      if (alive) {
        return "";
      }
      var lines = Files.readAllLines(subject.log(settings.folder()));
      return "; it has ended, after: " + lines.subList(Math.max(0, lines.size() - 3), lines.size());
    } catch (IOException e) {
      return "; it has ended, and its log cannot be read: " + e.getMessage();
    }
  }

  /** Nobody is always the first after a pause. */
  private List<Subject> rotated() {
    var subjects = new ArrayList<>(meshes.keySet());
    Collections.rotate(subjects, 1 - number);
    return subjects;
  }

  private MeasuredMesh datagramMesh(Subject subject) {
    return Objects.requireNonNull(datagramMeshes.get(subject));
  }

  private MeasuredMesh mesh(Subject subject) {
    var mesh = meshes.get(subject);
    if (mesh == null) {
      throw new IllegalStateException("no network for " + subject.name());
    }
    return mesh;
  }

  private void add(Metric metric, Subject subject, double value) {
    measurements.add(metric, subject.name(), number, value);
  }

  private void error(Subject subject, String step, String what) {
    var error = "round %d, %s, %s: %s".formatted(number, subject.name(), step, what);
    System.err.println("ERROR: " + error);
    measurements.error(error);
  }

  private void start(Subject subject, MeasuredMesh mesh) {
    for (var duration : mesh.startZtunnels()) {
      add(Metric.START, subject, duration.toMillis());
    }
  }

  private void idle(Subject subject, MeasuredMesh mesh) throws IOException {
    start(subject, mesh);
    settle(mesh);
    for (long pid : mesh.ztunnels()) {
      add(Metric.IDLE_RSS, subject, ProcessUsage.residentKibibytes(pid) / 1024.0);
      add(Metric.IDLE_PSS, subject, ProcessUsage.proportionalKibibytes(pid) / 1024.0);
    }
    long before = resident(mesh);
    var opened =
        client
            .ask(
                "open %s %s %d"
                    .formatted(mesh.clientNamespace(), mesh.serverAddress(), IDLE_CONNECTIONS))
            .split(" ");
    settle(mesh);
    long open = Long.parseLong(opened[0]);
    add(Metric.IDLE_CONNECTION, subject, (resident(mesh) - before) / (double) open);
    var closed = client.ask("close").split(" ");
    if (!opened[1].equals("0") || !closed[1].equals("0")) {
      error(
          subject,
          Step.IDLE.name(),
          "%s of %d idle connections failed at first, %s ended later"
              .formatted(opened[1], IDLE_CONNECTIONS, closed[1]));
    }
  }

  private static long resident(MeasuredMesh mesh) throws IOException {
    long sum = 0;
    for (long pid : mesh.ztunnels()) {
      sum += ProcessUsage.residentKibibytes(pid);
    }
    return sum;
  }

  private void cold(Subject subject, MeasuredMesh mesh) throws IOException {
    start(subject, mesh);
    if (settings.has(Step.COLD)) {
      var answer = steady(subject, Step.COLD, mesh);
      add(Metric.COLD_P50, subject, answer.p50());
      add(Metric.COLD_P99, subject, answer.p99());
    }
  }

  private void warmUp(Subject subject, MeasuredMesh mesh) throws IOException {
    int quarter = Math.max(1, settings.warmUpSeconds() / 4);
    wrk(subject, WARM_UP, mesh, 64, quarter, BenchServer.HTTP);
    wrk(subject, WARM_UP, mesh, 8, quarter, BenchServer.HTTP_CLOSING);
    iperf(mesh, 2, false, quarter);
    wrk(subject, WARM_UP, mesh, 1, quarter, BenchServer.HTTP);
  }

  private void loaded(Subject subject, MeasuredMesh mesh) throws IOException {
    for (long pid : mesh.ztunnels()) {
      add(Metric.LOADED_RSS, subject, ProcessUsage.residentKibibytes(pid) / 1024.0);
    }
  }

  private void warm(Step step, Subject subject, MeasuredMesh mesh) throws IOException {
    switch (step) {
      case REQUESTS_1 -> {
        var used = new Cpu(mesh);
        var found = wrk(subject, step.name(), mesh, 1, settings.seconds(), BenchServer.HTTP);
        add(Metric.REQUESTS_1, subject, found.perSecond());
        add(Metric.REQUESTS_1_P50, subject, found.p50Micros());
        add(Metric.REQUESTS_1_P99, subject, found.p99Micros());
        used.addPer(found.requests() / 1e6, Metric.REQUESTS_1_CPU, subject);
      }
      case REQUESTS_64 -> {
        var used = new Cpu(mesh);
        var found = wrk(subject, step.name(), mesh, 64, settings.seconds(), BenchServer.HTTP);
        add(Metric.REQUESTS_64, subject, found.perSecond());
        add(Metric.REQUESTS_64_P50, subject, found.p50Micros());
        add(Metric.REQUESTS_64_P99, subject, found.p99Micros());
        used.addPer(found.requests() / 1e6, Metric.REQUESTS_64_CPU, subject);
      }
      case CONNECTIONS -> {
        var used = new Cpu(mesh);
        var found =
            wrk(subject, step.name(), mesh, 16, settings.seconds(), BenchServer.HTTP_CLOSING);
        add(Metric.CONNECTIONS, subject, found.perSecond());
        add(Metric.CONNECTIONS_P99, subject, found.p99Micros());
        used.addPer(found.requests() / 1e6, Metric.CONNECTIONS_CPU, subject);
      }
      case STREAM_1 -> {
        stream(subject, mesh, 1, false, Metric.STREAM_1, Metric.STREAM_1_CPU);
        stream(subject, mesh, 1, true, Metric.STREAM_1_REVERSE, Metric.STREAM_1_REVERSE_CPU);
      }
      case STREAM_8 -> {
        stream(subject, mesh, 8, false, Metric.STREAM_8, Metric.STREAM_8_CPU);
        stream(subject, mesh, 8, true, Metric.STREAM_8_REVERSE, Metric.STREAM_8_REVERSE_CPU);
      }
      case STEADY -> {
        var used = new Cpu(mesh);
        var answer = steady(subject, step, mesh);
        add(Metric.STEADY_P50, subject, answer.p50());
        add(Metric.STEADY_P99, subject, answer.p99());
        used.addPer(settings.seconds(), Metric.STEADY_CPU, subject);
      }
      case IDLE, COLD, UDP, LARGE -> throw new IllegalArgumentException(step + " is no warm step");
    }
  }

  private void stream(
      Subject subject, MeasuredMesh mesh, int streams, boolean reverse, Metric speed, Metric cpu)
      throws IOException {
    var used = new Cpu(mesh);
    var found = iperf(mesh, streams, reverse, settings.seconds());
    add(speed, subject, found.gigabitsPerSecond());
    used.addPer(found.gigabytes(), cpu, subject);
  }

  private void large(Subject subject, MeasuredMesh mesh) throws IOException {
    mesh.knowWorkloads(LARGE);
    add(Metric.LARGE_START, subject, mesh.startClientsZtunnel().toMillis());
    long pid = mesh.ztunnels().getFirst();
    settle(mesh);
    add(Metric.LARGE_RSS, subject, ProcessUsage.residentKibibytes(pid) / 1024.0);
    add(Metric.LARGE_PSS, subject, ProcessUsage.proportionalKibibytes(pid) / 1024.0);
    mesh.startServersZtunnel();
    var moves = mesh.moveEndpoint(MOVES, BenchServer.LETTER);
    var millis = moves.stream().mapToDouble(d -> d.toNanos() / 1e6).toArray();
    var spread = Measurements.Spread.of(millis).orElseThrow();
    add(Metric.LARGE_CHANGE, subject, spread.median());
    add(Metric.LARGE_CHANGE_MAX, subject, spread.max());
  }

  private Wrk wrk(
      Subject subject, String step, MeasuredMesh mesh, int connections, int seconds, int port)
      throws IOException {
    var command = Wrk.command(connections, seconds, mesh.serverAddress(), port);
    var found = Wrk.parse(output(mesh.inClient(command), seconds));
    found.error().ifPresent(what -> error(subject, step, what));
    return found;
  }

  private static Iperf iperf(MeasuredMesh mesh, int streams, boolean reverse, int seconds)
      throws IOException {
    var command = Iperf.command(mesh.serverAddress(), streams, reverse, seconds);
    return Iperf.parse(output(mesh.inClient(command), seconds));
  }

  private record Steady(long p50, long p99) {}

  private Steady steady(Subject subject, Step step, MeasuredMesh mesh) throws IOException {
    var answer =
        client
            .ask(
                "steady %s %s %d %d %d"
                    .formatted(
                        mesh.clientNamespace(),
                        mesh.serverAddress(),
                        STEADY_CONNECTIONS,
                        STEADY_RATE,
                        settings.seconds()))
            .split(" ");
    if (!answer[1].equals("0")) {
      error(
          subject,
          step.name(),
          answer[1] + " of " + STEADY_RATE * settings.seconds() + " requests failed");
    }
    return new Steady(Long.parseLong(answer[2]), Long.parseLong(answer[3]));
  }

  private static String output(List<String> command, int seconds) throws IOException {
    var process = new ProcessBuilder(command).redirectErrorStream(true).start();
    var output = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
    try {
      if (!process.waitFor(seconds + 60, TimeUnit.SECONDS) || process.exitValue() != 0) {
        process.destroyForcibly();
        throw new IOException(command + " failed:\n" + output);
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new IOException(e);
    }
    return output;
  }

  /** Waits until the proxies' memory stays as it is; what a start needed is given back late. */
  private static void settle(MeasuredMesh mesh) throws IOException {
    long last = resident(mesh);
    int same = 0;
    for (int look = 0; look < MOST_LOOKS && same < SAME_LOOKS; look++) {
      try {
        Thread.sleep(LOOKING);
      } catch (InterruptedException e) {
        Thread.currentThread().interrupt();
        throw new IllegalStateException(e);
      }
      long now = resident(mesh);
      same = Math.abs(now - last) <= HARDLY_KIBIBYTES ? same + 1 : 0;
      last = now;
    }
  }

  /** What the proxies of a mesh use from now on. */
  private final class Cpu {
    private final MeasuredMesh mesh;
    private final double before;

    Cpu(MeasuredMesh mesh) throws IOException {
      this.mesh = mesh;
      this.before = ProcessUsage.cpuSeconds(mesh.ztunnels());
    }

    void addPer(double amount, Metric metric, Subject subject) throws IOException {
      if (mesh.isProxied()) {
        add(metric, subject, (ProcessUsage.cpuSeconds(mesh.ztunnels()) - before) / amount);
      }
    }
  }

  private void closeMeshes() {
    Set<MeasuredMesh> all = new LinkedHashSet<>(meshes.values());
    all.addAll(datagramMeshes.values());
    all.forEach(MeasuredMesh::close);
  }

  @Override
  public void close() throws IOException {
    background.forEach(Process::destroy);
    try {
      servers.ask("leave");
    } finally {
      closeMeshes();
    }
    for (var subject : meshes.keySet()) {
      Files.deleteIfExists(subject.log(settings.folder()));
    }
  }
}
