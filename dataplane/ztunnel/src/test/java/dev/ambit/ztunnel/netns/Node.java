package dev.ambit.ztunnel.netns;

import java.util.ArrayDeque;
import java.util.Deque;

/** A network namespace that stands for a node: it routes between its pods and the other node. */
final class Node implements AutoCloseable {
  private final String name;
  private final int index;
  private final Host host;
  private final Deque<Pod> pods = new ArrayDeque<>();
  private int lastPod = 9;

  Node(String name, int index) {
    this.name = name;
    this.index = index;
    this.host = Host.create(name);
    host.sysctl("net/ipv4/ip_forward", "1");
    host.sysctl("net/ipv6/conf/all/forwarding", "1");
  }

  String name() {
    return name;
  }

  int index() {
    return index;
  }

  Host host() {
    return host;
  }

  /** Makes a pod with one interface, an IPv4 and an IPv6 address, and routes to everything. */
  synchronized Pod pod(String namespace, String name, String serviceAccount) {
    int number = ++lastPod;
    var pod = new Pod(this, number, namespace, name, serviceAccount);
    pods.push(pod);
    pod.connect();
    return pod;
  }

  @Override
  public synchronized void close() {
    pods.forEach(Pod::close);
    host.close();
  }

  @Override
  public String toString() {
    return name;
  }
}
