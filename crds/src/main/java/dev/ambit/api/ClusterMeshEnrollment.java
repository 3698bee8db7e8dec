package dev.ambit.api;

import com.fasterxml.jackson.annotation.JsonIgnore;
import io.fabric8.crd.generator.annotation.AdditionalPrinterColumn;
import io.fabric8.crd.generator.annotation.AdditionalPrinterColumn.Type;
import io.fabric8.kubernetes.client.CustomResource;
import io.fabric8.kubernetes.model.annotation.Group;
import io.fabric8.kubernetes.model.annotation.Kind;
import io.fabric8.kubernetes.model.annotation.Plural;
import io.fabric8.kubernetes.model.annotation.ShortNames;
import io.fabric8.kubernetes.model.annotation.Singular;
import io.fabric8.kubernetes.model.annotation.Version;
import org.jspecify.annotations.Nullable;

/**
 * A fleet: many namespaces that are taken into the mesh in waves, a few at a time. Each gets a
 * MeshEnrollment named {@code fleet}, unless it has one of its own.
 */
@Group("ambit.dev")
@Version("v1alpha1")
@Kind("ClusterMeshEnrollment")
@Plural("clustermeshenrollments")
@Singular("clustermeshenrollment")
@ShortNames("cmenr")
@AdditionalPrinterColumn(name = "Stage", jsonPath = ".spec.template.stage", type = Type.STRING)
@AdditionalPrinterColumn(name = "Wave", jsonPath = ".status.wave.summary", type = Type.STRING)
@AdditionalPrinterColumn(
    name = "Namespaces",
    jsonPath = ".status.namespaces.selected",
    type = Type.INTEGER)
@AdditionalPrinterColumn(name = "Done", jsonPath = ".status.namespaces.done", type = Type.INTEGER)
@AdditionalPrinterColumn(
    name = "Moving",
    jsonPath = ".status.namespaces.moving",
    type = Type.INTEGER)
@AdditionalPrinterColumn(
    name = "Failed",
    jsonPath = ".status.namespaces.failed",
    type = Type.INTEGER)
@AdditionalPrinterColumn(name = "Held", jsonPath = ".status.namespaces.held", type = Type.INTEGER)
@AdditionalPrinterColumn(
    name = "Ready",
    jsonPath = ".status.conditions[?(@.type==\"Ready\")].status",
    type = Type.STRING)
@AdditionalPrinterColumn(name = "Age", jsonPath = ".metadata.creationTimestamp", type = Type.DATE)
public final class ClusterMeshEnrollment
    extends CustomResource<ClusterMeshEnrollmentSpec, ClusterMeshEnrollmentStatus> {
  private static final long serialVersionUID = 1L;

  /** What is asked for, where a missing {@code spec} selects nothing. */
  @JsonIgnore
  public ClusterMeshEnrollmentSpec effectiveSpec() {
    ClusterMeshEnrollmentSpec written = getSpec();
    return written == null ? ClusterMeshEnrollmentSpec.DEFAULTS : written;
  }

  @Override
  protected @Nullable ClusterMeshEnrollmentSpec initSpec() {
    return null;
  }

  @Override
  protected @Nullable ClusterMeshEnrollmentStatus initStatus() {
    return null;
  }
}
