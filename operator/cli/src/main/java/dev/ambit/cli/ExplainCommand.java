package dev.ambit.cli;

import com.fasterxml.jackson.databind.JsonNode;
import dev.ambit.cli.model.Ages;
import dev.ambit.cli.model.NodeStatus;
import dev.ambit.cli.model.Objects;
import dev.ambit.cli.model.PodExplanation;
import dev.ambit.cli.output.Cell;
import dev.ambit.cli.output.Page;
import dev.ambit.cli.output.Table;
import dev.ambit.cli.output.Tone;
import java.time.Instant;
import java.util.List;
import java.util.Set;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Parameters;

@Command(
    name = "explain",
    description =
        "Says why a pod is captured or not, which rule decided, and what its node reports.",
    footer = "%nEnds with 1 where the pod's node has not done what was decided.")
final class ExplainCommand extends ClusterCommand {
  @Parameters(
      index = "0",
      arity = "0..1",
      paramLabel = "POD",
      description = "NAME or NAMESPACE/NAME of a pod.")
  private @Nullable String asked;

  ExplainCommand(Environment environment) {
    super(environment);
  }

  @Override
  int run() {
    if (asked == null) {
      throw Failure.usage("say which pod: `ambit explain POD`, or `ambit explain traffic POD TO`");
    }
    Reference reference = Reference.parse(asked, "pod", namespaceOf(asked));
    Cluster cluster = cluster();
    JsonNode pod = cluster.requirePod(reference);
    String node = Objects.text(pod, "/spec/nodeName");
    List<NodeStatus> nodes =
        node.isEmpty()
            ? List.of()
            : NodeStatus.of(
                Set.of(node),
                cluster.componentPods("ambit-ztunnel"),
                cluster.componentPods("ambit-agent"));
    PodExplanation explanation =
        PodExplanation.of(
            pod, cluster.surroundings(reference.namespace()), nodes, events(reference));
    print(explanation, page -> write(page, explanation, environment.clock().instant()));
    return explanation.asDecided() ? ExitCode.OK : ExitCode.FINDINGS;
  }

  /** What Ambit has reported of the pod. */
  private List<JsonNode> events(Reference pod) {
    return cluster()
        .list(
            "/api/v1",
            "events",
            pod.namespace(),
            Cluster.fieldSelector("involvedObject.kind=Pod,involvedObject.name=" + pod.name()))
        .stream()
        .filter(ExplainCommand::isAmbits)
        .toList();
  }

  /** Whether one of Ambit's programs has reported it. */
  static boolean isAmbits(JsonNode event) {
    return Objects.text(event, "/source/component").startsWith("ambit-")
        || Objects.text(event, "/reportingComponent").startsWith("ambit.dev/");
  }

  private static void write(Page page, PodExplanation explanation, Instant now) {
    page.line(explanation.verdict(), explanation.asDecided() ? Tone.HEADING : Tone.WARNING);
    if (explanation.advice() != null) {
      page.line(explanation.advice());
    }
    page.gap();
    page.field("pod", Cell.of(explanation.namespace() + "/" + explanation.pod()));
    page.field("node", Cell.of(explanation.node()));
    page.field(
        "decision",
        Cell.of(
            explanation.reason() == null
                ? explanation.decision()
                : explanation.decision() + " (" + explanation.reason() + ")"));
    page.field("redirection", Cell.of(explanation.redirection()));
    NodeStatus node = explanation.nodeStatus();
    if (node != null) {
      page.field("agent", component(node.agent(), node.agentReady()));
      page.field("ztunnel", component(node.ztunnel(), node.ztunnelReady()));
    }
    Table rules = new Table("RULE", "DECIDED", "SAYS");
    explanation
        .rules()
        .forEach(
            rule ->
                rules.row(
                    rule.rule(),
                    rule.decides() ? Cell.of("here", Tone.GOOD) : Cell.of(""),
                    rule.says()));
    page.gap().table(rules);
    if (!explanation.events().isEmpty()) {
      Table events = new Table("WHEN", "TYPE", "REASON", "MESSAGE");
      explanation
          .events()
          .forEach(
              event ->
                  events.row(
                      Ages.since(event.time(), now) + " ago",
                      Cell.of(
                          event.type(), event.type().equals("Normal") ? Tone.PLAIN : Tone.WARNING),
                      event.reason(),
                      event.message()));
      page.gap().table(events);
    }
  }

  private static Cell component(String pod, boolean ready) {
    return pod.isEmpty()
        ? Cell.of("none on this node", Tone.BAD)
        : Cell.of(pod + (ready ? ", ready" : ", not ready"), ready ? Tone.GOOD : Tone.BAD);
  }
}
