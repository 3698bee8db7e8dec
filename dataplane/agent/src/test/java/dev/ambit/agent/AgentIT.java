package dev.ambit.agent;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.ambit.agent.capture.CaptureSettings;
import dev.ambit.agent.testing.FakeZtunnel;
import dev.ambit.api.AmbientMesh;
import io.fabric8.kubernetes.api.model.NamespaceBuilder;
import io.fabric8.kubernetes.api.model.ObjectMetaBuilder;
import io.fabric8.kubernetes.api.model.PodBuilder;
import io.fabric8.kubernetes.client.KubernetesClient;
import io.fabric8.kubernetes.client.server.mock.EnableKubernetesMockClient;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Map;
import java.util.Optional;
import org.awaitility.core.ThrowingRunnable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** The whole agent on a node without pods, from the mesh's coming to its going. */
@Timeout(180)
@EnableKubernetesMockClient(crud = true)
class AgentIT {
  private static final String LIST = "{\"name\":\"n\",\"plugins\":[{\"type\":\"bridge\"}]}";

  @SuppressWarnings("NullAway.Init") // Set by the extension.
  private KubernetesClient client;

  @TempDir private Path directory;

  @Test
  void installsItselfWithTheMeshAndLeavesNothingAfterIt() throws Exception {
    if (!"true".equals(System.getenv("CI"))) {
      assumeTrue("root".equals(System.getProperty("user.name")), "needs root to read nftables");
    }
    var list = Files.createDirectory(directory.resolve("conf")).resolve("10-n.conflist");
    Files.writeString(list, LIST);
    Files.createDirectory(directory.resolve("bin"));
    Files.writeString(directory.resolve("plugin"), "plugin");
    var enrolled = directory.resolve("state/cni-namespaces");
    client
        .resource(
            new NamespaceBuilder()
                .withNewMetadata()
                .withName("shop")
                .withLabels(Map.of("istio.io/dataplane-mode", "ambient"))
                .endMetadata()
                .build())
        .create();
    client
        .resource(
            new PodBuilder()
                .withNewMetadata()
                .withNamespace("ambit-system")
                .withName("agent-1")
                .endMetadata()
                .build())
        .create();

    try (var agent = new Agent(settings(), client, CaptureSettings.DEFAULTS)) {
      assertThat(get(agent, "/healthz").statusCode()).isEqualTo(200);
      var starting = get(agent, "/readyz");
      assertThat(starting.statusCode()).isEqualTo(503);
      assertThat(starting.body()).contains("starting");
      agent.start();
      until(() -> assertThat(get(agent, "/readyz").statusCode()).isEqualTo(200));
      assertThat(list).as("no mesh yet").hasContent(LIST);
      assertThat(enrolled).isEmptyFile();

      var mesh = new AmbientMesh();
      mesh.setMetadata(
          new ObjectMetaBuilder().withName("default").withFinalizers("ambit.dev/cleanup").build());
      client.resource(mesh).create();
      until(() -> assertThat(Files.readString(list)).contains("ambit-cni"));
      until(() -> assertThat(enrolled).hasContent("shop\n"));
      assertThat(directory.resolve("bin/ambit-cni")).hasContent("plugin");
      assertThat(directory.resolve("cni.sock")).exists();

      try (var ztunnel = new FakeZtunnel(directory.resolve("zds.sock"))) {
        until(() -> assertThat(ztunnel.requests).containsExactly("snapshot"));
        until(() -> assertThat(get(agent, "/metrics").body()).contains("ambit_agent_ztunnels 1.0"));
      }
      assertThat(get(agent, "/sockets").statusCode()).isEqualTo(400);
      assertThat(get(agent, "/sockets?namespace=shop").body()).isEqualTo("{\"pods\":[]}");
      assertThat(get(agent, "/metrics").body())
          .contains("ambit_agent_pods{state=\"captured\"} 0.0");

      client.resources(AmbientMesh.class).withName("default").delete();
      until(() -> assertThat(Files.readString(list).replaceAll("\\s", "")).isEqualTo(LIST));
      until(() -> assertThat(enrolled).doesNotExist());
      assertThat(directory.resolve("bin/ambit-cni")).doesNotExist();
    }
    assertThat(directory.resolve("cni.sock")).doesNotExist();
    assertThat(directory.resolve("zds.sock")).doesNotExist();
  }

  @Test
  void badEnvironmentIsSaidAndEndsWithTwo() throws Exception {
    var builder =
        new ProcessBuilder(
                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "-cp",
                System.getProperty("java.class.path"),
                "dev.ambit.agent.Agent")
            .redirectErrorStream(true);
    builder.environment().clear();
    builder.environment().put("NODE_NAME", "n");
    var process = builder.start();
    var output = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
    assertThat(process.waitFor()).isEqualTo(2);
    assertThat(output)
        .contains("ambit-agent: POD_NAMESPACE is not set", "ambit-agent: POD_NAME is not set");
  }

  private AgentSettings settings() {
    return new AgentSettings(
        "node-1",
        "ambit-system",
        "agent-1",
        Optional.empty(),
        0,
        directory.resolve("bin"),
        directory.resolve("conf"),
        directory.resolve("plugin"),
        directory.resolve("cni.sock"),
        directory.resolve("zds.sock"),
        directory.resolve("state"),
        directory.resolve("netns"));
  }

  private static HttpResponse<String> get(Agent agent, String path) throws Exception {
    try (var http = HttpClient.newHttpClient()) {
      return http.send(
          HttpRequest.newBuilder(URI.create("http://127.0.0.1:" + agent.httpPort() + path)).build(),
          HttpResponse.BodyHandlers.ofString());
    }
  }

  private static void until(ThrowingRunnable assertion) {
    await().atMost(Duration.ofSeconds(45)).untilAsserted(assertion);
  }
}
