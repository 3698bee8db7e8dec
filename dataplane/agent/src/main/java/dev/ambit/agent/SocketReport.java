package dev.ambit.agent;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.ambit.agent.cluster.Cluster;
import dev.ambit.agent.pods.PodNetwork;
import dev.ambit.agent.pods.PodNetworks;
import dev.ambit.linux.TcpSocket;
import dev.ambit.linux.UdpSocket;
import io.fabric8.kubernetes.api.model.Pod;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import java.util.function.Supplier;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * What the pods of this node listen on and how many TCP connections they have, as the kernel has
 * it: containers need not declare their ports.
 */
final class SocketReport {
  private static final Logger LOG = LoggerFactory.getLogger(SocketReport.class);
  private static final ObjectMapper JSON = new ObjectMapper();
  private static final Path EPHEMERAL = Path.of("/proc/sys/net/ipv4/ip_local_port_range");

  /** Where a ztunnel listens in the pods that it serves: for TCP, and for UDP. */
  private static final Set<Integer> ZTUNNELS =
      Set.of(15001, 15006, 15008, 15009, 15010, 15011, 15053);

  private final Cluster cluster;
  private final PodNetworks networks;
  private final Supplier<Set<String>> served;

  /**
   * Reports of the pods of a node.
   *
   * @param served the UIDs of those in which a ztunnel listens, redirected or not
   */
  SocketReport(Cluster cluster, PodNetworks networks, Supplier<Set<String>> served) {
    this.cluster = cluster;
    this.networks = networks;
    this.served = served;
  }

  private record Sockets(Collection<Integer> tcp, Collection<Integer> udp, long connections) {}

  /** The pods of one namespace, as JSON; those whose network is not found are missing. */
  String of(String namespace) throws IOException {
    ArrayNode pods = JsonNodeFactory.instance.arrayNode();
    Set<String> uids = served.get();
    for (Pod pod : cluster.pods()) {
      if (namespace.equals(pod.getMetadata().getNamespace())) {
        add(pods, pod, uids.contains(pod.getMetadata().getUid()) ? ZTUNNELS : Set.of());
      }
    }
    return JSON.writeValueAsString(JsonNodeFactory.instance.objectNode().set("pods", pods));
  }

  private void add(ArrayNode pods, Pod pod, Set<Integer> others) {
    List<InetAddress> addresses = addresses(pod);
    if (addresses.isEmpty()
        || (pod.getSpec() != null && Boolean.TRUE.equals(pod.getSpec().getHostNetwork()))) {
      return;
    }
    try {
      var found = networks.find(addresses);
      if (found.isEmpty()) {
        return;
      }
      try (PodNetwork network = found.get()) {
        Sockets sockets = network.call(() -> read(addresses));
        ObjectNode entry = pods.addObject();
        entry.put("name", pod.getMetadata().getName());
        entry.put("connections", sockets.connections());
        ArrayNode tcp = entry.putArray("tcp");
        sockets.tcp().stream().filter(port -> !others.contains(port)).forEach(tcp::add);
        ArrayNode udp = entry.putArray("udp");
        sockets.udp().stream().filter(port -> !others.contains(port)).forEach(udp::add);
      }
    } catch (IOException e) {
      LOG.atDebug()
          .addKeyValue("namespace", pod.getMetadata().getNamespace())
          .addKeyValue("name", pod.getMetadata().getName())
          .addKeyValue("reason", e.getMessage())
          .log("cannot look at the sockets of a pod");
    }
  }

  private static List<InetAddress> addresses(Pod pod) {
    List<InetAddress> addresses = new ArrayList<>();
    if (pod.getStatus() != null && pod.getStatus().getPodIPs() != null) {
      pod.getStatus().getPodIPs().stream()
          .filter(each -> each.getIp() != null)
          .forEach(each -> addresses.add(InetAddress.ofLiteral(each.getIp())));
    }
    return addresses;
  }

  /** Not those for the loopback, and not a ztunnel's, which stand for others' addresses. */
  private static Sockets read(Collection<InetAddress> own) throws IOException {
    var listening = new TreeSet<Integer>();
    long connections = 0;
    for (TcpSocket socket : TcpSocket.read()) {
      if (!isOf(own, socket.local())) {
        continue;
      }
      switch (socket.state()) {
        case LISTEN -> listening.add(socket.local().getPort());
        case ESTABLISHED -> connections++;
        default -> {
          // Neither open nor waiting to be.
        }
      }
    }
    var bound = new TreeSet<Integer>();
    int firstOfClients = firstOfClients();
    for (UdpSocket socket : UdpSocket.read()) {
      if (isOf(own, socket.local()) && socket.local().getPort() < firstOfClients) {
        bound.add(socket.local().getPort());
      }
    }
    return new Sockets(listening, bound, connections);
  }

  private static boolean isOf(Collection<InetAddress> own, InetSocketAddress address) {
    return address.getAddress().isAnyLocalAddress() || own.contains(address.getAddress());
  }

  /** Sockets that ask for no port get one from here on. */
  private static int firstOfClients() throws IOException {
    // In one read: the kernel gives nothing to a second one.
    return Integer.parseInt(Files.readAllLines(EPHEMERAL).getFirst().strip().split("\\s+")[0]);
  }
}
