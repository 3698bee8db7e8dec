package dev.ambit.operator.waypoint.route.model;

import java.util.List;
import java.util.Optional;

/**
 * One way for connections.
 *
 * @param serverNames of the client's TLS greeting, one of which must fit: a host name, or "*." and
 *     a suffix; where there are none, any connection fits
 * @param clientNamespace the only namespace whose clients fit, where it is not for all
 * @param shares with no weight in all of them, connections are closed
 */
public record ConnectionRoute(
    List<String> serverNames, Optional<String> clientNamespace, List<ConnectionShare> shares) {
  /** Copies the lists. */
  public ConnectionRoute {
    serverNames = List.copyOf(serverNames);
    shares = List.copyOf(shares);
  }
}
