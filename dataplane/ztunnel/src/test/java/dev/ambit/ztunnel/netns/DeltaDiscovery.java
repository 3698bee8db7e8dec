package dev.ambit.ztunnel.netns;

import com.google.protobuf.Any;
import com.google.protobuf.Message;
import dev.ambit.protocol.xds.AggregatedDiscoveryServiceGrpc.AggregatedDiscoveryServiceImplBase;
import dev.ambit.protocol.xds.DeltaDiscoveryRequest;
import dev.ambit.protocol.xds.DeltaDiscoveryResponse;
import dev.ambit.protocol.xds.Node;
import dev.ambit.protocol.xds.Resource;
import io.grpc.stub.ServerCallStreamObserver;
import io.grpc.stub.StreamObserver;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.CopyOnWriteArrayList;
import org.jspecify.annotations.Nullable;

/**
 * Aggregated discovery, delta form, for any type of resource: tests set and remove resources, and
 * clients that subscribed to the type are told. Every client gets everything of a type.
 */
final class DeltaDiscovery extends AggregatedDiscoveryServiceImplBase {
  private record Versioned(String version, Any resource) {}

  /** What a client said about a response that it did not accept. */
  record Rejection(String typeUrl, String message) {}

  private final Map<String, Map<String, Versioned>> resources = new HashMap<>();
  private final Set<Client> clients = new HashSet<>();
  private final List<Rejection> rejections = new CopyOnWriteArrayList<>();
  private final List<Node> nodes = new CopyOnWriteArrayList<>();
  private final List<Set<String>> held = new CopyOnWriteArrayList<>();
  private long lastVersion;
  private long lastNonce;

  /** Adds or replaces one resource and tells the clients. */
  synchronized void set(String name, Message resource) {
    set(Map.of(name, resource));
  }

  /** Adds or replaces resources, which may differ in type, and tells the clients at once. */
  synchronized void set(Map<String, ? extends Message> changed) {
    var byType = new LinkedHashMap<String, Map<String, Versioned>>();
    changed.forEach(
        (name, message) -> {
          var packed = Any.pack(message);
          byType
              .computeIfAbsent(packed.getTypeUrl(), type -> new LinkedHashMap<>())
              .put(name, new Versioned(Long.toString(++lastVersion), packed));
        });
    byType.forEach(
        (type, added) -> {
          resources.computeIfAbsent(type, key -> new LinkedHashMap<>()).putAll(added);
          subscribers(type).forEach(client -> client.send(type, added, List.of()));
        });
  }

  /** Removes resources and tells the clients. */
  synchronized void remove(String typeUrl, Collection<String> names) {
    if (resources.getOrDefault(typeUrl, new HashMap<>()).keySet().removeAll(names)) {
      subscribers(typeUrl).forEach(client -> client.send(typeUrl, Map.of(), names));
    }
  }

  private List<Client> subscribers(String type) {
    return clients.stream().filter(client -> client.subscribed.contains(type)).toList();
  }

  /** Whether every client has answered everything that was sent to it. */
  synchronized boolean isSettled() {
    return isSettled(lastNonce);
  }

  /** The number of the last response that was sent. */
  synchronized long lastSent() {
    return lastNonce;
  }

  /** Whether every client has answered what was sent to it up to the response of this number. */
  synchronized boolean isSettled(long upTo) {
    return clients.stream()
        .flatMap(client -> client.unanswered.stream())
        .noneMatch(nonce -> Long.parseLong(nonce) <= upTo);
  }

  /** How many clients have subscribed to all that {@code types} name. */
  synchronized int subscribedClients(Set<String> types) {
    return (int) clients.stream().filter(client -> client.subscribed.containsAll(types)).count();
  }

  List<Rejection> rejections() {
    return rejections;
  }

  /** The nodes that clients said they are, one for each stream. */
  List<Node> nodes() {
    return nodes;
  }

  /** The names that clients have so far said they hold, one entry for each subscription. */
  List<Set<String>> held() {
    return List.copyOf(held);
  }

  /** Forgets the clients, whose connections are gone. */
  synchronized void forgetClients() {
    clients.clear();
  }

  @Override
  public StreamObserver<DeltaDiscoveryRequest> deltaAggregatedResources(
      StreamObserver<DeltaDiscoveryResponse> responses) {
    var client = new Client(responses);
    // Without this, sending to a client that has just gone would fail the test that sends.
    ((ServerCallStreamObserver<DeltaDiscoveryResponse>) responses)
        .setOnCancelHandler(client::forget);
    synchronized (this) {
      clients.add(client);
    }
    return client;
  }

  private final class Client implements StreamObserver<DeltaDiscoveryRequest> {
    private final StreamObserver<DeltaDiscoveryResponse> responses;
    private final Set<String> subscribed = new HashSet<>();
    private final Set<String> unanswered = new HashSet<>();

    Client(StreamObserver<DeltaDiscoveryResponse> responses) {
      this.responses = responses;
    }

    @Override
    public void onNext(DeltaDiscoveryRequest request) {
      synchronized (DeltaDiscovery.this) {
        if (request.hasNode() && subscribed.isEmpty()) {
          nodes.add(request.getNode());
        }
        if (!request.getResponseNonce().isEmpty()) {
          unanswered.remove(request.getResponseNonce());
          if (request.hasErrorDetail()) {
            rejections.add(
                new Rejection(request.getTypeUrl(), request.getErrorDetail().getMessage()));
          }
        } else if (subscribed.add(request.getTypeUrl())) {
          held.add(Set.copyOf(request.getInitialResourceVersionsMap().keySet()));
          sendMissing(request.getTypeUrl(), request.getInitialResourceVersionsMap());
        }
      }
    }

    private void sendMissing(String type, Map<String, String> held) {
      var all = resources.getOrDefault(type, Map.of());
      var missing = new LinkedHashMap<>(all);
      missing.entrySet().removeIf(e -> e.getValue().version().equals(held.get(e.getKey())));
      var gone = new ArrayList<>(held.keySet());
      gone.removeAll(all.keySet());
      send(type, missing, gone);
    }

    private void send(String type, Map<String, Versioned> added, Collection<String> removed) {
      var nonce = Long.toString(++lastNonce);
      var response =
          DeltaDiscoveryResponse.newBuilder()
              .setTypeUrl(type)
              .setNonce(nonce)
              .addAllRemovedResources(removed);
      added.forEach(
          (name, versioned) ->
              response.addResources(
                  Resource.newBuilder()
                      .setName(name)
                      .setVersion(versioned.version())
                      .setResource(versioned.resource())));
      unanswered.add(nonce);
      responses.onNext(response.build());
    }

    @Override
    public void onError(Throwable ended) {
      forget();
    }

    @Override
    public void onCompleted() {
      forget();
      responses.onCompleted();
    }

    private void forget() {
      synchronized (DeltaDiscovery.this) {
        clients.remove(this);
      }
    }
  }

  /** The last rejection's text, for messages. */
  @Nullable String lastRejection() {
    return rejections.isEmpty() ? null : rejections.getLast().message();
  }
}
