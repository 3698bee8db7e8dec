package dev.ambit.ztunnel.proxy;

import dev.ambit.ztunnel.hbone.HboneConnection;
import dev.ambit.ztunnel.policy.PolicyInput;
import dev.ambit.ztunnel.state.MeshService;
import dev.ambit.ztunnel.state.MeshWorkload;
import dev.ambit.ztunnel.telemetry.ConnectionInfo;
import dev.ambit.ztunnel.telemetry.OpenConnection;
import dev.ambit.ztunnel.telemetry.ResponseFlag;
import io.netty.channel.epoll.EpollSocketChannel;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/**
 * One connection of an application, from the moment it arrives until both its ends are gone. It is
 * reported exactly once: as failed where it ends before it is established, else as opened and
 * closed.
 */
abstract class ProxiedConnection {
  private final PodLoop pod;
  private @Nullable RelayEnd source;
  private @Nullable RelayEnd destination;
  private @Nullable OpenConnection record;

  /** A socket that the kernel does not keep alive yet. */
  private @Nullable EpollSocketChannel fresh;

  private boolean abandoned;
  private boolean done;

  ProxiedConnection(PodLoop pod) {
    this.pod = pod;
    pod.add(this);
  }

  final PodLoop pod() {
    return pod;
  }

  /** Whether it is over and reported. */
  public final boolean isDone() {
    return done;
  }

  final boolean isEstablished() {
    return record != null;
  }

  final void source(RelayEnd end) {
    source = end;
  }

  final void destination(RelayEnd end) {
    destination = end;
  }

  final @Nullable RelayEnd destination() {
    return destination;
  }

  /** What is known of it now. */
  abstract ConnectionInfo info();

  /** Where the caller wanted to go, where {@link #info} tells only where it went. */
  @Nullable String originalDestination() {
    return null;
  }

  /** What policies decided on; null for a connection that policies do not judge here. */
  @Nullable PolicyInput policyInput() {
    return null;
  }

  /** The tunnel that it goes through; null where it goes through none, or not yet. */
  @Nullable HboneConnection tunnel() {
    return null;
  }

  /** Counts a connection to the pod that should have come through a waypoint. */
  final void noteWay(MeshWorkload self, int port, InetAddress from, boolean letIn) {
    MeshService passed = pod.state().passedWaypoint(self, port, from);
    if (passed != null) {
      pod.log().passedWaypoint(passed.namespace(), passed.hostname(), letIn);
    }
  }

  /** Both ends stand: reports it opened and lets bytes through. */
  final void establish() {
    RelayEnd from = source;
    RelayEnd to = destination;
    if (done || from == null || to == null) {
      return;
    }
    record = pod.log().opened(info());
    from.join(to);
  }

  /** Ends it with an error, telling both sides. */
  final void abort(ConnectionFailure failure) {
    abort(failure.error(), failure.flag());
  }

  /** Ends it with an error, telling both sides. */
  void abort(String error, ResponseFlag flag) {
    if (!done) {
      finish(error, flag);
      breakEnd(source);
      breakEnd(destination);
    }
  }

  private static void breakEnd(@Nullable RelayEnd end) {
    if (end != null) {
      end.reset();
      end.discardEarly();
    }
  }

  private void finish(@Nullable String error, ResponseFlag flag) {
    done = true;
    OpenConnection open = record;
    if (open == null) {
      pod.log().failed(info(), error == null ? "ended before it was established" : error, flag);
    } else {
      open.closed(read(source), read(destination), error, flag);
    }
    pod.remove(this);
  }

  final void reportProgress() {
    OpenConnection open = record;
    if (open != null && !done) {
      open.progress(read(source), read(destination));
      keepAlive();
    }
  }

  /** Most connections are over before that is of use, and it takes four system calls. */
  private void keepAlive() {
    EpollSocketChannel dialled = fresh;
    fresh = null;
    if (dialled != null && dialled.isOpen()) {
      PodSockets.keepAlive(dialled);
    }
  }

  private static long read(@Nullable RelayEnd end) {
    return end == null ? 0 : end.bytesRead();
  }

  // -- what its ends tell

  /** One direction has ended. */
  final void onDirectionEnd() {
    if (bothEnded()) {
      closeAfterWrites(source);
      closeAfterWrites(destination);
    }
  }

  private boolean bothEnded() {
    return source != null
        && destination != null
        && source.isInputEnded()
        && destination.isInputEnded();
  }

  private static void closeAfterWrites(@Nullable RelayEnd end) {
    if (end instanceof SocketEnd socket) {
      socket.closeAfterWrites();
    }
  }

  /** {@code end}'s peer wants nothing more, without calling it an error. */
  final void onAbandoned(StreamEnd end) {
    if (done) {
      return;
    }
    if (!isEstablished()) {
      abort("the tunnel's peer gave up the stream", ResponseFlag.NONE);
      return;
    }
    abandoned = true;
    end.onInputEnd();
    closeAfterWrites(end == source ? destination : source);
  }

  final void onSocketClosed(SocketEnd end) {
    if (done) {
      return;
    }
    if (!abandoned && !bothEnded()) {
      onReset(end);
    } else if (isFinished(source) && isFinished(destination)) {
      finish(null, ResponseFlag.NONE);
    }
  }

  private static boolean isFinished(@Nullable RelayEnd end) {
    return end == null || end.isFinished();
  }

  /** Something between the two applications broke. */
  final void onBroken(RelayEnd end, Throwable cause) {
    if (!done) {
      abort(name(end) + ": " + ConnectionFailure.text(cause), ResponseFlag.CONNECT_FAILED);
    }
  }

  /**
   * {@code end}'s application broke the connection off, as many do when they have what they want:
   * the other learns it in the same way, and nothing is reported as wrong.
   */
  final void onReset(RelayEnd end) {
    if (done) {
      return;
    }
    if (!isEstablished()) {
      abort(name(end) + " broke the connection off", ResponseFlag.NONE);
      return;
    }
    finish(null, ResponseFlag.NONE);
    breakEnd(source);
    breakEnd(destination);
  }

  private String name(RelayEnd end) {
    return end == source ? "the source" : "the destination";
  }

  /**
   * Opens a connection to {@code target} from within the pod.
   *
   * @param from address to connect from; null for the pod's own
   */
  final void connect(
      InetSocketAddress target,
      @Nullable InetAddress from,
      Runnable onConnected,
      Consumer<Throwable> onFailure) {
    EpollSocketChannel channel;
    try {
      channel = pod.sockets().outgoing(target.getAddress());
      PodSockets.configureApplication(channel);
      if (from != null) {
        PodSockets.allowForeignSource(channel);
      }
    } catch (RuntimeException e) {
      onFailure.accept(e);
      return;
    }
    destination = new SocketEnd(this, channel);
    fresh = channel;
    pod.dial(
        channel,
        target,
        from == null ? null : new InetSocketAddress(from, 0),
        error -> {
          if (done) {
            channel.close();
          } else if (error == null) {
            onConnected.run();
          } else {
            channel.close();
            onFailure.accept(error);
          }
        });
  }
}
