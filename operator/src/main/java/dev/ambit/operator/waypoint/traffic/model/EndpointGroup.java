package dev.ambit.operator.waypoint.traffic.model;

import java.util.List;

/**
 * Endpoints of one locality that are tried together.
 *
 * @param priority 0 first; the next only as far as there are not enough healthy ones
 * @param weight among groups of the same priority, where the cluster's load balancing is weighted
 *     by locality
 */
public record EndpointGroup<E>(
    int priority, String region, String zone, String subzone, int weight, List<E> endpoints) {
  /** Copies the endpoints. */
  public EndpointGroup {
    endpoints = List.copyOf(endpoints);
  }
}
