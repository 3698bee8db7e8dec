package dev.ambit.ztunnel.bench;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Instant;
import java.time.ZoneOffset;
import java.time.format.DateTimeFormatter;
import java.util.Arrays;

/**
 * Measures, or joins the results of earlier measurements.
 *
 * <p>Arguments: the folder for results, then either nothing or {@code join} and folders of earlier
 * results. Runs in the ztunnel's folder of a checkout.
 */
public final class Bench {
  private static final DateTimeFormatter NAME =
      DateTimeFormatter.ofPattern("yyyy-MM-dd-HHmmss").withZone(ZoneOffset.UTC);

  private Bench() {}

  /** Does as the class says. */
  public static void main(String[] arguments) throws IOException {
    var folder = Files.createDirectories(Path.of(arguments[0], NAME.format(Instant.now())));
    run(folder, arguments);
    // Threads of the control plane's libraries would go on.
    System.exit(0);
  }

  private static void run(Path folder, String[] arguments) throws IOException {
    var measurements = new Measurements();
    if (arguments.length > 1 && arguments[1].equals("join")) {
      for (var earlier : Arrays.asList(arguments).subList(2, arguments.length)) {
        measurements.addAll(ResultsFile.read(Path.of(earlier)));
      }
    } else {
      measure(BenchSettings.of(System.getenv(), folder), measurements);
    }
    publish(folder, measurements);
  }

  private static void publish(Path folder, Measurements measurements) throws IOException {
    ResultsFile.write(folder, measurements);
    var report = new Report(measurements);
    Files.writeString(folder.resolve("results.md"), report.markdown());
    Files.writeString(folder.resolve("chart.svg"), new Chart(measurements).svg());
    System.out.println(report.markdown());
    System.out.println("results: " + folder.toAbsolutePath().normalize());
  }

  static void measure(BenchSettings settings, Measurements measurements) throws IOException {
    var subjects = Subject.all();
    try (var servers = LineProcess.start(BenchServer.class);
        var client = LineProcess.start(BenchClient.class)) {
      for (int number = 1; number <= settings.rounds(); number++) {
        try (var round = new Round(number, settings, measurements, servers, client)) {
          round.prepare(subjects);
          round.run();
        }
      }
    }
  }
}
