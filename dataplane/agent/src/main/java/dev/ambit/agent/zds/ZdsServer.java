package dev.ambit.agent.zds;

import dev.ambit.linux.SeqPacketSocket;
import dev.ambit.protocol.zds.ConfirmWorkload;
import java.io.IOException;
import java.nio.channels.ClosedChannelException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Serves the node's ztunnels, of which there are two while one replaces the other: pods that are
 * added go to the one that connected last, pods that leave are taken from all.
 */
public final class ZdsServer implements Ztunnels, AutoCloseable {
  private static final Logger LOG = LoggerFactory.getLogger(ZdsServer.class);

  private final CapturedPods pods;
  private final Duration answerWithin;
  private final SeqPacketSocket.Listener listener;

  /** In the order in which they said hello. */
  private final Deque<ZdsConnection> connections = new ArrayDeque<>();

  private boolean closed;

  private ZdsServer(CapturedPods pods, Duration answerWithin, SeqPacketSocket.Listener listener) {
    this.pods = pods;
    this.answerWithin = answerWithin;
    this.listener = listener;
  }

  /** Listens at {@code socket} until closed. */
  public static ZdsServer start(Path socket, CapturedPods pods, Duration answerWithin)
      throws IOException {
    var directory = socket.getParent();
    if (directory != null) {
      Files.createDirectories(directory);
    }
    var server = new ZdsServer(pods, answerWithin, SeqPacketSocket.Listener.bind(socket));
    Thread.ofPlatform().name("zds-accept").daemon().start(server::accept);
    LOG.atInfo().addKeyValue("socket", socket).log("waiting for the node's ztunnel");
    return server;
  }

  @Override
  public synchronized CompletableFuture<AddOutcome> add(ZdsWorkload pod) {
    return newest(connection -> connection.add(pod));
  }

  @Override
  public synchronized CompletableFuture<AddOutcome> confirm(String uid, ConfirmWorkload.Fact fact) {
    return newest(connection -> connection.confirm(uid, fact));
  }

  private CompletableFuture<AddOutcome> newest(
      Function<ZdsConnection, CompletableFuture<AddOutcome>> request) {
    var newest = connections.peekLast();
    return newest == null
        ? CompletableFuture.completedFuture(
            new AddOutcome.Unanswered("no ztunnel of this node is connected to the agent"))
        : request.apply(newest);
  }

  @Override
  public synchronized void delete(String uid, @Nullable Duration drain) {
    connections.forEach(connection -> connection.delete(uid, drain));
  }

  @Override
  public synchronized void terminating(String uid) {
    connections.forEach(connection -> connection.terminating(uid));
  }

  @Override
  public synchronized int connected() {
    return connections.size();
  }

  private void accept() {
    while (true) {
      try {
        var socket = listener.accept();
        new ZdsConnection(socket, answerWithin, this::greeted, this::ended).start();
      } catch (ClosedChannelException e) {
        return;
      } catch (IOException e) {
        // As when the process is out of descriptors: a new agent starts cleaner than this one.
        LOG.atError().setCause(e).log("cannot accept ztunnels any more: ending");
        Runtime.getRuntime().halt(71);
      }
    }
  }

  /** A ztunnel has said hello: it gets all pods, and is the newest from now on. */
  private synchronized void greeted(ZdsConnection connection) {
    if (closed) {
      connection.close();
      return;
    }
    connections.addLast(connection);
    var snapshot = pods.served();
    LOG.atInfo()
        .addKeyValue("pods", snapshot.size())
        .addKeyValue("ztunnels", connections.size())
        .log("a ztunnel connected");
    addAll(connection, snapshot);
    connection.snapshotSent();
    // Named in the snapshot, so that a ztunnel that has them does not drop them at once.
    pods.leaving().forEach(connection::delete);
    pods.terminating().forEach(connection::terminating);
  }

  private synchronized void ended(ZdsConnection connection, String reason) {
    boolean newest = connection.equals(connections.peekLast());
    if (!connections.remove(connection)) {
      LOG.atWarn().addKeyValue("reason", reason).log("a ztunnel left before it said hello");
      return;
    }
    LOG.atWarn()
        .addKeyValue("reason", reason)
        .addKeyValue("ztunnels", connections.size())
        .log("a ztunnel disconnected");
    var next = connections.peekLast();
    if (newest && next != null && !closed) {
      // What was added meanwhile went only to the one that has gone.
      addAll(next, pods.served());
      pods.leaving().forEach(next::delete);
      pods.terminating().forEach(next::terminating);
    }
  }

  private void addAll(ZdsConnection connection, List<ZdsWorkload> workloads) {
    for (var pod : workloads) {
      connection.add(pod).thenAccept(outcome -> pods.answered(pod, outcome));
    }
  }

  @Override
  public void close() {
    List<ZdsConnection> open;
    synchronized (this) {
      closed = true;
      open = List.copyOf(connections);
    }
    listener.close();
    open.forEach(ZdsConnection::close);
  }
}
