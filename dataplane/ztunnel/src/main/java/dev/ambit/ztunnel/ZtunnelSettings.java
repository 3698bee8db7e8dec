package dev.ambit.ztunnel;

import dev.ambit.ztunnel.channel.BearerToken;
import dev.ambit.ztunnel.channel.ServerAddress;
import dev.ambit.ztunnel.dns.DnsSettings;
import dev.ambit.ztunnel.hbone.HboneSettings;
import dev.ambit.ztunnel.hbone.MemoryBudget;
import dev.ambit.ztunnel.identity.TrustDomains;
import dev.ambit.ztunnel.proxy.FlowSettings;
import dev.ambit.ztunnel.proxy.ProxySettings;
import dev.ambit.ztunnel.proxy.TunnelLimits;
import dev.ambit.ztunnel.state.LocalPod;
import dev.ambit.ztunnel.telemetry.LogFormat;
import dev.ambit.ztunnel.xds.NodeIdentity;
import io.netty.util.internal.PlatformDependent;
import java.net.InetSocketAddress;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeSet;
import org.jspecify.annotations.Nullable;

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
 * @param flows how UDP is carried, where it is
 * @param limits what callers may take
 * @param readiness where probes are answered
 * @param stats where metrics are served
 * @param admin where people look in
 * @param logFormat of the access log
 * @param metricsIdle after how long without a connection its label set is dropped; zero: never
 * @param trustDomains which trust domains are one
 * @param revocationLists file or folder of them
 * @param mesh where workloads, services and policies come from
 * @param dedicated the one pod to serve, whose network namespace this is; null: those of the node
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
    Optional<FlowSettings> flows,
    TunnelLimits limits,
    InetSocketAddress readiness,
    InetSocketAddress stats,
    InetSocketAddress admin,
    LogFormat logFormat,
    Duration metricsIdle,
    TrustDomains trustDomains,
    Optional<Path> revocationLists,
    MeshSource mesh,
    @Nullable LocalPod dedicated) {
  private static final String DEFAULT_SERVER = "https://ambit-operator.ambit-system.svc:15012";
  private static final String DEFAULT_ROOT = "/var/run/secrets/istio/root-cert.pem";
  private static final Path DEFAULT_TOKEN = Path.of("/var/run/secrets/tokens/istio-token");
  private static final String DEFAULT_SOCKET = "/var/run/ztunnel/ztunnel.sock";
  private static final int LARGEST_WINDOW = Integer.MAX_VALUE;
  private static final Duration LONGEST_TIMEOUT = Duration.ofDays(1);

  /**
   * Reads the settings.
   *
   * @param processors how many the machine, or the container's limit, gives
   * @throws SettingsException names the first variable that cannot be used
   */
  static ZtunnelSettings of(Environment environment, int processors) throws SettingsException {
    LocalPod dedicated = dedicated(environment);
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
        proxy(environment, dedicated != null),
        dns(environment),
        flows(environment, dedicated != null),
        limits(environment),
        environment.address("READINESS_ADDR", new InetSocketAddress(15021)),
        environment.address("STATS_ADDR", new InetSocketAddress(15020)),
        environment.address("ADMIN_ADDR", new InetSocketAddress("127.0.0.1", 15000)),
        logFormat(environment),
        environment.duration("METRICS_IDLE_TIMEOUT", Duration.ofHours(1)),
        trustDomains(environment),
        environment.text("CRL_PATH").map(Path::of),
        MeshSource.of(environment),
        dedicated);
  }

  /** For inspection: what is in force, without secrets. */
  Map<String, String> describe() {
    Map<String, String> all = new LinkedHashMap<>();
    all.put("xdsAddress", xds.toString());
    all.put("xdsRootCert", xds.rootFile().toString());
    all.put("caAddress", authority.toString());
    all.put("caRootCert", authority.rootFile().toString());
    all.put("proxyMode", dedicated == null ? "Shared" : "Dedicated");
    all.put("xdsOnDemand", String.valueOf(mesh.onDemand()));
    mesh.file().ifPresent(file -> all.put("localXdsPath", file.toString()));
    all.put("localNode", node.nodeName());
    all.put("clusterId", node.clusterId());
    all.put("network", network);
    all.put("inpodUds", agentSocket.toString());
    all.put("secretTtl", certificateLifetime.toString());
    all.put("selfTerminationDeadline", drainDeadline.toString());
    all.put("numWorkerThreads", String.valueOf(workerThreads));
    all.put("packetMark", String.valueOf(proxy.mark()));
    all.put("ipv6Enabled", String.valueOf(proxy.ipv6()));
    all.put("metricsIdleTimeout", metricsIdle.toString());
    all.put("originalSource", String.valueOf(proxy.originalSource()));
    all.put("dnsProxy", String.valueOf(dns.isPresent()));
    dns.ifPresent(proxied -> all.put("dnsProxyAddr", proxied.listen() + " port " + proxied.port()));
    all.put("udp", String.valueOf(flows.isPresent()));
    all.put("trustDomainAliases", String.join(",", new TreeSet<>(trustDomains.aliases())));
    all.put("crlPath", revocationLists.map(Path::toString).orElse(""));
    return all;
  }

  private static @Nullable LocalPod dedicated(Environment environment) throws SettingsException {
    String mode = environment.text("PROXY_MODE", "shared");
    if (mode.equalsIgnoreCase("shared")) {
      return null;
    }
    if (!mode.equalsIgnoreCase("dedicated")) {
      throw Environment.wrong("PROXY_MODE", mode, "shared or dedicated");
    }
    String name = "PROXY_WORKLOAD_INFO";
    String info =
        environment
            .text(name)
            .orElseThrow(
                () ->
                    new SettingsException(
                        "PROXY_MODE is 'dedicated': set "
                            + name
                            + " to the pod, as NAMESPACE/NAME/SERVICE-ACCOUNT"));
    String[] parts = info.strip().split("/", -1);
    if (parts.length != 3 || List.of(parts).contains("")) {
      throw Environment.wrong(name, info, "NAMESPACE/NAME/SERVICE-ACCOUNT");
    }
    return new LocalPod(info, parts[1], parts[0], parts[2]);
  }

  private static void requireLogLevel(Environment environment) throws SettingsException {
    try {
      dev.ambit.ztunnel.telemetry.LogLevels.begin(environment.text("LOG_LEVEL", "info"));
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

  private static ProxySettings proxy(Environment environment, boolean dedicated)
      throws SettingsException {
    ProxySettings defaults = ProxySettings.defaults();
    return new ProxySettings(
        environment.flag("IPV6_ENABLED", true),
        environment.flag("ENABLE_ORIG_SRC", true),
        environment.flag("LOCALHOST_APP_TUNNEL", true),
        environment.number(
            "PACKET_MARK", dedicated ? 0 : defaults.mark(), dedicated ? 0 : 1, Integer.MAX_VALUE),
        defaults.backlog(),
        environment.number(
            "POOL_MAX_STREAMS_PER_CONNECTION", defaults.maxStreamsPerTunnel(), 1, 1 << 20),
        environment.duration("POOL_UNUSED_RELEASE_TIMEOUT", defaults.idleTunnelTimeout()),
        atLeastMilli(environment, "CONNECT_TIMEOUT", defaults.connectTimeout()),
        atLeastMilli(environment, "TLS_HANDSHAKE_TIMEOUT", defaults.handshakeTimeout()),
        defaults.certificateTimeout(),
        tunnels(environment, defaults.tunnelClient()),
        tunnels(environment, defaults.tunnelServer())
            .withExtendedConnect(environment.flag("UDP_ENABLED", false)));
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

  /** Off unless told otherwise. */
  private static Optional<FlowSettings> flows(Environment environment, boolean dedicated)
      throws SettingsException {
    if (!environment.flag("UDP_ENABLED", false)) {
      return Optional.empty();
    }
    if (dedicated) {
      throw new SettingsException(
          "UDP_ENABLED is on, and PROXY_MODE is 'dedicated', which carries no UDP");
    }
    FlowSettings defaults = FlowSettings.defaults();
    int most = 1 << 20;
    return Optional.of(
        new FlowSettings(
            atLeastMilli(environment, "UDP_IDLE_TIMEOUT", defaults.idle()),
            atLeastMilli(environment, "UDP_UNREPLIED_TIMEOUT", defaults.unreplied()),
            environment.number("UDP_FLOWS_PER_POD", defaults.flowsPerPod(), 1, most),
            environment.number("UDP_FLOWS_PER_SOURCE", defaults.flowsPerSource(), 1, most),
            environment.number("UDP_NEW_FLOWS_PER_SECOND", defaults.newFlowsPerSecond(), 1, most),
            dns(environment).isPresent()));
  }

  /** Of the memory for buffers a quarter may lie with applications that do not take what comes. */
  private static TunnelLimits limits(Environment environment) throws SettingsException {
    TunnelLimits defaults = TunnelLimits.defaults();
    int most = 1 << 20;
    return new TunnelLimits(
        environment.number("INBOUND_TUNNELS_PER_SOURCE", defaults.tunnelsPerSource(), 1, most),
        environment.number(
            "INBOUND_PENDING_TUNNELS_PER_SOURCE", defaults.pendingPerSource(), 1, most),
        environment.number("INBOUND_PENDING_TUNNELS", defaults.pendingPerPod(), 1, most),
        atLeastMilli(environment, "INBOUND_TUNNEL_IDLE_TIMEOUT", defaults.idleTimeout()),
        new MemoryBudget(PlatformDependent.maxDirectMemory() / 4));
  }

  private static Duration atLeastMilli(Environment environment, String name, Duration whenUnset)
      throws SettingsException {
    Duration duration = environment.duration(name, whenUnset);
    if (duration.toMillis() < 1 || duration.compareTo(LONGEST_TIMEOUT) > 0) {
      throw Environment.wrong(name, duration.toString(), "a duration from 1ms to 24h");
    }
    return duration;
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
        defaults.maxConcurrentStreams() == 0
            ? 0
            : environment.number(
                "HTTP2_MAX_CONCURRENT_STREAMS", defaults.maxConcurrentStreams(), 1, 1 << 20),
        defaults.maxConcurrentStreams() == 0
            ? defaults.maxHeaderListSize()
            : environment.number(
                "HTTP2_MAX_HEADER_LIST_SIZE", defaults.maxHeaderListSize(), 1 << 12, 1 << 20),
        defaults.extendedConnect(),
        defaults.keepAliveInterval(),
        defaults.keepAliveTimeout(),
        atLeastMilli(environment, "TLS_HANDSHAKE_TIMEOUT", defaults.settingsTimeout()),
        defaults.lingerTimeout());
  }

  private static TrustDomains trustDomains(Environment environment) throws SettingsException {
    String name = "TRUST_DOMAIN_ALIASES";
    Set<String> aliases = new HashSet<>();
    for (String alias : environment.text(name, "").split(",", -1)) {
      if (!alias.isBlank()) {
        aliases.add(alias.strip());
      }
    }
    try {
      return new TrustDomains(aliases);
    } catch (IllegalArgumentException e) {
      throw new SettingsException(name + ": " + e.getMessage());
    }
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
