package dev.ambit.operator.xds;

import com.google.protobuf.InvalidProtocolBufferException;
import dev.ambit.protocol.workload.Address;
import dev.ambit.protocol.xds.AggregatedDiscoveryServiceGrpc;
import dev.ambit.protocol.xds.DeltaDiscoveryRequest;
import dev.ambit.protocol.xds.DeltaDiscoveryResponse;
import dev.ambit.protocol.xds.Resource;
import dev.ambit.protocol.xds.Status;
import io.grpc.ManagedChannel;
import io.grpc.stub.ClientCallStreamObserver;
import io.grpc.stub.ClientResponseObserver;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.jspecify.annotations.Nullable;

/**
 * A client as ztunnels are ones: keeps what it was sent, acknowledges, and notices what it should
 * not have been sent.
 */
final class Client implements AutoCloseable {
  private final ManagedChannel channel;
  private final boolean manual;
  private final ClientCallStreamObserver<DeltaDiscoveryRequest> requests;

  // Guarded by this.
  final Map<String, Map<String, Resource>> held = new HashMap<>();
  final List<DeltaDiscoveryResponse> responses = new ArrayList<>();
  final List<String> faults = new ArrayList<>();
  @Nullable Throwable error;
  private boolean rejectNext;

  /** Keeps what an earlier client held. */
  Client(Mesh mesh, boolean manual, Map<String, Map<String, Resource>> before) {
    this.manual = manual;
    channel = mesh.channel();
    before.forEach((type, resources) -> held.put(type, new HashMap<>(resources)));
    Observer observer = new Observer();
    requests =
        (ClientCallStreamObserver<DeltaDiscoveryRequest>)
            AggregatedDiscoveryServiceGrpc.newStub(channel).deltaAggregatedResources(observer);
  }

  Client(Mesh mesh) {
    this(mesh, false, Map.of());
  }

  private final class Observer
      implements ClientResponseObserver<DeltaDiscoveryRequest, DeltaDiscoveryResponse> {
    @Override
    public void beforeStart(ClientCallStreamObserver<DeltaDiscoveryRequest> stream) {
      if (manual) {
        stream.disableAutoRequestWithInitial(1);
      }
    }

    @Override
    public void onNext(DeltaDiscoveryResponse response) {
      take(response);
    }

    @Override
    public void onError(Throwable failure) {
      synchronized (Client.this) {
        error = failure;
      }
    }

    @Override
    public void onCompleted() {}
  }

  private synchronized void take(DeltaDiscoveryResponse response) {
    responses.add(response);
    DeltaDiscoveryRequest.Builder answer =
        DeltaDiscoveryRequest.newBuilder()
            .setTypeUrl(response.getTypeUrl())
            .setResponseNonce(response.getNonce());
    if (rejectNext) {
      rejectNext = false;
      answer.setErrorDetail(Status.newBuilder().setCode(3).setMessage("no, thank you"));
    } else {
      Map<String, Resource> ofType =
          held.computeIfAbsent(response.getTypeUrl(), _ -> new TreeMap<>());
      for (Resource resource : response.getResourcesList()) {
        Resource before = ofType.put(resource.getName(), resource);
        if (before != null && before.getVersion().equals(resource.getVersion())) {
          faults.add("sent again unchanged: " + resource.getName());
        }
      }
      for (String removed : response.getRemovedResourcesList()) {
        if (ofType.remove(removed) == null) {
          faults.add("removed what was not held: " + removed);
        }
      }
      checkReferences();
    }
    requests.onNext(answer.build());
  }

  /** At no time may an address refer to a policy that is not held. */
  private void checkReferences() {
    Map<String, Resource> policies = held.getOrDefault(Mesh.POLICY.url(), Map.of());
    for (Resource resource : held.getOrDefault(Mesh.ADDRESS.url(), Map.of()).values()) {
      try {
        Address address = Address.parseFrom(resource.getResource().getValue());
        for (String policy : address.getWorkload().getAuthorizationPoliciesList()) {
          if (!policies.containsKey(policy)) {
            faults.add(resource.getName() + " refers to " + policy + ", which is not held");
          }
        }
      } catch (InvalidProtocolBufferException e) {
        faults.add("undecodable: " + resource.getName());
      }
    }
  }

  /** Asks for a type, telling what is still held of it. */
  synchronized void open(XdsType type) {
    Map<String, String> versions = new HashMap<>();
    held.getOrDefault(type.url(), Map.of())
        .forEach((name, resource) -> versions.put(name, resource.getVersion()));
    requests.onNext(
        DeltaDiscoveryRequest.newBuilder()
            .setNode(Mesh.NODE)
            .setTypeUrl(type.url())
            .putAllInitialResourceVersions(versions)
            .build());
  }

  synchronized void send(DeltaDiscoveryRequest.Builder request) {
    requests.onNext(request.setNode(Mesh.NODE).build());
  }

  synchronized void rejectNext() {
    rejectNext = true;
  }

  /** Lets the server send one more, where flow control is manual. */
  void pull() {
    requests.request(1);
  }

  synchronized Map<String, String> versions(XdsType type) {
    Map<String, String> versions = new HashMap<>();
    held.getOrDefault(type.url(), Map.of())
        .forEach((name, resource) -> versions.put(name, resource.getVersion()));
    return versions;
  }

  synchronized int size(XdsType type) {
    return held.getOrDefault(type.url(), Map.of()).size();
  }

  synchronized List<DeltaDiscoveryResponse> responses(XdsType type) {
    return responses.stream().filter(response -> response.getTypeUrl().equals(type.url())).toList();
  }

  synchronized Map<String, Map<String, Resource>> snapshot() {
    Map<String, Map<String, Resource>> copy = new HashMap<>();
    held.forEach((type, resources) -> copy.put(type, new HashMap<>(resources)));
    return copy;
  }

  synchronized List<String> faults() {
    return List.copyOf(faults);
  }

  synchronized @Nullable Throwable error() {
    return error;
  }

  @Override
  public void close() {
    channel.shutdownNow();
  }
}
