package dev.ambit.operator.enrollment.model;

import dev.ambit.operator.model.ObjectCondition;
import io.fabric8.kubernetes.api.model.HasMetadata;
import java.util.Optional;

/**
 * A policy of a namespace or of the mesh.
 *
 * @param policy an AuthorizationPolicy or a RequestAuthentication
 * @param byWaypoints what waypoints make of it; nothing where it is not theirs, or they have not
 *     looked at it
 */
public record JudgedPolicy(HasMetadata policy, Optional<ObjectCondition> byWaypoints) {}
