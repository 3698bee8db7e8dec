package dev.ambit.ztunnel.dns;

import java.net.InetAddress;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;

/**
 * How the DNS proxy of a pod works.
 *
 * @param listen the addresses that it listens at, in the pod's network namespace
 * @param port the port of all of them, over UDP and TCP
 * @param ipv6 tell IPv6 addresses
 * @param clusterDomain such as {@code cluster.local}
 * @param resolverFile names the servers to ask where it is not known which one the pod had asked
 * @param maxExchanges questions over UDP that may be under way for one pod at once
 * @param answerTimeout after which an answer is no longer waited for
 * @param maxConnections connections over TCP that one pod may have at once
 * @param idleTimeout after which a connection on which nothing happens is closed
 * @param connectTimeout of connections to servers
 */
public record DnsSettings(
    List<InetAddress> listen,
    int port,
    boolean ipv6,
    String clusterDomain,
    Path resolverFile,
    int maxExchanges,
    Duration answerTimeout,
    int maxConnections,
    Duration idleTimeout,
    Duration connectTimeout) {
  /** Where the node agent's rules redirect to. */
  public static final int PORT = 15053;

  private static final int MAX_EXCHANGES = 1024;
  private static final int MAX_CONNECTIONS = 256;

  public DnsSettings {
    listen = List.copyOf(listen);
  }

  /** What a cluster runs with. */
  public static DnsSettings defaults(boolean ipv6, String clusterDomain) {
    InetAddress loopback = InetAddress.ofLiteral("127.0.0.1");
    return new DnsSettings(
        ipv6 ? List.of(loopback, InetAddress.ofLiteral("::1")) : List.of(loopback),
        PORT,
        ipv6,
        clusterDomain,
        Path.of("/etc/resolv.conf"),
        MAX_EXCHANGES,
        Duration.ofSeconds(10),
        MAX_CONNECTIONS,
        Duration.ofMinutes(2),
        Duration.ofSeconds(5));
  }

  /** The same, listening elsewhere. */
  public DnsSettings listeningAt(List<InetAddress> addresses, int otherPort) {
    return new DnsSettings(
        addresses,
        otherPort,
        ipv6,
        clusterDomain,
        resolverFile,
        maxExchanges,
        answerTimeout,
        maxConnections,
        idleTimeout,
        connectTimeout);
  }
}
