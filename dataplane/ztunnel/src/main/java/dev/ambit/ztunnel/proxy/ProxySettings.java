package dev.ambit.ztunnel.proxy;

import dev.ambit.ztunnel.hbone.HboneSettings;
import java.time.Duration;

/**
 * How connections are proxied.
 *
 * @param ipv6 listen on {@code [::]}, for both families, where the kernel has IPv6
 * @param originalSource connect to applications from the caller's address
 * @param loopbackForTunnels reach applications that ask for the PROXY protocol on loopback
 * @param mark SO_MARK of every socket, by which redirection leaves them alone; 0 for none
 * @param backlog of the listeners
 * @param maxStreamsPerTunnel connections that share a tunnel at most
 * @param idleTunnelTimeout after which a tunnel without connections is closed
 * @param connectTimeout of each TCP connection
 * @param handshakeTimeout of TLS
 * @param certificateTimeout how long a connection waits for its certificate
 * @param tunnelClient what we grant as a tunnel's client
 * @param tunnelServer what we grant as its server
 */
public record ProxySettings(
    boolean ipv6,
    boolean originalSource,
    boolean loopbackForTunnels,
    int mark,
    int backlog,
    int maxStreamsPerTunnel,
    Duration idleTunnelTimeout,
    Duration connectTimeout,
    Duration handshakeTimeout,
    Duration certificateTimeout,
    HboneSettings tunnelClient,
    HboneSettings tunnelServer) {
  /** Where a pod's own connections are redirected to. */
  public static final int OUTBOUND_PORT = 15001;

  /** Where plain connections to a pod are redirected to. */
  public static final int INBOUND_PLAINTEXT_PORT = 15006;

  /** Where tunnels to a pod arrive. */
  public static final int INBOUND_PORT = 15008;

  private static final int DEFAULT_MARK = 1337;
  private static final int DEFAULT_BACKLOG = 1024;
  private static final int DEFAULT_MAX_STREAMS = 100;

  /** Whether {@code port} is one that no connection may be sent to, since it would come back. */
  public static boolean isOwnPort(int port) {
    return port == OUTBOUND_PORT || port == INBOUND_PLAINTEXT_PORT || port == INBOUND_PORT;
  }

  /** What a cluster runs with. */
  public static ProxySettings defaults() {
    return new ProxySettings(
        true,
        true,
        true,
        DEFAULT_MARK,
        DEFAULT_BACKLOG,
        DEFAULT_MAX_STREAMS,
        Duration.ofMinutes(5),
        Duration.ofSeconds(10),
        Duration.ofSeconds(10),
        Duration.ofSeconds(10),
        HboneSettings.client(),
        HboneSettings.server());
  }

  /** The same, with or without IPv6. */
  public ProxySettings withIpv6(boolean enabled) {
    return new ProxySettings(
        enabled,
        originalSource,
        loopbackForTunnels,
        mark,
        backlog,
        maxStreamsPerTunnel,
        idleTunnelTimeout,
        connectTimeout,
        handshakeTimeout,
        certificateTimeout,
        tunnelClient,
        tunnelServer);
  }

  /** The same, with {@code port}'s mark on its sockets. */
  public ProxySettings withMark(int socketMark) {
    return new ProxySettings(
        ipv6,
        originalSource,
        loopbackForTunnels,
        socketMark,
        backlog,
        maxStreamsPerTunnel,
        idleTunnelTimeout,
        connectTimeout,
        handshakeTimeout,
        certificateTimeout,
        tunnelClient,
        tunnelServer);
  }

  /** The same, with other bounds for tunnels. */
  public ProxySettings withTunnels(
      int maxStreams, Duration idleTimeout, HboneSettings client, HboneSettings server) {
    return new ProxySettings(
        ipv6,
        originalSource,
        loopbackForTunnels,
        mark,
        backlog,
        maxStreams,
        idleTimeout,
        connectTimeout,
        handshakeTimeout,
        certificateTimeout,
        client,
        server);
  }
}
