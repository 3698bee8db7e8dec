package dev.ambit.ztunnel;

import dev.ambit.ztunnel.admin.ConfigDump;
import dev.ambit.ztunnel.admin.Endpoint.Reply;
import dev.ambit.ztunnel.admin.HttpServer;
import dev.ambit.ztunnel.admin.Readiness;
import dev.ambit.ztunnel.certificate.CertificateCache;
import dev.ambit.ztunnel.certificate.IstioCertificateClient;
import dev.ambit.ztunnel.channel.ServerChannel;
import dev.ambit.ztunnel.dns.DnsProxy;
import dev.ambit.ztunnel.dns.DnsSettings;
import dev.ambit.ztunnel.policy.PolicyStore;
import dev.ambit.ztunnel.proxy.PodProxies;
import dev.ambit.ztunnel.proxy.ProxySettings;
import dev.ambit.ztunnel.state.HostAddresses;
import dev.ambit.ztunnel.state.MeshStore;
import dev.ambit.ztunnel.state.Router;
import dev.ambit.ztunnel.telemetry.AccessLog;
import dev.ambit.ztunnel.telemetry.ConnectionTelemetry;
import dev.ambit.ztunnel.telemetry.DnsTelemetry;
import dev.ambit.ztunnel.telemetry.DryRunTelemetry;
import dev.ambit.ztunnel.telemetry.LogLevels;
import dev.ambit.ztunnel.telemetry.MetricRegistry;
import dev.ambit.ztunnel.telemetry.PodTelemetry;
import dev.ambit.ztunnel.telemetry.XdsTelemetry;
import dev.ambit.ztunnel.xds.MeshResources;
import dev.ambit.ztunnel.xds.XdsClient;
import dev.ambit.ztunnel.zds.PodRegistry;
import dev.ambit.ztunnel.zds.ZdsClient;
import io.netty.channel.EventLoopGroup;
import io.netty.channel.MultiThreadIoEventLoopGroup;
import io.netty.channel.epoll.EpollIoHandler;
import io.netty.util.concurrent.DefaultThreadFactory;
import java.io.FileDescriptor;
import java.io.FileOutputStream;
import java.io.IOException;
import java.time.Clock;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ScheduledThreadPoolExecutor;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The node proxy: takes pods from the node agent, follows the control plane, and carries the pods'
 * connections.
 */
public final class Ztunnel {
  private static final Logger log = LoggerFactory.getLogger(Ztunnel.class);
  private static final int BAD_SETTINGS = 2;
  private static final Set<Integer> OWN_PORTS =
      Set.of(
          ProxySettings.INBOUND_PORT,
          ProxySettings.INBOUND_PLAINTEXT_PORT,
          ProxySettings.OUTBOUND_PORT);

  /** After the deadline all that is left is cut; this is for doing so. */
  private static final Duration CUT_TIME = Duration.ofSeconds(1);

  private final ZtunnelSettings settings;
  private final CountDownLatch ended = new CountDownLatch(1);

  // One thread for what the control plane says, one for certificates, so that a large update does
  // not hold up a handshake; one for people and probes; the rest carries traffic.
  private final ScheduledThreadPoolExecutor control = executor("control");
  private final ScheduledThreadPoolExecutor certificateExecutor = executor("certificates");
  private final EventLoopGroup controlLoop = loops(1, "control-io");
  private final EventLoopGroup adminLoop = loops(1, "admin");
  private final EventLoopGroup workers;

  private final MetricRegistry metrics = new MetricRegistry();
  private final AccessLog accessLog;
  private final MeshStore mesh = new MeshStore();
  private final PolicyStore policies;
  private final ServerChannel xdsChannel;
  private final ServerChannel authorityChannel;
  private final CertificateCache certificates;
  private final XdsClient xds;
  private final PodProxies proxies;
  private final PodRegistry pods;
  private final ZdsClient agent;
  private final Readiness readiness = new Readiness();
  private final List<HttpServer> servers = new ArrayList<>();
  private volatile boolean draining;

  private Ztunnel(ZtunnelSettings settings) {
    this.settings = settings;
    workers = loops(settings.workerThreads(), "worker");
    accessLog = new AccessLog(settings.logFormat(), new FileOutputStream(FileDescriptor.out));
    policies = new PolicyStore(mesh, new DryRunTelemetry(metrics, accessLog));
    Router router = new Router(mesh, settings.network(), OWN_PORTS);
    xdsChannel =
        new ServerChannel(
            settings.xds(), settings.token(), settings.xdsHeaders(), controlLoop, control);
    xds =
        new XdsClient(
            xdsChannel,
            settings.node(),
            List.of(MeshResources.authorizations(policies), MeshResources.addresses(mesh)),
            control,
            new XdsTelemetry(metrics));
    authorityChannel =
        new ServerChannel(
            settings.authority(),
            settings.token(),
            settings.authorityHeaders(),
            controlLoop,
            certificateExecutor);
    certificates =
        new CertificateCache(
            new IstioCertificateClient(authorityChannel, settings.certificateLifetime()),
            certificateExecutor,
            Clock.systemUTC());
    ConnectionTelemetry connections = new ConnectionTelemetry(metrics, accessLog);
    proxies =
        new PodProxies(
            workers,
            settings.proxy(),
            router,
            policies,
            certificates,
            connections,
            settings.dns().map(this::dnsProxy).orElse(null));
    PodTelemetry podTelemetry = new PodTelemetry(metrics);
    pods =
        new PodRegistry(
            proxies,
            new PodObservers(List.of(new PodIdentities(router, certificates), podTelemetry)),
            control);
    podTelemetry.gauges(pods::active, pods::pending);
    agent = new ZdsClient(settings.agentSocket(), pods, settings.drainDeadline());
    metrics
        .family("istio_build", "What runs here", MetricRegistry.Kind.GAUGE)
        .gauge(MetricRegistry.Labels.of("component", "ztunnel", "tag", version()), () -> 1);
  }

  private DnsProxy dnsProxy(DnsSettings dns) {
    HostAddresses hosts = new HostAddresses(mesh, settings.network(), dns.clusterDomain());
    return new DnsProxy(dns, hosts, new DnsTelemetry(metrics));
  }

  /** Runs until told to end. */
  public static void main(String[] arguments) throws InterruptedException {
    ZtunnelSettings settings;
    try {
      settings =
          ZtunnelSettings.of(
              new Environment(System.getenv()), Runtime.getRuntime().availableProcessors());
    } catch (SettingsException e) {
      System.err.println("ztunnel: " + e.getMessage());
      System.exit(BAD_SETTINGS);
      return;
    }
    Ztunnel ztunnel = new Ztunnel(settings);
    try {
      ztunnel.start();
    } catch (IOException e) {
      log.atError().addKeyValue("reason", e.getMessage()).log("cannot start");
      Runtime.getRuntime().halt(1);
    }
    ztunnel.ended.await();
  }

  private void start() throws IOException {
    readiness.require("control plane", () -> xds.synced().toCompletableFuture().isDone());
    readiness.require("node agent", agent::hasSnapshot);
    readiness.require("pods", () -> pods.pending() == 0);
    readiness.require("not draining", () -> !draining);
    serve();
    Runtime.getRuntime().addShutdownHook(new Thread(this::drain, "drain"));
    log.atInfo()
        .addKeyValue("xds", settings.xds())
        .addKeyValue("ca", settings.authority())
        .addKeyValue("agent", settings.agentSocket())
        .addKeyValue("node", settings.node().nodeName())
        .addKeyValue("workers", settings.workerThreads())
        .addKeyValue("version", version())
        .log("ztunnel starts");
    xds.start();
    // Pods are served only once policies and addresses are known: before, all would look as if it
    // were outside the mesh.
    xds.synced()
        .thenRun(
            () -> {
              log.atInfo()
                  .addKeyValue("workloads", mesh.workloads().size())
                  .addKeyValue("services", mesh.services().size())
                  .addKeyValue("policies", policies.policies().size())
                  .log("control plane state received");
              agent.start();
            });
  }

  private void serve() throws IOException {
    servers.add(
        HttpServer.start(
            adminLoop,
            settings.readiness(),
            new HttpServer.Routes().get("/healthz/ready", query -> ready())));
    HttpServer.Routes stats = new HttpServer.Routes();
    stats.get("/metrics", query -> scrape()).get("/stats/prometheus", query -> scrape());
    servers.add(HttpServer.start(adminLoop, settings.stats(), stats));
    servers.add(
        HttpServer.start(
            adminLoop,
            settings.admin(),
            new HttpServer.Routes()
                .get("/config_dump", query -> Reply.json(dump()))
                .get("/logging", query -> Reply.text(200, LogLevels.describe()))
                .post("/logging", Ztunnel::setLogging)
                .post("/quitquitquit", query -> quit())));
  }

  private Reply ready() {
    List<String> pending = readiness.pending();
    return pending.isEmpty()
        ? Reply.text(200, "ready\n")
        : Reply.text(500, "not ready, pending: " + String.join(", ", pending) + "\n");
  }

  private Reply scrape() {
    return new Reply(200, "text/plain; version=0.0.4; charset=utf-8", metrics.scrape());
  }

  private String dump() {
    return ConfigDump.write(
        new ConfigDump.Contents(
            mesh.workloads(),
            mesh.services(),
            mesh.stagedServices(),
            policies.policies(),
            certificates.statuses(),
            pods.statuses(),
            settings.describe()));
  }

  private static Reply setLogging(Map<String, List<String>> query) {
    List<String> levels = query.getOrDefault("level", List.of());
    boolean reset = query.containsKey("reset");
    if (levels.isEmpty() && !reset) {
      return Reply.text(200, LogLevels.describe());
    }
    try {
      LogLevels.set(levels.isEmpty() ? "info" : levels.getFirst());
    } catch (IllegalArgumentException e) {
      return Reply.text(400, e.getMessage() + "\n");
    }
    return Reply.text(200, LogLevels.describe());
  }

  private Reply quit() {
    // Not here: the answer is still to be sent, and the hook waits for connections.
    Thread.ofPlatform().name("quit").start(() -> System.exit(0));
    return Reply.text(200, "shutting down\n");
  }

  /** Ends in good order: no new pods or connections, then time for the open ones. */
  private void drain() {
    draining = true;
    log.atInfo()
        .addKeyValue("deadline", settings.drainDeadline())
        .addKeyValue("connections", proxies.openConnections())
        .log("draining");
    try {
      agent
          .drain(settings.drainDeadline())
          .toCompletableFuture()
          .get(settings.drainDeadline().plus(CUT_TIME).toMillis(), TimeUnit.MILLISECONDS);
    } catch (TimeoutException e) {
      log.atWarn()
          .addKeyValue("connections", proxies.openConnections())
          .log("connections are left after the deadline, and are cut");
    } catch (ExecutionException e) {
      log.atError().setCause(e.getCause()).log("draining failed");
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
    xds.close();
    certificates.close();
    proxies.close();
    xdsChannel.close();
    authorityChannel.close();
    servers.forEach(HttpServer::close);
    log.atInfo().log("ztunnel ends");
    try {
      accessLog.close();
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
    ended.countDown();
  }

  private static String version() {
    String version = Ztunnel.class.getPackage().getImplementationVersion();
    return version == null ? "unknown" : version;
  }

  private static ScheduledThreadPoolExecutor executor(String name) {
    ScheduledThreadPoolExecutor executor =
        new ScheduledThreadPoolExecutor(1, Thread.ofPlatform().name(name).daemon().factory());
    executor.setRemoveOnCancelPolicy(true);
    return executor;
  }

  private static EventLoopGroup loops(int threads, String name) {
    return new MultiThreadIoEventLoopGroup(
        threads, new DefaultThreadFactory(name, true), EpollIoHandler.newFactory());
  }
}
