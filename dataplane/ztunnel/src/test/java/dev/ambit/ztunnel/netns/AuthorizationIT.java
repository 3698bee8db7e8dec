package dev.ambit.ztunnel.netns;

import static org.assertj.core.api.Assertions.assertThat;

import dev.ambit.protocol.security.Action;
import dev.ambit.protocol.security.Authorization;
import dev.ambit.protocol.security.Scope;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInstance;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.AfterParameterizedClassInvocation;
import org.junit.jupiter.params.BeforeParameterizedClassInvocation;
import org.junit.jupiter.params.Parameter;
import org.junit.jupiter.params.ParameterizedClass;
import org.junit.jupiter.params.provider.MethodSource;

/** Who is let through to a captured server, by the policies that select it. */
@Timeout(240)
@ParameterizedClass(name = "{0}")
@MethodSource("dev.ambit.ztunnel.netns.ZtunnelPair#all")
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
class AuthorizationIT {
  private static final int PORT = 8080;

  @Parameter ZtunnelPair pair;

  private Mesh mesh;

  @SuppressWarnings("NullAway.Init") // set up before all tests
  AuthorizationIT() {}

  @BeforeParameterizedClassInvocation
  void start() {
    mesh = pair.start(Map.of());
  }

  @AfterParameterizedClassInvocation
  void stop() {
    if (mesh != null) {
      mesh.close();
    }
  }

  private FakeControlPlane controlPlane() {
    return mesh.controlPlane();
  }

  /** Announces the policies, then the server that refers to them. */
  private void protect(Pod server, Authorization... policies) {
    controlPlane().enforce(policies);
    var names = java.util.Arrays.stream(policies).map(FakeControlPlane::name);
    controlPlane()
        .announce(WorkloadResource.captured(server).selectedBy(names.toArray(String[]::new)));
  }

  @Test
  void strictMtlsRefusesPlaintextAndLetsTheMeshThrough() throws IOException {
    var plain = mesh.uncaptured(mesh.a(), "plain");
    var meshed = mesh.captured(mesh.a(), "meshed");
    var server = mesh.captured(mesh.b(), "strict");
    protect(server, Policies.strict());
    try (var echo = TcpServer.echo(server, PORT)) {
      Calls.refused(plain, server.at(PORT));
      Calls.refused(plain, server.at6(PORT));
      assertThat(echo.callers()).isEmpty();
      Calls.answered(meshed, server.at(PORT));
    }
    mesh.b()
        .ztunnel()
        .awaitLog(
            "the denial, its policy and the caller",
            line ->
                line.text().contains("istio_converted_static_strict")
                    && line.text().contains(plain.ipv4().getHostAddress()));
  }

  @Test
  void allowByPrincipalLetsOnlyThatPrincipalThrough() throws IOException {
    var friend = mesh.captured(mesh.a(), "friend");
    var stranger = mesh.captured(mesh.a(), "stranger");
    var plain = mesh.uncaptured(mesh.a(), "friend");
    var server = mesh.captured(mesh.b(), "guarded");
    protect(
        server,
        Policies.of("shop", "allow-friend", Action.ALLOW, Policies.principal(friend)).build());
    try (var echo = TcpServer.echo(server, PORT)) {
      Calls.answered(friend, server.at(PORT));
      Calls.refused(stranger, server.at(PORT));
      Calls.refused(plain, server.at(PORT));
      assertThat(echo.callers()).hasSize(1);
    }
  }

  @Test
  void denyByPrincipalStopsOnlyThatPrincipal() throws IOException {
    var foe = mesh.captured(mesh.a(), "foe");
    var other = mesh.captured(mesh.a(), "other");
    var server = mesh.captured(mesh.a(), "denying");
    protect(server, Policies.of("shop", "deny-foe", Action.DENY, Policies.principal(foe)).build());
    try (var echo = TcpServer.echo(server, PORT)) {
      Calls.refused(foe, server.at(PORT));
      Calls.answered(other, server.at(PORT));
      assertThat(echo.callers()).hasSize(1);
    }
  }

  @Test
  void allowByNamespaceLetsOnlyThatNamespaceThrough() throws IOException {
    var inside = mesh.captured(mesh.a(), "bank", "teller");
    var outside = mesh.captured(mesh.a(), "teller");
    var server = mesh.captured(mesh.b(), "vault");
    protect(
        server,
        Policies.of("shop", "allow-bank", Action.ALLOW, Policies.namespace("bank")).build());
    try (var echo = TcpServer.echo(server, PORT)) {
      Calls.answered(inside, server.at(PORT));
      Calls.refused(outside, server.at(PORT));
    }
  }

  @Test
  void allowBySourceAddressHoldsForPlainAndTunnelledCallers() throws IOException {
    var plain = mesh.uncaptured(mesh.a(), "listed");
    var plainOther = mesh.uncaptured(mesh.a(), "unlisted");
    var meshed = mesh.captured(mesh.a(), "listed");
    var meshedOther = mesh.captured(mesh.a(), "unlisted");
    var server = mesh.captured(mesh.b(), "by-address");
    protect(
        server,
        Policies.of("shop", "allow-plain-ip", Action.ALLOW, Policies.source(plain.ipv4())).build(),
        Policies.of("shop", "allow-meshed-ip", Action.ALLOW, Policies.source(meshed.ipv4()))
            .build());
    try (var echo = TcpServer.echo(server, PORT)) {
      Calls.answered(plain, server.at(PORT));
      Calls.answered(meshed, server.at(PORT));
      Calls.refused(plainOther, server.at(PORT));
      Calls.refused(meshedOther, server.at(PORT));
      Calls.refused(plain, server.at6(PORT));
    }
  }

  @Test
  void allowByPortMeansTheApplicationsPort() throws IOException {
    var meshed = mesh.captured(mesh.a(), "caller");
    var plain = mesh.uncaptured(mesh.a(), "caller");
    var server = mesh.captured(mesh.b(), "two-ports");
    protect(server, Policies.of("shop", "port", Action.ALLOW, Policies.port(PORT)).build());
    try (var open = TcpServer.echo(server, PORT);
        var closed = TcpServer.echo(server, PORT + 1)) {
      for (var client : java.util.List.of(meshed, plain)) {
        Calls.answered(client, server.at(PORT));
        Calls.refused(client, server.at(PORT + 1));
      }
      assertThat(closed.callers()).isEmpty();
    }
  }

  @Test
  void policiesOfTheNamespaceHoldWithoutBeingReferredTo() throws IOException {
    var client = mesh.captured(mesh.a(), "neighbour");
    var server = mesh.captured(mesh.b(), "closed", "server");
    var nobody =
        Authorization.newBuilder()
            .setNamespace("closed")
            .setName("allow-nothing")
            .setScope(Scope.NAMESPACE)
            .setAction(Action.ALLOW)
            .build();
    try (var echo = TcpServer.echo(server, PORT)) {
      Calls.answered(client, server.at(PORT));
      controlPlane().enforce(nobody);
      Calls.refused(client, server.at(PORT));
      controlPlane().revoke(nobody);
      Calls.answered(client, server.at(PORT));
    }
  }

  @Test
  void aPolicyThatHasNotArrivedDeniesUntilItDoes() throws IOException {
    pair.needsAmbitAtTheServers("a policy that is referred to and missing denies");
    var client = mesh.captured(mesh.a(), "early");
    var server = mesh.captured(mesh.b(), "waiting");
    controlPlane().announce(WorkloadResource.captured(server).selectedBy("shop/late"));
    try (var echo = TcpServer.echo(server, PORT)) {
      Calls.refused(client, server.at(PORT));
      assertThat(echo.callers()).isEmpty();

      controlPlane()
          .enforce(Policies.of("shop", "late", Action.ALLOW, Policies.principal(client)).build());
      Calls.answered(client, server.at(PORT));
    }
    mesh.b().ztunnel().awaitLog("the policy's name", line -> line.text().contains("shop/late"));
  }

  @Test
  void aPolicyThatComesClosesTheOpenConnectionsThatItDenies() throws IOException {
    pair.needsAmbitAtTheServers(
        "a workload that begins to refer to a policy has its connections judged again");
    var denied = mesh.captured(mesh.a(), "later-denied");
    var allowed = mesh.captured(mesh.a(), "still-allowed");
    var plain = mesh.uncaptured(mesh.a(), "plain");
    var server = mesh.captured(mesh.b(), "changing");
    var policy = Policies.of("shop", "deny-later", Action.DENY, Policies.principal(denied)).build();
    try (var echo = TcpServer.echo(server, PORT);
        var ending = TcpClient.connect(denied, server.at(PORT));
        var going = TcpClient.connect(allowed, server.at(PORT));
        var plainEnding = TcpClient.connect(plain, server.at(PORT))) {
      assertThat(ending.echo("one")).isEqualTo("one");
      assertThat(going.echo("two")).isEqualTo("two");
      assertThat(plainEnding.echo("three")).isEqualTo("three");

      protect(server, policy, Policies.strict());

      ending.awaitEnd();
      plainEnding.awaitEnd();
      assertThat(going.echo("still there")).isEqualTo("still there");
      Calls.refused(denied, server.at(PORT));
    }
  }

  @Test
  void aDryRunPolicyDeniesNobody() throws IOException {
    var client = mesh.captured(mesh.a(), "tried");
    var server = mesh.captured(mesh.b(), "trying");
    protect(
        server,
        Policies.of("shop", "dry", Action.DENY, Policies.principal(client))
            .setDryRun(true)
            .build());
    try (var echo = TcpServer.echo(server, PORT)) {
      Calls.answered(client, server.at(PORT));
    }
  }

  @Test
  void aDeniedTunnelIsAnsweredWith401AndCountsAsDenied() throws IOException {
    var caller = mesh.uncaptured(mesh.a(), "raw");
    var server = mesh.captured(mesh.b(), "answering");
    protect(
        server, Policies.of("shop", "deny-raw", Action.DENY, Policies.principal(caller)).build());
    try (var echo = TcpServer.echo(server, PORT);
        var hbone =
            HboneClient.connect(
                caller.host(),
                server.at(15008),
                mesh.authority(),
                mesh.authority().workload(caller.identity()))) {
      assertThat(hbone.connect(server.ipv4().getHostAddress() + ":" + PORT)).isEqualTo("401");
      assertThat(echo.callers()).isEmpty();

      controlPlane().announce(WorkloadResource.captured(server));
      assertThat(hbone.connect(server.ipv4().getHostAddress() + ":" + PORT)).isEqualTo("200");
    }
  }

  @Test
  void aRejectedPolicyIsToldToTheControlPlaneAndLeavesTheOthersInForce() throws IOException {
    var client = mesh.captured(mesh.a(), "any");
    var server = mesh.captured(mesh.b(), "kept");
    var broken =
        Policies.of(
                "shop",
                "broken",
                Action.DENY,
                dev.ambit.protocol.security.Match.newBuilder()
                    .addSourceIps(
                        dev.ambit.protocol.security.Address.newBuilder()
                            .setAddress(com.google.protobuf.ByteString.copyFromUtf8("seven b"))
                            .setLength(99)))
            .build();
    int before = controlPlane().discovery().rejections().size();
    controlPlane().enforce(broken);
    org.awaitility.Awaitility.await()
        .atMost(Patience.LONG)
        .until(() -> controlPlane().discovery().rejections().size() > before);
    assertThat(controlPlane().discovery().lastRejection()).contains("broken");
    try (var echo = TcpServer.echo(server, PORT)) {
      Calls.answered(client, new InetSocketAddress(server.ipv4(), PORT));
      protect(server, Policies.of("shop", "good", Action.DENY, Policies.principal(client)).build());
      Calls.refused(client, server.at(PORT));
    }
    controlPlane().revoke(broken);
  }
}
