package dev.ambit.cli;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.ambit.cli.model.EnrollmentChange;
import dev.ambit.cli.model.Enrollments;
import dev.ambit.cli.model.PlanView;
import dev.ambit.cli.model.PodExplanation;
import dev.ambit.cli.model.WaypointStatus;
import dev.ambit.cli.output.Page;
import dev.ambit.cli.output.Table;
import dev.ambit.cli.output.Tone;
import io.fabric8.istio.api.security.v1.AuthorizationPolicy;
import io.fabric8.kubernetes.client.utils.KubernetesSerialization;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.stream.Stream;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

@Command(
    name = "plan",
    description =
        "Says what would change were a namespace at another stage: pods, policies, waypoints."
            + " Nothing is touched.",
    footer = "%nEnds with 1 where something keeps it from happening, or a person should know of.")
final class PlanCommand extends ClusterCommand {
  private static final int MOST_NAMES = 10;

  @Parameters(index = "0", paramLabel = "NAMESPACE", description = "The namespace.")
  @SuppressWarnings("NullAway.Init") // set by the parser
  private String asked;

  @Option(
      names = "--stage",
      paramLabel = "STAGE",
      description = "The stage; by default ${DEFAULT-VALUE}.",
      defaultValue = "L4")
  @SuppressWarnings("NullAway.Init") // set by the parser
  private String stage;

  PlanCommand(Environment environment) {
    super(environment);
  }

  @Override
  int run() {
    String wanted = StageChangeCommand.known(stage);
    Cluster cluster = cluster();
    JsonNode namespace = cluster.requireNamespace(asked);
    List<JsonNode> enrollments = cluster.list(Cluster.AMBIT_API, "meshenrollments", asked, "");
    Optional<JsonNode> mesh = cluster.mesh();
    Set<String> excluded = cluster.excludedNamespaces(mesh);
    KubernetesSerialization serialization = new KubernetesSerialization(new ObjectMapper(), false);
    PlanView plan =
        PlanView.of(
            new PlanView.Facts(
                new PodExplanation.Surroundings(
                    namespace, excluded, Enrollments.effective(enrollments)),
                EnrollmentChange.of(namespace, enrollments, mesh, excluded, wanted),
                cluster.list("/api/v1", "pods", asked, ""),
                Stream.of(asked, cluster.rootNamespace())
                    .distinct()
                    .flatMap(
                        each ->
                            cluster
                                .list(Cluster.SECURITY_API, "authorizationpolicies", each, "")
                                .stream())
                    .map(policy -> serialization.convertValue(policy, AuthorizationPolicy.class))
                    .toList(),
                cluster.list(Cluster.SECURITY_API, "peerauthentications", asked, ""),
                WaypointStatus.among(cluster.list(Cluster.GATEWAY_API, "gateways", null, "")),
                cluster.rootNamespace()),
            wanted);
    print(plan, page -> write(page, plan));
    return plan.problems().isEmpty() ? ExitCode.OK : ExitCode.FINDINGS;
  }

  private static void write(Page page, PlanView plan) {
    page.line(
        "Namespace "
            + plan.namespace()
            + " from stage "
            + plan.now()
            + " to "
            + plan.stage()
            + ": "
            + plan.join().size()
            + " pods would join, "
            + plan.leave().size()
            + " leave, "
            + plan.stay()
            + " stay as they are.");
    plan.problems().forEach(problem -> page.line(problem, Tone.WARNING));
    names(page, "join", plan.join());
    names(page, "leave", plan.leave());
    if (!plan.excluded().isEmpty()) {
      Table table = new Table("LEFT OUT", "REASON");
      plan.excluded().forEach(each -> table.row(each.pod(), each.reason()));
      page.gap().table(table);
    }
    if (!plan.policies().isEmpty()) {
      Table table = new Table("POLICY", "ENFORCED BY", "THEN BY", "EFFECT");
      plan.policies()
          .forEach(each -> table.row(each.policy(), each.before(), each.after(), each.effect()));
      page.gap().table(table);
    }
    if (!plan.waypoints().isEmpty()) {
      Table table = new Table("WAYPOINT", "BOUND BY", "EFFECT");
      plan.waypoints().forEach(each -> table.row(each.waypoint(), each.boundBy(), each.effect()));
      page.gap().table(table);
    }
  }

  private static void names(Page page, String what, List<String> names) {
    if (!names.isEmpty()) {
      page.gap()
          .line(
              "would "
                  + what
                  + ": "
                  + String.join(", ", names.subList(0, Math.min(MOST_NAMES, names.size())))
                  + (names.size() > MOST_NAMES
                      ? " and " + (names.size() - MOST_NAMES) + " more"
                      : ""));
    }
  }
}
