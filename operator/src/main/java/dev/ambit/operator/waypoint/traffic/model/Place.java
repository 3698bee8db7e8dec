package dev.ambit.operator.waypoint.traffic.model;

import java.util.Collection;
import java.util.HashMap;
import java.util.Map;
import java.util.function.Function;

/**
 * Where an endpoint or a waypoint is.
 *
 * @param node its name, or empty as all that is not known
 * @param labels of the pod
 */
public record Place(
    String network,
    String region,
    String zone,
    String subzone,
    String node,
    Map<String, String> labels) {
  /** Not known. */
  public static final Place UNKNOWN = new Place("", "", "", "", "", Map.of());

  static final String NETWORK = "topology.istio.io/network";
  static final String REGION = "topology.kubernetes.io/region";
  static final String ZONE = "topology.kubernetes.io/zone";
  static final String SUBZONE = "topology.istio.io/subzone";
  static final String NODE = "kubernetes.io/hostname";

  /** Copies the labels. */
  public Place {
    labels = Map.copyOf(labels);
  }

  /**
   * What several places have in common, as those of a waypoint's pods, which are all told the same.
   * What differs is not known, and neither is all that is smaller.
   */
  public static Place common(Collection<Place> places) {
    boolean network = agree(places, Place::network);
    boolean region = agree(places, Place::region);
    boolean zone = region && agree(places, Place::zone);
    boolean subzone = zone && agree(places, Place::subzone);
    Place any = places.stream().findFirst().orElse(UNKNOWN);
    Map<String, String> labels = new HashMap<>(any.labels());
    places.forEach(place -> labels.entrySet().retainAll(place.labels().entrySet()));
    return new Place(
        network ? any.network() : "",
        region ? any.region() : "",
        zone ? any.zone() : "",
        subzone ? any.subzone() : "",
        agree(places, Place::node) ? any.node() : "",
        labels);
  }

  private static boolean agree(Collection<Place> places, Function<Place, String> part) {
    return places.stream().map(part).distinct().count() <= 1;
  }

  /** What it has for a label, those of its node among them; empty where it has none. */
  String label(String name) {
    return switch (name) {
      case NETWORK -> network;
      case REGION, "failure-domain.beta.kubernetes.io/region" -> region;
      case ZONE, "failure-domain.beta.kubernetes.io/zone" -> zone;
      case SUBZONE -> subzone;
      case NODE -> node;
      default -> labels.getOrDefault(name, "");
    };
  }

  /** As "region/zone/subzone" patterns have it, of which the last part may be an asterisk. */
  boolean fits(String pattern) {
    String[] own = {region, zone, subzone};
    String[] parts = pattern.split("/", -1);
    for (int i = 0; i < parts.length; i++) {
      if (parts[i].equals("*")) {
        return true;
      }
      if (i >= own.length || !parts[i].equals(own[i])) {
        return false;
      }
    }
    return true;
  }
}
