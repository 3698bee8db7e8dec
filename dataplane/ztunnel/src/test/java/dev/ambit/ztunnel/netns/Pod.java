package dev.ambit.ztunnel.netns;

import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.UnknownHostException;
import java.util.UUID;

/** A network namespace that stands for a pod, linked to its node the way a CNI plugin does it. */
final class Pod implements AutoCloseable {
  private final String uid = UUID.randomUUID().toString();
  private final Node node;
  private final int number;
  private final String namespace;
  private final String name;
  private final String serviceAccount;
  private final Host host;

  Pod(Node node, int number, String namespace, String name, String serviceAccount) {
    this.node = node;
    this.number = number;
    this.namespace = namespace;
    this.name = name;
    this.serviceAccount = serviceAccount;
    this.host = Host.create(name);
  }

  void connect() {
    var outside = link();
    node.host()
        .ip(
            "link add %s type veth peer name eth0 netns %s".formatted(outside, host.name()),
            "addr add 10.%d.0.1/32 dev %s".formatted(node.index(), outside),
            "addr add fd00:%d::1/128 dev %s nodad".formatted(node.index(), outside),
            "link set %s up".formatted(outside));
    host.ip(
        "addr add %s/32 dev eth0".formatted(ipv4().getHostAddress()),
        "addr add %s/128 dev eth0 nodad".formatted(ipv6().getHostAddress()),
        "link set eth0 up",
        "route add default via 10.%d.0.1 dev eth0 onlink".formatted(node.index()),
        "route add default via fd00:%d::1 dev eth0 onlink".formatted(node.index()));
    node.host()
        .ip(
            "route add %s/32 dev %s".formatted(ipv4().getHostAddress(), outside),
            "route add %s/128 dev %s".formatted(ipv6().getHostAddress(), outside));
  }

  /** The pod's interface as its node sees it. */
  String link() {
    return "pod" + number;
  }

  String uid() {
    return uid;
  }

  Node node() {
    return node;
  }

  String namespace() {
    return namespace;
  }

  String name() {
    return name;
  }

  String serviceAccount() {
    return serviceAccount;
  }

  String identity() {
    return "spiffe://cluster.local/ns/" + namespace + "/sa/" + serviceAccount;
  }

  /** The name of its resource in xDS. */
  String workloadUid() {
    return "Kubernetes//Pod/" + namespace + "/" + name;
  }

  Host host() {
    return host;
  }

  InetAddress ipv4() {
    return literal("10.%d.%d.%d".formatted(node.index(), number >> 8, number & 255));
  }

  InetAddress ipv6() {
    return literal("fd00:%d::%x".formatted(node.index(), number));
  }

  InetSocketAddress at(int port) {
    return new InetSocketAddress(ipv4(), port);
  }

  InetSocketAddress at6(int port) {
    return new InetSocketAddress(ipv6(), port);
  }

  private static InetAddress literal(String address) {
    try {
      return InetAddress.getByName(address);
    } catch (UnknownHostException e) {
      throw new AssertionError(e);
    }
  }

  @Override
  public void close() {
    host.close();
  }

  @Override
  public String toString() {
    return namespace + "/" + name;
  }
}
