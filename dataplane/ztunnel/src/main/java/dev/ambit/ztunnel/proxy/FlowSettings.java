package dev.ambit.ztunnel.proxy;

import java.time.Duration;

/**
 * How UDP is carried.
 *
 * @param idle after how long without a datagram a flow ends that went both ways
 * @param unreplied the same, for one that went only one way
 * @param flowsPerPod that the sockets of a pod may have open to others
 * @param flowsPerSource that one address may have open to a pod
 * @param newFlowsPerSecond that a pod, and that one address to a pod, may begin; twice as many at
 *     once
 * @param dns whether the pod's questions to DNS servers go another way, so that they are not taken
 */
public record FlowSettings(
    Duration idle,
    Duration unreplied,
    int flowsPerPod,
    int flowsPerSource,
    int newFlowsPerSecond,
    boolean dns) {
  /** Where datagrams that the pod sends are handed over. */
  public static final int OUTBOUND_PORT = 15009;

  /** Where plain datagrams to the pod are handed over to be judged. */
  public static final int PLAIN_PORT = 15010;

  /**
   * The same, for those whose sender the application's socket is connected to. The kernel would
   * hand them over to that socket alone, so their source port is another one meanwhile.
   */
  public static final int PLAIN_PORT_OF_CONNECTED = 15011;

  /** What turns that source port into the other one, and back. */
  static final int OTHER_SOURCE = 0x8000;

  /** Of packets that stand for the peer of a flow: they go to the pod's application. */
  static final int REPLY_MARK = 0x53b;

  /** Of packets that were judged. */
  static final int JUDGED_MARK = 0x53c;

  /**
   * What kube-proxy grants flows, which leaves that to the kernel's connection tracking, and as
   * many of them as a busy DNS server has.
   */
  public static FlowSettings defaults() {
    return new FlowSettings(
        Duration.ofSeconds(120), Duration.ofSeconds(30), 16_384, 4_096, 1_000, true);
  }

  /** Whether {@code port} is one that no flow may lead to. */
  static boolean isOwnPort(int port) {
    return port == OUTBOUND_PORT || port == PLAIN_PORT || port == PLAIN_PORT_OF_CONNECTED;
  }
}
