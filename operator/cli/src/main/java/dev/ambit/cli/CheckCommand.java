package dev.ambit.cli;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import dev.ambit.cli.model.CheckReport;
import dev.ambit.cli.model.CheckReport.Outcome;
import dev.ambit.cli.model.ClusterChecks;
import dev.ambit.cli.model.MeshChecks;
import dev.ambit.cli.model.WaypointStatus;
import dev.ambit.cli.output.Cell;
import dev.ambit.cli.output.Table;
import dev.ambit.cli.output.Tone;
import io.fabric8.kubernetes.client.KubernetesClientException;
import java.util.List;
import java.util.Optional;
import java.util.function.Supplier;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

@Command(
    name = "check",
    description =
        "Says whether the cluster can carry Ambit, and whether Ambit is installed, ready and up to"
            + " date.",
    footer = "%nEnds with 1 where there is an error, or with --strict a warning.")
final class CheckCommand extends ClusterCommand {
  private static final List<String> DEFINITIONS =
      List.of(
          "ambientmeshes.ambit.dev",
          "meshenrollments.ambit.dev",
          "clustermeshenrollments.ambit.dev");

  @Option(
      names = "--pre",
      description = "Only what matters before Ambit is installed, and whether you may install it.")
  private boolean before;

  @Option(names = "--strict", description = "Takes warnings for errors.")
  private boolean strict;

  CheckCommand(Environment environment) {
    super(environment);
  }

  @Override
  int run() {
    CheckReport.Builder builder = new CheckReport.Builder();
    Cluster cluster = cluster();
    JsonNode version =
        cluster.get("/version").orElseGet(() -> JsonNodeFactory.instance.objectNode());
    List<JsonNode> daemonSets =
        readable(builder, "daemonsets", () -> cluster.list("/apis/apps/v1/daemonsets"));
    List<JsonNode> deployments =
        readable(builder, "deployments", () -> cluster.list("/apis/apps/v1/deployments"));
    ClusterChecks.check(
        new ClusterChecks.Facts(
            version,
            readable(builder, "nodes", () -> cluster.list("/api/v1/nodes")),
            daemonSets,
            deployments,
            readable(builder, "namespaces", () -> cluster.list("/api/v1/namespaces")),
            definition(builder, "gateways.gateway.networking.k8s.io"),
            readable(
                    builder,
                    "configmaps",
                    () ->
                        cluster
                            .get("/api/v1/namespaces/kube-system/configmaps/cilium-config")
                            .stream()
                            .toList())
                .stream()
                .findFirst(),
            cluster.rootNamespace()),
        builder);
    Access.check(cluster, before, builder);
    if (!before) {
      MeshChecks.check(meshFacts(builder, daemonSets), environment.clock().instant(), builder);
    }
    CheckReport report = builder.build();
    print(
        report,
        page -> {
          Table table = new Table("RESULT", "CHECK", "MESSAGE");
          report
              .checks()
              .forEach(
                  line -> {
                    table.row(outcome(line.outcome()), line.about(), line.message());
                    if (line.remedy() != null) {
                      table.row(
                          new Cell("", Tone.PLAIN),
                          new Cell("", Tone.PLAIN),
                          Cell.of("→ " + line.remedy(), Tone.QUIET));
                    }
                  });
          page.table(table);
          page.gap()
              .line(
                  report.count(Outcome.ERROR)
                      + " errors, "
                      + report.count(Outcome.WARNING)
                      + " warnings, "
                      + report.count(Outcome.OK)
                      + " in order.",
                  report.count(Outcome.ERROR) > 0
                      ? Tone.BAD
                      : report.count(Outcome.WARNING) > 0 ? Tone.WARNING : Tone.GOOD);
        });
    boolean fine =
        report.count(Outcome.ERROR) == 0 && !(strict && report.count(Outcome.WARNING) > 0);
    return fine ? ExitCode.OK : ExitCode.FINDINGS;
  }

  private static Cell outcome(Outcome outcome) {
    return switch (outcome) {
      case OK -> Cell.of("ok", Tone.GOOD);
      case WARNING -> Cell.of("warning", Tone.WARNING);
      case ERROR -> Cell.of("error", Tone.BAD);
    };
  }

  private MeshChecks.Facts meshFacts(CheckReport.Builder builder, List<JsonNode> daemonSets) {
    Cluster cluster = cluster();
    List<JsonNode> definitions =
        DEFINITIONS.stream().flatMap(name -> definition(builder, name).stream()).toList();
    return new MeshChecks.Facts(
        definitions,
        readable(builder, "ambientmeshes", () -> cluster.mesh().stream().toList()).stream()
            .findFirst(),
        readable(
            builder,
            "meshenrollments",
            () -> cluster.list(Cluster.AMBIT_API, "meshenrollments", null, "")),
        WaypointStatus.among(
            readable(
                builder,
                "gateways",
                () -> cluster.list(Cluster.GATEWAY_API, "gateways", null, ""))),
        readable(
                builder,
                "deployments",
                () ->
                    cluster
                        .get(
                            Cluster.path("/apis/apps/v1", "deployments", cluster.rootNamespace())
                                + "/ambit-operator")
                        .stream()
                        .toList())
            .stream()
            .findFirst(),
        daemonSets,
        cluster.rootNamespace(),
        VersionCommand.own());
  }

  private Optional<JsonNode> definition(CheckReport.Builder builder, String name) {
    return readable(
            builder,
            "customresourcedefinitions",
            () ->
                cluster()
                    .get("/apis/apiextensions.k8s.io/v1/customresourcedefinitions/" + name)
                    .stream()
                    .toList())
        .stream()
        .findFirst();
  }

  /** What may be read, or nothing and a line that says so. */
  private static List<JsonNode> readable(
      CheckReport.Builder report, String what, Supplier<List<JsonNode>> read) {
    try {
      return read.get();
    } catch (KubernetesClientException e) {
      if (e.getCode() != 403) {
        throw e;
      }
      boolean said =
          report.build().checks().stream()
              .anyMatch(line -> line.message().startsWith("You may not read " + what + ","));
      if (!said) {
        report.warning(
            "Access",
            "You may not read " + what + ", so that what turns on them is not checked",
            "Ask for the permission to get and list " + what);
      }
      return List.of();
    }
  }

  /** What the caller may do. */
  private static final class Access {
    /**
     * A permission.
     *
     * @param wherefor which commands need it
     */
    private record Needed(
        String verb, String group, String resource, boolean root, String wherefor) {}

    private static final List<Needed> TO_INSTALL =
        List.of(
            new Needed(
                "create", "apiextensions.k8s.io", "customresourcedefinitions", false, "to install"),
            new Needed("create", "rbac.authorization.k8s.io", "clusterroles", false, "to install"),
            new Needed(
                "create", "rbac.authorization.k8s.io", "clusterrolebindings", false, "to install"),
            new Needed("create", "", "namespaces", false, "to install"),
            new Needed("create", "apps", "deployments", true, "to install"),
            new Needed("create", "ambit.dev", "ambientmeshes", false, "to install"));

    private static final List<Needed> TO_USE =
        List.of(
            new Needed("list", "ambit.dev", "meshenrollments", false, "for `ambit status`"),
            new Needed(
                "patch", "ambit.dev", "meshenrollments", false, "for `ambit enroll` and `leave`"),
            new Needed("list", "", "pods", false, "for `ambit explain` and `status`"),
            new Needed(
                "create",
                "",
                "pods/portforward",
                true,
                "for `ambit certs`, `connections` and `proxy-config`"),
            new Needed("get", "", "pods/log", true, "for `ambit authz simulate` and `bug-report`"));

    static void check(Cluster cluster, boolean before, CheckReport.Builder report) {
      List<Needed> missing =
          (before ? TO_INSTALL : TO_USE).stream().filter(each -> !may(cluster, each)).toList();
      for (Needed each : missing) {
        String what = each.resource() + (each.group().isEmpty() ? "" : "." + each.group());
        if (before) {
          report.error(
              "Access",
              "You may not " + each.verb() + " " + what + ", which it takes " + each.wherefor(),
              "Ask for that permission, or have Ambit installed by somebody who has it");
        } else {
          report.warning(
              "Access",
              "You may not " + each.verb() + " " + what + ", which it takes " + each.wherefor(),
              "Ask for that permission");
        }
      }
      if (missing.isEmpty()) {
        report.ok("Access", before ? "You may install Ambit" : "You may use all commands");
      }
    }

    private static boolean may(Cluster cluster, Needed needed) {
      String[] resource = needed.resource().split("/", 2);
      var attributes =
          JsonNodeFactory.instance
              .objectNode()
              .put("verb", needed.verb())
              .put("group", needed.group())
              .put("resource", resource[0]);
      if (resource.length == 2) {
        attributes.put("subresource", resource[1]);
      }
      if (needed.root()) {
        attributes.put("namespace", cluster.rootNamespace());
      }
      var review = JsonNodeFactory.instance.objectNode();
      review.put("apiVersion", "authorization.k8s.io/v1").put("kind", "SelfSubjectAccessReview");
      review.putObject("spec").set("resourceAttributes", attributes);
      return cluster
          .review("/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", review)
          .at("/status/allowed")
          .asBoolean();
    }
  }
}
