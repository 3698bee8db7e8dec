package dev.ambit.ztunnel.netns;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import com.google.protobuf.ByteString;
import com.google.protobuf.Message;
import dev.ambit.protocol.security.Action;
import dev.ambit.protocol.workload.Address;
import dev.ambit.protocol.workload.TunnelProtocol;
import dev.ambit.protocol.workload.Workload;
import java.io.IOException;
import java.nio.file.Files;
import java.time.Duration;
import java.util.LinkedHashMap;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInstance;
import org.junit.jupiter.api.Timeout;

/** A control plane that is large, wrong, or forgetful. */
@Timeout(240)
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
class ControlPlaneIT {
  private static final int PORT = 8080;

  private Mesh mesh;

  @BeforeAll
  void start() {
    mesh = Mesh.start();
  }

  @AfterAll
  void stop() {
    if (mesh != null) {
      mesh.close();
    }
  }

  @Test
  void aLargeMeshArrivesInOneMessageAndLeavesAgain() throws IOException {
    var client = mesh.captured(mesh.a(), "small");
    var server = mesh.captured(mesh.b(), "small-server");
    var discovery = mesh.controlPlane().discovery();
    var many = new LinkedHashMap<String, Message>();
    for (int i = 0; i < 30_000; i++) {
      var name = "pod-with-a-name-as-long-as-they-often-are-" + i;
      many.put(
          "Kubernetes//Pod/many/" + name,
          Address.newBuilder()
              .setWorkload(
                  Workload.newBuilder()
                      .setUid("Kubernetes//Pod/many/" + name)
                      .setName(name)
                      .setNamespace("many")
                      .setServiceAccount("account-" + i % 50)
                      .setTunnelProtocol(TunnelProtocol.HBONE)
                      .setNode("node-" + i % 100)
                      .setCanonicalName("workload-" + i % 50)
                      .setWorkloadName("workload-" + i % 50)
                      .setClusterId("Kubernetes")
                      .addAddresses(
                          ByteString.copyFrom(
                              new byte[] {11, (byte) (i >> 16), (byte) (i >> 8), (byte) i})))
              .build());
    }
    try (var echo = TcpServer.echo(server, PORT);
        var open = TcpClient.connect(client, server.at(PORT))) {
      assertThat(open.echo("before")).isEqualTo("before");
      discovery.set(many);
      long slowest = 0;
      for (int i = 0; i < 100_000 && !discovery.isSettled(); i++) {
        long before = System.nanoTime();
        assertThat(open.echo("during")).isEqualTo("during");
        slowest = Math.max(slowest, System.nanoTime() - before);
      }
      mesh.controlPlane().awaitSettled();
      assertThat(Duration.ofNanos(slowest)).isLessThan(Patience.SHORT);
      Calls.answered(client, server.at(PORT));
      discovery.remove("type.googleapis.com/istio.workload.Address", many.keySet());
      mesh.controlPlane().awaitSettled();
      Calls.answered(client, server.at(PORT));
      assertThat(mesh.a().ztunnel().isReady()).isTrue();
    }
  }

  @Test
  void wrongResourcesAreRejectedByNameAndNotSaidToBeHeld() throws IOException {
    var client = mesh.captured(mesh.a(), "judge");
    var server = mesh.captured(mesh.b(), "judged");
    var discovery = mesh.controlPlane().discovery();
    var good = mesh.unknown(mesh.a(), "good");
    var bad =
        WorkloadResource.captured(good).workload().toBuilder()
            .setUid("Kubernetes//Pod/shop/bad")
            .clearAddresses()
            .addAddresses(ByteString.copyFromUtf8("seven b"))
            .build();
    var legacy =
        WorkloadResource.captured(good).workload().toBuilder()
            .setUid("Kubernetes//Pod/shop/legacy")
            .clearAddresses()
            .setTunnelProtocol(TunnelProtocol.LEGACY_ISTIO_MTLS)
            .build();
    try (var echo = TcpServer.echo(server, PORT)) {
      Calls.answered(client, server.at(PORT));
      int before = discovery.rejections().size();
      var resources = new LinkedHashMap<String, Message>();
      resources.put(bad.getUid(), Address.newBuilder().setWorkload(bad).build());
      resources.put(legacy.getUid(), Address.newBuilder().setWorkload(legacy).build());
      resources.put("empty", Address.getDefaultInstance());
      resources.put(good.workloadUid(), WorkloadResource.captured(good).address());
      mesh.controlPlane().set(resources);
      await("both ztunnels reject")
          .atMost(Patience.LONG)
          .until(() -> discovery.rejections().size() >= before + 2);
      assertThat(discovery.lastRejection()).contains(bad.getUid()).contains(legacy.getUid());
      // The good one of the same message is in force.
      await()
          .atMost(Patience.LONG)
          .until(() -> mesh.a().ztunnel().configDump().contains(good.workloadUid()));

      int heard = discovery.held().size();
      mesh.controlPlane().stop();
      mesh.controlPlane().start();
      mesh.awaitDiscovery(2);
      var all = discovery.held();
      var held = all.subList(heard, all.size());
      assertThat(held)
          .filteredOn(names -> names.contains(good.workloadUid()))
          .as("clients that say what they hold")
          .hasSize(2);
      assertThat(held)
          .allSatisfy(
              names -> assertThat(names).doesNotContain(bad.getUid(), legacy.getUid(), "empty"));
      Calls.answered(client, server.at(PORT));
    }
    for (var name : new String[] {bad.getUid(), legacy.getUid(), "empty", good.workloadUid()}) {
      discovery.remove("type.googleapis.com/istio.workload.Address", java.util.List.of(name));
    }
  }

  @Test
  void anUpdateThatIsRejectedLeavesWhatWasInForce() throws IOException {
    var client = mesh.captured(mesh.a(), "kept-out");
    var server = mesh.captured(mesh.b(), "guarded");
    var policy = Policies.of("shop", "guard", Action.DENY, Policies.principal(client)).build();
    var broken =
        Policies.of(
                "shop",
                "guard",
                Action.DENY,
                dev.ambit.protocol.security.Match.newBuilder()
                    .addSourceIps(
                        dev.ambit.protocol.security.Address.newBuilder()
                            .setAddress(ByteString.copyFromUtf8("seven b"))
                            .setLength(99)))
            .build();
    try (var echo = TcpServer.echo(server, PORT)) {
      mesh.controlPlane().enforce(policy);
      mesh.controlPlane().announce(WorkloadResource.captured(server).selectedBy("shop/guard"));
      Calls.refused(client, server.at(PORT));
      mesh.controlPlane().enforce(broken);
      Calls.refused(client, server.at(PORT));
      mesh.controlPlane().revoke(broken);
      // It is referred to still, so nobody comes through.
      Calls.refused(client, server.at(PORT));
      mesh.controlPlane().announce(WorkloadResource.captured(server));
      Calls.answered(client, server.at(PORT));
    }
  }

  @Test
  void aTokenThatChangesIsReadAgain() throws IOException {
    var certificates = mesh.controlPlane().certificates();
    var file = mesh.a().ztunnelFolder().resolve("token");
    certificates.expectToken("another-token");
    try {
      Files.writeString(file, "another-token");
      var client = mesh.captured(mesh.a(), "after-rotation");
      var server = mesh.uncaptured(mesh.b(), "plain");
      await("a certificate by the new token")
          .atMost(Patience.LONG)
          .until(() -> certificates.signed(client.identity()) == 1);
      assertThat(server).isNotNull();
    } finally {
      certificates.expectToken(CertificateService.TOKEN);
      Files.writeString(file, CertificateService.TOKEN);
    }
  }

  @Test
  void aPodThatTheControlPlaneForgetsIsNotServedUntilItIsKnownAgain() throws IOException {
    var client = mesh.captured(mesh.a(), "forgotten");
    var server = mesh.captured(mesh.b(), "remembered");
    var marker = Calls.marker();
    try (var echo = TcpServer.echo(server, PORT);
        var wire = PacketCapture.betweenNodes(mesh.network())) {
      Calls.answered(client, server.at(PORT));
      mesh.controlPlane().withdraw(client);
      Calls.refused(client, server.at(PORT), marker);
      mesh.controlPlane().announce(WorkloadResource.captured(client));
      Calls.answered(client, server.at(PORT), marker);
      assertThat(wire.shows(marker)).isFalse();
    }
  }

  @Test
  void aPodThatIsCalledSomebodyElseIsNotServed() throws IOException {
    var client = mesh.captured(mesh.a(), "honest");
    var server = mesh.captured(mesh.b(), "asked");
    try (var echo = TcpServer.echo(server, PORT)) {
      mesh.controlPlane().announce(WorkloadResource.captured(client).withServiceAccount("admin"));
      Calls.refused(client, server.at(PORT));
      assertThat(mesh.controlPlane().certificates().requests())
          .noneMatch(
              request -> request.identity().equals("spiffe://cluster.local/ns/shop/sa/admin"));
      mesh.controlPlane().announce(WorkloadResource.captured(client));
      Calls.answered(client, server.at(PORT));
    }
  }
}
