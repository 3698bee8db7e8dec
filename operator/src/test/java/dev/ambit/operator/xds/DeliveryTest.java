package dev.ambit.operator.xds;

import static org.assertj.core.api.Assertions.assertThat;

import com.google.protobuf.StringValue;
import dev.ambit.protocol.xds.AggregatedDiscoveryServiceGrpc;
import dev.ambit.protocol.xds.DeltaDiscoveryRequest;
import dev.ambit.protocol.xds.DeltaDiscoveryResponse;
import dev.ambit.protocol.xds.Resource;
import dev.ambit.protocol.xds.Status;
import io.grpc.ManagedChannel;
import io.grpc.stub.StreamObserver;
import java.io.IOException;
import java.time.Duration;
import java.util.List;
import java.util.Set;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/** The order in which a client as Envoy is one gets its configuration. */
class DeliveryTest {
  private static final XdsType CLUSTER = XdsType.of("test.Cluster", false);
  private static final XdsType ENDPOINTS = XdsType.of("test.Endpoints", false).following(CLUSTER);
  private static final XdsType LISTENER =
      XdsType.of("test.Listener", false).delivered(XdsType.Delivery.ALONE_AFTER_EARLIER);
  private static final XdsType ROUTES =
      XdsType.of("test.Routes", false)
          .delivered(XdsType.Delivery.ALONE_AFTER_EARLIER)
          .concluding("last");
  private static final List<XdsType> TYPES = List.of(CLUSTER, ENDPOINTS, LISTENER, ROUTES);
  private static final XdsSettings PATIENT = new XdsSettings(1024, Duration.ofMinutes(10));
  private static final XdsSettings IMPATIENT = new XdsSettings(1024, Duration.ofMillis(20));

  private int barriers;
  private Mesh mesh;
  private Conversation client;

  @SuppressWarnings("NullAway.Init") // begun by each test
  DeliveryTest() {}

  private void begin(XdsSettings settings) throws IOException {
    mesh = new Mesh(settings, TYPES);
    client = new Conversation(mesh.channel());
  }

  @AfterEach
  void end() {
    client.channel.shutdownNow();
    mesh.close();
  }

  /** Says what a test has it say, and nothing by itself. */
  private static final class Conversation implements StreamObserver<DeltaDiscoveryResponse> {
    private final ManagedChannel channel;
    private final StreamObserver<DeltaDiscoveryRequest> requests;
    private final BlockingQueue<DeltaDiscoveryResponse> responses = new LinkedBlockingQueue<>();

    Conversation(ManagedChannel channel) {
      this.channel = channel;
      this.requests =
          AggregatedDiscoveryServiceGrpc.newStub(channel).deltaAggregatedResources(this);
    }

    private void send(DeltaDiscoveryRequest.Builder request) {
      requests.onNext(request.setNode(Mesh.NODE).build());
    }

    void ask(XdsType type, String... names) {
      send(
          DeltaDiscoveryRequest.newBuilder()
              .setTypeUrl(type.url())
              .addAllResourceNamesSubscribe(List.of(names)));
    }

    void accept(DeltaDiscoveryResponse response) {
      send(
          DeltaDiscoveryRequest.newBuilder()
              .setTypeUrl(response.getTypeUrl())
              .setResponseNonce(response.getNonce()));
    }

    void reject(DeltaDiscoveryResponse response) {
      send(
          DeltaDiscoveryRequest.newBuilder()
              .setTypeUrl(response.getTypeUrl())
              .setResponseNonce(response.getNonce())
              .setErrorDetail(Status.newBuilder().setCode(3).setMessage("no, thank you")));
    }

    /** The next response, which is of that type, with those names. */
    DeltaDiscoveryResponse next(XdsType type, String... names) {
      try {
        DeltaDiscoveryResponse response = responses.poll(60, TimeUnit.SECONDS);
        assertThat(response).as("%s %s", type.url(), List.of(names)).isNotNull();
        assertThat(response.getTypeUrl()).isEqualTo(type.url());
        assertThat(response.getResourcesList())
            .extracting(Resource::getName)
            .containsExactlyInAnyOrder(names);
        return response;
      } catch (InterruptedException e) {
        throw new IllegalStateException(e);
      }
    }

    @Override
    public void onNext(DeltaDiscoveryResponse response) {
      responses.add(response);
    }

    @Override
    public void onError(Throwable failure) {}

    @Override
    public void onCompleted() {}
  }

  /** All that the server sends of itself by now was taken: the next is the answer to a question. */
  private void nothingMore() {
    String name = "unrelated-" + barriers++;
    commit(put(new ChangeSet.Builder(), ENDPOINTS, name));
    client.ask(ENDPOINTS, name);
    client.accept(client.next(ENDPOINTS, name));
  }

  private static ChangeSet.Builder put(ChangeSet.Builder changes, XdsType type, String... names) {
    for (String name : names) {
      changes.put(type, resource(type, name, ""));
    }
    return changes;
  }

  private static XdsResource resource(XdsType type, String name, String content) {
    return XdsResource.of(name, type, StringValue.of(name + content), Set.of());
  }

  private void commit(ChangeSet.Builder changes) {
    mesh.discovery.commit(Mesh.REALM, changes.build());
  }

  @Test
  void aTypeWaitsUntilTheClientHasAnsweredToEarlierOnes() throws IOException {
    begin(PATIENT);
    commit(put(put(new ChangeSet.Builder(), CLUSTER, "c"), LISTENER, "l"));
    client.ask(CLUSTER);
    client.ask(LISTENER);
    DeltaDiscoveryResponse cluster = client.next(CLUSTER, "c");
    nothingMore();
    client.accept(cluster);
    client.next(LISTENER, "l");
  }

  @Test
  void aClientThatDoesNotAnswerGetsAllInTheEnd() throws IOException {
    begin(IMPATIENT);
    commit(
        put(
            put(put(new ChangeSet.Builder(), CLUSTER, "c"), LISTENER, "l"),
            ROUTES,
            "last",
            "unwanted"));
    client.ask(CLUSTER);
    client.ask(LISTENER);
    client.ask(ROUTES, "last");
    client.next(CLUSTER, "c");
    client.next(LISTENER, "l");
    client.next(ROUTES, "last");
  }

  @Test
  void whatTravelsAloneIsRejectedAlone() throws IOException {
    begin(PATIENT);
    commit(put(new ChangeSet.Builder(), LISTENER, "bad", "good"));
    client.ask(LISTENER);
    client.reject(client.next(LISTENER, "bad"));
    client.accept(client.next(LISTENER, "good"));
    nothingMore();
    assertThat(mesh.rejections).hasSize(1);
    assertThat(mesh.rejections.getFirst().names()).containsExactly("bad");
    // It is tried again once it is another one, and not before.
    commit(new ChangeSet.Builder().put(LISTENER, resource(LISTENER, "bad", " no more")));
    client.next(LISTENER, "bad");
  }

  @Test
  void endpointsComeAgainWithTheirCluster() throws IOException {
    begin(PATIENT);
    commit(
        put(
            put(put(new ChangeSet.Builder(), CLUSTER, "c", "d"), ENDPOINTS, "c", "d"),
            LISTENER,
            "l"));
    client.ask(CLUSTER);
    client.ask(LISTENER);
    client.accept(client.next(CLUSTER, "c", "d"));
    // What follows the clusters is expected to be asked for.
    client.ask(ENDPOINTS, "c", "d");
    DeltaDiscoveryResponse endpoints = client.next(ENDPOINTS, "c", "d");
    client.accept(endpoints);
    client.accept(client.next(LISTENER, "l"));
    commit(new ChangeSet.Builder().put(CLUSTER, resource(CLUSTER, "c", " changed")));
    client.accept(client.next(CLUSTER, "c"));
    client.accept(client.next(ENDPOINTS, "c"));
    nothingMore();
  }

  @Test
  void theConclusionComesOnceAllOthersWereAskedForAndAnswered() throws IOException {
    begin(PATIENT);
    commit(put(put(new ChangeSet.Builder(), LISTENER, "l"), ROUTES, "last", "a"));
    client.ask(LISTENER);
    client.ask(ROUTES, "last");
    client.accept(client.next(LISTENER, "l"));
    nothingMore();
    client.ask(ROUTES, "a");
    DeltaDiscoveryResponse first = client.next(ROUTES, "a");
    nothingMore();
    client.accept(first);
    client.accept(client.next(ROUTES, "last"));

    // A new listener, whose routes the client hears of only by it.
    commit(
        put(put(new ChangeSet.Builder(), ROUTES, "b"), LISTENER, "m")
            .put(ROUTES, resource(ROUTES, "last", " of a, b")));
    DeltaDiscoveryResponse listener = client.next(LISTENER, "m");
    nothingMore();
    client.accept(listener);
    nothingMore();
    client.ask(ROUTES, "b");
    client.reject(client.next(ROUTES, "b"));
    client.accept(client.next(ROUTES, "last"));

    // With nothing else new it comes at once.
    commit(new ChangeSet.Builder().put(ROUTES, resource(ROUTES, "last", " again")));
    client.accept(client.next(ROUTES, "last"));
    nothingMore();
  }
}
