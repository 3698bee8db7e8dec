package dev.ambit.agent.cluster;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.ambit.agent.testing.FakeCluster;
import dev.ambit.capture.Redirection;
import io.fabric8.kubernetes.api.model.PodBuilder;
import io.fabric8.kubernetes.client.KubernetesClient;
import io.fabric8.kubernetes.client.KubernetesClientException;
import io.fabric8.kubernetes.client.server.mock.EnableKubernetesMockClient;
import io.fabric8.kubernetes.client.server.mock.KubernetesMockServer;
import io.fabric8.mockwebserver.http.RecordedRequest;
import java.util.Objects;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** What is sent for an annotation: the mock server keeps none that is written with the status. */
@Timeout(60)
@EnableKubernetesMockClient
class AnnotationPatchTest {
  private static final String PATH = "/api/v1/namespaces/shop/pods/a/status";

  @SuppressWarnings("NullAway.Init") // Set by the extension.
  private KubernetesClient client;

  @SuppressWarnings("NullAway.Init") // Set by the extension.
  private KubernetesMockServer server;

  private KubernetesCluster cluster;

  @BeforeEach
  void create() {
    cluster = new KubernetesCluster(client, "node-1", "shop", "a", uid -> {}, () -> {});
  }

  private void answer(int status) {
    server.expect().patch().withPath(PATH).andReturn(status, new PodBuilder().build()).once();
  }

  private RecordedRequest next() throws InterruptedException {
    return Objects.requireNonNull(server.takeRequest(20, TimeUnit.SECONDS));
  }

  @Test
  void theAnnotationsAloneArePatchedAndOnlyOnThisPod() throws Exception {
    answer(200);
    cluster.writeRedirection(FakeCluster.pod("shop", "a"), Redirection.ENABLED);
    var request = next();
    assertThat(request.getPath()).startsWith(PATH);
    assertThat(request.getHeader("Content-Type")).contains("merge-patch");
    assertThat(request.getBody().readUtf8())
        .isEqualTo(
            "{\"metadata\":{\"uid\":\"uid-of-a\",\"annotations\":"
                + "{\"ambient.istio.io/redirection\":\"enabled\","
                + "\"ambit.dev/redirection\":null}}}");
  }

  @Test
  void nullRemoves() throws Exception {
    answer(200);
    cluster.writeRedirection(FakeCluster.pod("shop", "a"), Redirection.DRAINING);
    assertThat(next().getBody().readUtf8())
        .contains("{\"ambient.istio.io/redirection\":null,\"ambit.dev/redirection\":\"draining\"}");
    answer(200);
    cluster.writeRedirection(FakeCluster.pod("shop", "a"), Redirection.ABSENT);
    assertThat(next().getBody().readUtf8())
        .contains("{\"ambient.istio.io/redirection\":null,\"ambit.dev/redirection\":null}");
    answer(200);
    cluster.writeClean(true);
    assertThat(next().getBody().readUtf8())
        .isEqualTo("{\"metadata\":{\"annotations\":{\"ambit.dev/clean\":\"true\"}}}");
  }

  @Test
  void aPodThatIsGoneOrReplacedIsNoErrorAndAServerThatRefusesIs() {
    answer(404);
    cluster.writeRedirection(FakeCluster.pod("shop", "a"), Redirection.ENABLED);
    answer(409);
    cluster.writeRedirection(FakeCluster.pod("shop", "a"), Redirection.ENABLED);
    answer(403);
    assertThatThrownBy(
            () -> cluster.writeRedirection(FakeCluster.pod("shop", "a"), Redirection.ENABLED))
        .isInstanceOf(KubernetesClientException.class);
  }
}
