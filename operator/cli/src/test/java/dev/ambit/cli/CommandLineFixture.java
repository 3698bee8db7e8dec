package dev.ambit.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.PrintStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Instant;
import java.time.InstantSource;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.stream.Stream;

/** Runs the command line in this process against a fake API server, as a person would. */
final class CommandLineFixture implements AutoCloseable {
  static final Instant NOW = Instant.parse("2026-11-29T12:00:00Z");

  final FakeApiServer server = new FakeApiServer();
  final Path folder;
  InstantSource clock = InstantSource.fixed(NOW);
  boolean terminal;

  /** What ztunnels and waypoints answer, by the pod's name and the path. */
  final Map<String, String> adminAnswers = new HashMap<>();

  Map<String, String> variables = Map.of();

  CommandLineFixture() {
    try {
      folder = Files.createTempDirectory("ambit-cli");
      Files.writeString(
          folder.resolve("kubeconfig"),
          """
          apiVersion: v1
          kind: Config
          current-context: test
          contexts:
          - name: test
            context: {cluster: test, user: test, namespace: shop}
          clusters:
          - name: test
            cluster: {server: "%s"}
          users:
          - name: test
            user: {}
          """
              .formatted(server.url()));
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /** What a run left. */
  record Result(int exitCode, String out, String err) {
    Result exits(int code) {
      assertThat(exitCode).as(out + err).isEqualTo(code);
      return this;
    }

    /**
     * The output is what is in the file {@code expected/NAME}. With {@code -Dambit.expected=write}
     * the files are written instead, to be read through.
     */
    Result printed(String name) {
      if ("write".equals(System.getProperty("ambit.expected"))) {
        try {
          Files.writeString(Path.of("src/test/resources/expected", name), out);
        } catch (IOException e) {
          throw new UncheckedIOException(e);
        }
        return this;
      }
      assertThat(out).isEqualTo(resource("expected/" + name));
      return this;
    }
  }

  Result run(String... arguments) {
    List<String> all = new ArrayList<>(List.of(arguments));
    if (all.stream().noneMatch(each -> each.startsWith("--kubeconfig"))) {
      all.add("--kubeconfig=" + folder.resolve("kubeconfig"));
    }
    return plain(all.toArray(String[]::new));
  }

  /** Without a kubeconfig. */
  Result plain(String... arguments) {
    ByteArrayOutputStream out = new ByteArrayOutputStream();
    ByteArrayOutputStream err = new ByteArrayOutputStream();
    int exitCode = Ambit.run(environment(out, err), arguments);
    return new Result(
        exitCode, out.toString(StandardCharsets.UTF_8), err.toString(StandardCharsets.UTF_8));
  }

  /** A command that goes on until it is interrupted. */
  record Running(Thread thread, ByteArrayOutputStream output) {
    String out() {
      return output.toString(StandardCharsets.UTF_8);
    }
  }

  /** Begins one. */
  Running start(String... arguments) {
    ByteArrayOutputStream out = new ByteArrayOutputStream();
    List<String> all = new ArrayList<>(List.of(arguments));
    all.add("--kubeconfig=" + folder.resolve("kubeconfig"));
    Environment environment = environment(out, new ByteArrayOutputStream());
    return new Running(
        Thread.ofVirtual()
            .start(
                () -> {
                  var unused = Ambit.run(environment, all.toArray(String[]::new));
                }),
        out);
  }

  private Environment environment(ByteArrayOutputStream out, ByteArrayOutputStream err) {
    return new Environment(
        new PrintStream(out, true, StandardCharsets.UTF_8),
        new PrintStream(err, true, StandardCharsets.UTF_8),
        terminal,
        variables,
        clock,
        folder,
        (_, _, pod, _, path) -> {
          String answer = adminAnswers.get(pod + path);
          if (answer == null) {
            throw new IOException("connection refused");
          }
          return answer;
        });
  }

  static String resource(String name) {
    try (InputStream file =
        Objects.requireNonNull(
            CommandLineFixture.class.getResourceAsStream("/" + name), "no resource " + name)) {
      return new String(file.readAllBytes(), StandardCharsets.UTF_8);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  @Override
  public void close() {
    server.close();
    try (Stream<Path> files = Files.walk(folder)) {
      for (Path file : files.sorted(Comparator.reverseOrder()).toList()) {
        Files.delete(file);
      }
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }
}
