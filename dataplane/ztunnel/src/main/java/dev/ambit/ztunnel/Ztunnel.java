package dev.ambit.ztunnel;

import dev.ambit.linux.FilePages;
import dev.ambit.ztunnel.admin.ConfigDump;
import dev.ambit.ztunnel.admin.ConnectionCounts;
import dev.ambit.ztunnel.admin.Endpoint;
import dev.ambit.ztunnel.admin.Endpoint.Reply;
import dev.ambit.ztunnel.admin.FlightRecordings;
import dev.ambit.ztunnel.admin.HeapSummary;
import dev.ambit.ztunnel.admin.HttpServer;
import dev.ambit.ztunnel.admin.Readiness;
import dev.ambit.ztunnel.certificate.CertificateCache;
import dev.ambit.ztunnel.certificate.IstioCertificateClient;
import dev.ambit.ztunnel.certificate.RevocationWatch;
import dev.ambit.ztunnel.certificate.Revocations;
import dev.ambit.ztunnel.channel.ServerChannel;
import dev.ambit.ztunnel.channel.ServerConnection;
import dev.ambit.ztunnel.dns.DnsProxy;
import dev.ambit.ztunnel.dns.DnsSettings;
import dev.ambit.ztunnel.names.DnsHostnameResolver;
import dev.ambit.ztunnel.policy.Policy;
import dev.ambit.ztunnel.policy.PolicyStore;
import dev.ambit.ztunnel.proxy.DatagramRules;
import dev.ambit.ztunnel.proxy.Datagrams;
import dev.ambit.ztunnel.proxy.FlowSettings;
import dev.ambit.ztunnel.proxy.Mesh;
import dev.ambit.ztunnel.proxy.PeerTrust;
import dev.ambit.ztunnel.proxy.PodProxies;
import dev.ambit.ztunnel.proxy.ProxyEpoll;
import dev.ambit.ztunnel.proxy.ProxySettings;
import dev.ambit.ztunnel.proxy.Rehearsal;
import dev.ambit.ztunnel.proxy.WithoutDatagrams;
import dev.ambit.ztunnel.state.DatagramDestinations;
import dev.ambit.ztunnel.state.HostAddresses;
import dev.ambit.ztunnel.state.LocalPod;
import dev.ambit.ztunnel.state.MeshStore;
import dev.ambit.ztunnel.state.MeshWorkload;
import dev.ambit.ztunnel.state.Router;
import dev.ambit.ztunnel.telemetry.AccessLog;
import dev.ambit.ztunnel.telemetry.ConnectionTelemetry;
import dev.ambit.ztunnel.telemetry.DnsTelemetry;
import dev.ambit.ztunnel.telemetry.DryRunTelemetry;
import dev.ambit.ztunnel.telemetry.FlowTelemetry;
import dev.ambit.ztunnel.telemetry.LogLevels;
import dev.ambit.ztunnel.telemetry.MetricRegistry;
import dev.ambit.ztunnel.telemetry.PlaintextConnectionLog;
import dev.ambit.ztunnel.telemetry.PlaintextFlowLog;
import dev.ambit.ztunnel.telemetry.PlaintextLedger;
import dev.ambit.ztunnel.telemetry.PodTelemetry;
import dev.ambit.ztunnel.telemetry.RevocationObserver;
import dev.ambit.ztunnel.telemetry.RevocationTelemetry;
import dev.ambit.ztunnel.telemetry.XdsTelemetry;
import dev.ambit.ztunnel.xds.MeshResources;
import dev.ambit.ztunnel.xds.OnDemand;
import dev.ambit.ztunnel.xds.XdsClient;
import dev.ambit.ztunnel.zds.DedicatedPod;
import dev.ambit.ztunnel.zds.PodObserver;
import dev.ambit.ztunnel.zds.PodRegistry;
import dev.ambit.ztunnel.zds.PodRuntime;
import dev.ambit.ztunnel.zds.PodSource;
import dev.ambit.ztunnel.zds.ZdsClient;
import io.netty.channel.EventLoopGroup;
import io.netty.channel.MultiThreadIoEventLoopGroup;
import io.netty.util.concurrent.DefaultThreadFactory;
import java.io.FileDescriptor;
import java.io.FileOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.time.Clock;
import java.time.Duration;
import java.time.InstantSource;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.UUID;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ScheduledThreadPoolExecutor;
import java.util.concurrent.Semaphore;
import java.util.concurrent.ThreadLocalRandom;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;
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

  private static final Duration DROP_IDLE_METRICS = Duration.ofSeconds(30);

  /**
   * A plain flow is seen when it is judged; while somebody waits for the last, that is done anew.
   */
  private static final Duration PLAIN_FLOWS_AGAIN = Duration.ofMinutes(5);

  /** By then the start is over, also where the machine is busy. */
  private static final Duration STARTED = Duration.ofSeconds(6);

  private final ZtunnelSettings settings;
  private final CountDownLatch ended = new CountDownLatch(1);

  // One thread for what the control plane says, one for certificates, so that a large update does
  // not hold up a handshake; one for people and probes; the rest carries traffic.
  private final ScheduledThreadPoolExecutor control = executor("control");
  private final ScheduledThreadPoolExecutor certificateExecutor = executor("certificates");
  private final EventLoopGroup controlLoop = loops(1, "control-io");
  private final EventLoopGroup adminLoop = loops(1, "admin");
  private final EventLoopGroup workers;

  /** Its thread is there only while somebody looks in. */
  private final ScheduledThreadPoolExecutor inspector = executor("inspection");

  private final Semaphore inspections = new Semaphore(4);
  private final FlightRecordings recordings = new FlightRecordings(inspector);

  private final MetricRegistry metrics = new MetricRegistry();
  private final AccessLog accessLog;
  private final MeshStore mesh = new MeshStore();
  private final PlaintextLedger plaintext;
  private final PolicyStore policies;
  private final ServerChannel xdsChannel;
  private final ServerChannel authorityChannel;
  private final CertificateCache certificates;
  private final KnownPods known;
  private final @Nullable RevocationWatch revocations;
  private final XdsClient xds;
  private final DnsHostnameResolver names;
  private final PodProxies proxies;
  private final PodRegistry pods;
  private final PodSource podSource;
  private final Readiness readiness = new Readiness();
  private final List<HttpServer> servers = new ArrayList<>();
  private final PodIdentities identities;
  private boolean certified;
  private volatile boolean draining;

  private Ztunnel(ZtunnelSettings settings) {
    this.settings = settings;
    workers = loops(settings.workerThreads(), "worker");
    inspector.setKeepAliveTime(10, TimeUnit.SECONDS);
    inspector.allowCoreThreadTimeOut(true);
    accessLog = new AccessLog(settings.logFormat(), new FileOutputStream(FileDescriptor.out));
    policies = new PolicyStore(mesh, new DryRunTelemetry(metrics, accessLog));
    plaintext =
        new PlaintextLedger(instance().toString(), InstantSource.system(), this::judgesDatagrams);
    names = new DnsHostnameResolver(controlLoop.next(), metrics);
    OnDemand demand =
        settings.mesh().onDemand() ? new OnDemand(mesh, settings.mesh().onDemandUnused()) : null;
    Router router = new Router(mesh, settings.network(), OWN_PORTS, names, demand);
    // A dedicated ztunnel's own connections are in the pod, where rules would redirect them.
    int mark = settings.dedicated() == null ? 0 : settings.proxy().mark();
    ServerConnection controlPlane =
        new ServerConnection(settings.xds(), controlLoop, control, mark);
    // One server's second connection would be one handshake more before the first certificate.
    ServerConnection authority =
        settings.authority().equals(settings.xds())
            ? controlPlane
            : new ServerConnection(settings.authority(), controlLoop, certificateExecutor, mark);
    xdsChannel = new ServerChannel(controlPlane, settings.token(), settings.xdsHeaders(), control);
    xds =
        new XdsClient(
            xdsChannel,
            settings.node(),
            List.of(
                MeshResources.authorizations(policies, settings.trustDomains()),
                MeshResources.addresses(mesh)),
            control,
            new XdsTelemetry(metrics),
            demand);
    authorityChannel =
        new ServerChannel(
            authority, settings.token(), settings.authorityHeaders(), certificateExecutor);
    certificates =
        new CertificateCache(
            new IstioCertificateClient(authorityChannel, settings.certificateLifetime()),
            certificateExecutor,
            Clock.systemUTC());
    known = new KnownPods(mesh, certificates);
    ConnectionTelemetry connections =
        new ConnectionTelemetry(metrics, accessLog, settings.metricsIdle());
    long sweep = DROP_IDLE_METRICS.toSeconds();
    var unused =
        control.scheduleWithFixedDelay(connections::dropIdle, sweep, sweep, TimeUnit.SECONDS);
    revocations =
        settings
            .revocationLists()
            .map(path -> new RevocationWatch(path, certificateExecutor, Clock.systemUTC()))
            .orElse(null);
    proxies =
        new PodProxies(
            workers,
            settings.proxy(),
            settings.limits(),
            new Mesh(
                router,
                policies,
                certificates,
                trust(),
                new PlaintextConnectionLog(connections, plaintext)),
            settings.dns().map(this::dnsProxy).orElse(null),
            settings.flows().map(flows -> datagrams(flows, sweep)).orElse(null));
    PodTelemetry podTelemetry = new PodTelemetry(metrics);
    identities = new PodIdentities(router, certificates);
    List<PodObserver> observers = new ArrayList<>(List.of(identities, podTelemetry, plaintext));
    if (demand != null) {
      observers.addFirst(new PodDemand(demand, settings.node().clusterId()));
    }
    PodRuntime runtime =
        settings.flows().isPresent() || settings.dedicated() != null
            ? proxies
            : new WithoutDatagrams(proxies, certificateExecutor);
    pods = new PodRegistry(runtime, new PodObservers(observers), control);
    podTelemetry.gauges(pods::active, pods::pending);
    LocalPod dedicated = settings.dedicated();
    podSource =
        dedicated == null
            ? new ZdsClient(settings.agentSocket(), pods, known, settings.drainDeadline())
            : new DedicatedPod(dedicated, pods);
    metrics
        .family("istio_build", "What runs here", MetricRegistry.Kind.GAUGE)
        .gauge(MetricRegistry.Labels.of("component", "ztunnel", "tag", version()), () -> 1);
  }

  /** Nobody has to be unable to guess it, and a secure random source takes a tenth of a start. */
  private static UUID instance() {
    ThreadLocalRandom random = ThreadLocalRandom.current();
    return new UUID(random.nextLong(), random.nextLong());
  }

  private Datagrams datagrams(FlowSettings flows, long sweep) {
    FlowTelemetry telemetry = new FlowTelemetry(metrics, accessLog, settings.metricsIdle());
    var unused =
        control.scheduleWithFixedDelay(telemetry::dropIdle, sweep, sweep, TimeUnit.SECONDS);
    DatagramRules rules =
        new DatagramRules(
            executor("udp-rules"),
            () -> DatagramDestinations.of(mesh, settings.network(), policies::guards),
            mesh::known,
            policies::guards,
            pod -> known.uncertified(pod).isEmpty(),
            flows.dns(),
            settings.proxy().mark());
    mesh.onChanged(rules::meshChanged);
    certificates.onIssued(rules::meshChanged);
    policies.onChange(rules::policiesChanged);
    metrics
        .family(
            "ambit_udp_unsupported_total",
            "UDP flows to ztunnels that were said to carry them, and do not",
            MetricRegistry.Kind.COUNTER)
        .gauge(MetricRegistry.Labels.NONE, rules.unsupported()::sum);
    long again = PLAIN_FLOWS_AGAIN.toSeconds();
    var judging =
        control.scheduleWithFixedDelay(
            () -> {
              if (policies.policies().stream().anyMatch(Policy::watchesPlaintext)) {
                rules.policiesChanged();
              }
            },
            again,
            again,
            TimeUnit.SECONDS);
    return new Datagrams(flows, new PlaintextFlowLog(telemetry, plaintext), rules);
  }

  /** Where no policy speaks for a pod, its plain datagrams pass the ztunnel by. */
  private boolean judgesDatagrams(LocalPod pod) {
    MeshWorkload workload = mesh.known(pod);
    return settings.flows().isPresent() && (workload == null || policies.guards(workload));
  }

  private DnsProxy dnsProxy(DnsSettings dns) {
    HostAddresses hosts = new HostAddresses(mesh, settings.network(), dns.clusterDomain());
    return new DnsProxy(dns, hosts, new DnsTelemetry(metrics));
  }

  private PeerTrust trust() {
    RevocationWatch watch = revocations;
    if (watch == null) {
      return new PeerTrust(
          settings.trustDomains(), Revocations.disabled(), RevocationObserver.NONE);
    }
    RevocationTelemetry telemetry = new RevocationTelemetry(metrics);
    telemetry.gauges(() -> watch.revocations().current().size(), watch::overdue, watch::failures);
    return new PeerTrust(settings.trustDomains(), watch.revocations(), telemetry);
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
    CompletionStage<Void> known = meshKnown();
    readiness.require("control plane", () -> known.toCompletableFuture().isDone());
    readiness.require("revocation lists", () -> revocationsLoaded().isDone());
    readiness.require("node agent", podSource::hasSnapshot);
    readiness.require("pods", () -> pods.pending() == 0);
    readiness.require("certificates", this::isCertified);
    CompletionStage<Void> rehearsed = rehearse();
    readiness.require("rehearsal", () -> rehearsed.toCompletableFuture().isDone());
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
    if (settings.mesh().controlPlane()) {
      xds.start();
    }
    var unused =
        inspector.schedule(Ztunnel::releaseStart, STARTED.toMillis(), TimeUnit.MILLISECONDS);
    if (revocations != null) {
      revocations.start();
    }
    // Pods are served only once policies and addresses are known: before, all would look as if it
    // were outside the mesh. Nor before it is known whom not to trust.
    known
        .thenCombine(revocationsLoaded(), (synced, loaded) -> true)
        .thenRun(
            () -> {
              log.atInfo()
                  .addKeyValue("workloads", mesh.workloads().size())
                  .addKeyValue("services", mesh.services().size())
                  .addKeyValue("policies", policies.policies().size())
                  .log("control plane state received");
              podSource.start();
            });
  }

  /** Half of what the start has mapped of the program and its archive is not touched again. */
  private static void releaseStart() {
    try {
      FilePages.release();
    } catch (IOException e) {
      log.atInfo()
          .addKeyValue("reason", e.getMessage())
          .log("what only the start needed stays in memory");
    }
  }

  /** Has the first connection of a pod find code that has run before; never fails. */
  private CompletionStage<Void> rehearse() {
    AccessLog unheard = new AccessLog(settings.logFormat(), OutputStream.nullOutputStream());
    ConnectionTelemetry uncounted =
        new ConnectionTelemetry(new MetricRegistry(), unheard, Duration.ZERO);
    return Rehearsal.run(workers, settings.proxy(), uncounted, certificateExecutor)
        .handleAsync(
            (done, failure) -> {
              if (failure != null) {
                log.atInfo()
                    .addKeyValue("reason", String.valueOf(failure.getMessage()))
                    .log("no rehearsal, the first connections will take longer");
              }
              try {
                unheard.close();
              } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
              }
              return null;
            },
            inspector);
  }

  /**
   * Puts in force what a local document says; completes when the control plane's part is there too.
   */
  private CompletionStage<Void> meshKnown() throws IOException {
    settings
        .mesh()
        .local(settings.trustDomains())
        .ifPresent(
            local -> {
              local.apply(mesh, policies);
              log.atInfo()
                  .addKeyValue("workloads", local.workloads().size())
                  .addKeyValue("services", local.services().size())
                  .addKeyValue("policies", local.policies().size())
                  .log("local state loaded");
            });
    return settings.mesh().controlPlane() ? xds.synced() : CompletableFuture.completedStage(null);
  }

  /** Of the first pods alone: one that comes later makes nothing of the others wait. */
  private boolean isCertified() {
    certified |= podSource.hasSnapshot() && !identities.isAnyAwaited();
    return certified;
  }

  private CompletableFuture<Void> revocationsLoaded() {
    return revocations == null
        ? CompletableFuture.completedFuture(null)
        : revocations.loaded().toCompletableFuture();
  }

  private void serve() throws IOException {
    servers.add(
        HttpServer.start(
            adminLoop,
            settings.readiness(),
            new HttpServer.Routes().get("/healthz/ready", request -> ready())));
    servers.add(
        HttpServer.start(
            adminLoop,
            settings.stats(),
            reports(new HttpServer.Routes())
                .get("/metrics", this::scrape)
                .get("/stats/prometheus", this::scrape)));
    servers.add(
        HttpServer.start(
            adminLoop,
            settings.admin(),
            reports(new HttpServer.Routes())
                .later("/config_dump", request -> inspect(() -> Reply.json(dump())))
                .get("/logging", request -> Reply.text(200, LogLevels.describe()))
                .post("/logging", Ztunnel::setLogging)
                .post("/quitquitquit", request -> quit())
                .later("/debug/jfr", recordings)
                .later("/debug/pprof/profile", recordings)
                .later("/debug/heap", request -> inspect(Ztunnel::heap))
                .later("/debug/pprof/heap", request -> inspect(Ztunnel::heap))));
  }

  /** For the operator, and for people who reach the loopback alone. */
  private HttpServer.Routes reports(HttpServer.Routes routes) {
    return routes
        .get("/plaintext", request -> Reply.json(plaintext.write()))
        .later(
            "/connections",
            request -> inspect(() -> Reply.json(ConnectionCounts.write(pods.statuses()))));
  }

  private Reply ready() {
    List<String> pending = readiness.pending();
    return pending.isEmpty()
        ? Reply.text(200, "ready\n")
        : Reply.text(500, "not ready, pending: " + String.join(", ", pending) + "\n");
  }

  private Reply scrape(Endpoint.Request request) {
    MetricRegistry.Format format = MetricRegistry.Format.accepted(request.accept());
    return Reply.text(format.contentType(), metrics.scrape(format));
  }

  /** What takes its time is done apart, so that probes are not held up. */
  private CompletionStage<Reply> inspect(Supplier<Reply> answer) {
    if (!inspections.tryAcquire()) {
      return CompletableFuture.completedFuture(
          Reply.text(503, "too many ask at once: try again\n"));
    }
    return CompletableFuture.supplyAsync(answer, inspector)
        .whenComplete((reply, failure) -> inspections.release());
  }

  private static Reply heap() {
    return Reply.text(200, HeapSummary.write());
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
            settings.describe(),
            version()));
  }

  private static Reply setLogging(Endpoint.Request request) {
    String levels = request.parameter("level");
    try {
      if (request.query().containsKey("reset")) {
        LogLevels.reset();
      }
      if (levels != null) {
        LogLevels.set(levels);
      }
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
      podSource
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
    if (revocations != null) {
      revocations.close();
    }
    certificates.close();
    proxies.close();
    names.close();
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
        threads, new DefaultThreadFactory(name, true), ProxyEpoll.factory());
  }
}
