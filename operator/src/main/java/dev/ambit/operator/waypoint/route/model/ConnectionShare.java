package dev.ambit.operator.waypoint.route.model;

import dev.ambit.operator.waypoint.model.Backend;
import java.util.Optional;

/**
 * The part of connections that goes to one backend.
 *
 * @param backend where there is none, these connections are closed
 * @param weight in relation to the others'
 */
public record ConnectionShare(Optional<Backend> backend, int weight) {}
