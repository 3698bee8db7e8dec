package dev.ambit.cli;

import dev.ambit.cli.model.ZtunnelDump.ConnectionLine;
import dev.ambit.cli.output.Cell;
import dev.ambit.cli.output.Table;
import dev.ambit.cli.output.Tone;
import java.util.Comparator;
import java.util.List;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

@Command(
    name = "connections",
    description =
        "Shows the connections that are open in the mesh, of all pods, of --namespace, or of one pod.",
    footer = "%nEnds with 1 where a ztunnel does not answer.")
final class ConnectionsCommand extends ClusterCommand {
  @Parameters(
      index = "0",
      arity = "0..1",
      paramLabel = "POD",
      description = "A pod, NAME or NAMESPACE/NAME.")
  private @Nullable String asked;

  @Option(names = "--node", paramLabel = "NODE", description = "That node's only.")
  private @Nullable String node;

  @Option(names = "--plain", description = "Only those that are not in a tunnel.")
  private boolean plain;

  ConnectionsCommand(Environment environment) {
    super(environment);
  }

  @Override
  int run() {
    Reference pod = asked == null ? null : Reference.parse(asked, "pod", namespaceOf(asked));
    String namespace = pod == null ? askedNamespace() : pod.namespace();
    Dumps.Collected collected = Dumps.collect(environment.adminPort(), cluster(), node);
    List<ConnectionLine> lines =
        collected.orFail(environment).stream()
            .flatMap(dump -> dump.connections().stream())
            .filter(line -> namespace == null || line.namespace().equals(namespace))
            .filter(line -> pod == null || line.pod().equals(pod.name()))
            .filter(line -> !plain || !line.isSecured())
            .sorted(
                Comparator.comparing(ConnectionLine::namespace)
                    .thenComparing(ConnectionLine::pod)
                    .thenComparing(ConnectionLine::direction)
                    .thenComparing(ConnectionLine::source))
            .toList();
    print(
        lines,
        page -> {
          if (lines.isEmpty()) {
            page.line("No connection is open.");
            return;
          }
          Table table =
              new Table("POD", "NODE", "DIRECTION", "FROM", "ASKED FOR", "TO", "PROTOCOL", "PEER");
          for (ConnectionLine line : lines) {
            table.row(
                line.namespace() + "/" + line.pod(),
                line.node(),
                line.direction(),
                line.source(),
                line.asked(),
                line.destination(),
                Cell.of(line.protocol(), line.isSecured() ? Tone.GOOD : Tone.WARNING),
                line.peerIdentity());
          }
          page.table(table);
        });
    return collected.complete() ? ExitCode.OK : ExitCode.FINDINGS;
  }
}
