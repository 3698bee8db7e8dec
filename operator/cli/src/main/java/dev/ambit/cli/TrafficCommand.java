package dev.ambit.cli;

import com.fasterxml.jackson.databind.JsonNode;
import dev.ambit.cli.model.Objects;
import dev.ambit.cli.model.TrafficExplanation;
import dev.ambit.cli.model.TrafficExplanation.Target;
import dev.ambit.cli.model.ZtunnelDump;
import dev.ambit.cli.output.Cell;
import dev.ambit.cli.output.Page;
import dev.ambit.cli.output.Table;
import dev.ambit.cli.output.Tone;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import picocli.CommandLine.Command;
import picocli.CommandLine.Parameters;

@Command(
    name = "traffic",
    description =
        "Says which way a connection takes from a pod to a service or a pod, with which identities,"
            + " and whether policies let it in.",
    footer = "%nEnds with 1 where it is not let in everywhere.")
final class TrafficCommand extends ClusterCommand {
  private static final Pattern PORT = Pattern.compile("(.+):(\\d{1,5})");

  @Parameters(
      index = "0",
      paramLabel = "POD",
      description = "The pod that opens it: NAME or NAMESPACE/NAME.")
  @SuppressWarnings("NullAway.Init") // set by the parser
  private String from;

  @Parameters(
      index = "1",
      paramLabel = "TO",
      description =
          "NAME or NAMESPACE/NAME of a service, else of a pod; svc/ or pod/ before it says which."
              + " :PORT after it, where it is not the first.")
  @SuppressWarnings("NullAway.Init") // set by the parser
  private String to;

  TrafficCommand(Environment environment) {
    super(environment);
  }

  @Override
  int run() {
    JsonNode source = cluster().requirePod(Reference.parse(from, "pod", namespaceOf(from)));
    Target target = target(Objects.namespace(source));
    Dumps.Collected collected = Dumps.collect(environment.adminPort(), cluster(), null);
    List<ZtunnelDump> dumps = collected.orFail(environment);
    TrafficExplanation explanation;
    try {
      explanation = TrafficExplanation.of(source, target, dumps, waypointPolicies(target));
    } catch (IllegalArgumentException e) {
      throw Failure.refused(String.valueOf(e.getMessage()));
    }
    print(explanation, page -> write(page, explanation));
    return explanation.verdict().equals("Allowed") ? ExitCode.OK : ExitCode.FINDINGS;
  }

  private Target target(String namespace) {
    Matcher matcher = PORT.matcher(to);
    String object = matcher.matches() ? matcher.group(1) : to;
    Integer port = matcher.matches() ? Integer.valueOf(matcher.group(2)) : null;
    String rest = object.replaceFirst("^(svc|service|pod)/", "");
    boolean onlyPod = object.startsWith("pod/");
    boolean onlyService = !onlyPod && !rest.equals(object);
    String own = askedNamespace() == null ? namespace : askedNamespace();
    Reference reference = Reference.parse(rest, onlyPod ? "pod" : "service", own);
    Optional<JsonNode> service =
        onlyPod
            ? Optional.empty()
            : cluster()
                .get(
                    Cluster.path("/api/v1", "services", reference.namespace())
                        + "/"
                        + reference.name());
    if (service.isPresent()) {
      return new Target.OfService(
          reference.namespace(),
          reference.name(),
          port == null ? service.get().at("/spec/ports/0/port").asInt() : port);
    }
    if (onlyService) {
      throw Failure.refused("there is no service '" + reference + "'");
    }
    JsonNode pod =
        cluster()
            .get(Cluster.path("/api/v1", "pods", reference.namespace()) + "/" + reference.name())
            .orElseThrow(
                () -> Failure.refused("there is no service and no pod '" + reference + "'"));
    int first = pod.at("/spec/containers/0/ports/0/containerPort").asInt();
    if (port == null && first == 0) {
      throw Failure.usage("the pod names no port: say which, " + to + ":PORT");
    }
    return new Target.OfPod(reference.namespace(), reference.name(), port == null ? first : port);
  }

  /** Policies that are attached to the service, or to a Gateway of its namespace. */
  private List<String> waypointPolicies(Target target) {
    return cluster()
        .list(Cluster.SECURITY_API, "authorizationpolicies", target.namespace(), "")
        .stream()
        .filter(policy -> attached(policy, target))
        .map(
            policy ->
                Objects.namespace(policy)
                    + "/"
                    + Objects.name(policy)
                    + " ("
                    + (Objects.text(policy, "/spec/action").isEmpty()
                        ? "ALLOW"
                        : Objects.text(policy, "/spec/action"))
                    + ")")
        .toList();
  }

  private static boolean attached(JsonNode policy, Target target) {
    return Stream.concat(
            Objects.items(policy, "/spec/targetRefs").stream(),
            Stream.of(policy.at("/spec/targetRef")).filter(JsonNode::isObject))
        .anyMatch(
            reference ->
                Objects.text(reference, "/kind").equals("Gateway")
                    || (Set.of("Service", "ServiceEntry").contains(Objects.text(reference, "/kind"))
                        && Objects.text(reference, "/name").equals(target.name())));
  }

  private static void write(Page page, TrafficExplanation explanation) {
    page.line(
        switch (explanation.verdict()) {
          case "Allowed" -> "The connection is let in.";
          case "Denied" -> "The connection is denied.";
          case "Mixed" -> "The connection is let in at some endpoints and denied at others.";
          default -> "The connection gets nowhere.";
        },
        explanation.verdict().equals("Allowed") ? Tone.GOOD : Tone.BAD);
    explanation.notes().forEach(page::line);
    page.gap();
    page.field("from", Cell.of(explanation.source()));
    page.field("identity", Cell.of(explanation.identity()));
    page.field("to", Cell.of(explanation.destination() + ":" + explanation.port()));
    Table hops = new Table("HOP", "NAME", "SHOWS", "");
    explanation
        .hops()
        .forEach(hop -> hops.row(hop.kind(), hop.name(), Cell.of(hop.identity()), hop.what()));
    page.gap().table(hops);
    if (!explanation.endpoints().isEmpty()) {
      Table endpoints =
          new Table("ENDPOINT", "ADDRESS", "TRANSPORT", "SEEN AS", "MTLS", "VERDICT", "BY");
      explanation
          .endpoints()
          .forEach(
              each ->
                  endpoints.row(
                      each.workload(),
                      each.address() + ":" + each.port(),
                      Cell.of(
                          each.transport(),
                          each.transport().equals("HBONE") ? Tone.GOOD : Tone.WARNING),
                      Cell.of(each.seenAs()),
                      each.mtls(),
                      Cell.of(
                          each.verdict(), each.verdict().equals("Allowed") ? Tone.GOOD : Tone.BAD),
                      Cell.of(each.by())));
      page.gap().table(endpoints);
    }
    policies(page, explanation);
    if (!explanation.waypointPolicies().isEmpty()) {
      page.gap()
          .line(
              "The waypoint judges each request by: "
                  + String.join(", ", explanation.waypointPolicies()));
    }
  }

  private static void policies(Page page, TrafficExplanation explanation) {
    Table policies = new Table("POLICY", "AT", "ACTION", "SCOPE", "MATCHES");
    for (TrafficExplanation.Endpoint endpoint : explanation.endpoints()) {
      for (TrafficExplanation.Judgement each : endpoint.policies()) {
        policies.row(
            each.policy(),
            endpoint.workload(),
            each.action() + (each.dryRun() ? " (dry run)" : ""),
            each.scope(),
            each.matches() ? "yes" : "no");
      }
    }
    if (!policies.isEmpty()) {
      page.gap().table(policies);
    }
  }
}
