package dev.ambit.operator;

import static org.assertj.core.api.Assertions.assertThat;

import io.fabric8.kubernetes.api.model.ConfigMap;
import io.fabric8.kubernetes.api.model.ConfigMapBuilder;
import io.fabric8.kubernetes.api.model.StatusBuilder;
import io.fabric8.kubernetes.api.model.StatusCauseBuilder;
import io.fabric8.kubernetes.client.KubernetesClientException;
import org.junit.jupiter.api.Test;

class StatusWriterTest {
  private static ConfigMap object(String uid, String version) {
    return new ConfigMapBuilder()
        .withNewMetadata()
        .withNamespace("shop")
        .withName("a")
        .withUid(uid)
        .withResourceVersion(version)
        .endMetadata()
        .build();
  }

  @Test
  void theCacheIsBelievedUnlessItIsBehindTheLastWrite() {
    var statuses = new StatusWriter<String>();
    assertThat(statuses.current(object("u", "1"), "cached")).isEqualTo("cached");
    statuses.remember(object("u", "1"), "written");
    assertThat(statuses.current(object("u", "1"), "cached")).isEqualTo("written");
    assertThat(statuses.current(object("u", "2"), "seen")).isEqualTo("seen");
    assertThat(statuses.current(object("another", "1"), null)).isNull();
    statuses.remember(object("u", "2"), "written");
    statuses.forget(object("u", "2"));
    assertThat(statuses.current(object("u", "2"), "seen")).isEqualTo("seen");
  }

  @Test
  void onlyAGoingNamespaceExcusesARefusal() {
    var terminating =
        new StatusBuilder()
            .withCode(403)
            .withNewDetails()
            .withCauses(new StatusCauseBuilder().withReason("NamespaceTerminating").build())
            .endDetails()
            .build();
    assertThat(NamespaceGone.isCauseOf(new KubernetesClientException(terminating))).isTrue();
    assertThat(
            NamespaceGone.isCauseOf(
                new KubernetesClientException(new StatusBuilder().withCode(403).build())))
        .isFalse();
    assertThat(
            NamespaceGone.isCauseOf(
                new KubernetesClientException(new StatusBuilder().withCode(404).build())))
        .isTrue();
  }
}
