package dev.ambit.ztunnel.netns;

import java.util.ArrayDeque;
import java.util.Deque;
import java.util.List;

/**
 * Two nodes joined by one wire, and beside them a host for the control plane that both reach
 * without using that wire.
 */
final class Network implements AutoCloseable {
  /** Where the control plane's host is reached. */
  static final String CONTROL_ADDRESS = "10.255.0.1";

  /** The interface of each node that leads to the other node. */
  static final String WIRE = "wire";

  private final Deque<AutoCloseable> resources = new ArrayDeque<>();
  private final Host control;
  private final Node a;
  private final Node b;

  private Network() {
    control = keep(Host.create("control"));
    a = keep(new Node("node-a", 1));
    b = keep(new Node("node-b", 2));
  }

  static Network create() {
    Requirements.check();
    var network = new Network();
    try {
      network.connect();
      return network;
    } catch (RuntimeException e) {
      network.close();
      throw e;
    }
  }

  private void connect() {
    a.host()
        .ip("link add %s type veth peer name %s netns %s".formatted(WIRE, WIRE, b.host().name()));
    control.ip("addr add %s/32 dev lo".formatted(CONTROL_ADDRESS));
    control.sysctl("net/ipv4/ip_forward", "1");
    for (Node node : List.of(a, b)) {
      int self = node.index();
      int other = 3 - self;
      control.ip(
          "link add %s type veth peer name control netns %s"
              .formatted(node.name(), node.host().name()),
          "addr add 192.168.%d.1/24 dev %s".formatted(self, node.name()),
          "link set %s up".formatted(node.name()));
      node.host()
          .ip(
              "addr add 192.168.%d.2/24 dev control".formatted(self),
              "link set control up",
              "route add %s/32 via 192.168.%d.1".formatted(CONTROL_ADDRESS, self),
              "addr add 192.168.100.%d/24 dev %s".formatted(self, WIRE),
              "addr add fd00:100::%d/64 dev %s nodad".formatted(self, WIRE),
              "link set %s up".formatted(WIRE),
              "route add 10.%d.0.0/16 via 192.168.100.%d".formatted(other, other),
              "route add fd00:%d::/32 via fd00:100::%d".formatted(other, other));
      control.ip("route add 10.%d.0.0/16 via 192.168.%d.2".formatted(self, self));
    }
  }

  private <T extends AutoCloseable> T keep(T resource) {
    resources.push(resource);
    return resource;
  }

  Host control() {
    return control;
  }

  Node a() {
    return a;
  }

  Node b() {
    return b;
  }

  @Override
  public void close() {
    Closing.all(resources);
  }
}
