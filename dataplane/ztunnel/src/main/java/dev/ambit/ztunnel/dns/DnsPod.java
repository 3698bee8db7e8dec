package dev.ambit.ztunnel.dns;

import dev.ambit.linux.ConnectionTracking;
import dev.ambit.ztunnel.state.LocalPod;
import dev.ambit.ztunnel.state.MeshWorkload;
import io.netty.channel.epoll.EpollDatagramChannel;
import io.netty.channel.epoll.EpollSocketChannel;
import java.net.InetAddress;
import org.jspecify.annotations.Nullable;

/**
 * A pod as its DNS proxy needs it. All sockets are in its network namespace and have the ztunnel's
 * mark, so that what they send is not redirected. Calls never block; those that open something
 * throw a {@link io.netty.channel.ChannelException} where they cannot.
 */
public interface DnsPod {
  /** Who it is, as the node agent says. */
  LocalPod pod();

  /** What the control plane knows of it now. */
  @Nullable MeshWorkload workload();

  /**
   * A socket for datagrams.
   *
   * @param shared another ztunnel may be bound to the same address and port
   */
  EpollDatagramChannel datagrams(boolean ipv6, boolean shared);

  /** A socket for a connection to {@code target}. */
  EpollSocketChannel connection(InetAddress target);

  /** What the kernel remembers of redirected datagrams. */
  ConnectionTracking connectionTracking();
}
