package dev.ambit.ztunnel.xds;

import com.google.protobuf.InvalidProtocolBufferException;
import dev.ambit.protocol.xds.AggregatedDiscoveryServiceGrpc;
import dev.ambit.protocol.xds.DeltaDiscoveryRequest;
import dev.ambit.protocol.xds.DeltaDiscoveryResponse;
import dev.ambit.protocol.xds.Resource;
import dev.ambit.protocol.xds.Status;
import dev.ambit.ztunnel.channel.Backoff;
import dev.ambit.ztunnel.channel.CallFailure;
import dev.ambit.ztunnel.channel.ServerChannel;
import dev.ambit.ztunnel.state.InvalidResourceException;
import dev.ambit.ztunnel.xds.XdsObserver.Termination;
import io.grpc.Channel;
import io.grpc.stub.StreamObserver;
import java.io.IOException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Keeps a delta discovery stream to the control plane, subscribed to all resources of some types,
 * or of one type to those alone that are asked for. What was received stays in force while there is
 * no stream; on return the server is told what is held, and answers with the difference. All of it
 * runs on one thread.
 */
public final class XdsClient implements AutoCloseable {
  private static final Logger log = LoggerFactory.getLogger(XdsClient.class);
  private static final Duration FIRST_RETRY = Duration.ofMillis(10);

  /** Whoever waits for nodes to have heard, after an absence, counts on this. */
  private static final Duration LONGEST_RETRY = Duration.ofSeconds(5);

  private static final int INVALID_ARGUMENT = 3;
  private static final int NAMED_REJECTIONS = 20;

  /** Subscribing to all and to none in one request is how to begin with nothing. */
  private static final String ALL = "*";

  /** Looked after this many times while an unused resource is kept. */
  private static final int SWEEPS = 4;

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

    /** Null: all are subscribed to. */
    final @Nullable OnDemand demand;

    boolean received;

    Subscription(ResourceType<T> type, @Nullable OnDemand demand) {
      this.type = type;
      this.demand = demand;
      // The server has nothing to say where nothing was asked for.
      this.received = demand != null;
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
    this(channel, node, types, executor, observer, null);
  }

  /**
   * @param executor one thread, the same that {@code channel} has its replies handled on
   * @param demand which workloads and services to subscribe to; null for all
   */
  public XdsClient(
      ServerChannel channel,
      NodeIdentity node,
      List<ResourceType<?>> types,
      ScheduledExecutorService executor,
      XdsObserver observer,
      @Nullable OnDemand demand) {
    this.channel = channel;
    this.node = node;
    this.executor = executor;
    this.observer = observer;
    for (ResourceType<?> type : types) {
      boolean single = demand != null && type.typeUrl().equals(MeshResources.ADDRESS);
      subscriptions.put(type.typeUrl(), new Subscription<>(type, single ? demand : null));
    }
  }

  /** Connects, and goes on doing so until closed. */
  public void start() {
    for (Subscription<?> subscription : subscriptions.values()) {
      OnDemand demand = subscription.demand;
      if (demand != null) {
        demand.onWaiting(() -> executor.execute(() -> subscribeWaiting(subscription, demand)));
        long period = Math.max(1, demand.unused().toMillis() / SWEEPS);
        executor.scheduleWithFixedDelay(
            () -> release(subscription, demand), period, period, TimeUnit.MILLISECONDS);
      }
    }
    executor.execute(this::connect);
  }

  private void subscribeWaiting(Subscription<?> subscription, OnDemand demand) {
    Stream open = stream;
    if (open != null && open.isOpen()) {
      List<String> names = demand.takeWaiting();
      if (!names.isEmpty()) {
        open.send(
            DeltaDiscoveryRequest.newBuilder()
                .setTypeUrl(subscription.type.typeUrl())
                .addAllResourceNamesSubscribe(names)
                .build());
      }
    }
  }

  private <T> void release(Subscription<T> subscription, OnDemand demand) {
    OnDemand.Unused unused = demand.sweep(subscription.versions.keySet());
    if (!unused.resources().isEmpty()) {
      subscription.type.batch().apply(List.copyOf(unused.resources()));
      subscription.versions.keySet().removeAll(unused.resources());
    }
    Set<String> all = new TreeSet<>(unused.names());
    all.addAll(unused.resources());
    Stream open = stream;
    if (!all.isEmpty() && open != null && open.isOpen()) {
      open.send(
          DeltaDiscoveryRequest.newBuilder()
              .setTypeUrl(subscription.type.typeUrl())
              .addAllResourceNamesUnsubscribe(all)
              .build());
      log.atDebug().addKeyValue("names", all.size()).log("gave unused resources back");
    }
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
        DeltaDiscoveryRequest.Builder request =
            DeltaDiscoveryRequest.newBuilder()
                .setNode(node.proto())
                .setTypeUrl(subscription.type.typeUrl())
                .putAllInitialResourceVersions(subscription.versions);
        OnDemand demand = subscription.demand;
        if (demand != null) {
          request
              .addResourceNamesSubscribe(ALL)
              .addAllResourceNamesSubscribe(demand.takeAll())
              .addResourceNamesUnsubscribe(ALL);
        }
        opened.onNext(request.build());
      }
      syncedWhereAllReceived();
    }

    boolean isOpen() {
      return !over && requests != null;
    }

    void send(DeltaDiscoveryRequest request) {
      StreamObserver<DeltaDiscoveryRequest> to = requests;
      if (to != null) {
        to.onNext(request);
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
      send(reply.build());
      if (subscription != null && !subscription.received) {
        subscription.received = true;
        syncedWhereAllReceived();
      }
    }

    @Override
    public void onError(Throwable failure) {
      if (!over) {
        over = true;
        Termination reason = answered ? Termination.ERROR : Termination.CONNECTION_ERROR;
        reconnect(reason, CallFailure.describe(failure));
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

  private void syncedWhereAllReceived() {
    if (subscriptions.values().stream().allMatch(s -> s.received)) {
      synced.complete(null);
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
    List<String> told = new ArrayList<>();
    for (Resource resource : response.getResourcesList()) {
      try {
        if (!resource.getResource().getTypeUrl().equals(subscription.type.typeUrl())) {
          throw new InvalidResourceException(
              "it is of type " + resource.getResource().getTypeUrl());
        }
        batch.add(resource.getName(), resource.getResource().getValue());
        accepted.put(resource.getName(), resource.getVersion());
        told.add(resource.getName());
        told.addAll(resource.getAliasesList());
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
    OnDemand demand = subscription.demand;
    if (demand != null) {
      told.addAll(removed);
      demand.answered(told);
    }
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
