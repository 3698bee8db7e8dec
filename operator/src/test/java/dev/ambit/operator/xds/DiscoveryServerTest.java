package dev.ambit.operator.xds;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import com.google.protobuf.InvalidProtocolBufferException;
import com.google.protobuf.StringValue;
import dev.ambit.protocol.xds.DeltaDiscoveryRequest;
import dev.ambit.protocol.xds.DeltaDiscoveryResponse;
import dev.ambit.protocol.xds.Resource;
import io.grpc.Status;
import java.io.IOException;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Queue;
import java.util.Set;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.stream.IntStream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

class DiscoveryServerTest {
  private Mesh mesh;

  DiscoveryServerTest() throws IOException {
    mesh = new Mesh(XdsSettings.DEFAULT);
  }

  @BeforeEach
  void fill() {
    mesh.discovery.commit(
        Mesh.REALM,
        new ChangeSet.Builder()
            .put(Mesh.POLICY, Mesh.policy("p1", "one"))
            .put(Mesh.ADDRESS, Mesh.address("a1", "one", Set.of("p1")))
            .put(Mesh.ADDRESS, Mesh.address("a2", "two", Set.of()))
            .build());
  }

  @AfterEach
  void close() {
    mesh.close();
  }

  private void settle(Client client) {
    await()
        .untilAsserted(
            () -> {
              for (XdsType type : List.of(Mesh.POLICY, Mesh.ADDRESS)) {
                assertThat(client.versions(type))
                    .isEqualTo(mesh.discovery.versions(Mesh.REALM, type));
              }
            });
  }

  @Test
  void aWildcardClientGetsAllAndThenOnlyWhatChanges() {
    try (Client client = new Client(mesh)) {
      client.open(Mesh.POLICY);
      client.open(Mesh.ADDRESS);
      settle(client);
      int before = client.responses(Mesh.ADDRESS).size();
      mesh.discovery.commit(
          Mesh.REALM,
          new ChangeSet.Builder()
              .put(Mesh.ADDRESS, Mesh.address("a1", "one", Set.of("p1")))
              .put(Mesh.ADDRESS, Mesh.address("a2", "changed", Set.of()))
              .build());
      settle(client);
      DeltaDiscoveryResponse last = client.responses(Mesh.ADDRESS).getLast();
      assertThat(client.responses(Mesh.ADDRESS)).hasSize(before + 1);
      assertThat(last.getResourcesList()).extracting(Resource::getName).containsExactly("a2");
      assertThat(client.faults()).isEmpty();
    }
  }

  @Test
  void anAddressWaitsForThePoliciesHoweverTheClientAsks() {
    try (Client client = new Client(mesh)) {
      client.open(Mesh.ADDRESS);
      client.open(Mesh.POLICY);
      settle(client);
      assertThat(client.responses.getFirst().getTypeUrl()).isEqualTo(Mesh.POLICY.url());
      assertThat(client.faults()).isEmpty();
    }
  }

  @Test
  void aClientThatNeverAsksForPoliciesGetsAddressesInTheEnd() throws IOException {
    try (Mesh impatient = new Mesh(new XdsSettings(1024, Duration.ofMillis(50)));
        Client client = new Client(impatient)) {
      impatient.discovery.commit(
          Mesh.REALM,
          new ChangeSet.Builder().put(Mesh.ADDRESS, Mesh.address("a2", "two", Set.of())).build());
      client.open(Mesh.ADDRESS);
      await().until(() -> !client.versions(Mesh.ADDRESS).isEmpty());
    }
  }

  @Test
  void aTypeWithoutResourcesIsAnsweredAllTheSame() throws IOException {
    try (Mesh empty = new Mesh(XdsSettings.DEFAULT);
        Client client = new Client(empty)) {
      client.open(Mesh.POLICY);
      client.open(Mesh.ADDRESS);
      await().until(() -> client.responses(Mesh.ADDRESS).size() == 1);
      assertThat(client.responses(Mesh.POLICY)).hasSize(1);
      assertThat(client.responses(Mesh.ADDRESS).getFirst().getResourcesCount()).isZero();
    }
  }

  @Test
  void policiesComeBeforeAndGoAfterWhatRefersToThem() {
    try (Client client = new Client(mesh)) {
      client.open(Mesh.POLICY);
      client.open(Mesh.ADDRESS);
      settle(client);
      for (int i = 0; i < 20; i++) {
        mesh.discovery.commit(
            Mesh.REALM,
            new ChangeSet.Builder()
                .put(Mesh.ADDRESS, Mesh.address("a2", "two " + i, Set.of("q" + i)))
                .put(Mesh.POLICY, Mesh.policy("q" + i, "new"))
                .remove(Mesh.POLICY, "q" + (i - 1))
                .build());
      }
      settle(client);
      // The client itself checks its references after each response.
      assertThat(client.faults()).isEmpty();
    }
  }

  @Test
  void aClientThatComesBackIsToldOnlyTheDifference() {
    Map<String, Map<String, Resource>> kept;
    try (Client client = new Client(mesh)) {
      client.open(Mesh.POLICY);
      client.open(Mesh.ADDRESS);
      settle(client);
      kept = client.snapshot();
    }
    mesh.discovery.commit(
        Mesh.REALM,
        new ChangeSet.Builder()
            .remove(Mesh.ADDRESS, "a2")
            .put(Mesh.ADDRESS, Mesh.address("a3", "three", Set.of("p1")))
            .build());
    try (Client client = new Client(mesh, false, kept)) {
      client.open(Mesh.POLICY);
      client.open(Mesh.ADDRESS);
      settle(client);
      assertThat(client.faults()).isEmpty();
      assertThat(client.responses(Mesh.POLICY).getFirst().getResourcesCount()).isZero();
      assertThat(
              client.responses(Mesh.ADDRESS).stream()
                  .flatMap(response -> response.getResourcesList().stream()))
          .extracting(Resource::getName)
          .containsExactly("a3");
    }
  }

  @Test
  void aRejectionIsCountedReportedAndNotRepeated() {
    try (Client client = new Client(mesh)) {
      client.open(Mesh.POLICY);
      client.open(Mesh.ADDRESS);
      settle(client);
      client.rejectNext();
      mesh.discovery.commit(
          Mesh.REALM, new ChangeSet.Builder().put(Mesh.POLICY, Mesh.policy("p2", "bad")).build());
      await().until(() -> mesh.rejections.size() == 1);
      assertThat(mesh.rejections.getFirst().names()).containsExactly("p2");
      assertThat(mesh.rejections.getFirst().error()).isEqualTo("no, thank you");
      assertThat(mesh.registry.counter("ambit.xds.rejections", "type", "Policy").count())
          .isEqualTo(1);
      mesh.discovery.commit(
          Mesh.REALM, new ChangeSet.Builder().put(Mesh.POLICY, Mesh.policy("p3", "good")).build());
      await().until(() -> client.versions(Mesh.POLICY).containsKey("p3"));
      assertThat(client.versions(Mesh.POLICY)).doesNotContainKey("p2");
    }
  }

  @Test
  void aStaleNonceIsIgnoredAndAnAcknowledgementSubscribesToNothing() {
    try (Client client = new Client(mesh)) {
      client.send(
          DeltaDiscoveryRequest.newBuilder()
              .setTypeUrl(Mesh.POLICY.url())
              .addResourceNamesSubscribe("p1"));
      await().until(() -> client.versions(Mesh.POLICY).containsKey("p1"));
      client.send(
          DeltaDiscoveryRequest.newBuilder()
              .setTypeUrl(Mesh.POLICY.url())
              .setResponseNonce("never sent")
              .setErrorDetail(dev.ambit.protocol.xds.Status.newBuilder().setMessage("stale")));
      mesh.discovery.commit(
          Mesh.REALM,
          new ChangeSet.Builder()
              .put(Mesh.POLICY, Mesh.policy("other", "x"))
              .put(Mesh.POLICY, Mesh.policy("p1", "changed"))
              .build());
      await()
          .until(
              () ->
                  java.util.Objects.equals(
                      mesh.discovery.versions(Mesh.REALM, Mesh.POLICY).get("p1"),
                      client.versions(Mesh.POLICY).get("p1")));
      assertThat(client.versions(Mesh.POLICY)).containsOnlyKeys("p1");
      assertThat(mesh.rejections).isEmpty();
    }
  }

  @Test
  void onDemandClientsAskByNameOrAddressAndHearOfWhatIsUnknown() {
    try (Client client = new Client(mesh)) {
      client.open(Mesh.POLICY);
      client.send(
          DeltaDiscoveryRequest.newBuilder()
              .setTypeUrl(Mesh.ADDRESS.url())
              .addResourceNamesSubscribe("*")
              .addResourceNamesUnsubscribe("*"));
      await().until(() -> client.responses(Mesh.ADDRESS).size() == 1);
      assertThat(client.responses(Mesh.ADDRESS).getFirst().getResourcesCount()).isZero();

      client.send(
          DeltaDiscoveryRequest.newBuilder()
              .setTypeUrl(Mesh.ADDRESS.url())
              .addResourceNamesSubscribe("/a1")
              .addResourceNamesSubscribe("unknown"));
      await().until(() -> client.responses(Mesh.ADDRESS).size() >= 2);
      await().until(() -> client.versions(Mesh.ADDRESS).containsKey("a1"));
      assertThat(
              client.responses(Mesh.ADDRESS).stream()
                  .flatMap(response -> response.getRemovedResourcesList().stream()))
          .containsExactly("unknown");
      assertThat(
              client.responses(Mesh.ADDRESS).stream()
                  .flatMap(response -> response.getResourcesList().stream())
                  .flatMap(resource -> resource.getAliasesList().stream()))
          .containsExactly("/a1");

      mesh.discovery.commit(
          Mesh.REALM,
          new ChangeSet.Builder()
              .put(Mesh.ADDRESS, Mesh.address("unknown", "now known", Set.of()))
              .put(Mesh.ADDRESS, Mesh.address("a9", "not asked for", Set.of()))
              .build());
      await().until(() -> client.versions(Mesh.ADDRESS).containsKey("unknown"));
      assertThat(client.versions(Mesh.ADDRESS)).containsOnlyKeys("a1", "unknown");

      client.send(
          DeltaDiscoveryRequest.newBuilder()
              .setTypeUrl(Mesh.ADDRESS.url())
              .addResourceNamesUnsubscribe("/a1")
              .addResourceNamesSubscribe("a2"));
      // Its answer says that the request was heard.
      await().until(() -> client.versions(Mesh.ADDRESS).containsKey("a2"));
      mesh.discovery.commit(
          Mesh.REALM,
          new ChangeSet.Builder()
              .put(Mesh.ADDRESS, Mesh.address("unknown", "again", Set.of()))
              .put(Mesh.ADDRESS, Mesh.address("a1", "unwanted", Set.of()))
              .build());
      await()
          .until(
              () ->
                  java.util.Objects.equals(
                      mesh.discovery.versions(Mesh.REALM, Mesh.ADDRESS).get("unknown"),
                      client.versions(Mesh.ADDRESS).get("unknown")));
      assertThat(client.versions(Mesh.ADDRESS).get("a1"))
          .isNotEqualTo(mesh.discovery.versions(Mesh.REALM, Mesh.ADDRESS).get("a1"));
    }
  }

  @Test
  void aLargeMeshComesInResponsesOfBoundedSizeAndASlowClientHoldsUpNobody() {
    ChangeSet.Builder many = new ChangeSet.Builder();
    IntStream.range(0, 25_000)
        .forEach(
            i ->
                many.put(
                    Mesh.ADDRESS, Mesh.address("workload-" + i, "x".repeat(250), Set.of("p1"))));
    mesh.discovery.commit(Mesh.REALM, many.build());
    try (Client slow = new Client(mesh, true, Map.of());
        Client quick = new Client(mesh)) {
      slow.open(Mesh.POLICY);
      slow.open(Mesh.ADDRESS);
      quick.open(Mesh.POLICY);
      quick.open(Mesh.ADDRESS);
      settle(quick);
      assertThat(quick.responses(Mesh.ADDRESS))
          .hasSizeGreaterThan(3)
          .allSatisfy(
              response -> assertThat(response.getSerializedSize()).isLessThan(4 * 1024 * 1024));

      // While the slow one takes nothing, one address changes fifty times; it hears of it once.
      for (int i = 0; i < 50; i++) {
        mesh.discovery.commit(
            Mesh.REALM,
            new ChangeSet.Builder()
                .put(Mesh.ADDRESS, Mesh.address("workload-24999", "v" + i, Set.of("p1")))
                .build());
      }
      settle(quick);
      await()
          .pollInterval(Duration.ofMillis(5))
          .untilAsserted(
              () -> {
                slow.pull();
                assertThat(slow.size(Mesh.ADDRESS)).isEqualTo(25_002);
                assertThat(slow.versions(Mesh.ADDRESS))
                    .isEqualTo(mesh.discovery.versions(Mesh.REALM, Mesh.ADDRESS));
              });
      assertThat(
              slow.responses(Mesh.ADDRESS).stream()
                  .flatMap(response -> response.getResourcesList().stream())
                  .filter(resource -> resource.getName().equals("workload-24999")))
          .hasSizeLessThan(10);
      assertThat(slow.faults()).isEmpty();
      assertThat(quick.faults()).isEmpty();
    }
  }

  @Test
  void aStreamThatIsNotAdmittedEndsWithTheStatus() throws IOException {
    try (Mesh closed =
            new Mesh(
                XdsSettings.DEFAULT,
                _ -> new StreamAdmission.Admission.Refused(Status.PERMISSION_DENIED));
        Client client = new Client(closed)) {
      client.open(Mesh.POLICY);
      await()
          .untilAsserted(
              () ->
                  assertThat(Status.fromThrowable(client.error()).getCode())
                      .isEqualTo(Status.Code.PERMISSION_DENIED));
    }
  }

  @Test
  void aClientIsGivenWhatIsItsOwnAndOthersWhatIsForAll() throws IOException {
    Queue<String> clients = new ConcurrentLinkedQueue<>(List.of("one", "two"));
    try (Mesh own =
            new Mesh(
                XdsSettings.DEFAULT,
                _ -> new StreamAdmission.Admission.Admitted(Mesh.REALM, clients.remove()));
        Client one = new Client(own)) {
      own.discovery.commit(Mesh.REALM, policies("for one"));
      one.open(Mesh.POLICY);
      await().until(() -> content(one).equals("for one"));
      try (Client two = new Client(own)) {
        two.open(Mesh.POLICY);
        await().until(() -> content(two).equals("for all"));
        own.discovery.commit(Mesh.REALM, policies("changed"));
        await().until(() -> content(one).equals("changed"));
        await().until(() -> two.versions(Mesh.POLICY).equals(one.versions(Mesh.POLICY)));
        assertThat(content(two)).isEqualTo("for all");
        assertThat(one.faults()).isEmpty();
        assertThat(two.faults()).isEmpty();
      }
    }
  }

  private static ChangeSet policies(String forOne) {
    return new ChangeSet.Builder()
        .put(
            Mesh.POLICY,
            XdsResource.of(
                "p", Mesh.POLICY, StringValue.of("for all"), Map.of("one", StringValue.of(forOne))))
        .build();
  }

  private static String content(Client client) throws InvalidProtocolBufferException {
    Resource held = client.snapshot().getOrDefault(Mesh.POLICY.url(), Map.of()).get("p");
    return held == null ? "" : StringValue.parseFrom(held.getResource().getValue()).getValue();
  }

  @Test
  void streamsAreCountedWhileTheyLast() {
    try (Client client = new Client(mesh)) {
      client.open(Mesh.POLICY);
      await().until(() -> mesh.registry.get("ambit.xds.streams").gauge().value() == 1);
    }
    await().until(() -> mesh.registry.get("ambit.xds.streams").gauge().value() == 0);
  }
}
