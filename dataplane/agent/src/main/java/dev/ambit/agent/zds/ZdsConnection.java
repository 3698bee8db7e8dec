package dev.ambit.agent.zds;

import com.google.protobuf.InvalidProtocolBufferException;
import dev.ambit.linux.NetworkNamespace;
import dev.ambit.linux.Packet;
import dev.ambit.linux.SeqPacketSocket;
import dev.ambit.protocol.zds.AddWorkload;
import dev.ambit.protocol.zds.ConfirmWorkload;
import dev.ambit.protocol.zds.DelWorkload;
import dev.ambit.protocol.zds.SnapshotSent;
import dev.ambit.protocol.zds.TerminatingWorkload;
import dev.ambit.protocol.zds.Version;
import dev.ambit.protocol.zds.WorkloadInfo;
import dev.ambit.protocol.zds.WorkloadRequest;
import dev.ambit.protocol.zds.WorkloadResponse;
import dev.ambit.protocol.zds.ZdsHello;
import java.io.IOException;
import java.nio.channels.ClosedChannelException;
import java.time.Duration;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.function.BiConsumer;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * One ztunnel's connection: requests go out one by one, each once the one before is answered. A
 * second thread reads, so that a ztunnel that goes away is noticed at once.
 */
final class ZdsConnection {
  private static final Logger LOG = LoggerFactory.getLogger(ZdsConnection.class);

  private static final int MAX_MESSAGE = 1024;

  private sealed interface Task {
    /** A request, with the network whose descriptor goes along. */
    record Request(
        WorkloadRequest message, @Nullable ZdsWorkload pod, CompletableFuture<AddOutcome> outcome)
        implements Task {}

    record End() implements Task {}
  }

  private final SeqPacketSocket socket;
  private final Duration answerWithin;
  private final Consumer<ZdsConnection> greeted;
  private final BiConsumer<ZdsConnection, String> ended;
  private final BlockingQueue<Task> tasks = new LinkedBlockingQueue<>();
  private final CompletableFuture<Void> hello = new CompletableFuture<>();

  /** Known from the hello on, before which nothing is asked. */
  private volatile boolean takesTerminating;

  private volatile boolean takesConfirm;

  private @Nullable CompletableFuture<String> awaited;
  private @Nullable String endReason;

  ZdsConnection(
      SeqPacketSocket socket,
      Duration answerWithin,
      Consumer<ZdsConnection> greeted,
      BiConsumer<ZdsConnection, String> ended) {
    this.socket = socket;
    this.answerWithin = answerWithin;
    this.greeted = greeted;
    this.ended = ended;
  }

  void start() {
    Thread.ofPlatform().name("zds-read").daemon().start(this::read);
    Thread.ofPlatform().name("zds-write").daemon().start(this::write);
  }

  CompletableFuture<AddOutcome> add(ZdsWorkload pod) {
    var info =
        WorkloadInfo.newBuilder()
            .setName(pod.name())
            .setNamespace(pod.namespace())
            .setServiceAccount(pod.serviceAccount());
    var message =
        WorkloadRequest.newBuilder()
            .setAdd(
                AddWorkload.newBuilder()
                    .setUid(pod.uid())
                    .setWorkloadInfo(info)
                    .setJoining(pod.joining()))
            .build();
    return enqueue(message, pod);
  }

  void delete(String uid, @Nullable Duration drain) {
    var request = DelWorkload.newBuilder().setUid(uid);
    if (drain != null) {
      request.setDrainSeconds((int) drain.toSeconds());
    }
    var unused =
        enqueue(WorkloadRequest.newBuilder().setDel(request).build(), null)
            .thenAccept(
                outcome -> {
                  if (outcome instanceof AddOutcome.Refused refused) {
                    LOG.atWarn()
                        .addKeyValue("uid", uid)
                        .addKeyValue("error", refused.error())
                        .log("the ztunnel refused to let a pod go");
                  }
                });
  }

  /** Tells of a pod that has begun to terminate, where this ztunnel wants to know. */
  void terminating(String uid) {
    if (!takesTerminating) {
      return;
    }
    var message =
        WorkloadRequest.newBuilder()
            .setTerminating(TerminatingWorkload.newBuilder().setUid(uid))
            .build();
    var unused =
        enqueue(message, null)
            .thenAccept(
                outcome -> {
                  if (outcome instanceof AddOutcome.Refused refused) {
                    LOG.atWarn()
                        .addKeyValue("uid", uid)
                        .addKeyValue("error", refused.error())
                        .log("the ztunnel refused to hear that a pod terminates");
                  }
                });
  }

  /** Asks whether something is so of a pod; a ztunnel that does not tell is not waited for. */
  CompletableFuture<AddOutcome> confirm(String uid, ConfirmWorkload.Fact fact) {
    return takesConfirm
        ? enqueue(
            WorkloadRequest.newBuilder()
                .setConfirm(ConfirmWorkload.newBuilder().setUid(uid).setFact(fact))
                .build(),
            null)
        : CompletableFuture.completedFuture(new AddOutcome.Acknowledged());
  }

  void snapshotSent() {
    var unused =
        enqueue(
            WorkloadRequest.newBuilder().setSnapshotSent(SnapshotSent.getDefaultInstance()).build(),
            null);
  }

  private synchronized CompletableFuture<AddOutcome> enqueue(
      WorkloadRequest message, @Nullable ZdsWorkload pod) {
    var outcome = new CompletableFuture<AddOutcome>();
    if (endReason != null) {
      outcome.complete(new AddOutcome.Unanswered(endReason));
    } else {
      tasks.add(new Task.Request(message, pod, outcome));
    }
    return outcome;
  }

  private void write() {
    try {
      hello.get(answerWithin.toMillis(), TimeUnit.MILLISECONDS);
      greeted.accept(this);
      while (tasks.take() instanceof Task.Request request) {
        request.outcome().complete(perform(request));
      }
    } catch (TimeoutException e) {
      end("it said no hello within " + answerWithin.toSeconds() + " s");
    } catch (Exception e) {
      end(reason(e));
    }
    finish();
  }

  /** Sends one request and waits for its answer. */
  private AddOutcome perform(Task.Request request) throws Exception {
    var answer = new CompletableFuture<String>();
    synchronized (this) {
      if (endReason != null) {
        return new AddOutcome.Unanswered(endReason);
      }
      awaited = answer;
    }
    byte[] bytes = request.message().toByteArray();
    var pod = request.pod();
    try {
      if (pod == null) {
        socket.send(bytes);
      } else if (!sendWithNetwork(bytes, pod)) {
        return new AddOutcome.Gone();
      }
      String error = answer.get(answerWithin.toMillis(), TimeUnit.MILLISECONDS);
      return error.isEmpty() ? new AddOutcome.Acknowledged() : new AddOutcome.Refused(error);
    } catch (TimeoutException e) {
      // A late answer would be taken for that of the next request, so this connection is over.
      end("it gave no answer within " + answerWithin.toSeconds() + " s");
    } catch (IOException | ExecutionException e) {
      end(reason(e));
    }
    synchronized (this) {
      return new AddOutcome.Unanswered(
          "the ztunnel's connection ended: " + (endReason == null ? "unknown" : endReason));
    }
  }

  private boolean sendWithNetwork(byte[] bytes, ZdsWorkload pod) throws IOException {
    var sending = new boolean[1];
    try {
      pod.network()
          .withDescriptor(
              fd -> {
                sending[0] = true;
                socket.send(bytes, fd);
              });
      return true;
    } catch (ClosedChannelException e) {
      if (sending[0]) {
        throw e;
      }
      synchronized (this) {
        awaited = null;
      }
      return false;
    }
  }

  private void read() {
    try {
      acceptHello(receive());
      hello.complete(null);
      while (true) {
        var response = WorkloadResponse.parseFrom(receive().data());
        var waiting = takeAwaited();
        if (waiting == null || !response.hasAck()) {
          throw new IOException("it sent a message that answers nothing");
        }
        waiting.complete(response.getAck().getError());
      }
    } catch (InvalidProtocolBufferException e) {
      end("it sent an unreadable message: " + e.getMessage());
    } catch (IOException e) {
      end(reason(e));
    }
  }

  private Packet receive() throws IOException {
    var packet = socket.receive(MAX_MESSAGE);
    if (packet.fd().isPresent()) {
      NetworkNamespace.adopt(packet.fd().getAsInt()).close();
      throw new IOException("it sent a descriptor");
    }
    if (packet.isEnd()) {
      throw new IOException("it closed the connection");
    }
    return packet;
  }

  private void acceptHello(Packet packet) throws IOException {
    var greeting = ZdsHello.parseFrom(packet.data());
    if (greeting.getVersion() != Version.V1) {
      throw new IOException("it speaks another version of the protocol than 1");
    }
    takesTerminating = greeting.getTakesTerminating();
    takesConfirm = greeting.getTakesConfirm();
  }

  private synchronized @Nullable CompletableFuture<String> takeAwaited() {
    var waiting = awaited;
    awaited = null;
    return waiting;
  }

  void close() {
    end("the agent ends");
  }

  private void end(String reason) {
    synchronized (this) {
      if (endReason != null) {
        return;
      }
      endReason = reason;
      tasks.add(new Task.End());
      if (awaited != null) {
        awaited.completeExceptionally(new IOException(reason));
        awaited = null;
      }
    }
    hello.completeExceptionally(new IOException(reason));
    socket.close();
  }

  /** Tells of the end, and answers all that was still waiting. */
  private void finish() {
    String reason;
    synchronized (this) {
      reason = endReason == null ? "unknown" : endReason;
    }
    ended.accept(this, reason);
    for (Task task = tasks.poll(); task != null; task = tasks.poll()) {
      if (task instanceof Task.Request request) {
        request
            .outcome()
            .complete(new AddOutcome.Unanswered("the ztunnel's connection ended: " + reason));
      }
    }
  }

  private static String reason(Throwable e) {
    return e instanceof ExecutionException && e.getCause() != null
        ? String.valueOf(e.getCause().getMessage())
        : String.valueOf(e.getMessage());
  }
}
