package dev.ambit.cli.model;

import com.fasterxml.jackson.annotation.JsonIgnore;
import com.fasterxml.jackson.annotation.JsonInclude;
import com.fasterxml.jackson.databind.JsonNode;
import dev.ambit.api.Conditions;
import dev.ambit.api.WellKnown;
import java.util.List;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/**
 * Where a namespace is in the mesh.
 *
 * @param source {@code labels} where it mirrors the namespace's labels, {@code fleet} where a
 *     ClusterMeshEnrollment has made it, else {@code user}
 * @param current whether the status tells of the spec as it is
 * @param step of its rollout, such as 1/3; absent where it has none
 * @param proven absent where the operator does not say
 */
@JsonInclude(JsonInclude.Include.NON_NULL)
public record EnrollmentStatus(
    String namespace,
    String name,
    String source,
    String asked,
    String stage,
    String phase,
    @Nullable String step,
    boolean current,
    int pods,
    int captured,
    @Nullable Integer proven,
    int excluded,
    String ready,
    String reason,
    String message,
    List<Excluded> excludedPods,
    List<Finding> findings,
    List<ConditionLine> conditions,
    List<Sender> plaintext,
    List<HistoryLine> history) {

  /** A pod that is left out. */
  public record Excluded(String pod, String reason) {}

  /** What the operator found before it began. */
  public record Finding(String severity, String reason, String object, String message) {}

  /** Somebody whose plaintext strict mTLS would refuse. */
  public record Sender(
      String from, String to, int port, String protocol, long connections, long open, String last) {

    static Sender of(JsonNode sender) {
      return new Sender(
          Objects.text(sender, "/from"),
          Objects.text(sender, "/to"),
          sender.path("port").asInt(),
          Objects.text(sender, "/protocol"),
          sender.path("connections").asLong(),
          sender.path("open").asLong(),
          Objects.text(sender, "/last"));
    }
  }

  /** A step of the past. */
  public record HistoryLine(String time, String stage, String phase, String reason) {}

  /** Reads a MeshEnrollment. */
  public static EnrollmentStatus of(JsonNode enrollment) {
    JsonNode status = enrollment.path("status");
    var ready = Objects.condition(enrollment, Conditions.READY);
    JsonNode proven = status.at("/pods/proven");
    return new EnrollmentStatus(
        Objects.namespace(enrollment),
        Objects.name(enrollment),
        isMirror(enrollment) ? "labels" : fleet(enrollment).isPresent() ? "fleet" : "user",
        asked(enrollment),
        Objects.text(status, "/stage"),
        Objects.text(status, "/phase"),
        status.at("/rollout/summary").isTextual() ? Objects.text(status, "/rollout/summary") : null,
        enrollment.at("/metadata/generation").asLong()
            == status.path("observedGeneration").asLong(),
        status.at("/pods/total").asInt(),
        status.at("/pods/captured").asInt(),
        proven.isMissingNode() ? null : proven.asInt(),
        status.at("/pods/excluded").asInt(),
        ready.map(ConditionLine::status).orElse("Unknown"),
        ready.map(ConditionLine::reason).orElse("NoStatus"),
        ready.map(ConditionLine::message).orElse("The operator has not looked at it yet."),
        Objects.items(status, "/excluded").stream()
            .map(each -> new Excluded(Objects.text(each, "/pod"), Objects.text(each, "/reason")))
            .toList(),
        Objects.items(status, "/findings").stream().map(EnrollmentStatus::finding).toList(),
        Objects.conditions(enrollment),
        Objects.items(status, "/mtls/plaintext").stream().map(Sender::of).toList(),
        Objects.items(status, "/history").stream()
            .map(
                each ->
                    new HistoryLine(
                        Objects.text(each, "/time"),
                        Objects.text(each, "/stage"),
                        Objects.text(each, "/phase"),
                        Objects.text(each, "/reason")))
            .toList());
  }

  private static Finding finding(JsonNode finding) {
    JsonNode object = finding.path("object");
    return new Finding(
        Objects.text(finding, "/severity"),
        Objects.text(finding, "/reason"),
        object.isObject()
            ? Objects.text(object, "/kind")
                + " "
                + Objects.text(object, "/namespace")
                + "/"
                + Objects.text(object, "/name")
            : object.asText(""),
        Objects.text(finding, "/message"));
  }

  /** The stage that a MeshEnrollment asks for. */
  public static String asked(JsonNode enrollment) {
    String stage = Objects.text(enrollment, "/spec/stage");
    return stage.isEmpty() ? "L4" : stage;
  }

  /** Whether the operator derives it from the namespace's labels. */
  public static boolean isMirror(JsonNode enrollment) {
    return WellKnown.MIRROR_NAME.equals(Objects.name(enrollment))
        && "true".equals(Objects.labels(enrollment).get(WellKnown.MIRROR));
  }

  /** The ClusterMeshEnrollment that has made a MeshEnrollment; empty where none has. */
  public static Optional<String> fleet(JsonNode enrollment) {
    return WellKnown.FLEET_NAME.equals(Objects.name(enrollment))
        ? Optional.ofNullable(Objects.labels(enrollment).get(WellKnown.FLEET))
        : Optional.empty();
  }

  @JsonIgnore
  public boolean isStalled() {
    return conditions.stream()
        .anyMatch(each -> each.type().equals(Conditions.STALLED) && each.holds());
  }

  /** Whether it goes no further by itself, stalled or held by a person. */
  @JsonIgnore
  public boolean isStuck() {
    return isStalled()
        || (!atGoal()
            && conditions.stream()
                .anyMatch(
                    each ->
                        each.type().equals(Conditions.RECONCILING)
                            && "False".equals(each.status())));
  }

  /** Whether the namespace is where it should be. */
  public boolean atGoal() {
    return "True".equals(ready);
  }
}
