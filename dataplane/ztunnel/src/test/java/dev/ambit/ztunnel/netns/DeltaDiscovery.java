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
 * clients that subscribed to the type are told. A client gets everything of a type, or where it
 * names what it wants, that alone, and with a service its endpoints.
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
  private boolean silent;
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
          subscribers(type).forEach(client -> client.update(type, added));
        });
  }

  /** Removes resources and tells the clients. */
  synchronized void remove(String typeUrl, Collection<String> names) {
    if (resources.getOrDefault(typeUrl, new HashMap<>()).keySet().removeAll(names)) {
      subscribers(typeUrl).forEach(client -> client.forget(typeUrl, names));
    }
  }

  /** Leaves unanswered what clients ask for by name; off again, answers all that was left. */
  synchronized void keepSilent(boolean silent) {
    this.silent = silent;
    if (!silent) {
      clients.forEach(Client::answerLeft);
    }
  }

  /** The names that clients are subscribed to, of all that name what they want. */
  synchronized Set<String> namesSubscribed() {
    var all = new HashSet<String>();
    clients.forEach(client -> client.names.values().forEach(all::addAll));
    return all;
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

    /** By type, for types of which not everything is wanted. */
    private final Map<String, Set<String>> names = new HashMap<>();

    private final Map<String, Set<String>> left = new HashMap<>();

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
          if (request.getResourceNamesSubscribeCount() > 0) {
            names.put(
                request.getTypeUrl(),
                new HashSet<>(request.getInitialResourceVersionsMap().keySet()));
            byName(request);
          } else {
            sendMissing(request.getTypeUrl(), request.getInitialResourceVersionsMap());
          }
        } else {
          byName(request);
        }
      }
    }

    private void byName(DeltaDiscoveryRequest request) {
      var type = request.getTypeUrl();
      var wanted = new HashSet<>(request.getResourceNamesSubscribeList());
      wanted.remove("*");
      var mine = names.computeIfAbsent(type, key -> new HashSet<>());
      mine.removeAll(request.getResourceNamesUnsubscribeList());
      mine.addAll(wanted);
      if (silent) {
        left.computeIfAbsent(type, key -> new HashSet<>()).addAll(wanted);
      } else if (!wanted.isEmpty()) {
        answer(type, wanted);
      }
    }

    void answerLeft() {
      left.forEach(this::answer);
      left.clear();
    }

    /** What was asked for, under its own name with those it was asked by, and what there is not. */
    private void answer(String type, Set<String> wanted) {
      var all = resources.getOrDefault(type, Map.of());
      var found = new LinkedHashMap<String, Versioned>();
      var aliases = new HashMap<String, Set<String>>();
      var missing = new HashSet<String>();
      for (var name : wanted) {
        var behind = MeshNames.behind(name, resourcesOf(all));
        if (behind.isEmpty()) {
          missing.add(name);
        }
        behind.forEach(
            resource -> {
              found.put(resource, all.get(resource));
              aliases.computeIfAbsent(resource, key -> new HashSet<>()).add(name);
            });
      }
      names.computeIfAbsent(type, key -> new HashSet<>()).addAll(found.keySet());
      send(type, found, missing, aliases);
    }

    private static Map<String, Any> resourcesOf(Map<String, Versioned> all) {
      var packed = new LinkedHashMap<String, Any>();
      all.forEach((name, versioned) -> packed.put(name, versioned.resource()));
      return packed;
    }

    void update(String type, Map<String, Versioned> added) {
      var mine = names.get(type);
      if (mine == null) {
        send(type, added, List.of());
        return;
      }
      var wanted = new LinkedHashMap<String, Versioned>();
      var all = resourcesOf(resources.getOrDefault(type, Map.of()));
      for (var name : Set.copyOf(mine)) {
        for (var resource : MeshNames.behind(name, all)) {
          if (added.containsKey(resource)) {
            wanted.put(resource, added.get(resource));
            mine.add(resource);
          }
        }
      }
      if (!wanted.isEmpty()) {
        send(type, wanted, List.of());
      }
    }

    void forget(String type, Collection<String> removed) {
      var mine = names.get(type);
      var gone = removed.stream().filter(name -> mine == null || mine.contains(name)).toList();
      if (mine == null || !gone.isEmpty()) {
        send(type, Map.of(), gone);
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
      send(type, added, removed, Map.of());
    }

    private void send(
        String type,
        Map<String, Versioned> added,
        Collection<String> removed,
        Map<String, Set<String>> aliases) {
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
                      .addAllAliases(aliases.getOrDefault(name, Set.of()))
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
