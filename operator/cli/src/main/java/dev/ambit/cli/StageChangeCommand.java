package dev.ambit.cli;

import com.fasterxml.jackson.databind.JsonNode;
import dev.ambit.cli.model.EnrollmentChange;
import dev.ambit.cli.model.EnrollmentStatus;
import dev.ambit.cli.model.Enrollments;
import dev.ambit.cli.model.Objects;
import dev.ambit.cli.output.ProgressBar;
import dev.ambit.cli.output.Tone;
import io.fabric8.kubernetes.api.model.GenericKubernetesResource;
import io.fabric8.kubernetes.api.model.ObjectMetaBuilder;
import io.fabric8.kubernetes.client.KubernetesClientException;
import io.fabric8.kubernetes.client.dsl.base.PatchContext;
import io.fabric8.kubernetes.client.dsl.base.PatchType;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** Asks for a namespace to be at a stage, and waits until it is. */
abstract class StageChangeCommand extends ClusterCommand {
  /** By which the command line owns the fields that it applies. */
  static final String FIELD_MANAGER = "ambit-cli";

  private static final Duration PAUSE = Duration.ofMillis(500);

  @Parameters(index = "0", paramLabel = "NAMESPACE", description = "The namespace.")
  @SuppressWarnings("NullAway.Init") // set by the parser
  private String asked;

  @Option(
      names = "--wait",
      description = "Waits until the namespace is there, and shows how far it is.")
  private boolean wait;

  @Option(
      names = "--timeout",
      paramLabel = "TIME",
      description = "How long to wait at most, such as 90s or 10m; by default ${DEFAULT-VALUE}.",
      defaultValue = "10m",
      converter = TimeConverter.class)
  @SuppressWarnings("NullAway.Init") // set by the parser
  private Duration timeout;

  @Option(
      names = "--force",
      description = "Takes spec.stage over where another field manager, such as Argo CD, owns it.")
  private boolean force;

  StageChangeCommand(Environment environment) {
    super(environment);
  }

  /** What came of it. */
  record Result(
      String namespace,
      @Nullable String enrollment,
      String stage,
      boolean changed,
      @Nullable EnrollmentStatus status) {}

  /** The stage that is asked for. */
  abstract String stage();

  @Override
  final int run() {
    Cluster cluster = cluster();
    JsonNode namespace = cluster.requireNamespace(asked);
    List<JsonNode> enrollments = cluster.enrollments(asked);
    Optional<JsonNode> mesh = cluster.mesh();
    EnrollmentChange change =
        EnrollmentChange.of(
            namespace, enrollments, mesh, cluster.excludedNamespaces(mesh), stage());
    return switch (change) {
      case EnrollmentChange.Contradiction(String message) -> throw Failure.refused(message);
      case EnrollmentChange.AsAsked(Optional<String> name) when name.isEmpty() -> gone(enrollments);
      case EnrollmentChange.AsAsked(Optional<String> name) -> conclude(name.orElseThrow(), false);
      case EnrollmentChange.Apply(String name) -> {
        apply(name);
        yield conclude(name, true);
      }
    };
  }

  /** Nothing asks for the namespace; a mirror of labels that are no more may still be leaving. */
  private int gone(List<JsonNode> enrollments) {
    return enrollments.stream()
        .filter(EnrollmentStatus::isMirror)
        .findFirst()
        .map(mirror -> conclude(Objects.name(mirror), false))
        .orElseGet(
            () -> {
              print(
                  new Result(asked, null, stage(), false, null),
                  page -> page.line("Namespace " + asked + " is not enrolled."));
              return ExitCode.OK;
            });
  }

  private void apply(String name) {
    GenericKubernetesResource wanted = new GenericKubernetesResource();
    wanted.setApiVersion("ambit.dev/v1alpha1");
    wanted.setKind("MeshEnrollment");
    wanted.setMetadata(new ObjectMetaBuilder().withNamespace(asked).withName(name).build());
    wanted.setAdditionalProperties(Map.of("spec", Map.of("stage", stage())));
    PatchContext context =
        new PatchContext.Builder()
            .withPatchType(PatchType.SERVER_SIDE_APPLY)
            .withFieldManager(FIELD_MANAGER)
            .withForce(force)
            .build();
    try {
      var unused =
          cluster()
              .client()
              .genericKubernetesResources(Cluster.ENROLLMENTS)
              .inNamespace(asked)
              .resource(wanted)
              .patch(context);
    } catch (KubernetesClientException e) {
      if (e.getCode() == 409) {
        throw Failure.refused(
            "MeshEnrollment "
                + asked
                + "/"
                + name
                + " is somebody else's ("
                + Failures.of(e).getMessage()
                + "): change it where it comes from, or take the field over with --force");
      }
      if (e.getCode() == 422) {
        throw Failure.refused(
            "the installed Ambit does not take stage "
                + stage()
                + ": "
                + Failures.of(e).getMessage());
      }
      throw e;
    }
  }

  private int conclude(String name, boolean changed) {
    EnrollmentStatus status = wait ? await(name) : null;
    print(
        new Result(asked, name, stage(), changed, status),
        page -> {
          String object = "MeshEnrollment " + asked + "/" + name;
          page.line(
              changed
                  ? object + " asks for stage " + stage() + " now."
                  : object + " asks for stage " + stage() + " already.");
          if (status != null) {
            page.line(status.message(), status.atGoal() ? Tone.GOOD : Tone.BAD);
          } else {
            page.line("`ambit status " + asked + "` shows how far it is.", Tone.QUIET);
          }
        });
    return status == null || status.atGoal() ? ExitCode.OK : ExitCode.FINDINGS;
  }

  /** Waits until the namespace is at the stage, or stuck. */
  private EnrollmentStatus await(String name) {
    Instant deadline = environment.clock().instant().plus(timeout);
    ProgressBar bar = progressBar();
    boolean leaving = stage().equals(EnrollmentChange.NONE);
    try {
      while (true) {
        Optional<EnrollmentStatus> now =
            cluster()
                .get(Cluster.path(Cluster.AMBIT_API, "meshenrollments", asked) + "/" + name)
                .map(EnrollmentStatus::of);
        if (now.isEmpty()) {
          throw Failure.refused("MeshEnrollment " + asked + "/" + name + " was deleted meanwhile");
        }
        EnrollmentStatus status = now.get();
        boolean there = status.stage().equals(stage()) && status.atGoal();
        if (status.current() && (there || status.isStuck())) {
          return status;
        }
        int total = status.pods() - (leaving ? 0 : status.excluded());
        int done = leaving ? status.pods() - status.captured() : status.captured();
        bar.show(
            done,
            total,
            (status.current() && !status.phase().isEmpty()
                    ? status.phase()
                    : "Waiting for the operator")
                + ", "
                + done
                + " of "
                + total
                + " pods "
                + (leaving ? "released" : "captured"));
        if (environment.clock().instant().isAfter(deadline)) {
          bar.end();
          throw new Failure(
              ExitCode.TIMEOUT,
              "namespace "
                  + asked
                  + " is not at stage "
                  + stage()
                  + " after "
                  + TimeConverter.text(timeout)
                  + ": "
                  + status.message()
                  + " It goes on without this command");
        }
        Thread.sleep(PAUSE);
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new Failure(ExitCode.TIMEOUT, "interrupted; the change goes on without this command");
    } finally {
      bar.end();
    }
  }

  /** The stage by its text. */
  static String known(String text) {
    return Enrollments.stage(text)
        .map(stage -> stage.text())
        .orElseThrow(
            () ->
                Failure.usage(
                    "there is no stage '" + text + "': it is one of " + Enrollments.stages()));
  }
}
