package dev.ambit.cli.model;

import com.fasterxml.jackson.databind.JsonNode;
import dev.ambit.api.Conditions;
import java.util.List;

/** How the mesh itself is. */
public record MeshStatus(
    boolean ready,
    String reason,
    String message,
    String trustDomain,
    int nodes,
    int nodesReady,
    int nodesUpToDate,
    String caFingerprint,
    String caExpires,
    List<ConditionLine> conditions) {

  /** Reads an AmbientMesh. */
  public static MeshStatus of(JsonNode mesh) {
    var ready = Objects.condition(mesh, Conditions.READY);
    return new MeshStatus(
        ready.filter(ConditionLine::holds).isPresent(),
        ready.map(ConditionLine::reason).orElse("NoStatus"),
        ready
            .map(ConditionLine::message)
            .orElse("The AmbientMesh has no status yet: is the operator running?"),
        Objects.text(mesh, "/status/trustDomain"),
        mesh.at("/status/nodes/total").asInt(),
        mesh.at("/status/nodes/ready").asInt(),
        mesh.at("/status/nodes/upToDate").asInt(),
        Objects.text(mesh, "/status/ca/fingerprint"),
        Objects.text(mesh, "/status/ca/expires"),
        Objects.conditions(mesh));
  }
}
