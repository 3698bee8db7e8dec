package dev.ambit.operator.xds;

import dev.ambit.protocol.xds.AggregatedDiscoveryServiceGrpc;
import dev.ambit.protocol.xds.DeltaDiscoveryRequest;
import dev.ambit.protocol.xds.DeltaDiscoveryResponse;
import io.grpc.stub.ServerCallStreamObserver;
import io.grpc.stub.StreamObserver;
import io.micrometer.core.instrument.MeterRegistry;
import java.time.Duration;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.Executor;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/**
 * Aggregated discovery in its delta form, generic over resource types: each stream is sent what it
 * asked for, once, and from then on what changes. Thread-safe.
 */
public final class DiscoveryServer
    extends AggregatedDiscoveryServiceGrpc.AggregatedDiscoveryServiceImplBase {
  private final XdsSettings settings;
  private final StreamAdmission admission;
  private final RejectionListener rejections;
  private final XdsMetrics metrics;
  private final Executor executor;
  private final ScheduledExecutorService scheduler;
  private final Map<String, XdsRealm> realms = new ConcurrentHashMap<>();

  /** Those that no realm has taken yet. */
  private final Set<DeltaStream> undecided = ConcurrentHashMap.newKeySet();

  /**
   * Serves no resources yet.
   *
   * @param executor where changes are written to streams
   */
  public DiscoveryServer(
      XdsSettings settings,
      StreamAdmission admission,
      RejectionListener rejections,
      MeterRegistry registry,
      Executor executor,
      ScheduledExecutorService scheduler) {
    this.settings = settings;
    this.admission = admission;
    this.rejections = rejections;
    this.metrics = new XdsMetrics(registry);
    this.executor = executor;
    this.scheduler = scheduler;
  }

  /**
   * Serves those types to the clients of that realm; one that is there already stays as it is.
   *
   * @param types in the order of dependence: what is referred to before what refers to it
   */
  public void open(String realm, List<XdsType> types) {
    realms.computeIfAbsent(realm, name -> new XdsRealm(name, types));
  }

  /** Forgets a realm and ends its streams. */
  public void remove(String realm) {
    XdsRealm removed = realms.remove(realm);
    if (removed != null) {
      removed.streams().forEach(DeltaStream::complete);
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
    undecided.add(stream);
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
   * Makes changes in a realm, all at once, and sees to it that each of its streams hears of them.
   * Changes to equal content are none.
   */
  public void commit(String realm, ChangeSet changes) {
    XdsRealm changed = realm(realm);
    if (changed.commit(changes)) {
      changed.streams().forEach(stream -> executor.execute(stream::flush));
    }
  }

  /** Names and versions of what a realm has of a type at the moment. */
  public Map<String, String> versions(String realm, XdsType type) {
    Map<String, String> versions = new HashMap<>();
    XdsRealm asked = realm(realm);
    synchronized (asked) {
      asked.table(type).all().forEach(each -> versions.put(each.name(), each.version()));
    }
    return versions;
  }

  /** Whether there is such a realm. */
  public boolean has(String realm) {
    return realms.containsKey(realm);
  }

  private XdsRealm realm(String name) {
    XdsRealm realm = realms.get(name);
    if (realm == null) {
      throw new IllegalArgumentException("this server has no realm " + name);
    }
    return realm;
  }

  /** Ends all streams, so that clients go to another replica. */
  public void close() {
    undecided.forEach(DeltaStream::complete);
    realms.values().forEach(realm -> realm.streams().forEach(DeltaStream::complete));
  }

  /** The realm takes the stream, unless it has gone meanwhile. */
  @Nullable XdsRealm enter(String name, DeltaStream stream) {
    XdsRealm realm = realms.get(name);
    if (realm == null) {
      return null;
    }
    synchronized (realm) {
      realm.streams().add(stream);
    }
    undecided.remove(stream);
    if (realms.get(name) != realm) {
      realm.streams().remove(stream);
      undecided.add(stream);
      return null;
    }
    return realm;
  }

  void forget(DeltaStream stream, @Nullable XdsRealm realm) {
    boolean known = realm == null ? undecided.remove(stream) : realm.streams().remove(stream);
    if (known) {
      metrics.streamClosed();
    }
  }

  void later(Runnable action, Duration delay) {
    scheduler.schedule(() -> executor.execute(action), delay.toMillis(), TimeUnit.MILLISECONDS);
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
