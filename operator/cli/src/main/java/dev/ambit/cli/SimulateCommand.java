package dev.ambit.cli;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.ambit.cli.model.AccessLine;
import dev.ambit.cli.model.Objects;
import dev.ambit.cli.model.RequestLine;
import dev.ambit.cli.model.RequestSimulation;
import dev.ambit.cli.model.Simulation;
import dev.ambit.cli.output.Cell;
import dev.ambit.cli.output.Page;
import dev.ambit.cli.output.ProgressBar;
import dev.ambit.cli.output.Table;
import dev.ambit.cli.output.Tone;
import dev.ambit.operator.model.PolicyTranslator;
import dev.ambit.operator.model.TrustDomains;
import dev.ambit.operator.waypoint.life.model.WaypointLabels;
import io.fabric8.istio.api.security.v1.AuthorizationPolicy;
import io.fabric8.kubernetes.client.KubernetesClientException;
import io.fabric8.kubernetes.client.utils.KubernetesSerialization;
import java.net.HttpURLConnection;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

@Command(
    name = "simulate",
    description =
        "Says which connections and requests of the last hour policies in a file would have denied"
            + " or let in, by the access logs of ztunnels and waypoints.",
    footer = "%nEnds with 1 where something that was let in would have been denied.")
final class SimulateCommand extends ClusterCommand {
  private static final int MOST_LOG_BYTES = 64 << 20;

  private static final String ZTUNNEL_CONTAINER = "ztunnel";
  private static final String WAYPOINT_CONTAINER = "istio-proxy";

  /** What policies may be attached to that logs tell of. */
  private static final Set<String> TARGETS = Set.of("Service", "Gateway", "GatewayClass");

  @Option(
      names = {"-f", "--file"},
      paramLabel = "FILE",
      required = true,
      description =
          "YAML with one or more AuthorizationPolicies; they take the place of those of the same"
              + " name.")
  @SuppressWarnings("NullAway.Init") // set by the parser
  private Path file;

  @Option(
      names = "--since",
      paramLabel = "TIME",
      description = "How far back, such as 30m; by default ${DEFAULT-VALUE}.",
      defaultValue = "1h",
      converter = TimeConverter.class)
  @SuppressWarnings("NullAway.Init") // set by the parser
  private Duration since;

  private final KubernetesSerialization serialization =
      new KubernetesSerialization(new ObjectMapper(), false);

  SimulateCommand(Environment environment) {
    super(environment);
  }

  @Override
  int run() {
    List<AuthorizationPolicy> policies = read();
    Cluster cluster = cluster();
    List<AuthorizationPolicy> existing =
        cluster.list(Cluster.SECURITY_API, "authorizationpolicies", null, "").stream()
            .map(policy -> serialization.convertValue(policy, AuthorizationPolicy.class))
            .toList();
    Map<Boolean, List<AuthorizationPolicy>> atWaypoints =
        policies.stream().collect(Collectors.partitioningBy(PolicyTranslator::isForWaypoints));
    List<AuthorizationPolicy> atZtunnels = atWaypoints.getOrDefault(false, List.of());
    List<String> notes = new ArrayList<>();
    TrustDomains trustDomains = trustDomains(cluster.mesh());
    Simulation simulation =
        Simulation.of(
                atZtunnels,
                atZtunnels.isEmpty() ? List.of() : lines(notes),
                new Simulation.Surroundings(
                    existing, labels(), cluster.rootNamespace(), trustDomains))
            .with(
                requests(atWaypoints.getOrDefault(true, List.of()), existing, trustDomains, notes));
    notes.forEach(note -> environment.err().println("ambit: " + note));
    boolean connections = !atZtunnels.isEmpty();
    print(simulation, page -> write(page, simulation, connections));
    return simulation.refusesMore() ? ExitCode.FINDINGS : ExitCode.OK;
  }

  private @Nullable RequestSimulation requests(
      List<AuthorizationPolicy> policies,
      List<AuthorizationPolicy> existing,
      TrustDomains trustDomains,
      List<String> notes) {
    if (policies.isEmpty()) {
      return null;
    }
    List<RequestSimulation.WaypointLog> logs = waypointLogs(notes);
    RequestSimulation simulation =
        RequestSimulation.of(
            policies,
            logs,
            existing.stream().filter(PolicyTranslator::isForWaypoints).toList(),
            trustDomains);
    if (simulation.seen() == 0) {
      notes.add(
          "no waypoint has logged a request with who sent it: logs of JSON have that (a provider"
              + " with envoyFileAccessLog.logFormat.labels, and defaultProviders.accessLogging of"
              + " the AmbientMesh or a Telemetry that names it)");
    }
    return simulation;
  }

  /** What the waypoints have logged of requests. */
  private List<RequestSimulation.WaypointLog> waypointLogs(List<String> notes) {
    List<JsonNode> pods =
        cluster().list("/api/v1/pods?" + Cluster.labelSelector(WaypointLabels.SELECTOR));
    List<RequestSimulation.WaypointLog> logs = new ArrayList<>();
    ProgressBar bar = progressBar();
    int done = 0;
    for (JsonNode pod : pods) {
      bar.show(done++, pods.size(), "Reading the log of " + Objects.name(pod));
      log(pod, WAYPOINT_CONTAINER, notes)
          .map(
              log ->
                  new RequestSimulation.WaypointLog(
                      Objects.namespace(pod),
                      Objects.labels(pod).getOrDefault(WaypointLabels.GATEWAY_NAME, ""),
                      Objects.labels(pod).getOrDefault(WaypointLabels.CLASS_NAME, ""),
                      log.lines().flatMap(line -> RequestLine.parse(line).stream()).toList()))
          .ifPresent(logs::add);
    }
    bar.end();
    return logs;
  }

  /** A pod's log; nothing, and a note, where it has none yet or that one may not be read. */
  private Optional<String> log(JsonNode pod, String container, List<String> notes) {
    String log;
    try {
      log =
          cluster()
              .text(
                  Cluster.path("/api/v1", "pods", Objects.namespace(pod))
                      + "/"
                      + Objects.name(pod)
                      + "/log?container="
                      + container
                      + "&sinceSeconds="
                      + since.toSeconds()
                      + "&limitBytes="
                      + MOST_LOG_BYTES);
    } catch (KubernetesClientException e) {
      // Without the ztunnels' there is nothing to say; of waypoints some may be others' to see.
      boolean refused =
          e.getCode() == HttpURLConnection.HTTP_FORBIDDEN
              && !Objects.namespace(pod).equals(cluster().rootNamespace());
      // It has not started yet.
      boolean none = e.getCode() == HttpURLConnection.HTTP_BAD_REQUEST;
      if (!refused && !none) {
        throw e;
      }
      notes.add(
          "the log of "
              + Objects.namespace(pod)
              + "/"
              + Objects.name(pod)
              + (refused ? " may not be read" : " cannot be read yet (" + e.getMessage() + ")")
              + ", and is passed over");
      return Optional.empty();
    }
    if (log.length() >= MOST_LOG_BYTES / 2) {
      notes.add(
          "the log of "
              + Objects.name(pod)
              + " is long, and may not have been read to its end: try a shorter --since");
    }
    return Optional.of(log);
  }

  private List<AuthorizationPolicy> read() {
    Path path = environment.folder().resolve(file);
    List<AuthorizationPolicy> policies =
        YamlFiles.read(path, serialization).stream().map(object -> policy(path, object)).toList();
    if (policies.isEmpty()) {
      throw Failure.usage(path + " has no AuthorizationPolicy");
    }
    return policies;
  }

  private AuthorizationPolicy policy(Path path, JsonNode object) {
    String kind = Objects.text(object, "/kind");
    if (!kind.equals("AuthorizationPolicy")) {
      throw Failure.usage(path + " has a " + kind + ", not an AuthorizationPolicy");
    }
    AuthorizationPolicy policy;
    try {
      policy = serialization.convertValue(object, AuthorizationPolicy.class);
    } catch (IllegalArgumentException e) {
      throw Failure.usage(path + " cannot be understood: " + Failures.cause(e));
    }
    if (policy.getMetadata() == null || policy.getMetadata().getName() == null) {
      throw Failure.usage(path + ": a policy has no metadata.name");
    }
    if (policy.getMetadata().getNamespace() == null) {
      policy.getMetadata().setNamespace(namespace());
    }
    List<String> others =
        RequestSimulation.targets(policy)
            .map(target -> String.valueOf(target.getKind()))
            .filter(target -> !TARGETS.contains(target))
            .toList();
    if (!others.isEmpty()) {
      throw Failure.refused(
          policy.getMetadata().getName()
              + " is attached to a "
              + others.getFirst()
              + ", of which logs do not tell: try it with the annotation istio.io/dry-run");
    }
    return policy;
  }

  /** What the ztunnels have logged at destinations. */
  private List<AccessLine> lines(List<String> notes) {
    List<JsonNode> ztunnels = cluster().componentPods("ambit-ztunnel");
    List<AccessLine> lines = new ArrayList<>();
    ProgressBar bar = progressBar();
    int done = 0;
    for (JsonNode ztunnel : ztunnels) {
      bar.show(done++, ztunnels.size(), "Reading the log of " + Objects.name(ztunnel));
      log(ztunnel, ZTUNNEL_CONTAINER, notes).stream()
          .flatMap(String::lines)
          .flatMap(line -> AccessLine.parse(line).stream())
          .forEach(lines::add);
    }
    bar.end();
    return lines;
  }

  private Map<String, Map<String, String>> labels() {
    Map<String, Map<String, String>> labels = new HashMap<>();
    for (JsonNode pod : cluster().list("/api/v1/pods")) {
      labels.put(Objects.namespace(pod) + "/" + Objects.name(pod), Objects.labels(pod));
    }
    return labels;
  }

  private static TrustDomains trustDomains(Optional<JsonNode> mesh) {
    String own = mesh.map(each -> Objects.text(each, "/spec/trustDomain")).orElse("");
    return new TrustDomains(
        own.isEmpty() ? "cluster.local" : own,
        mesh.map(
                each ->
                    Objects.items(each, "/spec/trustDomainAliases").stream()
                        .map(JsonNode::asText)
                        .toList())
            .orElse(List.of()));
  }

  private void write(Page page, Simulation simulation, boolean connections) {
    if (connections) {
      connections(page, simulation);
    }
    RequestSimulation requests = simulation.requests();
    if (requests != null) {
      if (connections) {
        page.gap();
      }
      requests(page, requests);
    }
  }

  private void requests(Page page, RequestSimulation simulation) {
    summary(
        page,
        simulation.notes(),
        simulation.seen()
            + " requests were seen in the last "
            + TimeConverter.text(since)
            + ", "
            + simulation.judged()
            + " of them to what this is for"
            + (simulation.undecided() == 0
                ? "."
                : "; of "
                    + simulation.undecided()
                    + " the log does not have what a rule turns on."),
        simulation.wouldDeny(),
        simulation.wouldAllow());
    Table table =
        new Table(
            "REQUESTS",
            "FROM",
            "IDENTITY",
            "TO",
            "PORT",
            "METHOD",
            "PATH",
            "WAS",
            "WOULD BE",
            "BY");
    simulation
        .changes()
        .forEach(
            change ->
                table.row(
                    change.requests(),
                    change.source(),
                    change.identity(),
                    change.service(),
                    change.port(),
                    change.method(),
                    change.path(),
                    change.was(),
                    verdict(change.would()),
                    change.by()));
    changes(page, table);
  }

  private void connections(Page page, Simulation simulation) {
    summary(
        page,
        simulation.notes(),
        simulation.seen()
            + " connections were seen in the last "
            + TimeConverter.text(since)
            + ", "
            + simulation.judged()
            + " of them to pods that this is for"
            + (simulation.unknown() == 0
                ? "."
                : "; " + simulation.unknown() + " to pods that are no more were passed over."),
        simulation.wouldDeny(),
        simulation.wouldAllow());
    Table table =
        new Table("CONNECTIONS", "FROM", "IDENTITY", "TO", "PORT", "WAS", "WOULD BE", "BY");
    simulation
        .changes()
        .forEach(
            change ->
                table.row(
                    change.connections(),
                    change.source(),
                    change.identity(),
                    change.destination(),
                    change.port(),
                    change.was(),
                    verdict(change.would()),
                    change.by()));
    changes(page, table);
  }

  private static void summary(
      Page page, List<String> notes, String seen, int wouldDeny, int wouldAllow) {
    notes.forEach(note -> page.line(note, Tone.WARNING));
    page.line(seen);
    page.line(
        wouldDeny + " that were let in would have been denied.",
        wouldDeny == 0 ? Tone.GOOD : Tone.BAD);
    if (wouldAllow > 0) {
      page.line(wouldAllow + " that were denied would have been let in.", Tone.WARNING);
    }
  }

  private static Cell verdict(String would) {
    return Cell.of(would, would.equals("Denied") ? Tone.BAD : Tone.WARNING);
  }

  private static void changes(Page page, Table table) {
    if (!table.isEmpty()) {
      page.gap().table(table);
    }
  }
}
