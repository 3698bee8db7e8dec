package dev.ambit.docs;

import static org.assertj.core.api.Assertions.assertThat;

import dev.ambit.api.Phase;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Set;
import java.util.TreeMap;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import org.junit.jupiter.api.Test;

/** The operations guide says of every reason that Ambit gives what it means and what to do. */
class OperationsGuideTest {
  private static final Path TOP = Path.of("..");

  /** The programs that write conditions, findings and Events. */
  private static final List<Path> SOURCES =
      List.of(
          TOP.resolve("crds/src/main/java"),
          TOP.resolve("operator/src/main/java"),
          TOP.resolve("dataplane/agent/src/main/java"));

  /** The first cell of a row, or the one after it: reasons in code, one or several. */
  private static final Pattern ROW = Pattern.compile("^\\| (`[^|]*`) \\|", Pattern.MULTILINE);

  private static final Pattern CODE = Pattern.compile("`([^`]+)`");

  private static Set<String> explained() throws IOException {
    var guide = Files.readString(TOP.resolve("docs/operations.md"));
    return ROW.matcher(guide)
        .results()
        .flatMap(row -> CODE.matcher(row.group(1)).results())
        .map(code -> code.group(1))
        .collect(Collectors.toSet());
  }

  @Test
  void everyReasonHasARow() throws IOException {
    var reasons = new TreeMap<>(ReasonsInSource.of(SOURCES));
    assertThat(reasons).containsKeys("AllPodsCaptured", "ZtunnelNotReady", "CaptureFailed");
    // Each step of an enrollment is an Event whose reason is the phase.
    Arrays.stream(Phase.values()).map(Phase::text).forEach(reasons::remove);
    reasons.keySet().removeAll(explained());
    assertThat(reasons)
        .as("reasons, and the files that give them, without a row in docs/operations.md")
        .isEmpty();
  }

  @Test
  void everyPhaseHasARow() throws IOException {
    assertThat(explained())
        .contains(Arrays.stream(Phase.values()).map(Phase::text).toArray(String[]::new));
  }
}
