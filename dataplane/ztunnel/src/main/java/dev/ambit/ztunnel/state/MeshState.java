package dev.ambit.ztunnel.state;

import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.util.Set;
import java.util.concurrent.CompletionStage;
import org.jspecify.annotations.Nullable;

/**
 * What the mesh looks like now, and the routing that follows. Any thread may call it, and no call
 * blocks: these run on event loops. IPv4-mapped IPv6 addresses are taken as IPv4.
 */
public interface MeshState {
  /**
   * The workload that {@code pod} is. Completes at once where it is known, else when it becomes
   * known; after 5 s exceptionally, with a {@link java.util.concurrent.TimeoutException}. Completes
   * on any thread.
   */
  CompletionStage<MeshWorkload> local(LocalPod pod);

  /** How a connection from {@code source} to {@code destination} goes on. */
  default OutboundRoute route(MeshWorkload source, InetSocketAddress destination) {
    return route(source, destination, Set.of());
  }

  /**
   * How a connection from {@code source} to {@code destination} goes on, where those it might have
   * gone to by a service's choice could not be reached.
   *
   * @param without their uids: none of them is chosen
   */
  OutboundRoute route(MeshWorkload source, InetSocketAddress destination, Set<String> without);

  /**
   * How datagrams from {@code source} to {@code destination} go on. Never through a waypoint, which
   * carries none: what the destination demands is judged there. Nothing is waited for.
   *
   * @param without uids of workloads that were not reached: none of them is chosen
   */
  default OutboundRoute datagrams(
      MeshWorkload source, InetSocketAddress destination, Set<String> without) {
    return new OutboundRoute.Refused("datagrams are not routed here", Endpoint.UNKNOWN);
  }

  /** The workload of {@code uid} as it is known now. */
  default @Nullable MeshWorkload workload(String uid) {
    return null;
  }

  /**
   * Where a CONNECT request goes.
   *
   * @param self the pod whose listener accepted the tunnel
   * @param tunnelDestination the address that the tunnel itself was opened to
   * @param authority the request's {@code :authority}
   */
  InboundRoute inbound(MeshWorkload self, InetSocketAddress tunnelDestination, String authority);

  /**
   * The service whose waypoint a connection to a pod of its went past, as far as can be told; null
   * where it did not, or where the port is another service's too that has no waypoint.
   *
   * @param port of the pod
   * @param from who connects to it
   */
  default @Nullable MeshService passedWaypoint(MeshWorkload self, int port, InetAddress from) {
    return null;
  }

  /** The workload that has {@code address} on this network, for telemetry of sources. */
  @Nullable MeshWorkload byAddress(InetAddress address);
}
