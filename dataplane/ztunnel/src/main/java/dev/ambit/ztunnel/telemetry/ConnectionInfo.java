package dev.ambit.ztunnel.telemetry;

import dev.ambit.ztunnel.identity.Identity;
import dev.ambit.ztunnel.state.Endpoint;
import dev.ambit.ztunnel.state.MeshWorkload;
import java.net.InetSocketAddress;
import org.jspecify.annotations.Nullable;

/**
 * What is known of a connection when it begins.
 *
 * @param reporter which end this ztunnel stands for
 * @param source the caller's address
 * @param sourceWorkload the caller, where known
 * @param sourceIdentity the caller's identity, proven inbound and own outbound; null for plain text
 * @param destination where the bytes go: outbound through a tunnel that is the next hop's port
 *     15008
 * @param hboneAuthority the CONNECT request's authority; null for plain text
 * @param endpoint the workload and the service that are the destination
 * @param destinationIdentity whom the next hop proved to be, or inbound the own identity; null for
 *     plain text
 * @param attempts how many endpoints were tried, the last one included; at least 1
 */
public record ConnectionInfo(
    Reporter reporter,
    InetSocketAddress source,
    @Nullable MeshWorkload sourceWorkload,
    @Nullable Identity sourceIdentity,
    InetSocketAddress destination,
    @Nullable String hboneAuthority,
    Endpoint endpoint,
    @Nullable Identity destinationIdentity,
    int attempts) {
  /** At the first attempt. */
  public ConnectionInfo(
      Reporter reporter,
      InetSocketAddress source,
      @Nullable MeshWorkload sourceWorkload,
      @Nullable Identity sourceIdentity,
      InetSocketAddress destination,
      @Nullable String hboneAuthority,
      Endpoint endpoint,
      @Nullable Identity destinationIdentity) {
    this(
        reporter,
        source,
        sourceWorkload,
        sourceIdentity,
        destination,
        hboneAuthority,
        endpoint,
        destinationIdentity,
        1);
  }

  /** Whether both ends have proven who they are. */
  public boolean mutualTls() {
    return sourceIdentity != null && destinationIdentity != null;
  }
}
