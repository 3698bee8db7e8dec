package dev.ambit.agent;

import static org.assertj.core.api.Assertions.assertThat;

import dev.ambit.agent.pods.PodNetworks;
import dev.ambit.agent.testing.FakeCluster;
import dev.ambit.agent.testing.TestNamespace;
import java.net.DatagramSocket;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.nio.file.Path;
import java.util.HashSet;
import java.util.Set;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** What is told of a pod's sockets is what others can reach and what is its own. */
@Timeout(60)
class SocketReportIT {
  /** Of this run alone: what an earlier one left, or another one has, must not have it too. */
  private static final String ADDRESS =
      "198.19.%d.%d"
          .formatted(
              ProcessHandle.current().pid() >> 8 & 0xff, ProcessHandle.current().pid() & 0xff);

  @Test
  void portsAndConnectionsAreThoseOfThePodItself() throws Exception {
    var cluster = new FakeCluster();
    cluster.put(FakeCluster.pod("shop", "a", ADDRESS));
    cluster.put(FakeCluster.pod("shop", "elsewhere", "198.18.255.254"));
    cluster.put(FakeCluster.pod("other", "b", ADDRESS));
    var served = new HashSet<String>();
    var report =
        new SocketReport(
            cluster, new PodNetworks(Path.of("/var/run/netns")), () -> Set.copyOf(served));
    try (var pod = new TestNamespace("sockets")) {
      pod.ip("address", "add", ADDRESS + "/32", "dev", "lo");
      try (var listener = pod.listen(8080);
          var tunnels = pod.listen(15008);
          var local =
              pod.call(() -> new ServerSocket(9000, 1, InetAddress.ofLiteral("127.0.0.1")));
          var connection = pod.connect(ADDRESS, 8080);
          var accepted = listener.accept();
          var datagrams = pod.call(() -> new DatagramSocket(7000));
          var client = pod.call(() -> new DatagramSocket(0))) {
        assertThat(report.of("shop"))
            .isEqualTo(
                "{\"pods\":[{\"name\":\"a\",\"connections\":2,\"tcp\":[8080,15008],"
                    + "\"udp\":[7000]}]}");
        served.add("uid-of-a");
        assertThat(report.of("shop"))
            .as("where a ztunnel listens, that is not the pod's")
            .contains("\"tcp\":[8080],");
        assertThat(report.of("nowhere")).isEqualTo("{\"pods\":[]}");
      }
    }
  }
}
