package dev.ambit.ztunnel.netns;

import java.util.Map;
import java.util.Optional;
import java.util.stream.Stream;
import org.junit.jupiter.api.Assumptions;

/**
 * Which program runs on the callers' node, and which on the servers'.
 *
 * @param callers on node a
 * @param servers on node b
 */
record ZtunnelPair(ZtunnelProgram callers, ZtunnelProgram servers) {
  /** Ambit at both ends; and, where {@code PEER} names another ztunnel, that one at each end. */
  static Stream<ZtunnelPair> all() {
    var ambit = ZtunnelProgram.ambit();
    Optional<ZtunnelProgram> peer = ZtunnelProgram.peer();
    return Stream.concat(
        Stream.of(new ZtunnelPair(ambit, ambit)),
        peer.stream()
            .flatMap(
                other -> Stream.of(new ZtunnelPair(ambit, other), new ZtunnelPair(other, ambit))));
  }

  /** A mesh with a ready ztunnel of these on each node. */
  Mesh start(Map<String, String> environment) {
    return Mesh.start(callers, servers, environment);
  }

  /** Skips what another ztunnel on either node does not do. */
  void needsAmbit(String why) {
    Assumptions.assumeTrue(callers.equals(servers), () -> "only Ambit's ztunnel: " + why);
  }

  /** Skips what another ztunnel on the callers' node does not do. */
  void needsAmbitAtTheCallers(String why) {
    Assumptions.assumeTrue(
        callers.equals(ZtunnelProgram.ambit()), () -> "only Ambit's ztunnel: " + why);
  }

  /** Skips what another ztunnel on the servers' node does not do. */
  void needsAmbitAtTheServers(String why) {
    Assumptions.assumeTrue(
        servers.equals(ZtunnelProgram.ambit()), () -> "only Ambit's ztunnel: " + why);
  }

  @Override
  public String toString() {
    return callers + " to " + servers;
  }
}
