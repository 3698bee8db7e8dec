package dev.ambit.ztunnel.zds;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import dev.ambit.linux.NetworkNamespace;
import dev.ambit.linux.SeqPacketSocket;
import dev.ambit.protocol.zds.AddWorkload;
import dev.ambit.protocol.zds.ConfirmWorkload;
import dev.ambit.protocol.zds.DelWorkload;
import dev.ambit.protocol.zds.KeepWorkload;
import dev.ambit.protocol.zds.SnapshotSent;
import dev.ambit.protocol.zds.TerminatingWorkload;
import dev.ambit.protocol.zds.Version;
import dev.ambit.protocol.zds.WorkloadInfo;
import dev.ambit.protocol.zds.WorkloadRequest;
import dev.ambit.protocol.zds.WorkloadResponse;
import dev.ambit.protocol.zds.ZdsHello;
import dev.ambit.ztunnel.state.LocalPod;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Objects;
import java.util.Random;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.Executors;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Files stand in for network namespaces: the client tells them apart by inode alike. */
class ZdsClientTest {
  private static final Duration DRAIN = Duration.ofSeconds(7);

  @TempDir Path directory;

  private final ScheduledExecutorService executor = Executors.newSingleThreadScheduledExecutor();
  private final FakeRuntime runtime = new FakeRuntime();
  private final Events events = new Events();
  private final PodRegistry pods = new PodRegistry(runtime, events, executor);
  private final FakeFacts facts = new FakeFacts();
  private SeqPacketSocket.Listener listener;
  private ZdsClient client;
  private @Nullable SeqPacketSocket agent;

  private static final class FakeRuntime implements PodRuntime {
    final List<FakePod> started = new CopyOnWriteArrayList<>();
    volatile boolean fail;
    volatile boolean hang;

    @Override
    public CompletionStage<FakePod> start(LocalPod pod, NetworkNamespace namespace) {
      if (hang) {
        return new CompletableFuture<>();
      }
      if (fail) {
        namespace.close();
        return CompletableFuture.failedFuture(new IOException("port 15008 is taken"));
      }
      FakePod running = new FakePod(pod, namespace);
      started.add(running);
      return CompletableFuture.completedFuture(running);
    }

    List<String> live() {
      return started.stream().filter(p -> p.drained == null).map(p -> p.pod.uid()).toList();
    }
  }

  private static final class FakePod implements PodRuntime.Running {
    final LocalPod pod;
    final NetworkNamespace namespace;
    final CompletableFuture<Void> over = new CompletableFuture<>();
    volatile @Nullable Duration drained;
    volatile boolean terminating;

    FakePod(LocalPod pod, NetworkNamespace namespace) {
      this.pod = pod;
      this.namespace = namespace;
    }

    @Override
    public CompletionStage<Void> drain(Duration deadline) {
      drained = deadline;
      namespace.close();
      if (deadline.isZero()) {
        over.complete(null);
      }
      return over;
    }

    @Override
    public void terminating() {
      terminating = true;
    }

    @Override
    public int openConnections() {
      return 3;
    }

    @Override
    public CompletionStage<List<LiveConnection>> connections() {
      return CompletableFuture.completedFuture(List.of());
    }
  }

  private static final class FakeFacts implements PodFacts {
    volatile String uncertified = "";
    volatile String expectsTunnels = "";

    @Override
    public String uncertified(LocalPod pod) {
      return uncertified;
    }

    @Override
    public String expectsTunnels(LocalPod pod) {
      return expectsTunnels;
    }
  }

  private static final class Events implements PodObserver {
    final List<String> seen = new CopyOnWriteArrayList<>();

    @Override
    public void added(LocalPod pod) {
      seen.add("added " + pod.uid());
    }

    @Override
    public void removed(LocalPod pod) {
      seen.add("removed " + pod.uid());
    }

    @Override
    public void started(LocalPod pod) {
      seen.add("started " + pod.uid());
    }

    @Override
    public void stopped(LocalPod pod) {
      seen.add("stopped " + pod.uid());
    }
  }

  @BeforeEach
  void setUp() throws IOException {
    Path path = directory.resolve("z.sock");
    listener = SeqPacketSocket.Listener.bind(path);
    client = new ZdsClient(path, pods, facts, DRAIN);
    client.start();
  }

  @AfterEach
  void tearDown() {
    client.close();
    if (agent != null) {
      agent.close();
    }
    listener.close();
    executor.shutdownNow();
  }

  private void accept() throws IOException {
    SeqPacketSocket accepted = listener.accept();
    agent = accepted;
    ZdsHello hello = ZdsHello.parseFrom(accepted.receive(1024).data());
    assertThat(hello.getVersion()).isEqualTo(Version.V1);
    assertThat(hello.getTakesTerminating()).isTrue();
    assertThat(hello.getTakesConfirm()).isTrue();
  }

  private SeqPacketSocket agent() {
    return Objects.requireNonNull(agent);
  }

  /** The error that the client answers with. */
  private String answer() throws IOException {
    WorkloadResponse response = WorkloadResponse.parseFrom(agent().receive(1024).data());
    assertThat(response.hasAck()).isTrue();
    return response.getAck().getError();
  }

  private String send(WorkloadRequest.Builder request) throws IOException {
    agent().send(request.build().toByteArray());
    return answer();
  }

  private String add(String uid, String namespace) throws IOException {
    Path file = directory.resolve(namespace);
    if (!Files.exists(file)) {
      Files.createFile(file);
    }
    try (NetworkNamespace fd = NetworkNamespace.open(file.toString())) {
      agent().send(addRequest(uid).build().toByteArray(), fd.fd());
    }
    return answer();
  }

  private static WorkloadRequest.Builder addRequest(String uid) {
    return WorkloadRequest.newBuilder()
        .setAdd(
            AddWorkload.newBuilder()
                .setUid(uid)
                .setWorkloadInfo(
                    WorkloadInfo.newBuilder()
                        .setName("pod-" + uid)
                        .setNamespace("shop")
                        .setServiceAccount("cart")));
  }

  private String snapshotSent() throws IOException {
    return send(WorkloadRequest.newBuilder().setSnapshotSent(SnapshotSent.getDefaultInstance()));
  }

  private String keep(String uid) throws IOException {
    return send(WorkloadRequest.newBuilder().setKeep(KeepWorkload.newBuilder().setUid(uid)));
  }

  private String delete(DelWorkload.Builder delete) throws IOException {
    return send(WorkloadRequest.newBuilder().setDel(delete));
  }

  /** Whatever comes, with a descriptor or without, is answered, and the next request is served. */
  @Test
  void survivesAnything() throws IOException {
    accept();
    var random = new Random(11);
    Path file = Files.createFile(directory.resolve("any"));
    for (int i = 0; i < 400; i++) {
      byte[] bytes = addRequest("x" + i).build().toByteArray();
      if (random.nextInt(3) == 0) {
        bytes = new byte[1 + random.nextInt(60)];
        random.nextBytes(bytes);
      }
      for (int n = random.nextInt(4); n > 0; n--) {
        bytes[random.nextInt(bytes.length)] = (byte) random.nextInt();
      }
      if (random.nextBoolean()) {
        try (NetworkNamespace fd = NetworkNamespace.open(file.toString())) {
          agent().send(bytes, fd.fd());
        }
      } else {
        agent().send(bytes);
      }
      assertThat(answer()).isNotNull();
    }
    assertThat(add("last", "ns-last")).isEmpty();
    assertThat(runtime.live()).contains("last");
  }

  @Test
  void servesWhatIsAddedAndDrainsWhatIsDeleted() throws IOException {
    accept();
    assertThat(add("1", "ns1")).isEmpty();
    assertThat(client.hasSnapshot()).isFalse();
    assertThat(snapshotSent()).isEmpty();
    assertThat(client.hasSnapshot()).isTrue();
    assertThat(add("2", "ns2")).isEmpty();
    assertThat(runtime.live()).containsExactly("1", "2");
    assertThat(runtime.started.getFirst().pod)
        .isEqualTo(new LocalPod("1", "pod-1", "shop", "cart"));
    assertThat(pods.active()).isEqualTo(2);
    assertThat(pods.statuses())
        .allSatisfy(s -> assertThat(s.up() && s.connections().isEmpty()).isTrue());

    assertThat(delete(DelWorkload.newBuilder().setUid("1").setDrainSeconds(60))).isEmpty();
    assertThat(runtime.started.getFirst().drained).isEqualTo(Duration.ofSeconds(60));
    assertThat(delete(DelWorkload.newBuilder().setUid("2"))).isEmpty();
    assertThat(runtime.started.get(1).drained).isEqualTo(DRAIN);
    assertThat(delete(DelWorkload.newBuilder().setUid("2"))).isEmpty();
    assertThat(events.seen).contains("removed 1").doesNotContain("stopped 1");
    runtime.started.getFirst().over.complete(null);
    assertThat(events.seen)
        .containsExactly(
            "added 1", "started 1", "added 2", "started 2", "removed 1", "removed 2", "stopped 1");
  }

  @Test
  void aPodInTheSameNamespaceIsLeftAloneInAnotherItIsReplaced() throws IOException {
    accept();
    assertThat(add("1", "ns1")).isEmpty();
    assertThat(add("1", "ns1")).isEmpty();
    assertThat(runtime.started).hasSize(1);
    assertThat(add("1", "ns2")).isEmpty();
    assertThat(runtime.started).hasSize(2);
    assertThat(runtime.started.getFirst().drained).isEqualTo(Duration.ZERO);
    assertThat(runtime.live()).containsExactly("1");
  }

  @Test
  void whileTheAgentIsAwayPodsGoOnAndTheSnapshotThenDecides() throws IOException {
    accept();
    add("1", "ns1");
    add("2", "ns2");
    add("3", "ns3");
    snapshotSent();
    agent().close();

    accept();
    assertThat(runtime.live()).containsExactly("1", "2", "3");
    assertThat(keep("1")).isEmpty();
    assertThat(keep("9")).contains("9");
    assertThat(add("2", "ns2")).isEmpty();
    assertThat(snapshotSent()).isEmpty();
    assertThat(runtime.live()).containsExactly("1", "2");
    assertThat(runtime.started.get(2).drained).isEqualTo(Duration.ZERO);
    assertThat(keep("1")).as("after the snapshot").isNotEmpty();
  }

  @Test
  void aPodDeletedBeforeTheSnapshotIsGone() throws IOException {
    accept();
    add("1", "ns1");
    delete(DelWorkload.newBuilder().setUid("1").setDrainSeconds(0));
    assertThat(snapshotSent()).isEmpty();
    assertThat(runtime.live()).isEmpty();
  }

  @Test
  void aFailedStartIsToldAndTriedAgain() throws IOException {
    accept();
    runtime.fail = true;
    assertThat(add("1", "ns1")).contains("port 15008 is taken");
    assertThat(pods.pending()).isEqualTo(1);
    assertThat(snapshotSent()).isEmpty();
    runtime.fail = false;
    await().atMost(Duration.ofSeconds(10)).until(() -> pods.pending() == 0);
    assertThat(runtime.live()).containsExactly("1");
  }

  @Test
  void aFailedStartIsTriedAtOnceWhenThePodIsAddedAgain() throws IOException {
    accept();
    runtime.fail = true;
    add("1", "ns1");
    runtime.fail = false;
    assertThat(add("1", "ns1")).isEmpty();
    assertThat(runtime.live()).containsExactly("1");
    assertThat(events.seen).containsExactly("added 1", "started 1");
  }

  @Test
  void aPodThatTerminatesIsServedOn() throws IOException {
    accept();
    assertThat(add("1", "ns1")).isEmpty();
    assertThat(terminating("1")).isEmpty();
    assertThat(terminating("9")).as("one that is not served").isEmpty();
    assertThat(runtime.started.getFirst().terminating).isTrue();
    assertThat(runtime.live()).containsExactly("1");
    assertThat(delete(DelWorkload.newBuilder().setUid("1").setDrainSeconds(0))).isEmpty();
    assertThat(runtime.live()).isEmpty();
  }

  @Test
  void aPodThatTerminatesBeforeItsListenersAreBoundIsToldOnceTheyAre() throws IOException {
    accept();
    runtime.fail = true;
    add("1", "ns1");
    assertThat(terminating("1")).isEmpty();
    runtime.fail = false;
    assertThat(add("1", "ns1")).isEmpty();
    assertThat(runtime.started.getFirst().terminating).isTrue();
  }

  private String terminating(String uid) throws IOException {
    return send(
        WorkloadRequest.newBuilder().setTerminating(TerminatingWorkload.newBuilder().setUid(uid)));
  }

  private String confirm(String uid, ConfirmWorkload.Fact fact) throws IOException {
    return send(
        WorkloadRequest.newBuilder()
            .setConfirm(ConfirmWorkload.newBuilder().setUid(uid).setFact(fact)));
  }

  @Test
  void theAgentIsToldWhatIsSoOfAPod() throws IOException {
    accept();
    assertThat(confirm("a", ConfirmWorkload.Fact.CERTIFIED)).isEqualTo("the pod is not served");
    assertThat(confirm("a", ConfirmWorkload.Fact.WITHOUT_TUNNELS)).isEmpty();
    add("a", "ns-a");
    assertThat(confirm("a", ConfirmWorkload.Fact.CERTIFIED)).isEmpty();
    assertThat(confirm("a", ConfirmWorkload.Fact.WITHOUT_TUNNELS)).isEmpty();
    facts.uncertified = "the authority is away";
    facts.expectsTunnels = "nobody has been told";
    assertThat(confirm("a", ConfirmWorkload.Fact.CERTIFIED)).isEqualTo("the authority is away");
    assertThat(confirm("a", ConfirmWorkload.Fact.WITHOUT_TUNNELS))
        .isEqualTo("nobody has been told");
    assertThat(confirm("a", ConfirmWorkload.Fact.UNKNOWN)).isNotEmpty();
  }

  @Test
  void aStartThatTakesTooLongIsAnsweredInTime() throws IOException {
    accept();
    runtime.hang = true;
    long begin = System.nanoTime();
    assertThat(add("1", "ns1")).contains("not served yet");
    assertThat(Duration.ofNanos(System.nanoTime() - begin)).isLessThan(Duration.ofSeconds(5));
  }

  @Test
  void malformedRequestsAreRefusedAndTheConnectionGoesOn() throws IOException {
    accept();
    agent().send(new byte[] {1, 2, 3});
    assertThat(answer()).isNotEmpty();
    assertThat(send(addRequest("1"))).contains("without its network namespace");
    byte[] fieldOfTheFuture = {0x38, 1};
    agent().send(fieldOfTheFuture);
    assertThat(answer()).contains("unknown kind");
    try (NetworkNamespace fd = NetworkNamespace.open("/dev/null")) {
      agent()
          .send(
              WorkloadRequest.newBuilder()
                  .setDel(DelWorkload.newBuilder().setUid("1"))
                  .build()
                  .toByteArray(),
              fd.fd());
    }
    assertThat(answer()).isNotEmpty();
    agent().send(addRequest("1").build().toByteArray(), NetworkNamespace.self().fd());
    assertThat(answer()).contains("own netns");
    assertThat(runtime.started).isEmpty();
    assertThat(add("1", "ns1")).isEmpty();
  }

  @Test
  void drainingRemovesAllAndTakesNoMore() throws Exception {
    accept();
    add("1", "ns1");
    add("2", "ns2");
    CompletionStage<Void> drained = client.drain(Duration.ofSeconds(30));
    assertThat(drained.toCompletableFuture()).isNotDone();
    runtime.started.forEach(pod -> pod.over.complete(null));
    drained.toCompletableFuture().get(5, TimeUnit.SECONDS);
    assertThat(agent().receive(1024).isEnd()).isTrue();
  }
}
