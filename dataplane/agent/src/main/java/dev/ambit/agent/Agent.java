package dev.ambit.agent;

import dev.ambit.agent.capture.CaptureSettings;
import dev.ambit.agent.capture.PodCaptures;
import dev.ambit.agent.cluster.KubernetesCluster;
import dev.ambit.agent.cni.CniAdd;
import dev.ambit.agent.cni.CniInstaller;
import dev.ambit.agent.cni.CniServer;
import dev.ambit.agent.cni.EnrolledNamespaces;
import dev.ambit.agent.pods.PodNetworks;
import dev.ambit.agent.rules.HostRules;
import dev.ambit.agent.zds.ZdsServer;
import dev.ambit.agent.zds.ZdsWorkload;
import dev.ambit.agent.zds.Ztunnels;
import io.fabric8.kubernetes.client.ConfigBuilder;
import io.fabric8.kubernetes.client.KubernetesClient;
import io.fabric8.kubernetes.client.KubernetesClientBuilder;
import io.micrometer.core.instrument.Gauge;
import io.micrometer.core.instrument.binder.jvm.JvmMemoryMetrics;
import io.micrometer.core.instrument.binder.jvm.JvmThreadMetrics;
import io.micrometer.core.instrument.binder.system.FileDescriptorMetrics;
import io.micrometer.core.instrument.binder.system.ProcessorMetrics;
import io.micrometer.prometheusmetrics.PrometheusConfig;
import io.micrometer.prometheusmetrics.PrometheusMeterRegistry;
import java.io.IOException;
import java.time.Duration;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.AtomicReference;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** The node agent's process. */
public final class Agent implements AutoCloseable {
  private static final Logger LOG = LoggerFactory.getLogger(Agent.class);

  private static final int BAD_USAGE = 2;
  private static final Duration ZTUNNEL_ANSWERS_WITHIN = Duration.ofSeconds(5);
  private static final Duration NEW_POD_WAITS = Duration.ofSeconds(10);
  private static final Duration LOOK_AT_CACHES = Duration.ofMillis(100);

  /** Tells those of changes who are made after what they hear of. */
  private static final class Changes {
    private volatile @Nullable PodCaptures captures;
    private volatile @Nullable NodeUpkeep upkeep;

    void pod(String uid) {
      var told = captures;
      if (told != null) {
        told.changed(uid);
      }
    }

    void node() {
      var told = upkeep;
      if (told != null) {
        told.changed();
      }
    }
  }

  private final AgentSettings settings;
  private final PrometheusMeterRegistry metrics =
      new PrometheusMeterRegistry(PrometheusConfig.DEFAULT);
  private final HostRules hostRules = new HostRules();
  private final KubernetesCluster cluster;
  private final PodCaptures captures;
  private final NodeUpkeep upkeep;
  private final StatusServer status;
  private final AtomicReference<ZdsServer> zds = new AtomicReference<>();
  private final AtomicReference<CniServer> cni = new AtomicReference<>();

  Agent(AgentSettings settings, KubernetesClient client, CaptureSettings times) throws IOException {
    this.settings = settings;
    var changes = new Changes();
    this.cluster =
        new KubernetesCluster(
            client,
            settings.node(),
            settings.namespace(),
            settings.pod(),
            changes::pod,
            changes::node);
    var networks = new PodNetworks(settings.networks());
    this.captures = new PodCaptures(cluster, networks, hostRules, times, metrics, changes::node);
    this.upkeep =
        new NodeUpkeep(
            cluster,
            new CniInstaller(
                settings.cniPlugin(), settings.cniBinaries(), settings.cniConfigurations()),
            new EnrolledNamespaces(settings.state()),
            hostRules);
    changes.captures = captures;
    changes.upkeep = upkeep;
    registerMetrics();
    this.status =
        StatusServer.start(
            settings.hostAddress(),
            settings.httpPort(),
            metrics,
            upkeep::problem,
            new SocketReport(
                cluster,
                networks,
                () ->
                    captures.served().stream().map(ZdsWorkload::uid).collect(Collectors.toSet())));
  }

  private void registerMetrics() {
    new JvmMemoryMetrics().bindTo(metrics);
    new JvmThreadMetrics().bindTo(metrics);
    new ProcessorMetrics().bindTo(metrics);
    new FileDescriptorMetrics().bindTo(metrics);
    Gauge.builder(
            "ambit.agent.ztunnels",
            zds,
            server -> {
              Ztunnels started = server.get();
              return started == null ? 0 : started.connected();
            })
        .description("Ztunnels that are connected")
        .strongReference(true)
        .register(metrics);
  }

  /** Runs until closed, once the API server has told what there is. */
  void start() throws IOException, InterruptedException {
    cluster.start();
    while (!cluster.synced()) {
      Thread.sleep(LOOK_AT_CACHES);
    }
    LOG.atInfo()
        .addKeyValue("node", settings.node())
        .addKeyValue("pods", cluster.pods().size())
        .log("knows the node's pods");
    // A ztunnel drops what the first snapshot does not name, so what is captured is found out
    // first.
    captures.adopt();
    var server = ZdsServer.start(settings.zdsSocket(), captures, ZTUNNEL_ANSWERS_WITHIN);
    zds.set(server);
    captures.start(server);
    cni.set(
        CniServer.start(
            settings.cniSocket(),
            new CniAdd(cluster, captures::captureNew, NEW_POD_WAITS)::answer,
            metrics));
    upkeep.start(captures);
  }

  int httpPort() {
    return status.port();
  }

  /** Ends the process's work. What is captured stays so. */
  @Override
  public void close() throws IOException {
    status.close();
    var cniServer = cni.get();
    if (cniServer != null) {
      cniServer.close();
    }
    upkeep.close();
    captures.close();
    var zdsServer = zds.get();
    if (zdsServer != null) {
      zdsServer.close();
    }
    cluster.close();
  }

  /** Runs the agent with what the environment says. */
  public static void main(String[] arguments) {
    AgentSettings settings;
    try {
      settings = AgentSettings.of(System.getenv());
    } catch (AgentSettings.BadEnvironment e) {
      e.problems().forEach(problem -> System.err.println("ambit-agent: " + problem));
      System.exit(BAD_USAGE);
      return;
    }
    var config =
        new ConfigBuilder()
            .withRequestTimeout(10_000)
            .withConnectionTimeout(5_000)
            .withRequestRetryBackoffLimit(2)
            .build();
    try (var client = new KubernetesClientBuilder().withConfig(config).build();
        var agent = new Agent(settings, client, CaptureSettings.DEFAULTS)) {
      var ended = new CountDownLatch(1);
      var main = Thread.currentThread();
      Runtime.getRuntime()
          .addShutdownHook(
              Thread.ofPlatform()
                  .unstarted(
                      () -> {
                        ended.countDown();
                        main.interrupt();
                        awaitEnd(main);
                      }));
      agent.start();
      ended.await();
    } catch (InterruptedException e) {
      LOG.atInfo().log("ending; what is captured stays so");
    } catch (IOException | RuntimeException e) {
      LOG.atError().setCause(e).log("the agent cannot go on");
      System.exit(1);
    }
  }

  private static void awaitEnd(Thread main) {
    try {
      main.join(Duration.ofSeconds(5));
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }
}
