package dev.ambit.operator.mesh.model;

import dev.ambit.api.StageCounts;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * All that is known of a mesh.
 *
 * @param name the AmbientMesh's own name
 * @param trustDomain what is asked for
 * @param trustDomainProblem what is wrong with it, if something is
 * @param trustDomainInUse what was in use before, if anything was
 * @param providers what of its providers waypoints do not do as written
 */
public record MeshObservation(
    String name,
    String trustDomain,
    @Nullable String trustDomainProblem,
    @Nullable String trustDomainInUse,
    AuthorityVerdict authority,
    RevocationVerdict revocations,
    ComponentState ztunnel,
    ComponentState agent,
    StageCounts namespaces,
    List<String> providers) {}
