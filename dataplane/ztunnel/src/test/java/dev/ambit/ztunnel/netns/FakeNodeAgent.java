package dev.ambit.ztunnel.netns;

import static org.awaitility.Awaitility.await;

import dev.ambit.linux.SeqPacketSocket;
import dev.ambit.protocol.zds.AddWorkload;
import dev.ambit.protocol.zds.DelWorkload;
import dev.ambit.protocol.zds.KeepWorkload;
import dev.ambit.protocol.zds.SnapshotSent;
import dev.ambit.protocol.zds.TerminatingWorkload;
import dev.ambit.protocol.zds.WorkloadInfo;
import dev.ambit.protocol.zds.WorkloadRequest;
import dev.ambit.protocol.zds.WorkloadResponse;
import dev.ambit.protocol.zds.ZdsHello;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.locks.ReadWriteLock;
import java.util.concurrent.locks.ReentrantReadWriteLock;
import java.util.function.Consumer;

/**
 * The node agent of one node: puts redirection into pods and hands them to every ztunnel that
 * connects, over the ZDS socket.
 */
final class FakeNodeAgent implements AutoCloseable {
  private static final int MAX_MESSAGE = 1024;
  private static final Duration ANSWER = Patience.MIDDLE;

  private final Path path;
  private final Set<Pod> captured = new LinkedHashSet<>();
  private final Set<Pod> joining = ConcurrentHashMap.newKeySet();
  private final List<Connection> connections = new CopyOnWriteArrayList<>();
  private final List<String> violations = new CopyOnWriteArrayList<>();
  private final ReadWriteLock snapshots = new ReentrantReadWriteLock();
  private final AtomicInteger accepted = new AtomicInteger();
  private volatile boolean keepInsteadOfAdd;
  private SeqPacketSocket.Listener listener;

  FakeNodeAgent(Path path) {
    this.path = path;
    this.listener = listen();
  }

  Path path() {
    return path;
  }

  private SeqPacketSocket.Listener listen() {
    try {
      var bound = SeqPacketSocket.Listener.bind(path);
      Thread.ofPlatform().daemon().name("node-agent").start(() -> accept(bound));
      return bound;
    } catch (IOException e) {
      throw new IllegalStateException("the node agent cannot listen on " + path, e);
    }
  }

  private void accept(SeqPacketSocket.Listener bound) {
    while (true) {
      try {
        var connection = new Connection(bound.accept());
        accepted.incrementAndGet();
        Thread.ofPlatform().daemon().name("node-agent-reader").start(connection::read);
        Thread.ofPlatform().daemon().name("node-agent-snapshot").start(connection::greet);
      } catch (IOException closed) {
        return;
      }
    }
  }

  /** Goes away, with the socket, as when the agent is restarted; rules stay. */
  synchronized void stop() {
    listener.close();
    connections.forEach(Connection::close);
  }

  /** Comes back, knowing the pods that it captured. */
  synchronized void start() {
    listener = listen();
  }

  /** Puts redirection into the pod and hands it to the ztunnels; waits for their consent. */
  void capture(Pod pod) {
    PodRedirection.apply(pod);
    handOver(pod);
  }

  /** Hands over a pod that runs, as it is done before its identity can be proven: unredirected. */
  void join(Pod pod) {
    joining.add(pod);
    handOver(pod);
  }

  /** Puts redirection into a pod that was to join. */
  void redirect(Pod pod) {
    PodRedirection.apply(pod);
    joining.remove(pod);
  }

  /** Hands the pod to the ztunnels and waits for their consent. */
  void handOver(Pod pod) {
    synchronized (captured) {
      captured.add(pod);
    }
    tell(
        connection -> {
          var error = connection.add(pod);
          if (!error.isEmpty()) {
            throw new IllegalStateException("the ztunnel refuses " + pod + ": " + error);
          }
        });
  }

  /** Tells every ztunnel, none of them in the middle of its snapshot. */
  private void tell(Consumer<Connection> change) {
    snapshots.readLock().lock();
    try {
      for (var connection : live()) {
        try {
          change.accept(connection);
        } catch (IllegalStateException e) {
          if (connections.contains(connection)) {
            throw e;
          }
          // This ztunnel has ended; the next one learns of the change by its snapshot.
        }
      }
    } finally {
      snapshots.readLock().unlock();
    }
  }

  /** The pod is no more. */
  void forget(Pod pod) {
    leave(pod, DelWorkload.newBuilder().setUid(pod.uid()).build());
  }

  /** The pod is no more, and neither is its network. */
  void cutOff(Pod pod) {
    leave(pod, DelWorkload.newBuilder().setUid(pod.uid()).setDrainSeconds(0).build());
  }

  /** The pod has begun to terminate; it serves on. */
  void terminating(Pod pod) {
    for (var connection : live()) {
      connection.ask(
          WorkloadRequest.newBuilder()
              .setTerminating(TerminatingWorkload.newBuilder().setUid(pod.uid()))
              .build());
    }
  }

  /** The pod leaves the mesh and lives on: nothing new is redirected, open connections go on. */
  void release(Pod pod, Duration drain) {
    PodRedirection.stop(pod);
    leave(
        pod,
        DelWorkload.newBuilder()
            .setUid(pod.uid())
            .setDrainSeconds((int) drain.toSeconds())
            .build());
  }

  private void leave(Pod pod, DelWorkload message) {
    synchronized (captured) {
      captured.remove(pod);
    }
    tell(connection -> connection.ask(WorkloadRequest.newBuilder().setDel(message).build()));
  }

  /** How many ztunnels have had their snapshot and are connected still. */
  int ztunnels() {
    return live().size();
  }

  /** How many connections ztunnels have made so far. */
  int accepted() {
    return accepted.get();
  }

  /** Waits until so many ztunnels have had their snapshot and are connected. */
  void awaitZtunnels(int count) {
    await(count + " ztunnels with a snapshot on " + path)
        .atMost(Patience.LONG)
        .pollInterval(Duration.ofMillis(20))
        .until(() -> ztunnels() == count);
  }

  /** Snapshots name pods by {@code KeepWorkload} from now on. */
  void keepInsteadOfAdd(boolean keep) {
    this.keepInsteadOfAdd = keep;
  }

  /** What ztunnels sent against the protocol. */
  List<String> violations() {
    return violations;
  }

  private List<Connection> live() {
    return connections.stream().filter(connection -> connection.ready).toList();
  }

  /**
   * Sends bytes as they are to every ztunnel, which are to be refused.
   *
   * @return for each what it answers, or "closed" where it ends the connection instead
   */
  List<String> provoke(byte[] message) {
    return live().stream()
        .map(connection -> connection.provoke(() -> connection.socket.send(message)))
        .toList();
  }

  /** Sends a message together with a descriptor, which only AddWorkload may have. */
  List<String> provoke(WorkloadRequest request, Pod pod) {
    return live().stream()
        .map(
            connection ->
                connection.provoke(
                    () ->
                        connection.socket.send(request.toByteArray(), pod.host().namespace().fd())))
        .toList();
  }

  /** Asks every ztunnel and returns the errors that they answer; empty text is consent. */
  List<String> ask(WorkloadRequest request) {
    return live().stream().map(connection -> connection.ask(request)).toList();
  }

  static WorkloadRequest addition(Pod pod) {
    return addition(pod, false);
  }

  private static WorkloadRequest addition(Pod pod, boolean joining) {
    return WorkloadRequest.newBuilder()
        .setAdd(
            AddWorkload.newBuilder()
                .setUid(pod.uid())
                .setJoining(joining)
                .setWorkloadInfo(
                    WorkloadInfo.newBuilder()
                        .setName(pod.name())
                        .setNamespace(pod.namespace())
                        .setServiceAccount(pod.serviceAccount())))
        .build();
  }

  @Override
  public void close() {
    stop();
  }

  private final class Connection {
    private final SeqPacketSocket socket;
    private final LinkedBlockingQueue<WorkloadResponse> answers = new LinkedBlockingQueue<>();
    private final LinkedBlockingQueue<ZdsHello> hello = new LinkedBlockingQueue<>();
    private volatile boolean greeted;
    private volatile boolean ready;

    Connection(SeqPacketSocket socket) {
      this.socket = socket;
    }

    void read() {
      try {
        while (true) {
          var packet = socket.receive(MAX_MESSAGE);
          if (packet.isEnd()) {
            break;
          }
          if (packet.fd().isPresent()) {
            violations.add("a descriptor came from the ztunnel");
          }
          if (!greeted) {
            greeted = true;
            hello.add(ZdsHello.parseFrom(packet.data()));
          } else {
            answers.add(WorkloadResponse.parseFrom(packet.data()));
          }
        }
      } catch (IOException ended) {
        // The other end of the socket is gone, or this one was closed.
      }
      close();
    }

    void close() {
      ready = false;
      connections.remove(this);
      socket.close();
    }

    void greet() {
      try {
        var first = hello.poll(ANSWER.toSeconds(), TimeUnit.SECONDS);
        if (first == null || first.getVersion() != dev.ambit.protocol.zds.Version.V1) {
          violations.add("no hello of version 1 but " + first);
          close();
          return;
        }
        snapshots.writeLock().lock();
        try {
          sendSnapshot();
        } finally {
          snapshots.writeLock().unlock();
        }
      } catch (IllegalStateException ended) {
        close();
      } catch (InterruptedException e) {
        Thread.currentThread().interrupt();
      }
    }

    private void sendSnapshot() {
      List<Pod> snapshot;
      synchronized (captured) {
        snapshot = new ArrayList<>(captured);
        connections.add(this);
      }
      for (var pod : snapshot) {
        var error =
            keepInsteadOfAdd
                ? ask(
                    WorkloadRequest.newBuilder()
                        .setKeep(KeepWorkload.newBuilder().setUid(pod.uid()))
                        .build())
                : add(pod);
        if (!error.isEmpty()) {
          violations.add("snapshot: " + pod + ": " + error);
        }
      }
      ask(WorkloadRequest.newBuilder().setSnapshotSent(SnapshotSent.getDefaultInstance()).build());
      ready = true;
    }

    /**
     * Like the real agent it asks again where the ztunnel needs longer than it may for an answer.
     */
    String add(Pod pod) {
      long end = System.nanoTime() + Patience.LONG.toNanos();
      while (true) {
        var error =
            exchange(
                () ->
                    socket.send(
                        addition(pod, joining.contains(pod)).toByteArray(),
                        pod.host().namespace().fd()),
                "AddWorkload of " + pod);
        if (!error.contains("is not served yet") || System.nanoTime() > end) {
          return error;
        }
      }
    }

    String ask(WorkloadRequest request) {
      return exchange(() -> socket.send(request.toByteArray()), request.getPayloadCase().name());
    }

    synchronized String provoke(Sending sending) {
      try {
        sending.send();
        long end = System.nanoTime() + ANSWER.toNanos();
        while (System.nanoTime() < end && connections.contains(this)) {
          var answer = answers.poll(100, TimeUnit.MILLISECONDS);
          if (answer != null) {
            return answer.getAck().getError();
          }
        }
      } catch (IOException e) {
        return "closed";
      } catch (InterruptedException e) {
        Thread.currentThread().interrupt();
      }
      return connections.contains(this) ? "" : "closed";
    }

    /** One request at a time, each with its answer. */
    private synchronized String exchange(Sending sending, String what) {
      try {
        if (!answers.isEmpty()) {
          violations.add("unasked for: " + answers);
          answers.clear();
        }
        sending.send();
        long end = System.nanoTime() + ANSWER.toNanos();
        while (System.nanoTime() < end && connections.contains(this)) {
          var answer = answers.poll(100, TimeUnit.MILLISECONDS);
          if (answer != null) {
            return answer.getAck().getError();
          }
        }
        throw new IllegalStateException("the ztunnel does not answer " + what);
      } catch (IOException e) {
        close();
        throw new IllegalStateException("the ztunnel is gone before " + what, e);
      } catch (InterruptedException e) {
        Thread.currentThread().interrupt();
        throw new IllegalStateException("interrupted in " + what, e);
      }
    }
  }

  private interface Sending {
    void send() throws IOException;
  }
}
