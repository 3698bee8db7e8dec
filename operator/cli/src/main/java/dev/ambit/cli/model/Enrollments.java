package dev.ambit.cli.model;

import com.fasterxml.jackson.databind.JsonNode;
import dev.ambit.api.EffectiveEnrollment;
import dev.ambit.api.MeshEnrollment;
import dev.ambit.api.Stage;
import io.fabric8.kubernetes.api.model.ObjectMetaBuilder;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.stream.Collectors;

/** Which of a namespace's MeshEnrollments counts, by the operator's own rule. */
public final class Enrollments {
  private Enrollments() {}

  /** The user's enrollment that counts among all of one namespace. */
  public static Optional<JsonNode> effective(List<JsonNode> ofOneNamespace) {
    return EffectiveEnrollment.of(
            ofOneNamespace.stream()
                .filter(each -> !onlyPlans(each))
                .map(Enrollments::known)
                .toList())
        .map(counting -> counting.getMetadata().getName())
        .flatMap(
            name ->
                ofOneNamespace.stream()
                    .filter(each -> Objects.name(each).equals(name))
                    .findFirst());
  }

  /** Whether it is a dry run of which nothing has ever been released. */
  private static boolean onlyPlans(JsonNode enrollment) {
    return enrollment.at("/spec/dryRun").asBoolean()
        && enrollment.at("/status/inForce").isMissingNode();
  }

  /** As far as the rule looks at it. */
  private static MeshEnrollment known(JsonNode enrollment) {
    MeshEnrollment known = new MeshEnrollment();
    String deleted = Objects.text(enrollment, "/metadata/deletionTimestamp");
    String created = Objects.text(enrollment, "/metadata/creationTimestamp");
    known.setMetadata(
        new ObjectMetaBuilder()
            .withName(Objects.name(enrollment))
            .withLabels(Objects.labels(enrollment))
            .withCreationTimestamp(created.isEmpty() ? null : created)
            .withDeletionTimestamp(deleted.isEmpty() ? null : deleted)
            .build());
    return known;
  }

  /** The stage of that name, however its letters are written. */
  public static Optional<Stage> stage(String text) {
    return Arrays.stream(Stage.values())
        .filter(stage -> stage.text().equalsIgnoreCase(text))
        .findFirst();
  }

  /** The stages that there are, for messages. */
  public static String stages() {
    return Arrays.stream(Stage.values()).map(Stage::text).collect(Collectors.joining(", "));
  }
}
