package dev.ambit.operator.waypoint.traffic.model;

import java.util.Map;

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
