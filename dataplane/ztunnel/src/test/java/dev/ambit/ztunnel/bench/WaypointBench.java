package dev.ambit.ztunnel.bench;

import dev.ambit.ztunnel.netns.MeasuredControlPlane;
import dev.ambit.ztunnel.netns.MeasuredWaypoint;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.time.ZoneOffset;
import java.time.format.DateTimeFormatter;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;

/**
 * Measures the hop through a waypoint, beside the same traffic at layer 4 through the same
 * ztunnels, and then what many services cost it and the operator.
 *
 * <p>Argument: the folder for results. Takes {@code ROUNDS}, {@code SECONDS_PER_STEP} and {@code
 * SERVICES} from the environment. Runs in the ztunnel's folder of a checkout.
 */
public final class WaypointBench {
  private static final DateTimeFormatter NAME =
      DateTimeFormatter.ofPattern("'waypoint'-yyyy-MM-dd-HHmmss").withZone(ZoneOffset.UTC);
  private static final int STEADY_RATE = 1000;
  private static final int STEADY_CONNECTIONS = 10;
  private static final int CHANGES = 20;

  private final MeasuredWaypoint mesh;
  private final BenchSettings settings;
  private final LineProcess client;
  private final WaypointReport report;

  private WaypointBench(
      MeasuredWaypoint mesh, BenchSettings settings, LineProcess client, WaypointReport report) {
    this.mesh = mesh;
    this.settings = settings;
    this.client = client;
    this.report = report;
  }

  /** Does as the class says. */
  public static void main(String[] arguments) throws Exception {
    var folder = Files.createDirectories(Path.of(arguments[0], NAME.format(Instant.now())));
    var settings = BenchSettings.of(System.getenv(), folder);
    int services = Integer.parseInt(System.getenv().getOrDefault("SERVICES", "1000"));
    var report = measure(settings, services);
    Files.writeString(folder.resolve("results.md"), report.markdown());
    System.out.println(report.markdown());
    System.out.println("results: " + folder.toAbsolutePath().normalize());
    // Threads of the control plane's libraries would go on.
    System.exit(0);
  }

  static WaypointReport measure(BenchSettings settings, int services) throws Exception {
    var report = new WaypointReport();
    try (var servers = LineProcess.start(BenchServer.class);
        var client = LineProcess.start(BenchClient.class);
        var controlPlane = LineProcess.start(MeasuredControlPlane.class);
        var mesh = MeasuredWaypoint.create()) {
      servers.ask("listen " + mesh.serverNamespace() + " s");
      var bench = new WaypointBench(mesh, settings, client, report);
      bench.hop();
      bench.scale(controlPlane, services);
      servers.ask("leave");
    }
    return report;
  }

  /** How a request goes. */
  private enum Way {
    DIRECT,
    THROUGH
  }

  private String address(Way way) {
    return switch (way) {
      case DIRECT -> mesh.directAddress();
      case THROUGH -> mesh.throughAddress();
    };
  }

  // --- The hop

  private void hop() throws IOException {
    for (var way : Way.values()) {
      say("warm-up, " + way);
      wrk(way, 64, settings.warmUpSeconds());
      wrk(way, 1, settings.warmUpSeconds());
    }
    for (int round = 1; round <= settings.rounds(); round++) {
      // Neither is always the first.
      var ways =
          round % 2 == 1 ? List.of(Way.DIRECT, Way.THROUGH) : List.of(Way.THROUGH, Way.DIRECT);
      for (int connections : new int[] {1, 64}) {
        for (var way : ways) {
          say("round " + round + ", " + connections + " connections, " + way);
          requests(round, way, connections);
        }
      }
      for (var way : ways) {
        say("round " + round + ", steady, " + way);
        steady(round, way);
      }
    }
  }

  private void requests(int round, Way way, int connections) throws IOException {
    var used = new Used();
    var found = wrk(way, connections, settings.seconds());
    var name = connections == 1 ? "1 connection, " : connections + " connections, ";
    add(name + "requests/s", round, way, found.perSecond());
    add(name + "median, µs", round, way, found.p50Micros());
    add(name + "p99, µs", round, way, found.p99Micros());
    used.add(name + "CPU of the %s a request, µs", round, way, found.requests() / 1e6);
    if (way == Way.THROUGH) {
      add(
          name + "requests/s for a core of the waypoint",
          round,
          way,
          found.requests() / used.waypoint());
    }
  }

  private void steady(int round, Way way) throws IOException {
    var used = new Used();
    var answer =
        client
            .ask(
                "steady %s %s %d %d %d"
                    .formatted(
                        mesh.clientNamespace(),
                        address(way),
                        STEADY_CONNECTIONS,
                        STEADY_RATE,
                        settings.seconds()))
            .split(" ");
    if (!answer[1].equals("0")) {
      report.error("round %d, %s: %s steady requests failed".formatted(round, way, answer[1]));
    }
    add("1,000 requests/s, median, µs", round, way, Long.parseLong(answer[2]));
    add("1,000 requests/s, p99, µs", round, way, Long.parseLong(answer[3]));
    used.add("1,000 requests/s, CPU of the %s, cores", round, way, settings.seconds());
  }

  private void add(String figure, int round, Way way, double value) {
    switch (way) {
      case DIRECT -> report.direct(figure, round, value);
      case THROUGH -> report.through(figure, round, value);
    }
  }

  private Wrk wrk(Way way, int connections, int seconds) throws IOException {
    var command = Wrk.command(connections, seconds, address(way), BenchServer.HTTP);
    var process = new ProcessBuilder(mesh.inClient(command)).redirectErrorStream(true).start();
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
    var found = Wrk.parse(output);
    found.error().ifPresent(what -> report.error(way + ", " + connections + ": " + what));
    return found;
  }

  /** What the proxies use from now on. */
  private final class Used {
    private final double ztunnels = ProcessUsage.cpuSeconds(mesh.ztunnels());
    private final double waypoint = ProcessUsage.cpuSeconds(List.of(mesh.waypoint()));

    Used() throws IOException {}

    double waypoint() throws IOException {
      return ProcessUsage.cpuSeconds(List.of(mesh.waypoint())) - waypoint;
    }

    void add(String figure, int round, Way way, double per) throws IOException {
      double ofZtunnels = ProcessUsage.cpuSeconds(mesh.ztunnels()) - ztunnels;
      WaypointBench.this.add(figure.formatted("ztunnels"), round, way, ofZtunnels / per);
      if (way == Way.THROUGH) {
        WaypointBench.this.add(figure.formatted("waypoint"), round, way, waypoint() / per);
      }
    }
  }

  // --- Many services

  private void scale(LineProcess controlPlane, int services) throws IOException {
    mesh.useControlPlane(Integer.parseInt(controlPlane.ask("serve " + mesh.apiServer())));
    changes("with 3 services");
    memory(controlPlane, "with 3 services");
    var with = "with %,d services".formatted(services);
    say("adding " + services + " services");
    mesh.addServices(services);
    mesh.awaitServices(services);
    changes(with);
    memory(controlPlane, with);
  }

  private void changes(String when) throws IOException {
    say("changed routes, " + when);
    // The first makes connections, and code that is not compiled yet.
    mesh.changeRoute();
    var used = new Used();
    List<Double> millis = new ArrayList<>();
    for (int i = 0; i < CHANGES; i++) {
      millis.add(mesh.changeRoute().toNanos() / 1e6);
    }
    var spread =
        Measurements.Spread.of(millis.stream().mapToDouble(Double::doubleValue).toArray())
            .orElseThrow();
    report.scale("a changed route in effect " + when + ", ms", spread);
    report.scale(
        "CPU of the waypoint for a changed route " + when + ", ms",
        used.waypoint() * 1e3 / CHANGES);
  }

  private void memory(LineProcess controlPlane, String when) throws IOException {
    settle();
    report.scale(
        "memory of the waypoint " + when + " (RSS), MiB",
        ProcessUsage.residentKibibytes(mesh.waypoint()) / 1024.0);
    var answer = controlPlane.ask("memory").split(" ");
    report.scale(
        "heap of the operator's control plane " + when + ", MiB",
        Long.parseLong(answer[1]) / 1024.0);
    report.scale(
        "memory of the operator's control plane " + when + " (RSS), MiB",
        ProcessUsage.residentKibibytes(Long.parseLong(answer[0])) / 1024.0);
  }

  /** What listeners were before is given back once their drain time is over. */
  private void settle() throws IOException {
    try {
      Thread.sleep(Duration.ofSeconds(settings.warmUpSeconds()));
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new IOException(e);
    }
  }

  private static void say(String what) {
    System.err.println(what);
  }
}
