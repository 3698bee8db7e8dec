package dev.ambit.cli;

import com.fasterxml.jackson.databind.JsonNode;
import dev.ambit.cli.model.EnvoyDump;
import dev.ambit.cli.model.Objects;
import dev.ambit.cli.model.ZtunnelDump;
import dev.ambit.cli.output.Cell;
import dev.ambit.cli.output.Table;
import dev.ambit.cli.output.Tone;
import dev.ambit.operator.waypoint.life.model.WaypointLabels;
import java.io.IOException;
import java.util.List;
import java.util.Locale;
import java.util.function.BiConsumer;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

@Command(
    name = "proxy-config",
    description =
        "Shows what a ztunnel has been told: workloads, services or policies; or what a waypoint"
            + " has: listeners, clusters, routes or endpoints; or all of either as JSON.")
final class ProxyConfigCommand extends ClusterCommand {
  /** What is shown. */
  enum What {
    WORKLOADS,
    SERVICES,
    POLICIES,
    LISTENERS,
    CLUSTERS,
    ROUTES,
    ENDPOINTS,
    ALL;

    @Override
    public String toString() {
      return name().toLowerCase(Locale.ROOT);
    }
  }

  @Parameters(index = "0", paramLabel = "WHAT", description = "${COMPLETION-CANDIDATES}.")
  @SuppressWarnings("NullAway.Init") // set by the parser
  private What what;

  @Parameters(
      index = "1",
      arity = "0..1",
      paramLabel = "POD",
      description =
          "A pod, NAME or NAMESPACE/NAME: the ztunnel of its node is asked, or itself where it is a"
              + " ztunnel or a waypoint.")
  private @Nullable String asked;

  @Option(names = "--node", paramLabel = "NODE", description = "The ztunnel of this node is asked.")
  private @Nullable String node;

  ProxyConfigCommand(Environment environment) {
    super(environment);
  }

  @Override
  int run() {
    String ofNode = node;
    if (asked != null) {
      JsonNode pod = cluster().requirePod(Reference.parse(asked, "pod", namespaceOf(asked)));
      if (Objects.labels(pod).containsKey(WaypointLabels.GATEWAY_NAME)) {
        return waypoint(pod);
      }
      ofNode = Objects.text(pod, "/spec/nodeName");
    }
    ZtunnelDump dump =
        Dumps.collect(environment.adminPort(), cluster(), ofNode).orFail(environment).getFirst();
    switch (what) {
      case WORKLOADS -> workloads(dump);
      case SERVICES -> services(dump);
      case POLICIES -> policies(dump);
      case ALL -> print(dump.dump(), page -> page.line(dump.dump().toPrettyString()));
      case LISTENERS, CLUSTERS, ROUTES, ENDPOINTS ->
          throw Failure.usage(
              what
                  + " are what waypoints know: name a waypoint's pod, one labelled "
                  + WaypointLabels.GATEWAY_NAME);
    }
    return ExitCode.OK;
  }

  private int waypoint(JsonNode pod) {
    switch (what) {
      case WORKLOADS, SERVICES, POLICIES ->
          throw Failure.usage(
              what
                  + " are what ztunnels know, and of a waypoint there are listeners, clusters,"
                  + " routes, endpoints and `proxy-config all`: choose a ztunnel with --node");
      case LISTENERS -> listeners(envoy(pod).listeners());
      case CLUSTERS -> clusters(envoy(pod).clusters());
      case ROUTES -> routes(envoy(pod).routes());
      case ENDPOINTS -> endpoints(envoy(pod).endpoints());
      case ALL -> {
        JsonNode dump = envoy(pod).dump();
        print(dump, page -> page.line(dump.toPrettyString()));
      }
    }
    return ExitCode.OK;
  }

  private EnvoyDump envoy(JsonNode pod) {
    try {
      return new EnvoyDump(
          Cluster.parse(
              environment
                  .adminPort()
                  .get(
                      cluster().client(),
                      Objects.namespace(pod),
                      Objects.name(pod),
                      "/config_dump?include_eds")));
    } catch (IOException e) {
      throw Failure.refused("waypoint " + Objects.name(pod) + " gives no dump: " + e.getMessage());
    }
  }

  private void listeners(List<EnvoyDump.ListenerLine> lines) {
    show(
        lines,
        new Table("LISTENER", "ADDRESS", "MATCH", "FILTERS", "ROUTES"),
        (table, line) ->
            table.row(
                line.listener(),
                line.address(),
                line.match(),
                String.join(",", line.filters()),
                line.routes()));
  }

  private void clusters(List<EnvoyDump.ClusterLine> lines) {
    show(
        lines,
        new Table("CLUSTER", "TYPE", "POLICY", "ENDPOINTS", "TLS"),
        (table, line) ->
            table.row(
                line.cluster(),
                line.type(),
                line.policy(),
                Cell.of(
                    line.healthy() + "/" + line.endpoints(),
                    line.healthy() < line.endpoints() ? Tone.WARNING : Tone.PLAIN),
                line.tls()));
  }

  private void routes(List<EnvoyDump.RouteLine> lines) {
    show(
        lines,
        new Table("ROUTES", "DOMAINS", "MATCH", "TO", "ROUTE"),
        (table, line) ->
            table.row(
                line.routes(),
                String.join(",", line.domains()),
                line.match(),
                line.to(),
                line.name()));
  }

  private void endpoints(List<EnvoyDump.EndpointLine> lines) {
    show(
        lines,
        new Table("CLUSTER", "ADDRESS", "HEALTH", "WEIGHT", "LOCALITY"),
        (table, line) ->
            table.row(
                line.cluster(),
                line.address(),
                Cell.of(line.health(), line.health().equals("HEALTHY") ? Tone.PLAIN : Tone.WARNING),
                line.weight(),
                line.locality()));
  }

  private void workloads(ZtunnelDump dump) {
    show(
        dump.workloads().stream().filter(line -> wanted(line.namespace())).toList(),
        new Table(
            "NAMESPACE",
            "WORKLOAD",
            "ADDRESSES",
            "NODE",
            "PROTOCOL",
            "STATUS",
            "WAYPOINT",
            "POLICIES"),
        (table, line) ->
            table.row(
                line.namespace(),
                line.name(),
                String.join(",", line.addresses()),
                line.node(),
                line.protocol(),
                Cell.of(line.status(), line.status().equals("Healthy") ? Tone.PLAIN : Tone.WARNING),
                line.waypoint(),
                String.join(",", line.policies())));
  }

  private void services(ZtunnelDump dump) {
    show(
        dump.services().stream().filter(line -> wanted(line.namespace())).toList(),
        new Table(
            "NAMESPACE", "SERVICE", "ADDRESSES", "PORTS", "ENDPOINTS", "WAYPOINT", "HOSTNAME"),
        (table, line) ->
            table.row(
                line.namespace(),
                line.name(),
                String.join(",", line.addresses()),
                line.ports(),
                line.healthy() + "/" + line.endpoints(),
                line.waypoint(),
                line.hostname()));
  }

  private void policies(ZtunnelDump dump) {
    show(
        dump.policies().stream().filter(line -> wanted(line.namespace())).toList(),
        new Table("NAMESPACE", "POLICY", "SCOPE", "ACTION", "DRY RUN", "RULES"),
        (table, line) ->
            table.row(
                line.namespace(),
                line.name(),
                line.scope(),
                line.action(),
                line.dryRun() ? "yes" : "no",
                line.rules()));
  }

  private boolean wanted(String namespace) {
    return askedNamespace() == null || namespace.equals(askedNamespace());
  }

  private <T> void show(List<T> lines, Table table, BiConsumer<Table, T> row) {
    lines.forEach(line -> row.accept(table, line));
    print(lines, page -> page.table(table));
  }
}
