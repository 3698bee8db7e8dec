package dev.ambit.operator.xds;

import dev.ambit.protocol.xds.AggregatedDiscoveryServiceGrpc;
import dev.ambit.protocol.xds.DeltaDiscoveryRequest;
import dev.ambit.protocol.xds.DeltaDiscoveryResponse;
import io.grpc.stub.ServerCallStreamObserver;
import io.grpc.stub.StreamObserver;
import io.micrometer.core.instrument.MeterRegistry;
import java.time.Duration;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.Executor;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/**
 * Aggregated discovery in its delta form, generic over resource types: each stream is sent what it
 * asked for, once, and from then on what changes. Thread-safe.
 */
public final class DiscoveryServer
    extends AggregatedDiscoveryServiceGrpc.AggregatedDiscoveryServiceImplBase {
  private final List<XdsType> types;
  private final Map<String, XdsType> typesByUrl = new HashMap<>();
  private final XdsSettings settings;
  private final StreamAdmission admission;
  private final RejectionListener rejections;
  private final XdsMetrics metrics;
  private final Executor executor;
  private final ScheduledExecutorService scheduler;
  private final Set<DeltaStream> streams = ConcurrentHashMap.newKeySet();

  // Guarded by current itself, which also orders commits against subscriptions.
  private final Map<String, ResourceTable> current = new HashMap<>();

  /**
   * Serves those types.
   *
   * @param types in the order of dependence: what is referred to before what refers to it
   * @param executor where changes are written to streams
   */
  public DiscoveryServer(
      List<XdsType> types,
      XdsSettings settings,
      StreamAdmission admission,
      RejectionListener rejections,
      MeterRegistry registry,
      Executor executor,
      ScheduledExecutorService scheduler) {
    this.types = List.copyOf(types);
    this.settings = settings;
    this.admission = admission;
    this.rejections = rejections;
    this.metrics = new XdsMetrics(registry);
    this.executor = executor;
    this.scheduler = scheduler;
    for (XdsType type : this.types) {
      typesByUrl.put(type.url(), type);
      current.put(type.url(), new ResourceTable());
    }
  }

  @Override
  public StreamObserver<DeltaDiscoveryRequest> deltaAggregatedResources(
      StreamObserver<DeltaDiscoveryResponse> responses) {
    ServerCallStreamObserver<DeltaDiscoveryResponse> observer =
        (ServerCallStreamObserver<DeltaDiscoveryResponse>) responses;
    DeltaStream stream = new DeltaStream(this, observer);
    observer.setOnReadyHandler(stream::flush);
    observer.setOnCancelHandler(stream::close);
    streams.add(stream);
    metrics.streamOpened();
    return new StreamObserver<>() {
      @Override
      public void onNext(DeltaDiscoveryRequest request) {
        stream.request(request);
      }

      @Override
      public void onError(Throwable failure) {
        stream.close();
      }

      @Override
      public void onCompleted() {
        stream.complete();
      }
    };
  }

  /**
   * Makes changes, all at once, and sees to it that each stream hears of them. Changes to equal
   * content are none.
   */
  public void commit(ChangeSet changes) {
    synchronized (current) {
      ChangeSet effective = apply(changes);
      if (effective.isEmpty()) {
        return;
      }
      streams.forEach(stream -> stream.enqueue(effective));
    }
    streams.forEach(stream -> executor.execute(stream::flush));
  }

  private ChangeSet apply(ChangeSet changes) {
    Map<String, Map<String, Optional<XdsResource>>> effective = new LinkedHashMap<>();
    changes
        .changes()
        .forEach(
            (url, ofType) -> {
              ResourceTable resources = current.get(url);
              if (resources == null) {
                throw new IllegalArgumentException("this server has no type " + url);
              }
              Map<String, Optional<XdsResource>> differing = new LinkedHashMap<>();
              ofType.forEach(
                  (name, change) -> {
                    XdsResource before = resources.get(name);
                    XdsResource after = change.orElse(null);
                    if (after == null ? before != null : !after.equals(before)) {
                      differing.put(name, change);
                    }
                    if (after == null) {
                      resources.remove(name);
                    } else {
                      resources.put(after);
                    }
                  });
              effective.put(url, differing);
            });
    return new ChangeSet(effective);
  }

  /** Names and versions of what is served of a type at the moment. */
  public Map<String, String> versions(XdsType type) {
    Map<String, String> versions = new HashMap<>();
    withCurrent(
        type,
        resources -> resources.all().forEach(each -> versions.put(each.name(), each.version())));
    return versions;
  }

  /** Ends all streams, so that clients go to another replica. */
  public void close() {
    streams.forEach(DeltaStream::complete);
  }

  void withCurrent(XdsType type, Consumer<ResourceTable> action) {
    synchronized (current) {
      ResourceTable resources = current.get(type.url());
      action.accept(resources == null ? new ResourceTable() : resources);
    }
  }

  /** While it runs, nothing is committed. */
  void locked(Runnable action) {
    synchronized (current) {
      action.run();
    }
  }

  void forget(DeltaStream stream) {
    if (streams.remove(stream)) {
      metrics.streamClosed();
    }
  }

  void later(Runnable action, Duration delay) {
    scheduler.schedule(() -> executor.execute(action), delay.toMillis(), TimeUnit.MILLISECONDS);
  }

  @Nullable XdsType type(String url) {
    return typesByUrl.get(url);
  }

  List<XdsType> types() {
    return types;
  }

  XdsSettings settings() {
    return settings;
  }

  StreamAdmission admission() {
    return admission;
  }

  RejectionListener rejections() {
    return rejections;
  }

  XdsMetrics metrics() {
    return metrics;
  }
}
