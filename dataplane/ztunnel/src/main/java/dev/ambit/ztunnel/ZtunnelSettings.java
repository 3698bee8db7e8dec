package dev.ambit.ztunnel;

import dev.ambit.ztunnel.channel.BearerToken;
import dev.ambit.ztunnel.channel.ServerAddress;
import dev.ambit.ztunnel.dns.DnsSettings;
import dev.ambit.ztunnel.hbone.HboneSettings;
import dev.ambit.ztunnel.proxy.ProxySettings;
import dev.ambit.ztunnel.telemetry.LogFormat;
import dev.ambit.ztunnel.xds.NodeIdentity;
import java.net.InetSocketAddress;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;

/**
 * How the ztunnel is to run, read from environment variables that go by Istio's names.
 *
 * @param xds the control plane
 * @param xdsHeaders sent with each call to it
 * @param authority the certificate authority
 * @param authorityHeaders sent with each call to it
 * @param token what proves to both who calls
 * @param node who this ztunnel is
 * @param network the network of this node
 * @param agentSocket where the node agent listens
 * @param certificateLifetime what to ask the authority for
 * @param drainDeadline how long open connections may go on when the ztunnel or a pod ends
 * @param workerThreads event loops that carry traffic
 * @param proxy how connections are proxied
 * @param dns how DNS is proxied, where it is
 * @param readiness where probes are answered
 * @param stats where metrics are served
 * @param admin where people look in
 * @param logFormat of the access log
 */
record ZtunnelSettings(
    ServerAddress xds,
    Map<String, String> xdsHeaders,
    ServerAddress authority,
    Map<String, String> authorityHeaders,
    BearerToken token,
    NodeIdentity node,
    String network,
    Path agentSocket,
    Duration certificateLifetime,
    Duration drainDeadline,
    int workerThreads,
    ProxySettings proxy,
    Optional<DnsSettings> dns,
    InetSocketAddress readiness,
    InetSocketAddress stats,
    InetSocketAddress admin,
    LogFormat logFormat) {
  private static final String DEFAULT_SERVER = "https://ambit-operator.ambit-system.svc:15012";
  private static final String DEFAULT_ROOT = "/var/run/secrets/istio/root-cert.pem";
  private static final Path DEFAULT_TOKEN = Path.of("/var/run/secrets/tokens/istio-token");
  private static final String DEFAULT_SOCKET = "/var/run/ztunnel/ztunnel.sock";
  private static final int LARGEST_WINDOW = Integer.MAX_VALUE;

  /**
   * Reads the settings.
   *
   * @param processors how many the machine, or the container's limit, gives
   * @throws SettingsException names the first variable that cannot be used
   */
  static ZtunnelSettings of(Environment environment, int processors) throws SettingsException {
    requireSharedMode(environment);
    requireLogLevel(environment);
    String clusterId = environment.text("CLUSTER_ID", "Kubernetes");
    String xdsUrl = environment.text("XDS_ADDRESS", DEFAULT_SERVER);
    String xdsRoot = environment.text("XDS_ROOT_CA", DEFAULT_ROOT);
    return new ZtunnelSettings(
        server("XDS_ADDRESS", xdsUrl, xdsRoot),
        headers(environment, "XDS_HEADER_", clusterId),
        server(
            "CA_ADDRESS",
            environment.text("CA_ADDRESS", xdsUrl),
            environment.text("CA_ROOT_CA", xdsRoot)),
        headers(environment, "CA_HEADER_", clusterId),
        token(environment),
        new NodeIdentity(
            environment.text("INSTANCE_IP", "127.0.0.1"),
            environment.text("POD_NAME", "ztunnel"),
            environment.text("POD_NAMESPACE", "ambit-system"),
            environment.text("NODE_NAME", ""),
            clusterId),
        environment.text("NETWORK", ""),
        Path.of(environment.text("INPOD_UDS", DEFAULT_SOCKET)),
        environment.duration("SECRET_TTL", Duration.ofHours(24)),
        drainDeadline(environment),
        workerThreads(environment, processors),
        proxy(environment),
        dns(environment),
        environment.address("READINESS_ADDR", new InetSocketAddress(15021)),
        environment.address("STATS_ADDR", new InetSocketAddress(15020)),
        environment.address("ADMIN_ADDR", new InetSocketAddress("127.0.0.1", 15000)),
        logFormat(environment));
  }

  /** For inspection: what is in force, without secrets. */
  Map<String, String> describe() {
    Map<String, String> all = new LinkedHashMap<>();
    all.put("xdsAddress", xds.toString());
    all.put("xdsRootCert", xds.rootFile().toString());
    all.put("caAddress", authority.toString());
    all.put("caRootCert", authority.rootFile().toString());
    all.put("proxyMode", "Shared");
    all.put("localNode", node.nodeName());
    all.put("clusterId", node.clusterId());
    all.put("network", network);
    all.put("inpodUds", agentSocket.toString());
    all.put("secretTtl", certificateLifetime.toString());
    all.put("selfTerminationDeadline", drainDeadline.toString());
    all.put("numWorkerThreads", String.valueOf(workerThreads));
    all.put("packetMark", String.valueOf(proxy.mark()));
    all.put("ipv6Enabled", String.valueOf(proxy.ipv6()));
    all.put("originalSource", String.valueOf(proxy.originalSource()));
    all.put("dnsProxy", String.valueOf(dns.isPresent()));
    dns.ifPresent(proxied -> all.put("dnsProxyAddr", proxied.listen() + " port " + proxied.port()));
    return all;
  }

  private static void requireSharedMode(Environment environment) throws SettingsException {
    String mode = environment.text("PROXY_MODE", "shared");
    if (mode.equalsIgnoreCase("dedicated")) {
      throw new SettingsException(
          "PROXY_MODE is 'dedicated', which is not supported yet: leave it unset, or set it to "
              + "'shared' and run one ztunnel for each node");
    }
    if (!mode.equalsIgnoreCase("shared")) {
      throw Environment.wrong("PROXY_MODE", mode, "shared");
    }
  }

  private static void requireLogLevel(Environment environment) throws SettingsException {
    try {
      dev.ambit.ztunnel.telemetry.LogLevels.set(environment.text("LOG_LEVEL", "info"));
    } catch (IllegalArgumentException e) {
      throw new SettingsException("LOG_LEVEL: " + e.getMessage());
    }
  }

  private static ServerAddress server(String name, String url, String root)
      throws SettingsException {
    try {
      return ServerAddress.parse(url, Path.of(root));
    } catch (IllegalArgumentException e) {
      throw new SettingsException(name + ": " + e.getMessage());
    }
  }

  private static Map<String, String> headers(
      Environment environment, String prefix, String clusterId) {
    Map<String, String> headers = new HashMap<>();
    headers.put("clusterid", clusterId);
    environment
        .withPrefix(prefix)
        .forEach(
            (name, value) -> headers.put(name.toLowerCase(Locale.ROOT).replace('_', '-'), value));
    return headers;
  }

  /** A file that is named has to be there; the usual one may be absent, as in a test. */
  private static BearerToken token(Environment environment) {
    Optional<String> named = environment.text("AUTH_TOKEN");
    if (named.isPresent()) {
      return BearerToken.in(Path.of(named.get()));
    }
    boolean disabled = environment.variables().containsKey("AUTH_TOKEN");
    return disabled || !Files.exists(DEFAULT_TOKEN)
        ? BearerToken.none()
        : BearerToken.in(DEFAULT_TOKEN);
  }

  /** Leaves time to end within what Kubernetes grants. */
  private static Duration drainDeadline(Environment environment) throws SettingsException {
    int grace = environment.number("TERMINATION_GRACE_PERIOD_SECONDS", 0, 0, 1 << 20);
    int rest = grace > 10 ? grace - 5 : Math.max(0, grace - 1);
    Duration whenUnset = grace == 0 ? Duration.ofSeconds(5) : Duration.ofSeconds(rest);
    return environment.duration("CONNECTION_TERMINATION_DEADLINE", whenUnset);
  }

  /**
   * One loop on one or two processors, where a second only adds switching (measured); on more, a
   * quarter of them and at least two, so that the proxy leaves the node to its pods.
   */
  private static int workerThreads(Environment environment, int processors)
      throws SettingsException {
    String name = "ZTUNNEL_WORKER_THREADS";
    Optional<String> value = environment.text(name);
    if (value.isPresent() && value.get().strip().endsWith("%")) {
      String percent = value.get().strip();
      try {
        int share = Integer.parseInt(percent.substring(0, percent.length() - 1).strip());
        if (share > 0 && share <= 100) {
          return Math.max(1, (processors * share + 99) / 100);
        }
      } catch (NumberFormatException e) {
        // Said below.
      }
      throw Environment.wrong(name, value.get(), "a number of threads or a share such as 25%");
    }
    int whenUnset = processors <= 2 ? 1 : Math.max(2, (processors + 3) / 4);
    return environment.number(name, whenUnset, 1, 1024);
  }

  private static ProxySettings proxy(Environment environment) throws SettingsException {
    ProxySettings defaults = ProxySettings.defaults();
    return new ProxySettings(
        environment.flag("IPV6_ENABLED", true),
        environment.flag("ENABLE_ORIG_SRC", true),
        environment.flag("LOCALHOST_APP_TUNNEL", true),
        environment.number("PACKET_MARK", defaults.mark(), 1, Integer.MAX_VALUE),
        defaults.backlog(),
        environment.number(
            "POOL_MAX_STREAMS_PER_CONNECTION", defaults.maxStreamsPerTunnel(), 1, 1 << 20),
        environment.duration("POOL_UNUSED_RELEASE_TIMEOUT", defaults.idleTunnelTimeout()),
        defaults.connectTimeout(),
        defaults.handshakeTimeout(),
        defaults.certificateTimeout(),
        tunnels(environment, defaults.tunnelClient()),
        tunnels(environment, defaults.tunnelServer()));
  }

  /**
   * On unless told otherwise: nothing asks it before the node agent's rules lead questions here.
   */
  private static Optional<DnsSettings> dns(Environment environment) throws SettingsException {
    if (!environment.flag("ISTIO_META_DNS_CAPTURE", true)) {
      return Optional.empty();
    }
    DnsSettings defaults =
        DnsSettings.defaults(
            environment.flag("IPV6_ENABLED", true),
            environment.text("CLUSTER_DOMAIN", "cluster.local"));
    String name = "ISTIO_META_DNS_PROXY_ADDR";
    InetSocketAddress address =
        environment.address(name, new InetSocketAddress("127.0.0.1", defaults.port()));
    boolean anyLoopback =
        environment.text(name).map(text -> text.strip().startsWith("localhost:")).orElse(true);
    return Optional.of(
        defaults.listeningAt(
            anyLoopback ? defaults.listen() : List.of(address.getAddress()), address.getPort()));
  }

  private static HboneSettings tunnels(Environment environment, HboneSettings defaults)
      throws SettingsException {
    int least = 65535;
    int stream =
        environment.number(
            "HTTP2_STREAM_WINDOW_SIZE", defaults.streamWindow(), least, LARGEST_WINDOW);
    int connection =
        environment.number(
            "HTTP2_CONNECTION_WINDOW_SIZE", defaults.connectionWindow(), least, LARGEST_WINDOW);
    if (connection < stream) {
      throw new SettingsException(
          "HTTP2_CONNECTION_WINDOW_SIZE is "
              + connection
              + ", less than HTTP2_STREAM_WINDOW_SIZE, which is "
              + stream
              + ": one stalled stream would stop the others");
    }
    return new HboneSettings(
        stream,
        connection,
        environment.number("HTTP2_FRAME_SIZE", defaults.maxFrameSize(), 1 << 14, (1 << 24) - 1),
        defaults.maxConcurrentStreams(),
        defaults.maxHeaderListSize(),
        defaults.keepAliveInterval(),
        defaults.keepAliveTimeout(),
        defaults.settingsTimeout(),
        defaults.lingerTimeout());
  }

  private static LogFormat logFormat(Environment environment) throws SettingsException {
    String name = environment.text("LOG_FORMAT", "text");
    return switch (name.toLowerCase(Locale.ROOT)) {
      case "text", "plain" -> LogFormat.TEXT;
      case "json" -> LogFormat.JSON;
      default -> throw Environment.wrong("LOG_FORMAT", name, "text or json");
    };
  }
}
