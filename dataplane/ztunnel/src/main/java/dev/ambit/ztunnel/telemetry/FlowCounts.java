package dev.ambit.ztunnel.telemetry;

/**
 * What a flow of datagrams has carried.
 *
 * @param datagramsSent from source to destination
 * @param bytesSent their payloads
 * @param datagramsReceived from destination to source
 * @param bytesReceived their payloads
 * @param dropped in both directions
 */
public record FlowCounts(
    long datagramsSent, long bytesSent, long datagramsReceived, long bytesReceived, long dropped) {
  static final FlowCounts NONE = new FlowCounts(0, 0, 0, 0, 0);
}
