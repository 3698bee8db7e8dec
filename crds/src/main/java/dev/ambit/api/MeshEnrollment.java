package dev.ambit.api;

import com.fasterxml.jackson.annotation.JsonIgnore;
import io.fabric8.crd.generator.annotation.AdditionalPrinterColumn;
import io.fabric8.crd.generator.annotation.AdditionalPrinterColumn.Type;
import io.fabric8.kubernetes.api.model.Namespaced;
import io.fabric8.kubernetes.client.CustomResource;
import io.fabric8.kubernetes.model.annotation.Group;
import io.fabric8.kubernetes.model.annotation.Kind;
import io.fabric8.kubernetes.model.annotation.Plural;
import io.fabric8.kubernetes.model.annotation.ShortNames;
import io.fabric8.kubernetes.model.annotation.Singular;
import io.fabric8.kubernetes.model.annotation.Version;
import java.util.Map;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/**
 * Where a namespace should be in the mesh, and where it is. The operator derives one, the mirror,
 * from the namespace's labels where the user has written none.
 */
@Group("ambit.dev")
@Version("v1alpha1")
@Kind("MeshEnrollment")
@Plural("meshenrollments")
@Singular("meshenrollment")
@ShortNames("menr")
@AdditionalPrinterColumn(name = "Stage", jsonPath = ".status.stage", type = Type.STRING)
@AdditionalPrinterColumn(name = "Phase", jsonPath = ".status.phase", type = Type.STRING)
@AdditionalPrinterColumn(name = "Step", jsonPath = ".status.rollout.summary", type = Type.STRING)
@AdditionalPrinterColumn(name = "Pods", jsonPath = ".status.pods.total", type = Type.INTEGER)
@AdditionalPrinterColumn(name = "Captured", jsonPath = ".status.pods.captured", type = Type.INTEGER)
@AdditionalPrinterColumn(name = "Proven", jsonPath = ".status.pods.proven", type = Type.INTEGER)
@AdditionalPrinterColumn(name = "Excluded", jsonPath = ".status.pods.excluded", type = Type.INTEGER)
@AdditionalPrinterColumn(
    name = "Ready",
    jsonPath = ".status.conditions[?(@.type==\"Ready\")].status",
    type = Type.STRING)
@AdditionalPrinterColumn(name = "Age", jsonPath = ".metadata.creationTimestamp", type = Type.DATE)
public final class MeshEnrollment extends CustomResource<MeshEnrollmentSpec, MeshEnrollmentStatus>
    implements Namespaced {
  private static final long serialVersionUID = 1L;

  /** What is asked for, where a missing {@code spec} asks for the defaults. */
  @JsonIgnore
  public MeshEnrollmentSpec effectiveSpec() {
    MeshEnrollmentSpec written = getSpec();
    return written == null ? MeshEnrollmentSpec.DEFAULTS : written;
  }

  /** Whether the operator derives this object from the namespace's labels. */
  @JsonIgnore
  public boolean isMirror() {
    Map<String, String> labels = getMetadata().getLabels();
    return WellKnown.MIRROR_NAME.equals(getMetadata().getName())
        && labels != null
        && "true".equals(labels.get(WellKnown.MIRROR));
  }

  /** The ClusterMeshEnrollment that made it; empty where none did. */
  public Optional<String> fleet() {
    Map<String, String> labels = getMetadata().getLabels();
    return WellKnown.FLEET_NAME.equals(getMetadata().getName()) && labels != null
        ? Optional.ofNullable(labels.get(WellKnown.FLEET))
        : Optional.empty();
  }

  /** What the operator has released of it. */
  public Optional<InForce> inForce() {
    return Optional.ofNullable(getStatus()).map(MeshEnrollmentStatus::inForce);
  }

  /** Whether it is a dry run of which nothing has ever been released. */
  public boolean onlyPlans() {
    return effectiveSpec().dryRun() && inForce().isEmpty();
  }

  @Override
  protected @Nullable MeshEnrollmentSpec initSpec() {
    return null;
  }

  @Override
  protected @Nullable MeshEnrollmentStatus initStatus() {
    return null;
  }
}
