package dev.ambit.cli;

import com.fasterxml.jackson.annotation.JsonInclude;
import com.fasterxml.jackson.databind.JsonNode;
import dev.ambit.cli.model.Objects;
import dev.ambit.cli.output.Cell;
import dev.ambit.cli.output.Table;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

@Command(
    name = "version",
    description = "Shows the versions of the command line and of what is installed.")
final class VersionCommand extends ClusterCommand {
  @Option(names = "--client", description = "Only that of the command line; no cluster is asked.")
  private boolean clientOnly;

  VersionCommand(Environment environment) {
    super(environment);
  }

  /** What is shown; the cluster's part only where it was asked. */
  @JsonInclude(JsonInclude.Include.NON_NULL)
  record Versions(
      String client,
      String java,
      @Nullable String kubernetes,
      @Nullable Map<String, String> components) {}

  /** The version of this program. */
  static String own() {
    String version = VersionCommand.class.getPackage().getImplementationVersion();
    return version == null ? "unreleased" : version;
  }

  @Override
  int run() {
    Versions versions =
        clientOnly
            ? new Versions(own(), Runtime.version().toString(), null, null)
            : new Versions(
                own(),
                Runtime.version().toString(),
                cluster().get("/version").map(v -> Objects.text(v, "/gitVersion")).orElse(""),
                components(cluster()));
    print(
        versions,
        page -> {
          page.field("ambit", Cell.of(versions.client()));
          page.field("java", Cell.of(versions.java()));
          if (versions.kubernetes() != null) {
            page.field("kubernetes", Cell.of(versions.kubernetes()));
          }
          Map<String, String> components = versions.components();
          if (components == null) {
            return;
          }
          if (components.isEmpty()) {
            page.line("Ambit is not installed in namespace " + cluster().rootNamespace() + ".");
            return;
          }
          Table table = new Table("COMPONENT", "IMAGE");
          components.forEach(table::row);
          page.gap().table(table);
        });
    return ExitCode.OK;
  }

  /** The images that Ambit's workloads ask for, by workload. */
  static Map<String, String> components(Cluster cluster) {
    Map<String, String> images = new TreeMap<>();
    for (String plural : List.of("deployments", "daemonsets")) {
      List<JsonNode> workloads =
          cluster.list(
              "/apis/apps/v1",
              plural,
              cluster.rootNamespace(),
              Cluster.labelSelector("app.kubernetes.io/part-of=ambit"));
      for (JsonNode workload : workloads) {
        images.put(
            Objects.name(workload),
            Objects.text(workload, "/spec/template/spec/containers/0/image"));
      }
    }
    return images;
  }
}
