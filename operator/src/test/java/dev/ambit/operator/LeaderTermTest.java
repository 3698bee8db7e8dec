package dev.ambit.operator;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import dev.ambit.operator.enrollment.EnrollmentMetrics;
import dev.ambit.operator.mesh.RootCertificates;
import io.fabric8.istio.api.security.v1.AuthorizationPolicy;
import io.fabric8.istio.api.security.v1.AuthorizationPolicyBuilder;
import io.fabric8.kubernetes.api.model.HasMetadata;
import io.fabric8.kubernetes.api.model.apiextensions.v1.CustomResourceDefinition;
import io.fabric8.kubernetes.api.model.apiextensions.v1.CustomResourceDefinitionBuilder;
import io.fabric8.kubernetes.client.KubernetesClient;
import io.fabric8.kubernetes.client.server.mock.EnableKubernetesMockClient;
import io.javaoperatorsdk.operator.api.reconciler.Context;
import io.javaoperatorsdk.operator.api.reconciler.ControllerConfiguration;
import io.javaoperatorsdk.operator.api.reconciler.Reconciler;
import io.javaoperatorsdk.operator.api.reconciler.UpdateControl;
import io.micrometer.core.instrument.simple.SimpleMeterRegistry;
import java.time.Duration;
import java.time.InstantSource;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.Test;

/** All reconcilers of a term, against an API server in memory. */
@EnableKubernetesMockClient(crud = true, https = false)
class LeaderTermTest {
  private static final Duration SOON = Duration.ofSeconds(30);

  @SuppressWarnings("NullAway.Init") // Set by the extension.
  private KubernetesClient client;

  private final Set<String> seen = ConcurrentHashMap.newKeySet();
  private final AtomicInteger made = new AtomicInteger();

  @ControllerConfiguration(name = "policies")
  private static final class Policies implements Reconciler<AuthorizationPolicy> {
    private final Set<String> seen;

    Policies(Set<String> seen) {
      this.seen = seen;
    }

    @Override
    public UpdateControl<AuthorizationPolicy> reconcile(
        AuthorizationPolicy policy, Context<AuthorizationPolicy> context) {
      seen.add(policy.getMetadata().getName());
      return UpdateControl.noUpdate();
    }
  }

  private LeaderTerm.Equipment equipment() {
    var metrics = new SimpleMeterRegistry();
    return new LeaderTerm.Equipment(
        client,
        new OperatorSettings("operator-0", "ambit-system", "127.0.0.1"),
        new RootCertificates() {
          @Override
          public Optional<String> bundle() {
            return Optional.empty();
          }

          @Override
          public AutoCloseable onChange(Runnable listener) {
            return () -> {};
          }
        },
        metrics,
        new EnrollmentMetrics(metrics),
        InstantSource.system(),
        Optional::empty,
        _ -> Optional.empty(),
        List.of(new LeaderTerm.Optionally<>(AuthorizationPolicy.class, _ -> policies())),
        List.of());
  }

  private Policies policies() {
    made.incrementAndGet();
    return new Policies(seen);
  }

  private void create(String policy) {
    client
        .resource(
            new AuthorizationPolicyBuilder()
                .withNewMetadata()
                .withNamespace("shop")
                .withName(policy)
                .endMetadata()
                .build())
        .create();
  }

  private static CustomResourceDefinition definition() {
    return new CustomResourceDefinitionBuilder()
        .withNewMetadata()
        .withName(HasMetadata.getFullResourceName(AuthorizationPolicy.class))
        .endMetadata()
        .withNewSpec()
        .withGroup("security.istio.io")
        .withScope("Namespaced")
        .withNewNames()
        .withKind("AuthorizationPolicy")
        .withPlural("authorizationpolicies")
        .endNames()
        .addNewVersion()
        .withName("v1")
        .withServed(true)
        .withStorage(true)
        .endVersion()
        .endSpec()
        .withNewStatus()
        .addNewCondition()
        .withType("Established")
        .withStatus("True")
        .endCondition()
        .endStatus()
        .build();
  }

  @Test
  void anOptionalKindIsReconciledOnceItIsThereAndInEveryTerm() throws Exception {
    var equipment = equipment();
    try (var first = LeaderTerm.begin(equipment)) {
      assertThat(first).isNotNull();
      client.resource(definition()).create();
      create("a");
      await().atMost(SOON).untilAsserted(() -> assertThat(seen).contains("a"));
    }
    seen.clear();
    try (var second = LeaderTerm.begin(equipment)) {
      assertThat(second).isNotNull();
      await().atMost(SOON).untilAsserted(() -> assertThat(seen).contains("a"));
      create("b");
      await().atMost(SOON).untilAsserted(() -> assertThat(seen).contains("a", "b"));
    }
  }

  @Test
  void aKindAtAnotherVersionIsWaitedForWithoutAThread() throws Exception {
    CustomResourceDefinition older = definition();
    older.getSpec().getVersions().getFirst().setName("v1beta1");
    client.resource(older).create();
    try (LeaderTerm term = LeaderTerm.begin(equipment())) {
      create("early");
      assertThat(made).hasValue(0);
      client.resource(definition()).update();
      await().atMost(SOON).until(() -> seen.contains("early"));
      assertThat(made).hasValue(1);
    }
  }
}
