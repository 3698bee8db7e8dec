package dev.ambit.operator.mesh.model;

import static org.assertj.core.api.Assertions.assertThat;

import dev.ambit.api.CertificateAuthorityStatus;
import dev.ambit.api.Conditions;
import dev.ambit.api.NodeCounts;
import dev.ambit.api.StageCounts;
import io.fabric8.kubernetes.api.model.Condition;
import io.fabric8.kubernetes.api.model.apps.DaemonSetBuilder;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.Optional;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;

class MeshProgressTest {
  private static final Instant NOW = Instant.parse("2026-11-22T12:00:00Z");
  private static final AuthorityVerdict USABLE =
      new AuthorityVerdict.Usable(new CertificateAuthorityStatus("ab", "2036-01-01T00:00:00Z"));

  private static MeshObservation mesh(
      String name,
      String trustDomain,
      @Nullable String problem,
      @Nullable String inUse,
      AuthorityVerdict authority,
      ComponentState ztunnel,
      ComponentState agent) {
    return new MeshObservation(
        name,
        trustDomain,
        problem,
        inUse,
        authority,
        new RevocationVerdict.Absent(),
        ztunnel,
        agent,
        new StageCounts(1, 2, 0),
        List.of());
  }

  private static MeshObservation nodes(ComponentState ztunnel, ComponentState agent) {
    return mesh("default", "cluster.local", null, null, USABLE, ztunnel, agent);
  }

  @Test
  void readyOnceBothComponentsAreReadyAndCurrentEverywhere() {
    var all = new ComponentState(2, 2, 2);
    assertThat(MeshProgress.of(nodes(all, all))).isInstanceOf(MeshProgress.Ready.class);
    assertThat(MeshProgress.of(nodes(all, new ComponentState(2, 1, 2))))
        .isEqualTo(new MeshProgress.RollingOut(NodeCounts.of(2, 1, 2)));
    assertThat(MeshProgress.of(nodes(new ComponentState(2, 2, 1), all)))
        .isEqualTo(new MeshProgress.RollingOut(NodeCounts.of(2, 2, 1)));
    assertThat(MeshProgress.of(nodes(ComponentState.UNKNOWN, ComponentState.UNKNOWN)))
        .isInstanceOf(MeshProgress.RollingOut.class);
  }

  @Test
  void whatWaypointsCannotDoOfProvidersIsToldAndElseNothingIs() {
    var fine = nodes(new ComponentState(2, 2, 2), new ComponentState(2, 2, 2));
    var odd =
        new MeshObservation(
            fine.name(),
            fine.trustDomain(),
            null,
            null,
            fine.authority(),
            fine.revocations(),
            fine.ztunnel(),
            fine.agent(),
            fine.namespaces(),
            List.of("spec.defaultProviders.tracing: the mesh has no provider nobody"));

    assertThat(
            MeshStatusReport.of(null, fine, MeshProgress.of(fine), 1L, NOW).conditions().stream()
                .map(Condition::getType))
        .doesNotContain(Conditions.PROVIDERS_ACCEPTED);
    var condition =
        Conditions.find(
                MeshStatusReport.of(null, odd, MeshProgress.of(odd), 1L, NOW).conditions(),
                Conditions.PROVIDERS_ACCEPTED)
            .orElseThrow();
    assertThat(condition.getStatus()).isEqualTo("False");
    assertThat(condition.getMessage()).contains("the mesh has no provider nobody");
  }

  @Test
  void theStatusNamesNodesNamespacesAndTheAuthority() {
    var observed = nodes(new ComponentState(2, 2, 2), new ComponentState(2, 2, 2));
    var status = MeshStatusReport.of(null, observed, MeshProgress.of(observed), 4L, NOW);
    assertThat(status.nodes()).isEqualTo(new NodeCounts(2, 2, 2, "2/2"));
    assertThat(status.namespaces()).isEqualTo(new StageCounts(1, 2, 0));
    assertThat(status.trustDomain()).isEqualTo("cluster.local");
    assertThat(status.ca()).isEqualTo(new CertificateAuthorityStatus("ab", "2036-01-01T00:00:00Z"));
    assertThat(Conditions.holds(status.conditions(), Conditions.READY)).isTrue();
    assertThat(status.observedGeneration()).isEqualTo(4L);
    assertThat(
            MeshStatusReport.of(
                status, observed, MeshProgress.of(observed), 4L, NOW.plusSeconds(5)))
        .isEqualTo(status);
  }

  @Test
  void aSecondMeshIsStalledAndNothingIsInstalledForIt() {
    var observed =
        mesh(
            "other",
            "cluster.local",
            null,
            null,
            USABLE,
            ComponentState.UNKNOWN,
            ComponentState.UNKNOWN);
    var progress = MeshProgress.of(observed);
    assertThat(progress)
        .isInstanceOfSatisfying(
            MeshProgress.Stalled.class,
            stalled -> {
              assertThat(stalled.reason()).isEqualTo("NameNotDefault");
              assertThat(stalled.installable()).isFalse();
            });
    var status = MeshStatusReport.of(null, observed, progress, 1L, NOW);
    assertThat(status.nodes()).isNull();
    assertThat(Conditions.holds(status.conditions(), Conditions.STALLED)).isTrue();
  }

  @Test
  void aBadTrustDomainIsStalledAndNotInUse() {
    var observed =
        mesh(
            "default",
            "Cluster",
            "trust domain Cluster contains 'C'",
            null,
            USABLE,
            ComponentState.UNKNOWN,
            ComponentState.UNKNOWN);
    var progress = MeshProgress.of(observed);
    assertThat(progress.reason()).isEqualTo("InvalidTrustDomain");
    assertThat(MeshStatusReport.of(null, observed, progress, 1L, NOW).trustDomain()).isNull();
  }

  @Test
  void aChangedTrustDomainIsRefused() {
    var observed =
        mesh(
            "default",
            "new.example",
            null,
            "old.example",
            USABLE,
            ComponentState.UNKNOWN,
            ComponentState.UNKNOWN);
    var progress = MeshProgress.of(observed);
    assertThat(progress.reason()).isEqualTo("TrustDomainChanged");
    assertThat(MeshStatusReport.of(null, observed, progress, 1L, NOW).trustDomain())
        .isEqualTo("old.example");
  }

  @Test
  void aBadAuthorityIsStalledWithItsReasonAndKeepsTheNodes() {
    var all = new ComponentState(2, 2, 2);
    var observed =
        mesh(
            "default",
            "cluster.local",
            null,
            null,
            new AuthorityVerdict.Unusable("InvalidCertificateAuthority", "key missing"),
            all,
            all);
    assertThat(MeshProgress.of(observed))
        .isEqualTo(new MeshProgress.Stalled("InvalidCertificateAuthority", "key missing", true));
  }

  @Test
  void aDaemonSetThatItsControllerHasNotSeenIsNotUpToDate() {
    var daemonSet =
        new DaemonSetBuilder()
            .withNewMetadata()
            .withGeneration(2L)
            .endMetadata()
            .withNewStatus()
            .withObservedGeneration(1L)
            .withDesiredNumberScheduled(2)
            .withNumberReady(2)
            .withUpdatedNumberScheduled(2)
            .endStatus()
            .build();
    assertThat(ComponentState.of(daemonSet)).isEqualTo(new ComponentState(2, 2, 0));
    daemonSet.getStatus().setObservedGeneration(2L);
    assertThat(ComponentState.of(daemonSet)).isEqualTo(new ComponentState(2, 2, 2));
    assertThat(ComponentState.of(null)).isEqualTo(ComponentState.UNKNOWN);
  }

  @Test
  void deletionWaitsForEveryNodeAndSaysWhatBlocksIt() {
    var hour = Duration.ofHours(1);
    var waiting =
        CleanupProgress.of(
            new CleanupProgress.Nodes(
                true, 3, List.of("n1"), List.of("n2"), List.of("shop", "bank")),
            NOW,
            hour,
            NOW.plusSeconds(30));
    assertThat(waiting)
        .isInstanceOfSatisfying(
            CleanupProgress.Waiting.class,
            progress ->
                assertThat(progress.message())
                    .contains("n2", "1 nodes have no agent", "shop, bank", "13:02:00"));
    assertThat(
            CleanupProgress.of(
                new CleanupProgress.Nodes(true, 2, List.of("n1", "n2"), List.of(), List.of()),
                NOW,
                hour,
                NOW))
        .isInstanceOf(CleanupProgress.Clean.class);
    assertThat(
            CleanupProgress.of(
                new CleanupProgress.Nodes(false, 0, List.of(), List.of(), List.of()),
                NOW,
                hour,
                NOW))
        .isInstanceOf(CleanupProgress.Clean.class);
  }

  @Test
  void deletionIsBounded() {
    assertThat(
            CleanupProgress.of(
                new CleanupProgress.Nodes(true, 2, List.of("n1"), List.of("n2"), List.of()),
                NOW,
                Duration.ZERO,
                NOW.plus(CleanupProgress.GRACE)))
        .isInstanceOfSatisfying(
            CleanupProgress.GivenUp.class,
            progress -> assertThat(progress.message()).contains("n2", "Restart"));
  }

  @Test
  void rootCertificatesGoEverywhereAndAreRepaired() {
    assertThat(root("shop", null)).isEqualTo(new RootCertificateDecision.Apply("PEM"));
    assertThat(root("shop", "edited")).isEqualTo(new RootCertificateDecision.Apply("PEM"));
    assertThat(root("shop", "PEM")).isEqualTo(new RootCertificateDecision.Leave());
    assertThat(root("kube-node-lease", null)).isEqualTo(new RootCertificateDecision.Leave());
    assertThat(RootCertificateDecision.of("shop", false, true, true, Optional.of("PEM"), null))
        .isEqualTo(new RootCertificateDecision.Leave());
    assertThat(RootCertificateDecision.of("shop", false, false, true, Optional.empty(), "old"))
        .isEqualTo(new RootCertificateDecision.Leave());
    assertThat(RootCertificateDecision.of("shop", false, false, false, Optional.of("PEM"), "PEM"))
        .isEqualTo(new RootCertificateDecision.Delete());
  }

  private static RootCertificateDecision root(String namespace, @Nullable String actual) {
    return RootCertificateDecision.of(namespace, false, false, true, Optional.of("PEM"), actual);
  }
}
