package dev.ambit.ztunnel.netns;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.util.Map;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInstance;
import org.junit.jupiter.api.Timeout;

/** A mesh whose trust domain was renamed: the old name is an alias. */
@Timeout(240)
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
class TrustDomainIT {
  private static final int PORT = 8080;

  private Mesh mesh;
  private Pod raw;
  private Pod server;
  private TcpServer echo;

  @BeforeAll
  void start() throws IOException {
    mesh = Mesh.start(Map.of("TRUST_DOMAIN_ALIASES", "cluster.local,old.example"));
    raw = mesh.uncaptured(mesh.a(), "caller");
    server = mesh.captured(mesh.b(), "server");
    echo = TcpServer.echo(server, PORT);
  }

  @AfterAll
  void stop() throws IOException {
    if (echo != null) {
      echo.close();
    }
    if (mesh != null) {
      mesh.close();
    }
  }

  private String call(String trustDomain) throws IOException {
    try (var hbone =
        HboneClient.connect(
            raw.host(),
            server.at(15008),
            mesh.authority(),
            mesh.authority().workload("spiffe://" + trustDomain + "/ns/shop/sa/caller"))) {
      return hbone.connect(server.ipv4().getHostAddress() + ":" + PORT);
    } catch (IOException rejected) {
      return "rejected";
    }
  }

  @Test
  void callersOfAnAliasAreLetInAndOthersAreNot() throws IOException {
    assertThat(call("cluster.local")).isEqualTo("200");
    assertThat(call("old.example")).isEqualTo("200");
    assertThat(call("elsewhere.example")).isNotEqualTo("200");
  }

  @Test
  void podsOfBothNamesReachEachOther() throws IOException {
    var renamed = mesh.captured(mesh.b(), "renamed");
    mesh.controlPlane().announce(WorkloadResource.captured(renamed).inTrustDomain("old.example"));
    var client = mesh.captured(mesh.a(), "client");
    try (var renamedEcho = TcpServer.echo(renamed, PORT)) {
      Calls.becomesAnswered(client, renamed.at(PORT));
    }
  }

  @Test
  void policiesThatNameOneNameHoldForTheOther() throws IOException {
    var guarded = mesh.captured(mesh.b(), "guarded");
    var policy =
        Policies.of(
                "shop",
                "not-the-caller",
                dev.ambit.protocol.security.Action.DENY,
                Policies.principal(raw))
            .build();
    mesh.controlPlane().enforce(policy);
    mesh.controlPlane()
        .announce(WorkloadResource.captured(guarded).selectedBy("shop/not-the-caller"));
    try (var guardedEcho = TcpServer.echo(guarded, PORT)) {
      for (String domain : new String[] {"cluster.local", "old.example"}) {
        try (var hbone =
            HboneClient.connect(
                raw.host(),
                guarded.at(15008),
                mesh.authority(),
                mesh.authority().workload("spiffe://" + domain + "/ns/shop/sa/caller"))) {
          assertThat(hbone.connect(guarded.ipv4().getHostAddress() + ":" + PORT))
              .as("answer to a caller of %s", domain)
              .isEqualTo("401");
        }
      }
      assertThat(guardedEcho.callers()).isEmpty();
    }
  }
}
