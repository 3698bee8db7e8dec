package dev.ambit.agent.cni;

import static org.assertj.core.api.Assertions.assertThat;

import dev.ambit.agent.cluster.MeshState;
import dev.ambit.agent.testing.FakeCluster;
import io.fabric8.kubernetes.api.model.Pod;
import java.io.IOException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

class CniAddTest {
  private static final String RESULT = "{\"ips\":[{\"address\":\"10.42.0.5/24\"}]}";
  private static final String INPUT = "{\"cniVersion\":\"1.0.0\",\"prevResult\":" + RESULT + "}";

  private final FakeCluster cluster = new FakeCluster();
  private final List<String> captured = new ArrayList<>();
  private final Pod pod = FakeCluster.pod("shop", "a");
  private @Nullable IOException failure;

  private final CniAdd add =
      new CniAdd(
          cluster,
          (pod, network, addresses, within) -> {
            if (failure != null) {
              throw failure;
            }
            captured.add(pod.getMetadata().getName() + " " + network + " " + addresses);
          },
          Duration.ofSeconds(1));

  @BeforeEach
  void label() {
    cluster.label("shop", "ambient");
  }

  private static CniRequest request(String namespace, String name, String uid) {
    return new CniRequest(
        "ADD",
        "container",
        "/var/run/netns/x",
        "eth0",
        "IgnoreUnknown=1;K8S_POD_NAMESPACE=%s;K8S_POD_NAME=%s;K8S_POD_UID=%s"
            .formatted(namespace, name, uid),
        INPUT);
  }

  private CniReply ask() {
    return add.answer(request("shop", "a", "uid-of-a"));
  }

  @Test
  void capturesAPodOfTheMeshAlsoBeforeTheCacheKnowsIt() {
    cluster.store(pod);
    assertThat(ask()).isEqualTo(new CniReply(true, RESULT));
    assertThat(captured).containsExactly("a /var/run/netns/x [/10.42.0.5]");
  }

  @Test
  void holdsBackWhatCannotBeCaptured() {
    cluster.put(pod);
    failure = new IOException("no ztunnel");
    assertThat(ask().success()).isFalse();
    assertThat(ask().json())
        .contains("\"code\":11", "\"cniVersion\":\"1.0.0\"", "shop/a", "no ztunnel");
  }

  @Test
  void otherPodsPassAtOnce() {
    var other = FakeCluster.pod("plain", "b");
    cluster.put(other);
    failure = new IOException("not asked");
    assertThat(add.answer(request("plain", "b", "uid-of-b")).success()).isTrue();
    assertThat(add.answer(request("plain", "unknown", "u")).success()).isTrue();
    var optedOut =
        FakeCluster.pod("shop", "c")
            .edit()
            .editMetadata()
            .addToLabels("istio.io/dataplane-mode", "none")
            .endMetadata()
            .build();
    cluster.put(optedOut);
    assertThat(add.answer(request("shop", "c", "uid-of-c")).success()).isTrue();
    assertThat(add.answer(request("ambit-system", "operator", "u")).success()).isTrue();
    assertThat(
            add.answer(new CniRequest("ADD", "c", "n", "eth0", "IgnoreUnknown=1", INPUT)).success())
        .isTrue();
  }

  @Test
  void withoutAMeshEveryPodPasses() {
    cluster.put(pod);
    failure = new IOException("not asked");
    cluster.mesh(new MeshState.Absent());
    assertThat(ask().success()).isTrue();
  }

  @Test
  void withTheApiServerAwayOnlyEnrolledNamespacesWait() {
    cluster.away = true;
    assertThat(ask().success()).isFalse();
    assertThat(add.answer(request("plain", "b", "uid-of-b"))).isEqualTo(new CniReply(true, RESULT));
    cluster.put(pod);
    assertThat(ask().success()).as("known from the cache").isTrue();
  }

  @Test
  void aPodWhoseNameAnotherHasNowWaits() {
    cluster.store(pod);
    assertThat(add.answer(request("shop", "a", "older")).json()).contains("\"code\":11");
  }

  @Test
  void aPodFromAFileIsKnownByItsMirror() {
    cluster.store(
        pod.edit()
            .editMetadata()
            .addToAnnotations("kubernetes.io/config.mirror", "of-the-file")
            .endMetadata()
            .build());
    assertThat(add.answer(request("shop", "a", "of-the-file")).success()).isTrue();
    assertThat(captured).hasSize(1);
  }

  @Test
  void whatCannotBeReadIsAnError() {
    for (var input : List.of("", "{", "[]", "{}", "{\"prevResult\":3}")) {
      var reply = add.answer(new CniRequest("ADD", "c", "n", "eth0", "", input));
      assertThat(reply.success()).as(input).isFalse();
      assertThat(reply.json()).contains("\"code\":7");
    }
  }
}
