package dev.ambit.k3s;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.TimeUnit;
import java.util.regex.Pattern;

/**
 * Tests in Go that a script of {@code test-k3s/bin} has compiled to a program in a folder of {@code
 * .build}, run against the cluster.
 */
final class GoTests {
  private static final Pattern RESULT =
      Pattern.compile("^ *--- (PASS|FAIL|SKIP): (\\S+) \\(", Pattern.MULTILINE);
  private static final int END = 2000;

  /**
   * What became of them.
   *
   * @param byName {@code PASS}, {@code FAIL} or {@code SKIP} of each test and each of its parts
   * @param log where all is that the program printed
   */
  record Results(Map<String, String> byName, Path log) {
    /** The names of those with that result. */
    List<String> with(String result) {
      return byName.entrySet().stream()
          .filter(each -> each.getValue().equals(result))
          .map(Map.Entry::getKey)
          .toList();
    }

    /** The last that was printed. */
    String end() {
      try {
        var text = Files.readString(log);
        return text.substring(Math.max(0, text.length() - END));
      } catch (IOException e) {
        return e.toString();
      }
    }
  }

  private final String name;

  /**
   * @param name of the script and of the folder
   */
  GoTests(String name) {
    this.name = name;
  }

  Path folder() {
    return Checkout.root().resolve(".build").resolve(name);
  }

  /** Aborts the test, or in CI fails it, where the program has not been built. */
  void requireBuilt() {
    ClusterExtension.require(
        Files.isExecutable(program()), program() + "; run test-k3s/bin/" + name);
  }

  private Path program() {
    return folder().resolve(name + ".test");
  }

  /** Runs them in the folder of their sources; ended where they take longer than that. */
  Results run(TwoNodeCluster cluster, long minutes, String... arguments)
      throws IOException, InterruptedException {
    requireBuilt();
    var log = folder().resolve("log");
    var kubeconfig = Files.createTempFile("kubeconfig", ".yaml");
    try {
      Files.writeString(kubeconfig, cluster.kubeconfig());
      var command = new ArrayList<String>();
      command.add(program().toString());
      command.addAll(List.of("-test.v", "-test.timeout=" + minutes + "m"));
      command.addAll(List.of(arguments));
      var builder =
          new ProcessBuilder(command)
              .directory(Checkout.root().resolve("test-k3s").resolve(name).toFile())
              .redirectErrorStream(true)
              .redirectOutput(log.toFile());
      builder.environment().put("KUBECONFIG", kubeconfig.toString());
      var process = builder.start();
      if (!process.waitFor(minutes + 1, TimeUnit.MINUTES)) {
        process.destroyForcibly().waitFor();
      }
    } finally {
      Files.delete(kubeconfig);
    }
    var results = new TreeMap<String, String>();
    RESULT
        .matcher(Files.readString(log))
        .results()
        .forEach(match -> results.put(match.group(2), match.group(1)));
    return new Results(results, log);
  }
}
