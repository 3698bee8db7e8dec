package dev.ambit.operator.enrollment.model;

import dev.ambit.api.Finding;
import dev.ambit.api.MeshEnrollmentSpec;
import dev.ambit.api.MeshEnrollmentStatus;
import dev.ambit.api.Severity;
import dev.ambit.api.Stage;
import dev.ambit.capture.DataplaneMode;
import dev.ambit.capture.PodNumber;
import java.time.Instant;
import java.util.List;
import java.util.Optional;

/**
 * All that is known of a namespace's enrollment.
 *
 * @param generation of the object's spec
 * @param before the object's status as it is
 * @param mode what the namespace's label says
 * @param label the label as written, for messages; empty where there is none
 * @param cutOfOthers what is in force without this object: of another enrollment, or by the label
 * @param namespaceExcluded whether the mesh never captures anything in this namespace
 * @param meshInstalled whether there is an AmbientMesh that is not being deleted
 * @param drainSeconds for how long at most connections may end in the tunnel after their pod has
 *     left
 * @param waypoint the namespace's waypoints, where the enrollment has to do with any
 * @param findings what preflight says
 * @param traffic what ztunnels have counted since the last look
 * @param mtls what bears on strict mTLS
 * @param rootNamespace Ambit's own
 * @param policies of the namespace and the root namespace; nothing while that is not known
 * @param servingSince since when this replica leads and tells ztunnels what is in force; nothing
 *     while it does not
 */
public record EnrollmentObservation(
    EnrollmentSource source,
    long generation,
    MeshEnrollmentStatus before,
    DataplaneMode mode,
    String label,
    int cutOfOthers,
    boolean namespaceExcluded,
    boolean meshInstalled,
    int drainSeconds,
    EnrolledPods pods,
    WaypointState waypoint,
    List<Finding> findings,
    Traffic traffic,
    MtlsObservation mtls,
    String rootNamespace,
    Optional<List<JudgedPolicy>> policies,
    Optional<Instant> servingSince,
    Instant now) {

  public EnrollmentObservation {
    findings = List.copyOf(findings);
    policies = policies.map(List::copyOf);
  }

  /** What is in force by a namespace's label alone. */
  public static int cutOf(DataplaneMode label) {
    return label == DataplaneMode.AMBIENT ? PodNumber.ALL : 0;
  }

  /** Whether the namespace's label counts and has no meaning. */
  public boolean labelIsUnknown() {
    return source instanceof EnrollmentSource.Labels && mode == DataplaneMode.UNKNOWN;
  }

  /** Where the namespace was when last looked at. */
  public Stage reached() {
    Stage stage = before.stage();
    return stage == null ? Stage.NONE : stage;
  }

  /** The stage that is asked for. */
  public Stage asked() {
    return switch (source) {
      case EnrollmentSource.Labels ignored ->
          switch (mode) {
            case AMBIENT -> Stage.L4;
            case ABSENT, NONE, UNKNOWN -> Stage.NONE;
          };
      case EnrollmentSource.User(MeshEnrollmentSpec spec) -> spec.stage();
      case EnrollmentSource.Plan(MeshEnrollmentSpec spec) -> spec.stage();
      case EnrollmentSource.Superseded ignored -> Stage.NONE;
    };
  }

  /** What preflight has found that would break. */
  public List<Finding> errors() {
    return findings.stream().filter(finding -> finding.severity() == Severity.ERROR).toList();
  }
}
