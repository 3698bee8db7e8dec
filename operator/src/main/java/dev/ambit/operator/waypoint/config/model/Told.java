package dev.ambit.operator.waypoint.config.model;

import com.google.protobuf.Message;
import java.util.Map;

/**
 * What a waypoint's Envoys are told under one name.
 *
 * @param toPods what those of single pods are told in its place, by the pods' names
 */
record Told(Message toAll, Map<String, Message> toPods) {
  Told {
    toPods = Map.copyOf(toPods);
  }
}
