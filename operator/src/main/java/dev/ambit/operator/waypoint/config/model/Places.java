package dev.ambit.operator.waypoint.config.model;

import dev.ambit.operator.waypoint.traffic.model.Place;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;

/**
 * Where a waypoint's pods are.
 *
 * @param common what all have in common, for those that are not known
 * @param ofPods by the pods' names
 */
record Places(Place common, Map<String, Place> ofPods) {
  static final Places NONE = new Places(Place.UNKNOWN, Map.of());

  Places {
    ofPods = Map.copyOf(ofPods);
  }

  static Places of(List<Member> pods) {
    return new Places(
        Place.common(pods.stream().map(Member::place).toList()),
        pods.stream()
            .collect(
                Collectors.toMap(pod -> pod.workload().getName(), Member::place, (one, _) -> one)));
  }
}
