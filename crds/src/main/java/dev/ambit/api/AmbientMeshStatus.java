package dev.ambit.api;

import com.fasterxml.jackson.annotation.JsonInclude;
import com.fasterxml.jackson.annotation.JsonPropertyDescription;
import io.fabric8.kubernetes.api.model.Condition;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** What a cluster's mesh is. */
@JsonInclude(JsonInclude.Include.NON_NULL)
public record AmbientMeshStatus(
    @JsonPropertyDescription("The generation of the spec that this status tells of.")
        @Nullable Long observedGeneration,
    @JsonPropertyDescription("The trust domain in use.") @Nullable String trustDomain,
    @JsonPropertyDescription("Nodes and their components.") @Nullable NodeCounts nodes,
    @JsonPropertyDescription("How many namespaces with an enrollment are at each stage.")
        @Nullable StageCounts namespaces,
    @JsonPropertyDescription("The certificate authority in use.")
        @Nullable CertificateAuthorityStatus ca,
    @JsonPropertyDescription(
            "Ready, Reconciling and Stalled, as kstatus defines them, and, where the certificate"
                + " authority has revocation lists, RevocationsDistributed, and, where waypoints"
                + " cannot do what providers or default providers say, ProvidersAccepted.")
        List<Condition> conditions) {

  public AmbientMeshStatus {
    conditions = conditions == null ? List.of() : List.copyOf(conditions);
  }
}
