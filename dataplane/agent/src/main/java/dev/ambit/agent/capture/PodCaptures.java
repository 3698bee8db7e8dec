package dev.ambit.agent.capture;

import dev.ambit.agent.capture.PodCapture.Stage;
import dev.ambit.agent.cluster.Cluster;
import dev.ambit.agent.cluster.MeshState;
import dev.ambit.agent.pods.PodNetwork;
import dev.ambit.agent.pods.PodNetworks;
import dev.ambit.agent.rules.HostRules;
import dev.ambit.agent.rules.PodRules;
import dev.ambit.agent.rules.PodRuleset;
import dev.ambit.agent.zds.AddOutcome;
import dev.ambit.agent.zds.CapturedPods;
import dev.ambit.agent.zds.ZdsWorkload;
import dev.ambit.agent.zds.Ztunnels;
import dev.ambit.api.AmbientMeshSpec;
import dev.ambit.api.WellKnown;
import dev.ambit.capture.CaptureDecision;
import dev.ambit.capture.Redirection;
import dev.ambit.linux.LocalAddresses;
import dev.ambit.protocol.zds.ConfirmWorkload;
import io.fabric8.kubernetes.api.model.Pod;
import io.micrometer.core.instrument.Counter;
import io.micrometer.core.instrument.Gauge;
import io.micrometer.core.instrument.MeterRegistry;
import java.io.IOException;
import java.net.InetAddress;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Executors;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.function.Predicate;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Brings every pod of the node to where it should be, and keeps it there.
 *
 * <p>Joining: rules, then the ztunnel's listeners, then the annotation from which the rest of the
 * mesh learns. Leaving is the other way round, and what is in the tunnel by then ends there.
 */
public final class PodCaptures implements CapturedPods, AutoCloseable {
  private static final Logger LOG = LoggerFactory.getLogger(PodCaptures.class);

  private static final int THREADS = 4;
  private static final Duration FIRST_RETRY = Duration.ofMillis(100);
  private static final Duration LONGEST_RETRY = Duration.ofSeconds(10);
  private static final Duration LOOK_AT_DRAINING = Duration.ofMillis(500);
  private static final Duration ASK_ZTUNNEL_AGAIN = Duration.ofMillis(200);

  /** By then a pod's certificate is there, unless its authority is away. */
  private static final Duration CERTIFICATE_COMES_WITHIN = Duration.ofSeconds(5);

  private static final Duration LOOK_AT_SETTLING = Duration.ofMillis(200);

  /** Longer than any ztunnel waits before it tries again to reach a control plane that was away. */
  private static final Duration SETTLE_AFTER_ABSENCE = Duration.ofSeconds(8);

  /** The ztunnel ends what is open when its time is up; the agent then waits this much longer. */
  private static final Duration AFTER_DRAIN = Duration.ofSeconds(10);

  /** For so long listeners alone, without a connection, keep the rules in a pod that leaves. */
  private static final Duration LET_GO_WITHIN = Duration.ofSeconds(15);

  /** So often in a row, and it is no ztunnel that is just being started again. */
  private static final int DNS_UNANSWERED = 2;

  /** Attempts after which a person hears of a pod's failure. */
  private static final int WORTH_AN_EVENT = 4;

  private final Cluster cluster;
  private final PodNetworks networks;
  private final HostRules hostRules;
  private final CaptureSettings settings;
  private final MeterRegistry metrics;
  private final PodRules rules = new PodRules();
  private final Map<String, PodCapture> captures = new ConcurrentHashMap<>();
  private final Workqueue queue;
  private final ScheduledExecutorService verification =
      Executors.newSingleThreadScheduledExecutor(
          Thread.ofPlatform().name("verification").daemon().factory());
  private final Runnable stageChanged;

  private volatile @Nullable Ztunnels ztunnels;

  /**
   * Does nothing until {@link #adopt()} and {@link #start}.
   *
   * @param stageChanged called when a pod has become free
   */
  public PodCaptures(
      Cluster cluster,
      PodNetworks networks,
      HostRules hostRules,
      CaptureSettings settings,
      MeterRegistry metrics,
      Runnable stageChanged) {
    this.cluster = cluster;
    this.networks = networks;
    this.hostRules = hostRules;
    this.settings = settings;
    this.metrics = metrics;
    this.stageChanged = stageChanged;
    this.queue =
        new Workqueue(
            "capture", THREADS, FIRST_RETRY, LONGEST_RETRY, this::reconcile, this::failed);
    gauge("captured", c -> c.stage instanceof Stage.Captured && c.acknowledged);
    gauge("pending", c -> c.stage instanceof Stage.Captured && !c.acknowledged);
    gauge(
        "leaving",
        c ->
            switch (c.stage) {
              case Stage.Free free -> false;
              case Stage.Joining joining -> false;
              case Stage.Captured captured -> false;
              case Stage.Settling settling -> true;
              case Stage.Draining draining -> true;
              case Stage.Released released -> true;
            });
  }

  private void gauge(String state, Predicate<PodCapture> counted) {
    Gauge.builder(
            "ambit.agent.pods", captures, all -> all.values().stream().filter(counted).count())
        .tag("state", state)
        .description("Pods of this node by how far their capture is")
        .strongReference(true)
        .register(metrics);
  }

  /**
   * Finds out what is in each pod, so that the first ztunnel that connects is told of all pods that
   * were captured before this process began. Called once, with the caches filled.
   */
  public void adopt() throws IOException {
    hostRules.hold();
    for (var pod : cluster.pods()) {
      var uid = pod.getMetadata().getUid();
      try {
        withCapture(
            uid,
            capture -> {
              examine(pod, capture);
              return Optional.empty();
            });
      } catch (Exception e) {
        LOG.atWarn()
            .addKeyValue("namespace", pod.getMetadata().getNamespace())
            .addKeyValue("name", pod.getMetadata().getName())
            .addKeyValue("reason", e.getMessage())
            .log("cannot tell whether the pod is captured already; it is looked at again");
      }
    }
    hostRules.resume();
  }

  /** Starts to bring pods where they should be. */
  public void start(Ztunnels connected) {
    ztunnels = connected;
    cluster.pods().forEach(pod -> queue.add(pod.getMetadata().getUid()));
    long every = settings.verifyEvery().toMillis();
    var unused =
        verification.scheduleWithFixedDelay(this::verifyAll, every, every, TimeUnit.MILLISECONDS);
  }

  /** Looks at a pod again. */
  public void changed(String uid) {
    if (ztunnels != null) {
      queue.add(uid);
    }
  }

  /** Whether nothing of Ambit's is in any pod of the node. */
  public boolean allFree() {
    return captures.values().stream().allMatch(capture -> capture.stage instanceof Stage.Free);
  }

  @Override
  public List<ZdsWorkload> served() {
    var served = new ArrayList<ZdsWorkload>();
    for (var capture : captures.values()) {
      var workload = capture.served;
      if (workload != null) {
        served.add(workload);
      }
    }
    return served;
  }

  @Override
  public Map<String, Duration> leaving() {
    var leaving = new HashMap<String, Duration>();
    for (var capture : captures.values()) {
      if (capture.stage instanceof Stage.Draining draining) {
        leaving.put(
            capture.uid, Duration.ofNanos(Math.max(0, draining.untilNanos() - System.nanoTime())));
      }
    }
    return leaving;
  }

  @Override
  public List<String> terminating() {
    return captures.values().stream()
        .filter(capture -> capture.terminating && capture.served != null)
        .map(capture -> capture.uid)
        .toList();
  }

  @Override
  public void answered(ZdsWorkload pod, AddOutcome outcome) {
    var capture = captures.get(pod.uid());
    if (capture == null) {
      return;
    }
    var served = capture.served;
    if (served == null || served.network() != pod.network()) {
      return;
    }
    boolean before = capture.acknowledged;
    boolean now = outcome instanceof AddOutcome.Acknowledged;
    capture.acknowledged = now;
    if (!now || !before) {
      queue.add(pod.uid());
    }
  }

  /** Work on a capture under its lock. */
  @FunctionalInterface
  private interface CaptureWork<T> {
    T apply(PodCapture capture) throws IOException;
  }

  private <T> T withCapture(String uid, CaptureWork<T> work) throws IOException {
    while (true) {
      var capture = captures.computeIfAbsent(uid, PodCapture::new);
      capture.lock.lock();
      try {
        if (!capture.forgotten) {
          return work.apply(capture);
        }
      } finally {
        capture.lock.unlock();
      }
    }
  }

  private Optional<Duration> reconcile(String uid) throws IOException {
    return withCapture(
        uid,
        capture -> {
          var pod = find(capture);
          if (pod.isEmpty() || ended(pod.get())) {
            forget(capture);
            return Optional.<Duration>empty();
          }
          return wanted(pod.get()) ? join(pod.get(), capture) : leave(pod.get(), capture);
        });
  }

  private Optional<Pod> find(PodCapture capture) {
    var cached = cluster.pod(capture.uid);
    if (cached.isPresent()) {
      capture.seen = true;
      return cached;
    }
    var served = capture.served;
    if (capture.seen || served == null) {
      return Optional.empty();
    }
    // The container runtime was faster than the watch.
    return cluster
        .fetch(served.namespace(), served.name())
        .filter(pod -> pod.getMetadata().getUid().equals(capture.uid));
  }

  private static boolean ended(Pod pod) {
    var phase = pod.getStatus() == null ? null : pod.getStatus().getPhase();
    return "Succeeded".equals(phase) || "Failed".equals(phase);
  }

  private boolean wanted(Pod pod) {
    if (cluster.mesh() instanceof MeshState.Leaving) {
      return false;
    }
    return switch (cluster.decide(pod)) {
      case CaptureDecision.Captured captured -> true;
      case CaptureDecision.Held held -> false;
      case CaptureDecision.Excluded excluded -> false;
      case CaptureDecision.NotEnrolled notEnrolled -> false;
    };
  }

  // Joining.

  private Optional<Duration> join(Pod pod, PodCapture capture) throws IOException {
    var addresses = addresses(pod);
    leaveOtherSandbox(capture, addresses);
    if (capture.network == null) {
      if (addresses.isEmpty() || pod.getMetadata().getDeletionTimestamp() != null) {
        return Optional.empty();
      }
      capture.examined = false;
      examine(pod, capture);
    }
    if (capture.stage instanceof Stage.Free && cluster.mesh() instanceof MeshState.Absent) {
      return Optional.empty();
    }
    switch (capture.stage) {
      case Stage.Free free -> serveRunning(pod, capture, addresses);
      case Stage.Draining draining -> serveRunning(pod, capture, addresses);
      case Stage.Released released -> serveRunning(pod, capture, addresses);
      case Stage.Joining joining -> {}
      case Stage.Settling settling -> capture.stage = PodCapture.CAPTURED;
      case Stage.Captured captured -> {
        verifyIfDue(pod, capture);
        alignDns(pod, capture);
      }
    }
    if (!addresses.isEmpty()) {
      hostRules.put(capture.uid, addresses);
    }
    if (!capture.acknowledged) {
      handToZtunnel(pod, capture);
    }
    if (capture.stage instanceof Stage.Joining joining) {
      // Only now, since a connection that is redirected to no listener is refused, and one that a
      // ztunnel cannot prove the pod's identity for fails.
      if (!certified(capture, joining)) {
        return Optional.of(ASK_ZTUNNEL_AGAIN);
      }
      redirect(pod, capture, Objects.requireNonNull(capture.network));
    }
    tellTermination(pod, capture);
    writeRedirection(pod, Redirection.ENABLED);
    return Optional.empty();
  }

  private PodNetwork network(Pod pod, Collection<InetAddress> addresses, PodCapture capture)
      throws IOException {
    if (capture.network == null) {
      capture.network =
          networks
              .find(addresses)
              .orElseThrow(
                  () ->
                      new CaptureFailure(
                          "NetworkNamespaceNotFound",
                          "no network namespace on the node has the addresses "
                              + text(addresses)
                              + " of the pod; is the container runtime's directory of network"
                              + " namespaces mounted into the agent?"));
      LOG.atDebug()
          .addKeyValue("namespace", pod.getMetadata().getNamespace())
          .addKeyValue("name", pod.getMetadata().getName())
          .addKeyValue("network", capture.network)
          .log("found the pod's network namespace");
    }
    return capture.network;
  }

  /** The pod's sandbox was made anew where its addresses are no longer in the namespace we hold. */
  private void leaveOtherSandbox(PodCapture capture, Set<InetAddress> addresses)
      throws IOException {
    if (capture.network == null || addresses.isEmpty()) {
      return;
    }
    if (!capture.network.call(LocalAddresses::read).containsAll(addresses)) {
      release(capture);
    }
  }

  private void redirect(Pod pod, PodCapture capture, PodNetwork network) throws IOException {
    capture.dns = wantsDns(pod) && network.call(rules::answersDns);
    capture.dnsUnanswered = 0;
    install(capture, network);
    capture.stage = PodCapture.CAPTURED;
    capture.served = Objects.requireNonNull(capture.served).joined();
    count("captured");
    LOG.atInfo()
        .addKeyValue("namespace", pod.getMetadata().getNamespace())
        .addKeyValue("name", pod.getMetadata().getName())
        .addKeyValue("network", network)
        .addKeyValue("dns", capture.dns)
        .log("new connections of the pod are redirected");
  }

  private void install(PodCapture capture, PodNetwork network) throws IOException {
    network.call(
        () -> {
          rules.install(ruleset(capture));
          return null;
        });
  }

  private static PodRuleset ruleset(PodCapture capture) {
    return capture.dns ? PodRuleset.CAPTURED_WITH_DNS : PodRuleset.CAPTURED;
  }

  private boolean wantsDns(Pod pod) {
    var own = annotations(pod).get(WellKnown.DNS_CAPTURE);
    if ("true".equalsIgnoreCase(own) || "false".equalsIgnoreCase(own)) {
      return Boolean.parseBoolean(own);
    }
    return switch (cluster.mesh()) {
      case MeshState.Absent absent -> AmbientMeshSpec.DEFAULTS.dnsCapture();
      case MeshState.Present present -> present.spec().dnsCapture();
      case MeshState.Leaving leaving -> leaving.spec().dnsCapture();
    };
  }

  /**
   * Redirects DNS where that is wanted and something answers it, and only then: a question that is
   * redirected to nobody fails.
   */
  private void alignDns(Pod pod, PodCapture capture) throws IOException {
    var network = capture.network;
    if (network == null || !(capture.stage instanceof Stage.Captured)) {
      return;
    }
    boolean redirect =
        wantsDns(pod)
            && (capture.dns
                ? capture.dnsUnanswered < DNS_UNANSWERED
                : network.call(rules::answersDns));
    if (redirect == capture.dns) {
      return;
    }
    capture.dns = redirect;
    capture.dnsUnanswered = 0;
    install(capture, network);
    LOG.atInfo()
        .addKeyValue("namespace", pod.getMetadata().getNamespace())
        .addKeyValue("name", pod.getMetadata().getName())
        .addKeyValue("dns", redirect)
        .log(
            redirect
                ? "DNS of the pod is redirected"
                : "DNS of the pod goes to its own servers: it is not to be redirected, or the"
                    + " ztunnel does not answer it");
  }

  private void serveRunning(Pod pod, PodCapture capture, Collection<InetAddress> addresses)
      throws IOException {
    serve(pod, capture, network(pod, addresses, capture), true);
  }

  private void serve(Pod pod, PodCapture capture, PodNetwork network, boolean joining) {
    var serviceAccount = pod.getSpec().getServiceAccountName();
    capture.network = network;
    capture.examined = true;
    capture.served =
        new ZdsWorkload(
            capture.uid,
            pod.getMetadata().getName(),
            pod.getMetadata().getNamespace(),
            serviceAccount == null ? "default" : serviceAccount,
            network,
            joining);
    capture.acknowledged = false;
    capture.stage = new Stage.Joining(System.nanoTime());
  }

  private void handToZtunnel(Pod pod, PodCapture capture) throws IOException {
    switch (ask(capture)) {
      case AddOutcome.Acknowledged acknowledged -> {
        capture.acknowledged = true;
        capture.deaf = false;
      }
      case AddOutcome.Refused refused -> {
        pending(pod, capture);
        throw new CaptureFailure(
            "ZtunnelRefused",
            "the node's ztunnel cannot take the pod; " + until(capture) + refused.error());
      }
      case AddOutcome.Unanswered unanswered -> {
        pending(pod, capture);
        throw new CaptureFailure(
            "ZtunnelUnavailable",
            "the node's ztunnel does not answer; " + until(capture) + unanswered.reason());
      }
      case AddOutcome.Gone gone ->
          throw new CaptureFailure(
              "NetworkNamespaceNotFound", "the pod's network namespace was closed meanwhile");
    }
  }

  private boolean certified(PodCapture capture, Stage.Joining joining) throws IOException {
    String missing =
        switch (confirm(capture, ConfirmWorkload.Fact.CERTIFIED)) {
          case AddOutcome.Acknowledged acknowledged -> "";
          case AddOutcome.Refused refused -> refused.error();
          case AddOutcome.Unanswered unanswered -> unanswered.reason();
          case AddOutcome.Gone gone -> "the pod's network namespace was closed meanwhile";
        };
    if (missing.isEmpty()) {
      return true;
    }
    if (System.nanoTime() - joining.sinceNanos() < CERTIFICATE_COMES_WITHIN.toNanos()) {
      return false;
    }
    throw new CaptureFailure(
        "CertificateMissing",
        "the node's ztunnel cannot prove the pod's identity yet; " + until(capture) + missing);
  }

  /** Peers then open new tunnels elsewhere, before the pod's network is gone without a word. */
  private void tellTermination(Pod pod, PodCapture capture) {
    var connected = ztunnels;
    if (capture.terminating
        || connected == null
        || pod.getMetadata().getDeletionTimestamp() == null) {
      return;
    }
    capture.terminating = true;
    connected.terminating(capture.uid);
    LOG.atInfo()
        .addKeyValue("namespace", pod.getMetadata().getNamespace())
        .addKeyValue("name", pod.getMetadata().getName())
        .log("the pod terminates; the ztunnel tells its peers");
  }

  private static String until(PodCapture capture) {
    return capture.stage instanceof Stage.Joining
        ? "the pod stays out of the mesh until it does: "
        : "the pod's traffic is held until it does: ";
  }

  private AddOutcome ask(PodCapture capture) throws IOException {
    var served = capture.served;
    var connected = ztunnels;
    if (served == null || connected == null) {
      return new AddOutcome.Unanswered("the agent is starting");
    }
    return answer(connected.add(served));
  }

  private AddOutcome confirm(PodCapture capture, ConfirmWorkload.Fact fact) throws IOException {
    var connected = ztunnels;
    return connected == null
        ? new AddOutcome.Unanswered("the agent is starting")
        : answer(connected.confirm(capture.uid, fact));
  }

  private static AddOutcome answer(CompletableFuture<AddOutcome> asked) throws IOException {
    try {
      // The server answers for a ztunnel that does not, so the limit only guards this thread.
      return asked.get(30, TimeUnit.SECONDS);
    } catch (ExecutionException | TimeoutException e) {
      return new AddOutcome.Unanswered(String.valueOf(e.getMessage()));
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new IOException("the agent is ending", e);
    }
  }

  /**
   * What was enabled stays so although no ztunnel serves it now: with the annotation gone its peers
   * would send plaintext.
   */
  private void pending(Pod pod, PodCapture capture) {
    if (capture.stage instanceof Stage.Captured
        && Redirection.of(annotations(pod)) != Redirection.ENABLED) {
      writeRedirection(pod, Redirection.PENDING);
    }
  }

  /**
   * Captures a pod whose network has just been made and in which nothing runs yet. Returns once a
   * ztunnel serves it.
   *
   * @param addresses what the network plugins gave it
   * @throws IOException if that is not so within the time; the pod must not be started then
   */
  public void captureNew(
      Pod pod, String networkPath, Collection<InetAddress> addresses, Duration within)
      throws IOException {
    long deadline = System.nanoTime() + within.toNanos();
    withCapture(
        pod.getMetadata().getUid(),
        capture -> {
          var network = networks.open(networkPath);
          if (capture.network != null) {
            // From an earlier sandbox, or an earlier attempt with this one.
            capture.closeNetwork();
          }
          try {
            // Nothing runs in the pod yet that could be refused, and nothing may leave it plain.
            serve(pod, capture, network, false);
            redirect(pod, capture, network);
            if (!addresses.isEmpty()) {
              hostRules.put(capture.uid, addresses);
            }
            awaitZtunnel(capture, deadline);
            alignDns(pod, capture);
          } catch (IOException | RuntimeException e) {
            // The rules stay in: the runtime takes the namespace down, and until then nothing
            // leaks.
            capture.network = network;
            release(capture);
            throw e;
          }
          return Optional.empty();
        });
    queue.add(pod.getMetadata().getUid());
  }

  private void awaitZtunnel(PodCapture capture, long deadline) throws IOException {
    while (true) {
      var outcome = ask(capture);
      if (outcome instanceof AddOutcome.Acknowledged) {
        capture.acknowledged = true;
        return;
      }
      if (System.nanoTime() > deadline) {
        throw new CaptureFailure(
            "ZtunnelUnavailable",
            switch (outcome) {
              case AddOutcome.Acknowledged acknowledged -> "";
              case AddOutcome.Refused refused ->
                  "the node's ztunnel cannot take the pod: " + refused.error();
              case AddOutcome.Unanswered unanswered -> unanswered.reason();
              case AddOutcome.Gone gone -> "the pod's network namespace is gone";
            });
      }
      try {
        Thread.sleep(ASK_ZTUNNEL_AGAIN);
      } catch (InterruptedException e) {
        Thread.currentThread().interrupt();
        throw new IOException("the agent is ending", e);
      }
    }
  }

  // Leaving.

  private Optional<Duration> leave(Pod pod, PodCapture capture) throws IOException {
    leaveOtherSandbox(capture, addresses(pod));
    examine(pod, capture);
    return switch (capture.stage) {
      case Stage.Free free -> {
        writeRedirection(pod, Redirection.ABSENT);
        yield Optional.empty();
      }
      case Stage.Captured captured -> {
        writeRedirection(pod, Redirection.DRAINING);
        var settling = new Stage.Settling(System.nanoTime(), OptionalLong.empty());
        capture.stage = settling;
        yield settle(pod, capture, settling);
      }
      case Stage.Joining joining -> {
        writeRedirection(pod, Redirection.DRAINING);
        yield Optional.of(startDraining(pod, capture));
      }
      case Stage.Settling settling -> settle(pod, capture, settling);
      case Stage.Draining draining -> drain(pod, capture, draining);
      case Stage.Released released -> tellReleased(pod, capture);
    };
  }

  /**
   * Peers that have not heard would open tunnels to where nobody takes them any more, so without a
   * control plane pods stay in the mesh; for as long as connections may take to end.
   */
  private Optional<Duration> settle(Pod pod, PodCapture capture, Stage.Settling settling)
      throws IOException {
    long now = System.nanoTime();
    if (settling.untilNanos().isPresent()) {
      long left = settling.untilNanos().getAsLong() - now;
      return Optional.of(
          left > 0 ? Duration.ofNanos(left).plusMillis(1) : startDraining(pod, capture));
    }
    long waited = now - settling.sinceNanos();
    if (waited < drainTime().toNanos()
        && confirm(capture, ConfirmWorkload.Fact.WITHOUT_TUNNELS) instanceof AddOutcome.Refused) {
      return Optional.of(LOOK_AT_SETTLING);
    }
    var settle = waited > SETTLE_AFTER_ABSENCE.toNanos() ? SETTLE_AFTER_ABSENCE : settings.settle();
    capture.stage =
        new Stage.Settling(settling.sinceNanos(), OptionalLong.of(now + settle.toNanos()));
    return Optional.of(settle);
  }

  private Duration startDraining(Pod pod, PodCapture capture) throws IOException {
    var network = Objects.requireNonNull(capture.network);
    network.call(
        () -> {
          rules.install(PodRuleset.DRAINING);
          return null;
        });
    hostRules.remove(capture.uid);
    var drain = drainTime();
    long now = System.nanoTime();
    capture.stage = new Stage.Draining(now, now + drain.toNanos());
    var connected = ztunnels;
    if (connected != null) {
      connected.delete(capture.uid, drain);
    }
    LOG.atInfo()
        .addKeyValue("namespace", pod.getMetadata().getNamespace())
        .addKeyValue("name", pod.getMetadata().getName())
        .addKeyValue("drainSeconds", drain.toSeconds())
        .log("new connections of the pod pass plain; those in the tunnel end there");
    return LOOK_AT_DRAINING;
  }

  private Duration drainTime() {
    return switch (cluster.mesh()) {
      case MeshState.Absent absent -> settings.uninstallDrain();
      case MeshState.Present present -> Duration.ofSeconds(present.spec().leaving().drainSeconds());
      case MeshState.Leaving leaving -> {
        var asked = Duration.ofSeconds(leaving.spec().leaving().drainSeconds());
        yield asked.compareTo(settings.uninstallDrain()) < 0 ? asked : settings.uninstallDrain();
      }
    };
  }

  private Optional<Duration> drain(Pod pod, PodCapture capture, Stage.Draining draining)
      throws IOException {
    var network = Objects.requireNonNull(capture.network);
    long now = System.nanoTime();
    long connections = network.call(rules::connections);
    boolean late = now - draining.untilNanos() > AFTER_DRAIN.toNanos();
    if (connections > 0 && !late) {
      return Optional.of(LOOK_AT_DRAINING);
    }
    // A ztunnel that has not let go yet may be about to accept what was redirected just before.
    var connected = ztunnels;
    boolean mayLetGo =
        connected != null
            && connected.connected() > 0
            && now - draining.sinceNanos() < LET_GO_WITHIN.toNanos();
    if (mayLetGo && network.call(rules::listeners) > 0) {
      return Optional.of(LOOK_AT_DRAINING);
    }
    network.call(
        () -> {
          rules.remove();
          return null;
        });
    capture.closeNetwork();
    capture.served = null;
    capture.acknowledged = false;
    capture.stage = PodCapture.RELEASED;
    count("released");
    LOG.atInfo()
        .addKeyValue("namespace", pod.getMetadata().getNamespace())
        .addKeyValue("name", pod.getMetadata().getName())
        .addKeyValue("brokenConnections", connections)
        .log("nothing of the mesh is left in the pod");
    return tellReleased(pod, capture);
  }

  /** Written whatever the cache shows, which may not know yet that the pod has been draining. */
  private Optional<Duration> tellReleased(Pod pod, PodCapture capture) {
    cluster.writeRedirection(pod, Redirection.ABSENT);
    capture.stage = PodCapture.FREE;
    stageChanged.run();
    return Optional.empty();
  }

  /** The pod is gone: so is all that was in its network namespace. */
  private void forget(PodCapture capture) throws IOException {
    release(capture);
    capture.forgotten = true;
    captures.remove(capture.uid);
    stageChanged.run();
  }

  /** Lets go of a network namespace that ends with its sandbox. */
  private void release(PodCapture capture) throws IOException {
    var connected = ztunnels;
    if (capture.served != null && connected != null) {
      connected.delete(capture.uid, isCutOff(capture) ? Duration.ZERO : null);
    }
    capture.served = null;
    capture.acknowledged = false;
    capture.terminating = false;
    capture.stage = PodCapture.FREE;
    capture.examined = false;
    capture.closeNetwork();
    hostRules.remove(capture.uid);
  }

  /** Whether the namespace has no address of its own any more: no connection in it can go on. */
  private static boolean isCutOff(PodCapture capture) {
    var network = capture.network;
    if (network == null) {
      return false;
    }
    try {
      return network.call(LocalAddresses::read).stream().allMatch(InetAddress::isLoopbackAddress);
    } catch (IOException e) {
      LOG.atDebug()
          .addKeyValue("uid", capture.uid)
          .addKeyValue("reason", e.getMessage())
          .log("cannot look into the network namespace of a pod that is gone");
      return false;
    }
  }

  // Observing.

  /** Finds out, once for each pod, whether an earlier agent has left rules in it. */
  private void examine(Pod pod, PodCapture capture) throws IOException {
    var addresses = addresses(pod);
    if (capture.examined
        || capture.network != null
        || addresses.isEmpty()
        || ended(pod)
        || (pod.getSpec() != null && Boolean.TRUE.equals(pod.getSpec().getHostNetwork()))) {
      return;
    }
    var network = networks.find(addresses).orElse(null);
    if (network != null) {
      boolean present;
      try {
        present = network.call(rules::present);
      } catch (IOException e) {
        network.close();
        throw e;
      }
      if (present) {
        serve(pod, capture, network, false);
        // What the annotation says was proven once. The rules themselves are verified when first
        // due.
        capture.dns = wantsDns(pod) && network.call(rules::answersDns);
        capture.stage = PodCapture.CAPTURED;
        capture.seen = true;
        capture.verificationDue = true;
        hostRules.put(capture.uid, addresses);
        LOG.atInfo()
            .addKeyValue("namespace", pod.getMetadata().getNamespace())
            .addKeyValue("name", pod.getMetadata().getName())
            .log("the pod is captured already");
      } else {
        network.close();
      }
    }
    capture.examined = true;
  }

  private void verifyAll() {
    try {
      boolean needed = cluster.mesh() instanceof MeshState.Present || !allFree();
      if (needed && hostRules.repair()) {
        drift("host_rules");
      }
    } catch (IOException | RuntimeException e) {
      LOG.atError().setCause(e).log("cannot verify the node's own rules");
    }
    for (var capture : captures.values()) {
      if (capture.stage instanceof Stage.Captured) {
        capture.verificationDue = true;
        queue.add(capture.uid);
      }
    }
  }

  private void verifyIfDue(Pod pod, PodCapture capture) throws IOException {
    var network = capture.network;
    if (!capture.verificationDue || network == null) {
      return;
    }
    capture.verificationDue = false;
    var missing = network.call(() -> rules.repair(ruleset(capture)));
    boolean unanswered = capture.dns && !network.call(rules::answersDns);
    capture.dnsUnanswered = unanswered ? capture.dnsUnanswered + 1 : 0;
    for (var each : missing) {
      drift(each.name().toLowerCase(Locale.ROOT));
    }
    if (!missing.isEmpty()) {
      cluster.warn(
          pod,
          "RedirectionRepaired",
          "something else had changed the rules that redirect the pod's traffic (" + missing + ")");
    }
    var connected = ztunnels;
    if (!capture.acknowledged || connected == null || connected.connected() == 0) {
      return;
    }
    boolean wasDeaf = capture.deaf;
    capture.deaf = !network.call(rules::listening);
    if (capture.deaf && wasDeaf) {
      // Twice in a row, so it is not a ztunnel that has just come and is at the pods before this.
      drift("listeners");
      capture.acknowledged = false;
    }
  }

  private void drift(String what) {
    Counter.builder("ambit.agent.drift")
        .tag("what", what)
        .description("Repairs of what was no longer as the agent had left it")
        .register(metrics)
        .increment();
    LOG.atWarn().addKeyValue("what", what).log("repaired what was no longer as it should be");
  }

  private void count(String what) {
    Counter.builder("ambit.agent.transitions")
        .tag("to", what)
        .description("Pods that were captured or released")
        .register(metrics)
        .increment();
  }

  // Telling.

  private void writeRedirection(Pod pod, Redirection state) {
    if (!state.isWrittenIn(annotations(pod))) {
      cluster.writeRedirection(pod, state);
    }
  }

  private static Map<String, String> annotations(Pod pod) {
    return Objects.requireNonNullElse(pod.getMetadata().getAnnotations(), Map.of());
  }

  private void failed(String uid, int attempt, Exception cause) {
    Counter.builder("ambit.agent.failures")
        .tag("reason", cause instanceof CaptureFailure failure ? failure.reason() : "Error")
        .description("Attempts to capture or release a pod that failed and are made again")
        .register(metrics)
        .increment();
    var pod = cluster.pod(uid);
    if (Integer.bitCount(attempt) == 1) {
      var metadata = pod.map(Pod::getMetadata).orElse(null);
      var log =
          LOG.atWarn()
              .addKeyValue("namespace", metadata == null ? "" : metadata.getNamespace())
              .addKeyValue("name", metadata == null ? "" : metadata.getName())
              .addKeyValue("uid", uid)
              .addKeyValue("attempt", attempt)
              .addKeyValue("reason", cause.getMessage());
      (cause instanceof IOException ? log : log.setCause(cause))
          .log("the pod is not yet where it should be");
    }
    if (attempt == WORTH_AN_EVENT && pod.isPresent() && cause instanceof IOException) {
      var reason = cause instanceof CaptureFailure failure ? failure.reason() : "CaptureFailed";
      cluster.warn(pod.get(), reason, String.valueOf(cause.getMessage()));
    }
  }

  /** The addresses of a pod that the API server knows. */
  private static Set<InetAddress> addresses(Pod pod) throws IOException {
    var addresses = new LinkedHashSet<InetAddress>();
    var status = pod.getStatus();
    if (status == null || status.getPodIPs() == null) {
      return addresses;
    }
    for (var podIp : status.getPodIPs()) {
      if (podIp.getIp() != null) {
        addresses.add(InetAddress.ofLiteral(podIp.getIp()));
      }
    }
    return addresses;
  }

  private static String text(Collection<InetAddress> addresses) {
    return String.join(", ", addresses.stream().map(InetAddress::getHostAddress).toList());
  }

  @Override
  public void close() {
    verification.shutdownNow();
    queue.close();
  }
}
