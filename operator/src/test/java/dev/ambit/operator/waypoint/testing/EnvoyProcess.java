package dev.ambit.operator.waypoint.testing;

import static org.awaitility.Awaitility.await;

import com.google.protobuf.Message;
import java.io.IOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;

/**
 * The real Envoy with a bootstrap configuration of the test's.
 *
 * <p>{@link #validate} loads a configuration and ends, which finds what Envoy would reject. {@link
 * #start} runs it; its administration interface is reached by {@link #admin} where the bootstrap
 * puts it on a loopback port (0 lets the kernel choose one).
 */
public final class EnvoyProcess implements AutoCloseable {
  private static final Duration PATIENCE = Duration.ofSeconds(30);
  private static final HttpClient HTTP = HttpClient.newHttpClient();

  private final Process process;
  private final Path adminAddress;
  private final List<String> log = new ArrayList<>();
  private final Thread reader;

  private EnvoyProcess(Process process, Path adminAddress) {
    this.process = process;
    this.adminAddress = adminAddress;
    this.reader = Thread.ofPlatform().daemon().name("log-envoy").start(this::read);
  }

  /**
   * How an attempt to load a configuration ended.
   *
   * @param output says why it was rejected, where it was
   */
  public record Validation(boolean accepted, String output) {}

  /** Loads a bootstrap configuration, opening nothing. */
  public static Validation validate(Path folder, Message bootstrap) {
    return validate(write(folder, bootstrap));
  }

  /** Loads a bootstrap configuration in JSON or YAML, opening nothing. */
  public static Validation validate(Path folder, String bootstrap) {
    return validate(write(folder, bootstrap));
  }

  private static Validation validate(Path configuration) {
    try (EnvoyProcess envoy =
        launch(
            configuration,
            new Launch(List.of(), List.of("--mode", "validate", "-l", "warning"), Map.of()))) {
      return new Validation(envoy.awaitExit() == 0, envoy.logText());
    }
  }

  /**
   * How it is started.
   *
   * @param prefix of the command, such as one that enters a network namespace
   * @param arguments besides those that each has
   */
  public record Launch(
      List<String> prefix, List<String> arguments, Map<String, String> environment) {
    /** As any other program. */
    public static final Launch PLAIN =
        new Launch(List.of(), List.of("--concurrency", "1"), Map.of());
  }

  /** Runs a bootstrap configuration. */
  public static EnvoyProcess start(Path folder, Message bootstrap) {
    return launch(write(folder, bootstrap), Launch.PLAIN);
  }

  /** Runs a bootstrap configuration in JSON or YAML. */
  public static EnvoyProcess start(Path folder, String bootstrap) {
    return launch(write(folder, bootstrap), Launch.PLAIN);
  }

  /** Runs a bootstrap configuration in JSON or YAML. */
  public static EnvoyProcess start(Path folder, String bootstrap, Launch launch) {
    return launch(write(folder, bootstrap), launch);
  }

  /** Runs it with these arguments, which name the configuration, and no others. */
  public static EnvoyProcess start(
      List<String> prefix, List<String> arguments, Map<String, String> environment) {
    List<String> command = new ArrayList<>(prefix);
    command.add(EnvoyBinary.require().toString());
    command.addAll(arguments);
    return new EnvoyProcess(run(command, environment), Path.of("/nonexistent"));
  }

  private static Path write(Path folder, Message bootstrap) {
    try {
      return Files.write(folder.resolve("bootstrap.pb"), bootstrap.toByteArray());
    } catch (IOException e) {
      throw new IllegalStateException("no bootstrap in " + folder, e);
    }
  }

  private static Path write(Path folder, String bootstrap) {
    try {
      return Files.writeString(folder.resolve("bootstrap.yaml"), bootstrap);
    } catch (IOException e) {
      throw new IllegalStateException("no bootstrap in " + folder, e);
    }
  }

  private static EnvoyProcess launch(Path configuration, Launch launch) {
    Path adminAddress = configuration.resolveSibling("admin-address");
    List<String> command = new ArrayList<>(launch.prefix());
    command.add(EnvoyBinary.require().toString());
    command.addAll(
        List.of(
            "-c",
            configuration.toString(),
            "--admin-address-path",
            adminAddress.toString(),
            // Several run on one machine.
            "--disable-hot-restart"));
    command.addAll(launch.arguments());
    try {
      Files.deleteIfExists(adminAddress);
    } catch (IOException e) {
      throw new IllegalStateException("cannot remove " + adminAddress, e);
    }
    return new EnvoyProcess(run(command, launch.environment()), adminAddress);
  }

  private static Process run(List<String> command, Map<String, String> environment) {
    try {
      ProcessBuilder builder = new ProcessBuilder(command).redirectErrorStream(true);
      builder.environment().putAll(environment);
      return builder.start();
    } catch (IOException e) {
      throw new IllegalStateException("cannot start Envoy", e);
    }
  }

  private void read() {
    try (var lines = process.inputReader(StandardCharsets.UTF_8)) {
      for (String line = lines.readLine(); line != null; line = lines.readLine()) {
        synchronized (log) {
          log.add(line);
        }
      }
    } catch (IOException ended) {
      // The process is gone, and with it its output.
    }
  }

  /** What it has written so far, on both of its streams. */
  public List<String> log() {
    synchronized (log) {
      return List.copyOf(log);
    }
  }

  public String logText() {
    return String.join("\n", log());
  }

  public long pid() {
    return process.pid();
  }

  public boolean isAlive() {
    return process.isAlive();
  }

  /** Where its administration interface is, as "address:port", once it has begun. */
  public String adminAddress() {
    await("the address of Envoy's administration interface")
        .atMost(PATIENCE)
        .pollInterval(Duration.ofMillis(20))
        .failFast("Envoy ended", () -> !process.isAlive())
        .until(() -> Files.exists(adminAddress) && Files.size(adminAddress) > 0);
    try {
      return Files.readString(adminAddress);
    } catch (IOException e) {
      throw new IllegalStateException(e);
    }
  }

  /** Asks its administration interface; that path with GET, such as "/stats". */
  public HttpResponse<String> admin(String path) throws IOException {
    return admin("GET", path);
  }

  /** Asks its administration interface. */
  public HttpResponse<String> admin(String method, String path) throws IOException {
    try {
      return HTTP.send(
          HttpRequest.newBuilder(URI.create("http://" + adminAddress() + path))
              .method(method, HttpRequest.BodyPublishers.noBody())
              .timeout(Duration.ofSeconds(10))
              .build(),
          HttpResponse.BodyHandlers.ofString());
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new IllegalStateException(e);
    }
  }

  /** Waits until it serves: it has all that it was told to wait for. */
  public EnvoyProcess awaitReady() {
    await("Envoy to be ready")
        .atMost(PATIENCE)
        .pollInterval(Duration.ofMillis(20))
        .failFast("Envoy ended", () -> !process.isAlive())
        .ignoreExceptionsInstanceOf(IOException.class)
        .until(() -> admin("/ready").statusCode() == 200);
    return this;
  }

  /** The value of one counter or gauge; 0 where it has none of that name. */
  public long stat(String name) throws IOException {
    return admin(
            "/stats?usedonly&filter="
                + java.net.URLEncoder.encode(
                    "^" + java.util.regex.Pattern.quote(name) + "$", StandardCharsets.UTF_8))
        .body()
        .lines()
        .map(line -> line.substring(line.lastIndexOf(' ') + 1))
        .mapToLong(Long::parseLong)
        .findFirst()
        .orElse(0);
  }

  /** The port of one of its listeners, where the kernel chose it. */
  public int port(String listener) throws IOException {
    return admin("/listeners")
        .body()
        .lines()
        .filter(line -> line.startsWith(listener + "::"))
        .map(line -> Integer.parseInt(line.substring(line.lastIndexOf(':') + 1)))
        .findFirst()
        .orElseThrow(() -> new IllegalStateException("no listener " + listener));
  }

  /** Asks it to end (SIGTERM), which it does at once, without draining. */
  public void terminate() {
    // Through the handle, since Process.destroy also closes the pipe that its log comes through.
    process.toHandle().destroy();
  }

  /** Waits until it has ended and returns its exit code. */
  public int awaitExit() {
    try {
      if (!process.waitFor(PATIENCE.toMillis(), TimeUnit.MILLISECONDS)) {
        throw new IllegalStateException("Envoy has not ended:\n" + logText());
      }
      reader.join(PATIENCE);
      return process.exitValue();
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new IllegalStateException(e);
    }
  }

  @Override
  public void close() {
    if (process.isAlive()) {
      process.destroyForcibly();
    }
    try {
      process.waitFor();
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }
}
