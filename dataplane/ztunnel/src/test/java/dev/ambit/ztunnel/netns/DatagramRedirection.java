package dev.ambit.ztunnel.netns;

import static org.awaitility.Awaitility.await;

import dev.ambit.linux.Nftables;
import java.net.InetAddress;

/** What leads a pod's datagrams to its ztunnel, as tests ask for it and see it. */
final class DatagramRedirection {
  private DatagramRedirection() {}

  /** A captured pod of which the control plane says that UDP is carried to it. */
  static WorkloadResource carrying(Pod pod) {
    return WorkloadResource.captured(pod).with(workload -> workload.setDatagrams(true));
  }

  /** A captured pod, known as one to which UDP is carried. */
  static Pod captured(Mesh mesh, MeshNode node, String serviceAccount) {
    var pod = mesh.captured(node, serviceAccount);
    mesh.controlPlane().announce(carrying(pod));
    return pod;
  }

  /** The ztunnel's table in the pod's network; empty where there is none. */
  static String rules(Pod pod) {
    return pod.host().call(() -> Nftables.listTable("ambit_udp").orElse(""));
  }

  /** Waits until {@code pod}'s datagrams to {@code destination} are led to the ztunnel. */
  static void awaitCapture(Pod pod, InetAddress destination) {
    await("datagrams of " + pod + " to " + destination + " are captured")
        .atMost(Patience.LONG)
        .until(
            () -> rules(pod).contains(destination.getHostAddress().replace(":0:0:0:0:0:", "::")));
  }
}
