package dev.ambit.cli;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.ambit.api.ConnectionPlan;
import dev.ambit.api.EnrollmentMtls;
import dev.ambit.api.EnrollmentPlan;
import dev.ambit.api.Finding;
import dev.ambit.api.MeshEnrollment;
import dev.ambit.api.MeshEnrollmentSpec;
import dev.ambit.api.MtlsMode;
import dev.ambit.api.ResourceDemand;
import dev.ambit.api.RolloutSpec;
import dev.ambit.api.Severity;
import dev.ambit.api.Stage;
import dev.ambit.api.WaypointPlan;
import dev.ambit.api.WaypointSpec;
import dev.ambit.api.WellKnown;
import dev.ambit.cli.model.EnrollmentChange;
import dev.ambit.cli.model.Enrollments;
import dev.ambit.cli.model.Manifests;
import dev.ambit.cli.model.Objects;
import dev.ambit.cli.model.PlanView;
import dev.ambit.cli.model.PodExplanation;
import dev.ambit.cli.model.WaypointStatus;
import dev.ambit.cli.output.Cell;
import dev.ambit.cli.output.Page;
import dev.ambit.cli.output.Table;
import dev.ambit.cli.output.Tone;
import dev.ambit.operator.NodeAnswers;
import dev.ambit.operator.enrollment.OpenConnections;
import dev.ambit.operator.enrollment.model.EnrolledPods;
import dev.ambit.operator.enrollment.model.EnrollmentGateway;
import dev.ambit.operator.enrollment.model.PlaintextReport;
import dev.ambit.operator.enrollment.model.PlaintextSightings;
import dev.ambit.operator.enrollment.model.StrictRefusals;
import dev.ambit.operator.model.Names;
import dev.ambit.operator.preflight.PreflightReader;
import dev.ambit.operator.preflight.model.Plans;
import dev.ambit.operator.preflight.model.Preflight;
import dev.ambit.operator.preflight.model.PreflightFacts;
import dev.ambit.operator.waypoint.life.WaypointPlanner;
import io.fabric8.istio.api.security.v1.AuthorizationPolicy;
import io.fabric8.istio.api.security.v1.PeerAuthentication;
import io.fabric8.istio.api.security.v1.RequestAuthentication;
import io.fabric8.kubernetes.api.model.ObjectMetaBuilder;
import io.fabric8.kubernetes.api.model.Pod;
import io.fabric8.kubernetes.api.model.Service;
import io.fabric8.kubernetes.api.model.networking.v1.NetworkPolicy;
import io.fabric8.kubernetes.client.utils.KubernetesSerialization;
import java.nio.file.Path;
import java.time.Instant;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

@Command(
    name = "plan",
    description =
        "Says what would change were a namespace at another stage: pods, policies, waypoints."
            + " Nothing is touched. With --file, of manifests, and no cluster is asked.",
    footer =
        "%nEnds with 1 where something keeps it from happening: an error, or what asks for the"
            + " contrary.")
final class PlanCommand extends ClusterCommand {
  private static final int MOST_NAMES = 10;
  private static final Set<String> COMPLETED = Set.of("Succeeded", "Failed");

  private final KubernetesSerialization serialization =
      new KubernetesSerialization(new ObjectMapper(), false);

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

  @Option(
      names = {"-f", "--file"},
      paramLabel = "FILE",
      description =
          "Manifests, a file or a folder, in place of a cluster; may be given several times.")
  private List<Path> files = List.of();

  PlanCommand(Environment environment) {
    super(environment);
  }

  @Override
  int run() {
    Stage wanted =
        Enrollments.stage(StageChangeCommand.known(stage))
            .orElseThrow(() -> Failure.usage("there is no stage '" + stage + "'"));
    PlanView plan = files.isEmpty() ? ofCluster(wanted) : ofFiles(wanted);
    print(plan, page -> write(page, plan));
    return plan.isPossible() ? ExitCode.OK : ExitCode.FINDINGS;
  }

  private PlanView ofCluster(Stage wanted) {
    Cluster cluster = cluster();
    JsonNode namespace = cluster.requireNamespace(asked);
    List<JsonNode> enrollments = cluster.list(Cluster.AMBIT_API, "meshenrollments", asked, "");
    Optional<JsonNode> mesh = cluster.mesh();
    Set<String> excluded = cluster.excludedNamespaces(mesh);
    List<JsonNode> pods =
        cluster.list("/api/v1", "pods", asked, "").stream()
            .filter(pod -> !COMPLETED.contains(Objects.text(pod, "/status/phase")))
            .toList();
    List<Pod> typed = typed(pods, Pod.class);
    RolloutSpec rollout = rollout(enrollments);
    EnrolledPods enrolled =
        new EnrolledPods(asked, Objects.labels(namespace), excluded, typed, Map.of());
    NodeAnswers ztunnels = ForwardedNodes.ztunnels(environment.adminPort(), cluster);
    Instant now = environment.clock().instant();
    PreflightFacts read =
        new PreflightReader(
                cluster.client(),
                cluster.rootNamespace(),
                ForwardedNodes.agents(environment.adminPort(), cluster))
            .read(
                target(namespace, wanted, rollout, mesh, enrollments),
                enrolled.capturable(),
                typed);
    PreflightFacts facts = mesh.isPresent() ? read : read.withUnknownNodes();
    if (mesh.isEmpty() && wanted != Stage.NONE) {
      environment
          .err()
          .println(
              "ambit: there is no AmbientMesh yet: this is what would change once there is one");
    }
    return plan(
        PodExplanation.Surroundings.of(namespace, excluded, enrollments),
        pods,
        Plans.of(facts, wanted, rollout)
            .with(
                wanted == Stage.L7 ? cost(cluster, enrollments, mesh) : null,
                new OpenConnections(ztunnels).count(enrolled, facts.sockets(), now)),
        wanted == Stage.NONE
            ? List.of()
            : StrictRefusals.with(
                Preflight.of(facts),
                mtls(enrollments),
                mtls(enrollments) == EnrollmentMtls.STRICT
                    ? sightings(ztunnels, enrolled, now)
                    : PlaintextSightings.NOT_ASKED),
        WaypointStatus.among(cluster.list(Cluster.GATEWAY_API, "gateways", null, "")),
        change(namespace, enrollments, mesh, excluded, wanted));
  }

  /** The same of manifests; no cluster is asked. */
  private PlanView ofFiles(Stage wanted) {
    Manifests manifests =
        new Manifests(
            asked,
            files.stream()
                .flatMap(
                    file ->
                        YamlFiles.read(environment.folder().resolve(file), serialization).stream())
                .toList());
    String root = rootNamespace();
    JsonNode namespace = manifests.namespaceObject();
    List<JsonNode> enrollments = manifests.of("MeshEnrollment", asked);
    Optional<JsonNode> mesh = manifests.clusterScoped("AmbientMesh", WellKnown.DEFAULT_NAME);
    Set<String> excluded = Cluster.excludedNamespaces(mesh, root);
    List<JsonNode> pods = manifests.pods();
    List<Pod> typed = typed(pods, Pod.class);
    List<Pod> capturable = capturable(namespace, excluded, typed);
    Set<String> names =
        capturable.stream().map(pod -> pod.getMetadata().getName()).collect(Collectors.toSet());
    RolloutSpec rollout = rollout(enrollments);
    PreflightFacts facts =
        new PreflightFacts(
            target(namespace, wanted, rollout, mesh, enrollments),
            root,
            capturable,
            typed.stream().filter(pod -> !names.contains(pod.getMetadata().getName())).toList(),
            typed(manifests.of("Service", asked), Service.class),
            typed(manifests.of("NetworkPolicy", asked), NetworkPolicy.class),
            typed(both(manifests, "AuthorizationPolicy", root), AuthorizationPolicy.class),
            typed(both(manifests, "PeerAuthentication", root), PeerAuthentication.class),
            typed(manifests.of("RequestAuthentication", asked), RequestAuthentication.class),
            Set.of(),
            new PreflightFacts.NodeReadiness.Unknown(),
            Map.of());
    return plan(
        PodExplanation.Surroundings.of(namespace, excluded, enrollments),
        pods,
        Plans.of(facts, wanted, rollout),
        wanted == Stage.NONE ? List.of() : Preflight.of(facts),
        WaypointStatus.among(
            manifests.documents().stream()
                .filter(each -> Objects.text(each, "/kind").equals("Gateway"))
                .toList()),
        change(namespace, enrollments, mesh, excluded, wanted));
  }

  /** A plan may be made before there is a mesh, which is no contradiction then. */
  private static EnrollmentChange change(
      JsonNode namespace,
      List<JsonNode> enrollments,
      Optional<JsonNode> mesh,
      Set<String> excluded,
      Stage wanted) {
    return EnrollmentChange.of(
        namespace, enrollments, Optional.of(mesh.orElse(namespace)), excluded, wanted.text());
  }

  private static List<JsonNode> both(Manifests manifests, String kind, String root) {
    return Stream.of(manifests.namespace(), root)
        .distinct()
        .flatMap(each -> manifests.of(kind, each).stream())
        .toList();
  }

  private <T> List<T> typed(List<JsonNode> objects, Class<T> type) {
    try {
      return objects.stream().map(each -> serialization.convertValue(each, type)).toList();
    } catch (IllegalArgumentException e) {
      throw Failure.usage(
          "a " + type.getSimpleName() + " cannot be understood: " + Failures.cause(e));
    }
  }

  private List<Pod> capturable(JsonNode namespace, Set<String> excluded, List<Pod> pods) {
    return new EnrolledPods(asked, Objects.labels(namespace), excluded, pods, Map.of())
        .capturable();
  }

  private static PlanView plan(
      PodExplanation.Surroundings surroundings,
      List<JsonNode> pods,
      EnrollmentPlan plan,
      List<Finding> findings,
      List<WaypointStatus> waypoints,
      EnrollmentChange change) {
    return PlanView.of(
        new PlanView.Facts(
            surroundings,
            pods,
            plan,
            findings,
            waypoints,
            change instanceof EnrollmentChange.Contradiction(String message)
                ? List.of(message)
                : List.of()));
  }

  /** What the ztunnels of the namespace's pods have seen of plaintext to them. */
  private PlaintextSightings sightings(NodeAnswers ztunnels, EnrolledPods pods, Instant now) {
    Set<String> nodes =
        pods.redirected().stream()
            .map(pod -> String.valueOf(pod.getSpec().getNodeName()))
            .collect(Collectors.toSet());
    Map<String, List<String>> answers = ztunnels.ask(nodes, "/plaintext");
    List<PlaintextReport> reports =
        answers.values().stream()
            .flatMap(List::stream)
            .map(Cluster::parse)
            .map(ledger -> PlaintextReport.read(ledger, now).get(asked))
            .filter(report -> report != null)
            .toList();
    return new PlaintextSightings(
        now,
        reports,
        reports.stream().map(PlaintextReport::instance).collect(Collectors.toSet()),
        nodes.stream().filter(node -> !answers.containsKey(node)).sorted().toList());
  }

  /** The enrollment of that name, or the one that there would be. */
  private MeshEnrollment enrollment(List<JsonNode> enrollments) {
    MeshEnrollment enrollment = new MeshEnrollment();
    enrollment.setMetadata(
        new ObjectMetaBuilder()
            .withNamespace(asked)
            .withName(WellKnown.DEFAULT_NAME)
            .withUid("planned")
            .build());
    enrollments.stream()
        .filter(each -> Objects.name(each).equals(WellKnown.DEFAULT_NAME))
        .map(each -> each.path("spec"))
        .filter(JsonNode::isObject)
        .findFirst()
        .map(spec -> serialization.convertValue(spec, MeshEnrollmentSpec.class))
        .ifPresent(enrollment::setSpec);
    return enrollment;
  }

  /** What the waypoint would cost that the enrollment has, or would have. */
  private WaypointPlan cost(Cluster cluster, List<JsonNode> enrollments, Optional<JsonNode> mesh) {
    WaypointSpec waypoints =
        mesh.map(each -> each.at("/spec/waypoint"))
            .filter(JsonNode::isObject)
            .map(each -> serialization.convertValue(each, WaypointSpec.class))
            .orElse(WaypointSpec.DEFAULTS);
    return new WaypointPlanner(cluster.client(), cluster.rootNamespace())
        .plan(EnrollmentGateway.of(enrollment(enrollments)), waypoints);
  }

  /** That of the enrollment which `ambit enroll` would change. */
  private RolloutSpec rollout(List<JsonNode> enrollments) {
    return enrollments.stream()
        .filter(each -> Objects.name(each).equals(WellKnown.DEFAULT_NAME))
        .map(each -> each.at("/spec/rollout"))
        .filter(JsonNode::isObject)
        .map(each -> serialization.convertValue(each, RolloutSpec.class))
        .findFirst()
        .orElse(RolloutSpec.AT_ONCE);
  }

  private PreflightFacts.Target target(
      JsonNode namespace,
      Stage wanted,
      RolloutSpec rollout,
      Optional<JsonNode> mesh,
      List<JsonNode> enrollments) {
    return new PreflightFacts.Target(
        asked,
        Objects.labels(namespace),
        wanted,
        enrollment(enrollments).effectiveSpec().effectiveWaypoint(),
        rollout.steps().size(),
        mtls(enrollments),
        mtls(mesh),
        datagrams(mesh, enrollments));
  }

  private static PreflightFacts.Datagrams datagrams(
      Optional<JsonNode> mesh, List<JsonNode> enrollments) {
    return PreflightFacts.Datagrams.of(
        mesh.filter(each -> each.at("/spec/udp").asBoolean()).isPresent(),
        flag(enrollments, "/spec/udp"),
        flag(enrollments, "/status/inForce/udp"));
  }

  /** What the user's own enrollment has there, if anything. */
  private static @Nullable Boolean flag(List<JsonNode> enrollments, String pointer) {
    return enrollments.stream()
        .filter(each -> Objects.name(each).equals(WellKnown.DEFAULT_NAME))
        .map(each -> each.at(pointer))
        .filter(JsonNode::isBoolean)
        .map(JsonNode::asBoolean)
        .findFirst()
        .orElse(null);
  }

  /** What the enrollment that `ambit enroll` would change says of plaintext. */
  private static @Nullable EnrollmentMtls mtls(List<JsonNode> enrollments) {
    return enrollments.stream()
        .filter(each -> Objects.name(each).equals(WellKnown.DEFAULT_NAME))
        .map(
            each ->
                switch (Objects.text(each, "/spec/mtls")) {
                  case "Permissive" -> EnrollmentMtls.PERMISSIVE;
                  case "Strict" -> EnrollmentMtls.STRICT;
                  case "StrictWhenQuiet" -> EnrollmentMtls.STRICT_WHEN_QUIET;
                  default -> null;
                })
        .filter(mtls -> mtls != null)
        .findFirst()
        .orElse(null);
  }

  private static MtlsMode mtls(Optional<JsonNode> mesh) {
    return mesh.filter(each -> Objects.text(each, "/spec/mtls").equals("Strict")).isPresent()
        ? MtlsMode.STRICT
        : MtlsMode.PERMISSIVE;
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
    plan.contradictions()
        .forEach(each -> page.line("It would not happen: " + each + ".", Tone.BAD));
    names(page, "join", plan.join());
    names(page, "leave", plan.leave());
    if (plan.steps().size() > 1) {
      page.gap()
          .line(
              "in the mesh after each step: "
                  + plan.steps().stream().map(String::valueOf).collect(Collectors.joining(", ")));
    }
    if (!plan.findings().isEmpty()) {
      Table table = new Table("FINDING", "REASON", "OBJECT", "MESSAGE");
      plan.findings()
          .forEach(
              each ->
                  table.row(
                      each.severity() == Severity.ERROR
                          ? Cell.of("error", Tone.BAD)
                          : Cell.of("warning", Tone.WARNING),
                      each.reason(),
                      each.object(),
                      each.message()));
      page.gap().table(table);
    }
    if (!plan.excluded().isEmpty()) {
      Table table = new Table("LEFT OUT", "REASON");
      plan.excluded().forEach(each -> table.row(each.pod(), each.reason()));
      page.gap().table(table);
    }
    if (!plan.policies().isEmpty()) {
      Table table = new Table("POLICY", "ENFORCED BY", "THEN BY", "MEANING");
      plan.policies()
          .forEach(
              each ->
                  table.row(
                      each.policy(),
                      each.before(),
                      each.after(),
                      each.meaningChanges()
                          ? Cell.of("changes", Tone.WARNING)
                          : Cell.of("as written")));
      page.gap().table(table);
      if (plan.morePolicies() > 0) {
        page.line("and " + plan.morePolicies() + " more policies");
      }
    }
    if (!plan.waypoints().isEmpty()) {
      Table table = new Table("WAYPOINT", "BOUND BY", "EFFECT");
      plan.waypoints().forEach(each -> table.row(each.waypoint(), each.boundBy(), each.effect()));
      page.gap().table(table);
    }
    if (plan.waypointCost() != null) {
      cost(page, plan.waypointCost());
    }
    if (plan.connections() != null) {
      connections(page, plan.connections());
    }
  }

  private static void connections(Page page, ConnectionPlan open) {
    List<String> unheard =
        open.unknown().stream().filter(each -> each.startsWith("node ")).toList();
    Long tunnelled = open.tunnelled();
    Long plain = open.plain();
    if (tunnelled != null && plain != null && tunnelled + plain > 0) {
      page.gap()
          .line(
              "open connections of captured pods: "
                  + tunnelled
                  + " in tunnels, "
                  + plain
                  + " plain");
    }
    Long outside = open.outside();
    if (outside != null && outside > 0) {
      page.gap()
          .line(
              "open connections of pods outside the mesh: "
                  + outside
                  + ", which go on as they are until they end");
    }
    if (!unheard.isEmpty()) {
      page.gap()
          .line(
              "open connections are not counted where no ztunnel answers: "
                  + String.join(", ", unheard),
              Tone.WARNING);
    }
  }

  private static void cost(Page page, WaypointPlan cost) {
    ResourceDemand fewest = cost.fewest();
    ResourceDemand most = cost.most();
    if (fewest == null || most == null) {
      page.gap()
          .line(
              "What waypoint "
                  + cost.name()
                  + " would request is not known: "
                  + Cell.of(cost.problem()).text(),
              Tone.WARNING);
      return;
    }
    Table table = new Table("REQUESTED BY WAYPOINT", "INSTANCES", "CPU", "MEMORY");
    table.row(
        cost.name() + (cost.made() ? "" : " (there already)") + ", at the fewest",
        fewest.instances(),
        Cell.of(fewest.cpu()),
        Cell.of(fewest.memory()));
    table.row(
        cost.name() + ", at the most",
        most.instances(),
        Cell.of(most.cpu()),
        Cell.of(most.memory()));
    page.gap().table(table);
  }

  private static void names(Page page, String what, List<String> names) {
    if (!names.isEmpty()) {
      page.gap().line("would " + what + ": " + Names.some(names, MOST_NAMES));
    }
  }
}
