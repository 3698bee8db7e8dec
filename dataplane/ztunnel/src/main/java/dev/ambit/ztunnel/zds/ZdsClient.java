package dev.ambit.ztunnel.zds;

import com.google.protobuf.InvalidProtocolBufferException;
import dev.ambit.linux.NetworkNamespace;
import dev.ambit.linux.Packet;
import dev.ambit.linux.SeqPacketSocket;
import dev.ambit.protocol.zds.Ack;
import dev.ambit.protocol.zds.AddWorkload;
import dev.ambit.protocol.zds.ConfirmWorkload;
import dev.ambit.protocol.zds.DelWorkload;
import dev.ambit.protocol.zds.Version;
import dev.ambit.protocol.zds.WorkloadInfo;
import dev.ambit.protocol.zds.WorkloadRequest;
import dev.ambit.protocol.zds.WorkloadResponse;
import dev.ambit.protocol.zds.ZdsHello;
import dev.ambit.ztunnel.channel.Backoff;
import dev.ambit.ztunnel.state.LocalPod;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.HashSet;
import java.util.OptionalInt;
import java.util.Set;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Takes pods from the node agent: says hello, answers its requests one by one, and connects again
 * for ever. Pods that are served go on being served while there is no agent. Runs on a platform
 * thread of its own, since the socket blocks.
 */
public final class ZdsClient implements PodSource, AutoCloseable {
  private static final Logger log = LoggerFactory.getLogger(ZdsClient.class);
  private static final int LONGEST_MESSAGE = 1024;

  /** The agent takes no answer within 5 s for a failure. */
  private static final Duration START_WAIT = Duration.ofSeconds(4);

  private static final int LONGEST_ERROR = 500;

  private final Path path;
  private final PodRegistry pods;
  private final PodFacts facts;
  private final Duration defaultDrain;
  private final Backoff backoff = new Backoff(Duration.ofMillis(50), Duration.ofSeconds(5));
  private final Thread thread;

  private final Object lock = new Object();
  private @Nullable SeqPacketSocket socket; // guarded by lock
  private boolean closed; // guarded by lock

  private volatile boolean snapshotReceived;
  private boolean complained; // of the agent's absence; on the client's thread

  /**
   * @param path the agent's socket
   * @param facts for the agent to ask for
   * @param defaultDrain how long connections of a pod that leaves go on, where the agent does not
   *     say
   */
  public ZdsClient(Path path, PodRegistry pods, PodFacts facts, Duration defaultDrain) {
    this.path = path;
    this.pods = pods;
    this.facts = facts;
    this.defaultDrain = defaultDrain;
    this.thread = Thread.ofPlatform().name("zds").daemon().unstarted(this::run);
  }

  /** Begins to connect. */
  @Override
  public void start() {
    thread.start();
  }

  /** Whether the agent has, since this program began, named all pods of the node. */
  @Override
  public boolean hasSnapshot() {
    return snapshotReceived;
  }

  @Override
  public void close() {
    synchronized (lock) {
      closed = true;
      if (socket != null) {
        socket.close();
      }
      lock.notifyAll();
    }
  }

  /** Ends taking pods and removes all; completes when no connection of any is left. */
  @Override
  public CompletionStage<Void> drain(Duration deadline) {
    close();
    return pods.drainAll(deadline);
  }

  private void run() {
    while (!isClosed()) {
      try (SeqPacketSocket connected = SeqPacketSocket.connect(path)) {
        if (!adopt(connected)) {
          return;
        }
        serve(connected);
      } catch (IOException e) {
        complain(e);
      }
      pause();
    }
  }

  private void serve(SeqPacketSocket connected) {
    String reason = "the node agent closed it";
    try {
      new Session(connected).serve();
    } catch (IOException e) {
      reason = String.valueOf(e.getMessage());
    }
    if (!isClosed()) {
      log.atWarn()
          .addKeyValue("socket", path)
          .addKeyValue("reason", reason)
          .log("the connection to the node agent ended; connecting again");
    }
  }

  private boolean adopt(SeqPacketSocket connected) {
    synchronized (lock) {
      socket = connected;
      return !closed;
    }
  }

  private boolean isClosed() {
    synchronized (lock) {
      return closed;
    }
  }

  /** Once for each absence: the agent may be away for long, as when its image is pulled. */
  private void complain(IOException failure) {
    if (!complained && !isClosed()) {
      complained = true;
      log.atWarn()
          .addKeyValue("socket", path)
          .addKeyValue("reason", failure.getMessage())
          .log("no connection to the node agent; trying on");
    }
  }

  private void pause() {
    long end = System.nanoTime() + backoff.next().toNanos();
    synchronized (lock) {
      socket = null;
      while (!closed) {
        long left = TimeUnit.NANOSECONDS.toMillis(end - System.nanoTime());
        if (left <= 0) {
          return;
        }
        try {
          lock.wait(left);
        } catch (InterruptedException e) {
          Thread.currentThread().interrupt();
          return;
        }
      }
    }
  }

  /** One connection. */
  private final class Session {
    private final SeqPacketSocket socket;
    private final Set<String> named = new HashSet<>();
    private boolean snapshotOver;

    /** That something is not so yet is no request refused. */
    private boolean confirming;

    Session(SeqPacketSocket socket) {
      this.socket = socket;
    }

    void serve() throws IOException {
      socket.send(
          ZdsHello.newBuilder()
              .setVersion(Version.V1)
              .setTakesTerminating(true)
              .setTakesConfirm(true)
              .build()
              .toByteArray());
      while (true) {
        Packet packet = socket.receive(LONGEST_MESSAGE);
        if (packet.isEnd()) {
          return;
        }
        backoff.reset();
        if (complained) {
          complained = false;
          log.atInfo().addKeyValue("socket", path).log("connected to the node agent");
        }
        String error = handle(packet);
        if (!error.isEmpty() && !confirming) {
          log.atWarn().addKeyValue("reason", error).log("refused a request of the node agent");
        }
        String shortened =
            error.length() > LONGEST_ERROR ? error.substring(0, LONGEST_ERROR) : error;
        socket.send(
            WorkloadResponse.newBuilder()
                .setAck(Ack.newBuilder().setError(shortened))
                .build()
                .toByteArray());
      }
    }

    /** Does what a request asks; returns the error, empty where there is none. */
    private String handle(Packet packet) throws IOException {
      WorkloadRequest request;
      confirming = false;
      try {
        request = WorkloadRequest.parseFrom(packet.data());
      } catch (InvalidProtocolBufferException e) {
        discard(packet.fd());
        return "malformed request: " + e.getMessage();
      }
      if (request.getPayloadCase() != WorkloadRequest.PayloadCase.ADD && packet.fd().isPresent()) {
        discard(packet.fd());
        return "a descriptor came with a request that takes none";
      }
      return switch (request.getPayloadCase()) {
        case ADD -> add(request.getAdd(), packet.fd());
        case KEEP -> keep(request.getKeep().getUid());
        case DEL -> delete(request.getDel());
        case SNAPSHOT_SENT -> snapshotSent();
        case TERMINATING -> terminating(request.getTerminating().getUid());
        case CONFIRM -> confirm(request.getConfirm());
        case PAYLOAD_NOT_SET -> "a request of an unknown kind";
      };
    }

    private String add(AddWorkload add, OptionalInt fd) throws IOException {
      if (fd.isEmpty()) {
        return "pod " + add.getUid() + " came without its network namespace";
      }
      if (add.getUid().isEmpty() || !add.hasWorkloadInfo()) {
        discard(fd);
        return "a pod came without uid or without name";
      }
      WorkloadInfo info = add.getWorkloadInfo();
      LocalPod pod =
          new LocalPod(
              add.getUid(),
              info.getName(),
              info.getNamespace(),
              info.getServiceAccount(),
              add.getJoining());
      named.add(pod.uid());
      NetworkNamespace namespace = NetworkNamespace.adopt(fd.getAsInt());
      if (namespace.isSame(NetworkNamespace.self())) {
        namespace.close();
        return "pod " + pod.namespace() + "/" + pod.name() + " came with the ztunnel's own netns";
      }
      return await(pods.add(pod, namespace), pod);
    }

    private String await(CompletionStage<Void> started, LocalPod pod) {
      String name = pod.namespace() + "/" + pod.name();
      try {
        started.toCompletableFuture().get(START_WAIT.toMillis(), TimeUnit.MILLISECONDS);
        return "";
      } catch (ExecutionException e) {
        return "cannot serve pod " + name + ": " + e.getCause();
      } catch (TimeoutException e) {
        return "pod " + name + " is not served yet";
      } catch (InterruptedException e) {
        Thread.currentThread().interrupt();
        return "shutting down";
      }
    }

    private String keep(String uid) {
      if (snapshotOver) {
        return "KeepWorkload for " + uid + " came after the snapshot";
      }
      if (!pods.knows(uid)) {
        return "pod " + uid + " is not known: send AddWorkload";
      }
      named.add(uid);
      return "";
    }

    private String delete(DelWorkload delete) {
      named.remove(delete.getUid());
      Duration deadline =
          delete.hasDrainSeconds()
              ? Duration.ofSeconds(Integer.toUnsignedLong(delete.getDrainSeconds()))
              : defaultDrain;
      pods.remove(delete.getUid(), deadline);
      return "";
    }

    private String terminating(String uid) {
      pods.terminating(uid);
      return "";
    }

    private String confirm(ConfirmWorkload confirm) {
      confirming = true;
      LocalPod pod = pods.pod(confirm.getUid());
      return switch (confirm.getFact()) {
        case CERTIFIED -> pod == null ? "the pod is not served" : facts.uncertified(pod);
        case WITHOUT_TUNNELS -> pod == null ? "" : facts.expectsTunnels(pod);
        case UNKNOWN, UNRECOGNIZED -> "a fact of an unknown kind";
      };
    }

    private String snapshotSent() {
      if (snapshotOver) {
        return "a second snapshot on one connection";
      }
      snapshotOver = true;
      pods.retain(named);
      if (!snapshotReceived) {
        log.atInfo().addKeyValue("pods", named.size()).log("the node agent has named its pods");
      }
      snapshotReceived = true;
      return "";
    }

    private static void discard(OptionalInt fd) throws IOException {
      if (fd.isPresent()) {
        NetworkNamespace.adopt(fd.getAsInt()).close();
      }
    }
  }
}
