package dev.ambit.ztunnel.netns;

import static org.awaitility.Awaitility.await;

import dev.ambit.linux.TcpSocket;
import dev.ambit.protocol.security.Action;
import dev.ambit.protocol.security.Clause;
import dev.ambit.protocol.security.Match;
import dev.ambit.protocol.security.Rule;
import dev.ambit.protocol.security.StringMatch;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.ReadWriteLock;
import java.util.concurrent.locks.ReentrantReadWriteLock;

/**
 * A mesh under steady load while its parts come and go: pods, policies, certificates, node agents,
 * the control plane, and the ztunnels themselves. Each call that fails is the workload's own doing
 * or a fault, and what the ztunnels hold before the load is what they hold after it.
 */
final class Soak implements AutoCloseable {
  private static final Duration CERTIFICATE_LIFETIME = Duration.ofSeconds(40);
  private static final int MOST_PODS_COMING = 4;

  /** How much more a ztunnel may hold after the load than before it. */
  private static final Footprint BOUND = new Footprint(64 << 10, 6 << 10, 16 << 10, 8, 6);

  /** Of connections that somebody still holds; in other states the kernel alone has them. */
  private static final Set<TcpSocket.State> OPEN =
      Set.of(
          TcpSocket.State.ESTABLISHED,
          TcpSocket.State.SYN_SENT,
          TcpSocket.State.SYN_RECV,
          TcpSocket.State.CLOSE_WAIT);

  /** Shorter ones have fewer outages. */
  private static final Duration LONG_LOAD = Duration.ofMinutes(4);

  /** Work of a thread of its own; it ends when the load is over. */
  @FunctionalInterface
  private interface Work {
    void go() throws Exception;
  }

  private final Duration warmUp;
  private final Duration load;
  private final Path folder;
  private final Mesh mesh;
  private final SoakLedger ledger = new SoakLedger();
  private final ReadWriteLock outages = new ReentrantReadWriteLock(true);
  private final List<String> findings = new ArrayList<>();
  private final StringBuilder report = new StringBuilder();
  private final List<SoakServer> servers = new ArrayList<>();
  private final List<WorkloadResource> steadyWorkloads = new ArrayList<>();
  private final ServiceResource steadyService = service("steady", 1);
  private final ServiceResource changingService = service("changing", 2);
  private final ServiceResource fragileService = service("fragile", 3);
  private final SoakTarget steady = new SoakTarget("steady", steadyService.address4());
  private final SoakTarget changing = new SoakTarget("changing", changingService.address4());
  private final SoakTarget fragile = new SoakTarget("fragile", fragileService.address4());
  private final List<Pod> steadyPods = new ArrayList<>();
  private final List<Pod> clients = new ArrayList<>();
  private final List<SoakPods> changingPods;
  private final List<SoakPods> fragilePods;
  private Pod stranger;
  private Pod forbidden;
  private SoakTarget plain;
  private SoakTarget direct;

  /**
   * @param folder where the report goes
   */
  @SuppressWarnings("NullAway.Init") // prepared by run()
  Soak(Duration warmUp, Duration load, Path folder) {
    this.warmUp = warmUp;
    this.load = load;
    this.folder = folder;
    this.mesh =
        Mesh.start(
            Map.of(
                "AMBIT_JVM_OPTIONS",
                "-Dio.netty.leakDetection.level=simple " + Footprint.JVM_OPTIONS,
                // A line for each good call would be most of the work here.
                "LOG_LEVEL",
                "info,access=warn",
                "POOL_UNUSED_RELEASE_TIMEOUT",
                "5s",
                "TERMINATION_GRACE_PERIOD_SECONDS",
                "180"));
    this.changingPods = pods(changingService, changing);
    this.fragilePods = pods(fragileService, fragile);
  }

  private static ServiceResource service(String name, int number) {
    return new ServiceResource(
        "shop", name, new InetSocketAddress("10.96.1." + number, 80), SoakServer.PORT);
  }

  private List<SoakPods> pods(ServiceResource service, SoakTarget target) {
    return List.of(
        new SoakPods(mesh, mesh.a(), service, target, outages, ledger),
        new SoakPods(mesh, mesh.b(), service, target, outages, ledger));
  }

  /** Runs it all and says what is not as it should be. */
  List<String> run() throws Exception {
    Files.createDirectories(folder);
    prepare();
    try (var samples = new SoakSamples(nodes())) {
      phase(warmUp, false);
      var before = collected("before the load");
      var began = samples.elapsed();
      phase(load, true);
      var ended = samples.elapsed();
      var after = collected("after the load");
      samples.write(folder.resolve("samples.csv"));
      report.append(samples.summary(began, ended));
      if (load.compareTo(LONG_LOAD) >= 0) {
        findings.addAll(samples.growth(began, ended));
      }
      for (int i = 0; i < before.size(); i++) {
        judge(nodes().get(i), before.get(i), after.get(i));
      }
    } finally {
      findings.addAll(ledger.failures());
      for (var node : nodes()) {
        node.agent()
            .violations()
            .forEach(violation -> findings.add(node.node() + ": " + violation));
      }
      write();
    }
    return findings;
  }

  private List<MeshNode> nodes() {
    return List.of(mesh.a(), mesh.b());
  }

  private void prepare() throws IOException {
    mesh.controlPlane().certificates().lifetime(CERTIFICATE_LIFETIME);
    for (var service : List.of(steadyService, changingService, fragileService)) {
      mesh.controlPlane().announce(service);
    }
    forbidden = mesh.captured(mesh.a(), "forbidden");
    protect(0);
    for (var node : nodes()) {
      for (int i = 0; i < 2; i++) {
        var server = mesh.captured(node, "steady");
        servers.add(SoakServer.start(server));
        var workload =
            WorkloadResource.captured(server)
                .endpointOf(steadyService, SoakServer.PORT)
                .selectedBy("shop/soak");
        mesh.controlPlane().announce(workload);
        steadyWorkloads.add(workload);
        clients.add(mesh.captured(node, "client"));
        steadyPods.add(server);
        steadyPods.add(clients.getLast());
        direct = new SoakTarget("a pod by its address", server.at(SoakServer.PORT));
      }
    }
    stranger = mesh.uncaptured(mesh.a(), "stranger");
    var outside = mesh.uncaptured(mesh.b(), "outside");
    servers.add(SoakServer.start(outside));
    plain = new SoakTarget("a pod outside the mesh", outside.at(SoakServer.PORT));
  }

  /** A policy whose text changes each time, and whose meaning does not. */
  private void protect(int time) {
    var nobody =
        StringMatch.newBuilder().setExact("cluster.local/ns/shop/sa/nobody-" + time).build();
    mesh.controlPlane()
        .enforce(
            Policies.of("shop", "soak", Action.DENY, Policies.principal(forbidden))
                .addRules(
                    Rule.newBuilder()
                        .addClauses(
                            Clause.newBuilder()
                                .addMatches(Match.newBuilder().addPrincipals(nobody))))
                .build());
  }

  /** Load and changes for a while; afterwards only what was there before is there. */
  private void phase(Duration length, boolean outagesToo) throws Exception {
    var over = new CountDownLatch(1);
    var threads = new ArrayList<Thread>();
    for (var pods : fragilePods) {
      pods.add(steady, 1, over);
      pods.add(steady, 1, over);
    }
    for (var pods : changingPods) {
      pods.add(steady, 1, over);
    }
    try (var drains = Executors.newCachedThreadPool()) {
      try {
        changes(threads, over, drains);
        calls(threads, over);
        long began = System.nanoTime();
        if (outagesToo) {
          // On a slow machine they may take longer than planned, and the load goes on till then.
          outages(length);
        }
        long left = began + length.toNanos() - System.nanoTime();
        over.await(Math.max(0, left), TimeUnit.NANOSECONDS);
      } finally {
        over.countDown();
      }
      for (var thread : threads) {
        thread.join();
      }
    }
    for (var pods : changingPods) {
      pods.end();
    }
    for (var pods : fragilePods) {
      pods.end();
    }
  }

  private Thread start(String name, Work work) {
    return Thread.ofPlatform()
        .daemon()
        .name("soak-" + name)
        .start(
            () -> {
              try {
                work.go();
              } catch (Exception | AssertionError e) {
                ledger.fail("%s ended: %s", name, e);
              }
            });
  }

  private void changes(List<Thread> threads, CountDownLatch over, ExecutorService drains) {
    for (var pods : changingPods) {
      threads.add(start("pods", () -> pods.churn(steady, MOST_PODS_COMING, drains, over)));
    }
    for (var pods : fragilePods) {
      threads.add(
          start(
              "fragile pods",
              () -> {
                while (!over.await(4, TimeUnit.SECONDS)) {
                  pods.add(steady, 1, over);
                  pods.lose();
                }
              }));
    }
    threads.add(
        start(
            "updates",
            () -> {
              for (int time = 1; !over.await(700, TimeUnit.MILLISECONDS); time++) {
                protect(time);
                var workload = steadyWorkloads.get(time % steadyWorkloads.size());
                // Few revisions, since each has metrics of its own.
                mesh.controlPlane().announce(workload.ofRevision("v" + time / 4 % 3));
                ledger.event("policies and workloads updated");
              }
            }));
  }

  private void calls(List<Thread> threads, CountDownLatch over) {
    for (var client : clients) {
      for (var target : List.of(steady, changing)) {
        var pause = Duration.ofMillis(30);
        add(
            threads,
            over,
            "connections of 200 requests",
            0,
            client,
            target,
            () -> SoakCall.requests(200, 1024, pause));
        add(
            threads,
            over,
            "a connection for each request",
            60,
            client,
            target,
            () -> SoakCall.request(1024));
      }
      var pause = Duration.ofMillis(100);
      add(threads, over, "streams", 0, client, steady, () -> SoakCall.stream(60, pause));
      add(
          threads,
          over,
          "streams to pods that go",
          0,
          client,
          changing,
          () -> SoakCall.stream(20, pause));
      add(threads, over, "half-closes", 300, client, changing, () -> SoakCall.halfClose(200_000));
      add(threads, over, "resets by clients", 200, client, steady, SoakCall::reset);
      add(
          threads,
          over,
          "calls to pods that are lost",
          100,
          client,
          fragile,
          () -> SoakCall.request(1024));
    }
    var first = clients.getFirst();
    add(
        threads,
        over,
        "40 idle connections",
        0,
        first,
        steady,
        () -> SoakCall.idle(40, Duration.ofSeconds(8)));
    add(threads, over, "calls to pods by address", 50, first, direct, () -> SoakCall.request(1024));
    add(threads, over, "from outside the mesh", 50, stranger, direct, () -> SoakCall.request(1024));
    add(threads, over, "to outside the mesh", 50, first, plain, () -> SoakCall.request(1024));
    add(threads, over, "forbidden calls", 200, forbidden, steady, SoakCall::forbidden);
  }

  private void add(
      List<Thread> threads,
      CountDownLatch over,
      String kind,
      int pauseMillis,
      Pod from,
      SoakTarget to,
      java.util.function.Supplier<SoakCall> call) {
    threads.add(
        start(
            kind,
            () -> {
              do {
                ledger.make(kind, call.get(), from, to, over);
              } while (!over.await(pauseMillis, TimeUnit.MILLISECONDS));
            }));
  }

  /** One after another, each at its part of the time or when the one before is over. */
  private void outages(Duration length) throws Exception {
    long began = System.nanoTime();
    var steps = new ArrayList<Work>();
    steps.add(this::restartNodeAgents);
    steps.add(this::restartControlPlane);
    steps.add(() -> replace(mesh.a()));
    if (length.compareTo(LONG_LOAD) >= 0) {
      steps.add(() -> replace(mesh.b()));
      steps.add(this::restartNodeAgents);
      steps.add(this::restartControlPlane);
    }
    for (int i = 0; i < steps.size(); i++) {
      long due = length.toNanos() * (i + 1) / (steps.size() + 2);
      pause(Duration.ofNanos(began + due - System.nanoTime()));
      steps.get(i).go();
    }
  }

  /** Lets the load go on for a while. */
  private static void pause(Duration length) throws InterruptedException {
    new CountDownLatch(1).await(length.toNanos(), TimeUnit.NANOSECONDS);
  }

  private void restartNodeAgents() {
    outages.writeLock().lock();
    try {
      for (var node : nodes()) {
        int ztunnels = node.agent().ztunnels();
        node.agent().stop();
        node.agent().start();
        node.agent().awaitZtunnels(ztunnels);
        ledger.event("node agents restarted");
      }
    } finally {
      outages.writeLock().unlock();
    }
  }

  private void restartControlPlane() throws InterruptedException {
    outages.writeLock().lock();
    try {
      mesh.controlPlane().stop();
      pause(Duration.ofSeconds(2));
      mesh.controlPlane().start();
      mesh.awaitDiscovery(2);
      ledger.event("control planes restarted");
    } finally {
      outages.writeLock().unlock();
    }
  }

  /** A rolling upgrade: the next ztunnel takes over, and then the one before drains and ends. */
  private void replace(MeshNode node) {
    var before = node.ztunnel();
    node.startZtunnel();
    node.awaitReady();
    node.agent().awaitZtunnels(2);
    before.terminate();
    int status = before.awaitExit(Patience.LONG.multipliedBy(2));
    if (status != 0 && status != 143) {
      ledger.fail("the ztunnel of %s ended with status %d", node.node(), status);
    }
    node.agent().awaitZtunnels(1);
    ledger.event("ztunnels replaced");
  }

  private List<Footprint> collected(String when) throws IOException {
    for (var node : nodes()) {
      await("no connection is left in the pods of " + node.node())
          .atMost(Patience.LONG)
          .pollInterval(Duration.ofMillis(250))
          .untilAsserted(() -> noConnections(node));
    }
    var found = new ArrayList<Footprint>();
    for (var node : nodes()) {
      var objects = "objects of %s %s.txt".formatted(node.node(), when).replace(' ', '-');
      var footprint = Footprint.collected(node.ztunnel(), folder.resolve(objects));
      found.add(footprint);
      report.append("%s, %s: %s%n".formatted(node.node(), when, footprint));
    }
    return found;
  }

  private void noConnections(MeshNode node) {
    for (var pod : steadyPods) {
      if (pod.node() == node.node()) {
        var left =
            pod.host().call(TcpSocket::read).stream()
                .filter(socket -> OPEN.contains(socket.state()))
                .toList();
        if (!left.isEmpty()) {
          throw new AssertionError(pod + " has " + left);
        }
      }
    }
  }

  private void judge(MeshNode node, Footprint before, Footprint after) {
    for (var quantity : Footprint.Quantity.values()) {
      long growth = quantity.of(after) - quantity.of(before);
      if (growth > quantity.of(BOUND)) {
        findings.add(
            "%s: %s grew from %d to %d, by more than %d"
                .formatted(
                    node.node(),
                    quantity,
                    quantity.of(before),
                    quantity.of(after),
                    quantity.of(BOUND)));
      }
    }
  }

  private void write() throws IOException {
    var text = new StringBuilder();
    text.append(
        "A soak of %d s, after %d s to warm up%n%n"
            .formatted(load.toSeconds(), warmUp.toSeconds()));
    text.append(ledger.table()).append('\n').append(report).append('\n');
    text.append(findings.isEmpty() ? "Nothing was found.\n" : "Found:\n");
    findings.forEach(finding -> text.append("- ").append(finding).append('\n'));
    Files.writeString(folder.resolve("report.txt"), text);
    System.out.println(text);
  }

  long goodCalls() {
    return ledger.good();
  }

  @Override
  public void close() throws IOException {
    try {
      for (var server : servers) {
        server.close();
      }
    } finally {
      mesh.close();
    }
  }
}
