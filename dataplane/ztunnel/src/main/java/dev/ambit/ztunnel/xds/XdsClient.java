package dev.ambit.ztunnel.xds;

import com.google.protobuf.InvalidProtocolBufferException;
import dev.ambit.protocol.xds.AggregatedDiscoveryServiceGrpc;
import dev.ambit.protocol.xds.DeltaDiscoveryRequest;
import dev.ambit.protocol.xds.DeltaDiscoveryResponse;
import dev.ambit.protocol.xds.Resource;
import dev.ambit.protocol.xds.Status;
import dev.ambit.ztunnel.channel.Backoff;
import dev.ambit.ztunnel.channel.ServerChannel;
import dev.ambit.ztunnel.state.InvalidResourceException;
import dev.ambit.ztunnel.xds.XdsObserver.Termination;
import io.grpc.Channel;
import io.grpc.stub.StreamObserver;
import java.io.IOException;
import java.time.Duration;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Keeps a delta discovery stream to the control plane, subscribed to all resources of some types.
 * What was received stays in force while there is no stream; on return the server is told what is
 * held, and answers with the difference. All of it runs on one thread.
 */
public final class XdsClient implements AutoCloseable {
  private static final Logger log = LoggerFactory.getLogger(XdsClient.class);
  private static final Duration FIRST_RETRY = Duration.ofMillis(10);
  private static final Duration LONGEST_RETRY = Duration.ofSeconds(15);
  private static final int INVALID_ARGUMENT = 3;
  private static final int NAMED_REJECTIONS = 20;

  private final ServerChannel channel;
  private final NodeIdentity node;
  private final ScheduledExecutorService executor;
  private final XdsObserver observer;
  private final Map<String, Subscription<?>> subscriptions = new LinkedHashMap<>();
  private final CompletableFuture<Void> synced = new CompletableFuture<>();
  private final Backoff backoff = new Backoff(FIRST_RETRY, LONGEST_RETRY);

  // Confined to the executor's thread, save that close may come from another.
  private @Nullable Stream stream;
  private volatile boolean closed;
  private volatile boolean connected;

  private static final class Subscription<T> {
    final ResourceType<T> type;
    /** What is held, by name: the version last accepted. */
    final Map<String, String> versions = new HashMap<>();

    boolean received;

    Subscription(ResourceType<T> type) {
      this.type = type;
    }
  }

  /**
   * @param executor one thread, the same that {@code channel} has its replies handled on
   */
  public XdsClient(
      ServerChannel channel,
      NodeIdentity node,
      List<ResourceType<?>> types,
      ScheduledExecutorService executor,
      XdsObserver observer) {
    this.channel = channel;
    this.node = node;
    this.executor = executor;
    this.observer = observer;
    for (ResourceType<?> type : types) {
      subscriptions.put(type.typeUrl(), new Subscription<>(type));
    }
  }

  /** Connects, and goes on doing so until closed. */
  public void start() {
    executor.execute(this::connect);
  }

  /** Completes once every type has been received and applied. */
  public CompletionStage<Void> synced() {
    return synced;
  }

  /** Whether there is a stream on which the server has answered. */
  public boolean isConnected() {
    return connected;
  }

  private void connect() {
    if (closed) {
      return;
    }
    try {
      // Else gRPC would refuse calls for its own, longer delays.
      channel.resetConnectBackoff();
      Stream opened = new Stream();
      stream = opened;
      opened.open(channel.open());
    } catch (IOException | RuntimeException e) {
      stream = null;
      reconnect(Termination.CONNECTION_ERROR, String.valueOf(e.getMessage()));
    }
  }

  private void reconnect(Termination reason, String message) {
    connected = false;
    if (closed) {
      return;
    }
    observer.terminated(reason);
    Duration delay = backoff.next();
    log.atWarn()
        .addKeyValue("server", channel.address())
        .addKeyValue("retryIn", delay)
        .addKeyValue("reason", message)
        .log("no stream to the control plane; the state last received stays in force");
    executor.schedule(this::connect, delay.toNanos(), TimeUnit.NANOSECONDS);
  }

  @Override
  public void close() {
    closed = true;
    executor.execute(
        () -> {
          Stream open = stream;
          if (open != null) {
            open.end();
          }
        });
  }

  /** One stream, from opening to its end. */
  private final class Stream implements StreamObserver<DeltaDiscoveryResponse> {
    private @Nullable StreamObserver<DeltaDiscoveryRequest> requests;
    private boolean answered;
    private boolean over;

    void open(Channel to) {
      StreamObserver<DeltaDiscoveryRequest> opened =
          AggregatedDiscoveryServiceGrpc.newStub(to).deltaAggregatedResources(this);
      requests = opened;
      for (Subscription<?> subscription : subscriptions.values()) {
        opened.onNext(
            DeltaDiscoveryRequest.newBuilder()
                .setNode(node.proto())
                .setTypeUrl(subscription.type.typeUrl())
                .putAllInitialResourceVersions(subscription.versions)
                .build());
      }
    }

    @Override
    public void onNext(DeltaDiscoveryResponse response) {
      if (over || closed) {
        return;
      }
      if (!answered) {
        answered = true;
        connected = true;
        backoff.reset();
        log.atInfo().addKeyValue("server", channel.address()).log("connected to the control plane");
      }
      observer.received(response.getTypeUrl(), response.getSerializedSize());
      Subscription<?> subscription = subscriptions.get(response.getTypeUrl());
      DeltaDiscoveryRequest.Builder reply =
          DeltaDiscoveryRequest.newBuilder()
              .setTypeUrl(response.getTypeUrl())
              .setResponseNonce(response.getNonce());
      if (subscription == null) {
        reply.setErrorDetail(error("type " + response.getTypeUrl() + " was not subscribed to"));
      } else {
        Map<String, String> rejected = take(subscription, response);
        if (!rejected.isEmpty()) {
          reply.setErrorDetail(error(describe(rejected)));
        }
      }
      StreamObserver<DeltaDiscoveryRequest> to = requests;
      if (to != null) {
        to.onNext(reply.build());
      }
      if (subscription != null && !subscription.received) {
        subscription.received = true;
        if (subscriptions.values().stream().allMatch(s -> s.received)) {
          synced.complete(null);
        }
      }
    }

    @Override
    public void onError(Throwable failure) {
      if (!over) {
        over = true;
        Termination reason = answered ? Termination.ERROR : Termination.CONNECTION_ERROR;
        reconnect(reason, io.grpc.Status.fromThrowable(failure).toString());
      }
    }

    @Override
    public void onCompleted() {
      if (!over) {
        over = true;
        StreamObserver<DeltaDiscoveryRequest> to = requests;
        if (to != null) {
          to.onCompleted();
        }
        reconnect(Termination.COMPLETE, "the server ended it");
      }
    }

    void end() {
      if (!over) {
        over = true;
        StreamObserver<DeltaDiscoveryRequest> to = requests;
        if (to != null) {
          to.onCompleted();
        }
      }
    }
  }

  /**
   * Applies what of a response can be applied.
   *
   * @return what was rejected, by name, with the reason; of these the version held before stays
   */
  private <T> Map<String, String> take(
      Subscription<T> subscription, DeltaDiscoveryResponse response) {
    ResourceType.Batch<T> batch = subscription.type.batch();
    Map<String, String> rejected = new LinkedHashMap<>();
    Map<String, String> accepted = new HashMap<>();
    for (Resource resource : response.getResourcesList()) {
      try {
        if (!resource.getResource().getTypeUrl().equals(subscription.type.typeUrl())) {
          throw new InvalidResourceException(
              "it is of type " + resource.getResource().getTypeUrl());
        }
        batch.add(resource.getName(), resource.getResource().getValue());
        accepted.put(resource.getName(), resource.getVersion());
      } catch (InvalidProtocolBufferException | InvalidResourceException e) {
        rejected.put(resource.getName(), String.valueOf(e.getMessage()));
        observer.rejected(response.getTypeUrl());
      }
    }
    Set<String> removed = new HashSet<>(response.getRemovedResourcesList());
    removed.removeAll(accepted.keySet());
    batch.apply(List.copyOf(removed));
    subscription.versions.putAll(accepted);
    subscription.versions.keySet().removeAll(removed);
    log.atDebug()
        .addKeyValue("type", response.getTypeUrl())
        .addKeyValue("changed", accepted.size())
        .addKeyValue("removed", removed.size())
        .addKeyValue("rejected", rejected.size())
        .log("control plane update");
    rejected.forEach(
        (name, reason) ->
            log.atWarn()
                .addKeyValue("type", response.getTypeUrl())
                .addKeyValue("resource", name)
                .addKeyValue("reason", reason)
                .log("rejected a resource of the control plane"));
    return rejected;
  }

  private static String describe(Map<String, String> rejected) {
    StringBuilder text = new StringBuilder();
    int named = 0;
    for (Map.Entry<String, String> entry : rejected.entrySet()) {
      if (named == NAMED_REJECTIONS) {
        text.append("; and ").append(rejected.size() - named).append(" more");
        break;
      }
      text.append(named == 0 ? "" : "; ")
          .append(entry.getKey())
          .append(": ")
          .append(entry.getValue());
      named++;
    }
    return text.toString();
  }

  private static Status error(String message) {
    return Status.newBuilder().setCode(INVALID_ARGUMENT).setMessage(message).build();
  }
}
