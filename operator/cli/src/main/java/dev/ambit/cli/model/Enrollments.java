package dev.ambit.cli.model;

import com.fasterxml.jackson.databind.JsonNode;
import dev.ambit.api.EffectiveEnrollment;
import dev.ambit.api.InForce;
import dev.ambit.api.MeshEnrollment;
import dev.ambit.api.MeshEnrollmentSpec;
import dev.ambit.api.MeshEnrollmentStatus;
import dev.ambit.api.Stage;
import io.fabric8.kubernetes.api.model.ObjectMetaBuilder;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.stream.Collectors;

/** Which of a namespace's MeshEnrollments counts, by the operator's own rule. */
public final class Enrollments {
  private Enrollments() {}

  /** The user's enrollment that counts among all of one namespace. */
  public static Optional<JsonNode> effective(List<JsonNode> ofOneNamespace) {
    return EffectiveEnrollment.of(known(ofOneNamespace))
        .map(counting -> counting.getMetadata().getName())
        .flatMap(
            name ->
                ofOneNamespace.stream()
                    .filter(each -> Objects.name(each).equals(name))
                    .findFirst());
  }

  /** What the operator has released of them; empty where the namespace's labels decide. */
  public static OptionalInt cut(List<JsonNode> ofOneNamespace) {
    return EffectiveEnrollment.inForce(known(ofOneNamespace))
        .map(released -> OptionalInt.of(released.cut()))
        .orElseGet(OptionalInt::empty);
  }

  private static List<MeshEnrollment> known(List<JsonNode> enrollments) {
    return enrollments.stream().map(Enrollments::known).toList();
  }

  /** As far as the rules look at it. */
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
    known.setSpec(
        new MeshEnrollmentSpec(
            null, null, null, null, null, null, null, enrollment.at("/spec/dryRun").asBoolean()));
    JsonNode cut = enrollment.at("/status/inForce/cut");
    known.setStatus(
        MeshEnrollmentStatus.NOTHING_YET.withInForce(
            cut.isMissingNode() ? null : new InForce(cut.asInt(), null, null, null, null, null)));
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
