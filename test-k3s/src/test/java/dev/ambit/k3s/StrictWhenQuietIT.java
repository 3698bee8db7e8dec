package dev.ambit.k3s;

import static dev.ambit.k3s.InstalledAmbit.isTrue;
import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import dev.ambit.api.Conditions;
import dev.ambit.api.EnrollmentMtls;
import dev.ambit.api.MeshEnrollmentStatus;
import dev.ambit.api.MtlsStatus;
import dev.ambit.api.PlaintextSender;
import java.time.Duration;
import java.time.Instant;
import java.util.Map;
import java.util.Objects;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;

/** A namespace refuses plaintext once it is known that nobody sends it any more, and not before. */
@ExtendWith(ClusterExtension.class)
class StrictWhenQuietIT {
  private static final Duration QUIET = Duration.ofSeconds(45);
  private static final Duration PATIENCE = Duration.ofMinutes(4);

  private static MeshEnrollmentStatus status(InstalledAmbit ambit) {
    return Objects.requireNonNull(
        Objects.requireNonNull(ambit.enrollment("hush", "default")).getStatus());
  }

  private static MtlsStatus mtls(InstalledAmbit ambit) {
    return Objects.requireNonNull(status(ambit).mtls());
  }

  private static String reason(InstalledAmbit ambit) {
    return Conditions.find(status(ambit).conditions(), Conditions.MTLS_STRICT)
        .orElseThrow()
        .getReason();
  }

  @Test
  void who_still_sends_plaintext_is_named_and_when_nobody_does_it_is_refused(
      TwoNodeCluster cluster) {
    InstalledAmbit ambit = InstalledAmbit.on(cluster);
    Sample sample = new Sample(ambit.client());
    sample.namespace("hush", Map.of());
    sample.namespace("loud", Map.of());
    // Its readiness is probed by the kubelet all the time, which is no plaintext.
    String server = sample.server("hush", "server", ambit.node(1), 8080).getStatus().getPodIP();
    sample.client("hush", "friend", ambit.node(0));
    sample.client("loud", "stranger", ambit.node(0));
    sample.loop("loud", "caller", ambit.node(0), server, 8080);

    sample.apply(
        """
        apiVersion: ambit.dev/v1alpha1
        kind: MeshEnrollment
        metadata: {namespace: hush, name: default}
        spec: {stage: L4, mtls: StrictWhenQuiet, quietFor: %ds}
        """
            .formatted(QUIET.toSeconds()));
    await("the sender is named")
        .atMost(PATIENCE)
        .pollInterval(Duration.ofSeconds(1))
        .ignoreExceptions()
        .untilAsserted(
            () -> {
              assertThat(mtls(ambit).plaintext())
                  .extracting(PlaintextSender::from, PlaintextSender::port)
                  .containsExactly(org.assertj.core.groups.Tuple.tuple("pod loud/caller", 8080));
              assertThat(reason(ambit)).isEqualTo("PlaintextArrives");
            });
    assertThat(mtls(ambit).plaintext().getFirst().connections()).isPositive();
    // For longer than it would have to be quiet, while a plain client goes on.
    Instant since = Instant.now();
    await("plaintext is accepted while it arrives")
        .atMost(PATIENCE)
        .pollInterval(Duration.ofSeconds(2))
        .until(() -> Instant.now().isAfter(since.plus(QUIET).plusSeconds(20)));
    sample.assertGoesOn("loud", "caller");
    assertThat(Objects.requireNonNull(status(ambit).inForce()).mtls())
        .isEqualTo(EnrollmentMtls.STRICT_WHEN_QUIET);

    ambit.client().pods().inNamespace("loud").withName("caller").withGracePeriod(0).delete();
    await("plaintext is refused")
        .atMost(PATIENCE)
        .pollInterval(Duration.ofSeconds(1))
        .until(() -> isTrue(status(ambit).conditions(), Conditions.MTLS_STRICT));
    assertThat(reason(ambit)).isEqualTo("Quiet");
    assertThat(mtls(ambit).strictSince()).isNotNull();
    assertThat(Duration.between(Instant.parse(mtls(ambit).quietSince()), Instant.now()))
        .isGreaterThanOrEqualTo(QUIET);
    await("a plain client is refused")
        .atMost(InstalledAmbit.SOON)
        .until(() -> !sample.request("loud", "stranger", server, 8080, "x").succeeded());
    assertThat(sample.request("hush", "friend", server, 8080, "x").succeeded()).isTrue();
    assertThat(sample.ready("hush", "server")).isNotNull();
    assertThat(isTrue(status(ambit).conditions(), Conditions.MTLS_STRICT)).isTrue();
  }
}
