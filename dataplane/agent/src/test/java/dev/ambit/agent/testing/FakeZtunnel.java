package dev.ambit.agent.testing;

import dev.ambit.linux.NetworkNamespace;
import dev.ambit.linux.SeqPacketSocket;
import dev.ambit.protocol.zds.Ack;
import dev.ambit.protocol.zds.ConfirmWorkload;
import dev.ambit.protocol.zds.Version;
import dev.ambit.protocol.zds.WorkloadRequest;
import dev.ambit.protocol.zds.WorkloadResponse;
import dev.ambit.protocol.zds.ZdsHello;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.net.StandardSocketOptions;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CopyOnWriteArrayList;

/** A ztunnel that listens where it is told to and serves nothing. */
public final class FakeZtunnel implements AutoCloseable {
  public static final int[] PORTS = {15001, 15006, 15008};

  /** What was asked, in order: "add UID", "del UID", "terminating UID", "snapshot". */
  public final List<String> requests = new CopyOnWriteArrayList<>();

  /** Pods that it does not take, with what it says then. */
  public final Map<String, String> refuses = new ConcurrentHashMap<>();

  /** What is not so yet of any pod, with what it says then. */
  public final Map<ConfirmWorkload.Fact, String> denies = new ConcurrentHashMap<>();

  /** Pods of which the agent said, when it named them last, that they join while they run. */
  public final Set<String> joining = ConcurrentHashMap.newKeySet();

  public volatile boolean silent;

  private final SeqPacketSocket socket;
  private final Map<String, List<ServerSocket>> listeners = new ConcurrentHashMap<>();
  private final Thread thread;

  public FakeZtunnel(Path path) throws IOException {
    this(
        path,
        ZdsHello.newBuilder()
            .setVersion(Version.V1)
            .setTakesTerminating(true)
            .setTakesConfirm(true)
            .build());
  }

  public FakeZtunnel(Path path, ZdsHello hello) throws IOException {
    socket = SeqPacketSocket.connect(path);
    socket.send(hello.toByteArray());
    thread = Thread.ofPlatform().daemon().start(this::serve);
  }

  public boolean hasEnded() {
    return !thread.isAlive();
  }

  private void serve() {
    try {
      while (true) {
        var packet = socket.receive(1024);
        if (packet.isEnd()) {
          return;
        }
        var request = WorkloadRequest.parseFrom(packet.data());
        var error = "";
        switch (request.getPayloadCase()) {
          case ADD -> {
            var uid = request.getAdd().getUid();
            var info = request.getAdd().getWorkloadInfo();
            requests.add(
                "add %s %s/%s %s"
                    .formatted(uid, info.getNamespace(), info.getName(), info.getServiceAccount()));
            if (request.getAdd().getJoining()) {
              joining.add(uid);
            } else {
              joining.remove(uid);
            }
            error = refuses.getOrDefault(uid, "");
            try (var network = NetworkNamespace.adopt(packet.fd().orElseThrow())) {
              if (error.isEmpty()) {
                listen(uid, network);
              }
            }
          }
          case DEL -> {
            var del = request.getDel();
            requests.add(
                "del " + del.getUid() + (del.hasDrainSeconds() ? " " + del.getDrainSeconds() : ""));
            stop(del.getUid());
          }
          case SNAPSHOT_SENT -> requests.add("snapshot");
          case TERMINATING -> requests.add("terminating " + request.getTerminating().getUid());
          case CONFIRM -> error = denies.getOrDefault(request.getConfirm().getFact(), "");
          case KEEP, PAYLOAD_NOT_SET -> throw new IOException("unexpected " + request);
        }
        if (!silent) {
          socket.send(
              WorkloadResponse.newBuilder()
                  .setAck(Ack.newBuilder().setError(error))
                  .build()
                  .toByteArray());
        }
      }
    } catch (Exception e) {
      requests.add("ended: " + e.getMessage());
    }
  }

  /** Sends what no ztunnel should. */
  public void sendUnasked(byte[] message) throws IOException {
    socket.send(message);
  }

  private void listen(String uid, NetworkNamespace network) throws Exception {
    if (listeners.containsKey(uid)) {
      return;
    }
    var opened = new ArrayList<ServerSocket>();
    for (int port : PORTS) {
      opened.add(
          network.call(
              () -> {
                var listener = new ServerSocket();
                // As the ztunnel does, so that its successor need not wait for it.
                listener.setOption(StandardSocketOptions.SO_REUSEPORT, true);
                listener.setReuseAddress(true);
                listener.bind(new InetSocketAddress("::", port), 16);
                return listener;
              }));
    }
    listeners.put(uid, opened);
  }

  /** The listeners for a pod, in the order of {@link #PORTS}. */
  public List<ServerSocket> listeners(String uid) {
    return listeners.getOrDefault(uid, List.of());
  }

  /** Stops listening for a pod without having been told to. */
  public void stop(String uid) throws IOException {
    for (var listener : listeners.getOrDefault(uid, List.of())) {
      listener.close();
    }
    listeners.remove(uid);
  }

  @Override
  public void close() throws IOException {
    socket.close();
    for (var uid : List.copyOf(listeners.keySet())) {
      stop(uid);
    }
  }
}
