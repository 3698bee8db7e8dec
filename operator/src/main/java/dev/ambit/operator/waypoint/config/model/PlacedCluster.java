package dev.ambit.operator.waypoint.config.model;

import com.google.protobuf.Message;
import dev.ambit.operator.waypoint.model.Backend;
import dev.ambit.operator.waypoint.traffic.model.Place;
import dev.ambit.operator.waypoint.traffic.model.ServicePolicy;
import dev.ambit.protocol.workload.Service;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * A cluster and its endpoints, as each of a waypoint's pods is told of them: which endpoints are
 * near turns on where it is itself.
 *
 * @param endpoints absent where the cluster finds them itself
 */
record PlacedCluster(boolean dependsOnPlace, Told cluster, Optional<Told> endpoints) {

  static PlacedCluster of(
      Backend backend, Service service, List<Member> members, ServicePolicy policy, Places places) {
    Clusters.Planned common =
        Clusters.of(new Clusters.Source(backend, service, members, policy, places.common()));
    if (!Clusters.dependsOnPlace(backend, service, policy)) {
      return new PlacedCluster(
          false,
          new Told(common.cluster(), Map.of()),
          common.endpoints().map(endpoints -> new Told(endpoints, Map.of())));
    }
    Map<Place, Clusters.Planned> byPlace = new HashMap<>();
    Map<String, Message> clusters = new HashMap<>();
    Map<String, Message> endpoints = new HashMap<>();
    places
        .ofPods()
        .forEach(
            (pod, place) -> {
              Clusters.Planned own =
                  byPlace.computeIfAbsent(
                      place,
                      _ ->
                          Clusters.of(
                              new Clusters.Source(backend, service, members, policy, place)));
              if (!own.cluster().equals(common.cluster())) {
                clusters.put(pod, own.cluster());
              }
              own.endpoints()
                  .filter(each -> !each.equals(common.endpoints().orElse(null)))
                  .ifPresent(each -> endpoints.put(pod, each));
            });
    return new PlacedCluster(
        true,
        new Told(common.cluster(), clusters),
        common.endpoints().map(each -> new Told(each, endpoints)));
  }
}
