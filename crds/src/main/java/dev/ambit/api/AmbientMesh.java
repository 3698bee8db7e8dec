package dev.ambit.api;

import com.fasterxml.jackson.annotation.JsonIgnore;
import io.fabric8.crd.generator.annotation.AdditionalPrinterColumn;
import io.fabric8.crd.generator.annotation.AdditionalPrinterColumn.Type;
import io.fabric8.generator.annotation.ValidationRule;
import io.fabric8.kubernetes.client.CustomResource;
import io.fabric8.kubernetes.model.annotation.Group;
import io.fabric8.kubernetes.model.annotation.Kind;
import io.fabric8.kubernetes.model.annotation.Plural;
import io.fabric8.kubernetes.model.annotation.ShortNames;
import io.fabric8.kubernetes.model.annotation.Singular;
import io.fabric8.kubernetes.model.annotation.Version;
import org.jspecify.annotations.Nullable;

/** The mesh of a cluster: its trust, its defaults, and the node components to install. */
@Group("ambit.dev")
@Version("v1alpha1")
@Kind("AmbientMesh")
@Plural("ambientmeshes")
@Singular("ambientmesh")
@ShortNames("amesh")
@AdditionalPrinterColumn(
    name = "Ready",
    jsonPath = ".status.conditions[?(@.type==\"Ready\")].status",
    type = Type.STRING)
@AdditionalPrinterColumn(name = "Nodes", jsonPath = ".status.nodes.summary", type = Type.STRING)
@AdditionalPrinterColumn(name = "Trust domain", jsonPath = ".spec.trustDomain", type = Type.STRING)
@AdditionalPrinterColumn(name = "Age", jsonPath = ".metadata.creationTimestamp", type = Type.DATE)
@ValidationRule(
    value = "self.metadata.name == 'default'",
    message = "a cluster has one AmbientMesh, and its name must be 'default'")
public final class AmbientMesh extends CustomResource<AmbientMeshSpec, AmbientMeshStatus> {
  private static final long serialVersionUID = 1L;

  /** What is asked for, where a missing {@code spec} asks for the defaults. */
  @JsonIgnore
  public AmbientMeshSpec effectiveSpec() {
    AmbientMeshSpec written = getSpec();
    return written == null ? AmbientMeshSpec.DEFAULTS : written;
  }

  @Override
  protected @Nullable AmbientMeshSpec initSpec() {
    return null;
  }

  @Override
  protected @Nullable AmbientMeshStatus initStatus() {
    return null;
  }
}
