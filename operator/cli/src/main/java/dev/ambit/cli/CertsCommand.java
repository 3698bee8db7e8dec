package dev.ambit.cli;

import com.fasterxml.jackson.databind.JsonNode;
import dev.ambit.cli.model.Ages;
import dev.ambit.cli.model.CertificateLine;
import dev.ambit.cli.model.Objects;
import dev.ambit.cli.output.Cell;
import dev.ambit.cli.output.Table;
import dev.ambit.cli.output.Tone;
import java.time.Instant;
import java.util.Comparator;
import java.util.List;
import java.util.function.Predicate;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

@Command(
    name = "certs",
    description = "Shows the certificates that the ztunnels hold, or that of one pod.",
    footer = "%nEnds with 1 where one cannot be used, or a ztunnel does not answer.")
final class CertsCommand extends ClusterCommand {
  private static final int FINGERPRINT_SHOWN = 16;

  @Parameters(
      index = "0",
      arity = "0..1",
      paramLabel = "POD",
      description = "A pod, NAME or NAMESPACE/NAME: the certificate of its service account.")
  private @Nullable String asked;

  @Option(names = "--node", paramLabel = "NODE", description = "That node's only.")
  private @Nullable String node;

  CertsCommand(Environment environment) {
    super(environment);
  }

  @Override
  int run() {
    String namespace = askedNamespace();
    String ofNode = node;
    Predicate<String> wanted =
        identity -> namespace == null || identity.contains("/ns/" + namespace + "/sa/");
    if (asked != null) {
      JsonNode pod = cluster().requirePod(Reference.parse(asked, "pod", namespaceOf(asked)));
      String suffix =
          "/ns/" + Objects.namespace(pod) + "/sa/" + Objects.text(pod, "/spec/serviceAccountName");
      ofNode = Objects.text(pod, "/spec/nodeName");
      wanted = identity -> identity.endsWith(suffix);
    }
    Predicate<String> filter = wanted;
    Dumps.Collected collected = Dumps.collect(environment.adminPort(), cluster(), ofNode);
    List<CertificateLine> lines =
        collected.orFail(environment).stream()
            .flatMap(dump -> dump.certificates())
            .filter(line -> filter.test(line.identity()))
            .sorted(
                Comparator.comparing(CertificateLine::node)
                    .thenComparing(CertificateLine::identity))
            .toList();
    if (asked != null && lines.isEmpty()) {
      throw Failure.refused(
          "the ztunnel of node "
              + ofNode
              + " holds no certificate for that pod: `ambit explain "
              + asked
              + "` says whether it is captured");
    }
    Instant now = environment.clock().instant();
    print(
        lines,
        page -> {
          Table table =
              new Table(
                  "NODE", "IDENTITY", "STATE", "SERIAL", "NOT BEFORE", "NOT AFTER", "LEFT", "ROOT");
          for (CertificateLine line : lines) {
            table.row(
                line.node(),
                line.identity(),
                Cell.of(line.state(), line.usable(now) ? Tone.GOOD : Tone.BAD),
                line.serial(),
                line.notBefore(),
                line.notAfter(),
                left(line, now),
                shortened(line.roots()));
          }
          page.table(table);
        });
    return collected.complete() && lines.stream().allMatch(line -> line.usable(now))
        ? ExitCode.OK
        : ExitCode.FINDINGS;
  }

  private static Cell left(CertificateLine line, Instant now) {
    if (line.notAfter().isEmpty()) {
      return Cell.of("");
    }
    return line.left(now).isPositive()
        ? Cell.of(Ages.of(line.left(now)), line.overdue(now) ? Tone.WARNING : Tone.PLAIN)
        : Cell.of("expired", Tone.BAD);
  }

  private static String shortened(List<String> roots) {
    return String.join(
        ",",
        roots.stream()
            .map(root -> root.substring(0, Math.min(FINGERPRINT_SHOWN, root.length())))
            .toList());
  }
}
