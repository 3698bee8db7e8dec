package dev.ambit.operator.enrollment.model;

import static org.assertj.core.api.Assertions.assertThat;

import dev.ambit.api.Conditions;
import dev.ambit.api.EnrollmentMtls;
import dev.ambit.api.MeshEnrollmentSpec;
import dev.ambit.api.MeshEnrollmentStatus;
import dev.ambit.api.MtlsStatus;
import dev.ambit.api.PlaintextSender;
import dev.ambit.api.Stage;
import dev.ambit.api.WellKnown;
import dev.ambit.capture.DataplaneMode;
import dev.ambit.operator.enrollment.model.PlaintextReport.Watched;
import dev.ambit.operator.model.MtlsPolicies;
import io.fabric8.kubernetes.api.model.Pod;
import io.fabric8.kubernetes.api.model.PodBuilder;
import io.fabric8.kubernetes.client.utils.Serialization;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;

/** A namespace comes to refuse plaintext once, and only once, it is known that none arrives. */
class StrictWhenQuietTest {
  private static final Instant START = Instant.parse("2026-11-22T12:00:00Z");
  private static final Duration HOUR = Duration.ofHours(1);

  /** A run of a ztunnel, with what it knows of the namespace. */
  private static final class Ztunnel {
    private final String instance;
    private final Map<String, Watched> pods = new HashMap<>();
    private final List<PlaintextSender> senders = new ArrayList<>();
    private @Nullable Instant last;

    Ztunnel(String instance) {
      this.instance = instance;
    }

    /** Serves a pod from now on. */
    Ztunnel serves(String pod, Instant since) {
      pods.put(pod, new Watched(since, since, false));
      return this;
    }

    Ztunnel seesDatagrams() {
      pods.replaceAll((pod, watched) -> new Watched(watched.from(), watched.since(), true));
      return this;
    }

    void plaintext(String from, Instant at) {
      last = at;
      senders.removeIf(sender -> sender.from().equals(from));
      senders.add(new PlaintextSender(from, "web", 8080, "tcp", 3, 0, 500L, at.toString()));
    }

    PlaintextReport report() {
      return new PlaintextReport(instance, pods, last, senders.size(), senders);
    }
  }

  /** A namespace whose pods are all in the mesh, and an operator that looks at it. */
  private static final class Shop {
    private final Map<String, Instant> pods = new TreeMap<>();
    private final Map<String, Ztunnel> ztunnels = new TreeMap<>();
    private final Set<String> unheard = new HashSet<>();
    private final Set<String> uncaptured = new HashSet<>();
    private Instant now = START;
    private boolean udp;
    private boolean asked = true;
    private boolean paused;
    private Stage stage = Stage.L4;
    private long generation = 1;
    private EnrollmentMtls mtls = EnrollmentMtls.STRICT_WHEN_QUIET;
    private MtlsPolicies policies = MtlsPolicies.NONE;
    private MeshEnrollmentStatus status = MeshEnrollmentStatus.NOTHING_YET;

    /** Two pods that have run for a day, each with its node's ztunnel since then. */
    Shop() {
      Instant then = START.minus(Duration.ofDays(1));
      for (String name : List.of("a", "b")) {
        pods.put(name, then);
        ztunnels.put(name, new Ztunnel("on-" + name).serves(name, then));
      }
    }

    Ztunnel ztunnel(String name) {
      return Objects.requireNonNull(ztunnels.get(name));
    }

    Shop after(Duration time) {
      now = now.plus(time);
      return this;
    }

    private Pod pod(String name, Instant networkReady) {
      return new PodBuilder()
          .withNewMetadata()
          .withNamespace("shop")
          .withName(name)
          .withUid(name)
          .withAnnotations(
              uncaptured.contains(name)
                  ? Map.of()
                  : Map.of(WellKnown.REDIRECTION, WellKnown.REDIRECTION_ENABLED))
          .endMetadata()
          .withNewStatus()
          .withPhase("Running")
          .withPodIP("10.0.0.1")
          .addNewCondition()
          .withType("PodReadyToStartContainers")
          .withStatus("True")
          .withLastTransitionTime(networkReady.toString())
          .endCondition()
          .endStatus()
          .build();
    }

    private PlaintextSightings sightings() {
      if (!asked) {
        return PlaintextSightings.NOT_ASKED;
      }
      List<PlaintextReport> reports = new ArrayList<>();
      Set<String> instances = new HashSet<>();
      ztunnels.forEach(
          (node, ztunnel) -> {
            if (!unheard.contains(node)) {
              reports.add(ztunnel.report());
              instances.add(ztunnel.instance);
            }
          });
      return new PlaintextSightings(now, reports, instances, List.copyOf(unheard));
    }

    MeshEnrollmentStatus look() {
      Map<String, Proof> proofs = new HashMap<>();
      pods.keySet().forEach(name -> proofs.put(name, Proof.HOLDS));
      var observed =
          new EnrollmentObservation(
              new EnrollmentSource.User(
                  new MeshEnrollmentSpec(stage, null, mtls, "1h", null, null, paused, false)),
              generation,
              // As an operator that has just started reads it.
              Serialization.unmarshal(Serialization.asYaml(status), MeshEnrollmentStatus.class),
              DataplaneMode.ABSENT,
              "",
              0,
              false,
              true,
              600,
              new EnrolledPods(
                  "shop",
                  Map.of(),
                  Set.of(),
                  pods.entrySet().stream().map(e -> pod(e.getKey(), e.getValue())).toList(),
                  proofs),
              WaypointState.NONE,
              List.of(),
              Traffic.NONE,
              new MtlsObservation(sightings(), policies, udp),
              "ambit-system",
              Optional.empty(),
              Optional.empty(),
              now);
      status = StatusReport.of(observed, Assessment.of(observed), null);
      return status;
    }

    @Nullable EnrollmentMtls inForce() {
      return Objects.requireNonNull(look().inForce()).mtls();
    }

    MtlsStatus mtlsStatus() {
      return Objects.requireNonNull(status.mtls());
    }

    String reason() {
      return Conditions.find(status.conditions(), Conditions.MTLS_STRICT).orElseThrow().getReason();
    }

    String message() {
      return Conditions.find(status.conditions(), Conditions.MTLS_STRICT)
          .orElseThrow()
          .getMessage();
    }
  }

  private static Shop watched() {
    Shop shop = new Shop();
    assertThat(shop.inForce()).isEqualTo(EnrollmentMtls.STRICT_WHEN_QUIET);
    return shop;
  }

  @Test
  void plaintextIsAcceptedUntilNoneHasArrivedForLongEnough() {
    var shop = watched();
    assertThat(shop.after(HOUR.minusSeconds(1)).inForce())
        .isEqualTo(EnrollmentMtls.STRICT_WHEN_QUIET);
    assertThat(shop.reason()).isEqualTo("Quieting");
    assertThat(shop.message()).contains(START.toString(), START.plus(HOUR).toString());
    assertThat(shop.after(Duration.ofSeconds(1)).inForce()).isEqualTo(EnrollmentMtls.STRICT);
    assertThat(shop.reason()).isEqualTo("Quiet");
    assertThat(shop.mtlsStatus().strictSince()).isEqualTo(START.plus(HOUR).toString());
  }

  @Test
  void whatZtunnelsHaveSeenBeforeItWasAskedForDoesNotShortenTheTime() {
    var shop = watched();
    shop.ztunnel("a").plaintext("pod legacy/caller", START.minus(Duration.ofHours(9)));
    assertThat(shop.inForce()).isEqualTo(EnrollmentMtls.STRICT_WHEN_QUIET);
  }

  @Test
  void aSenderIsNamedAndHoldsItUp() {
    var shop = watched();
    shop.ztunnel("b").plaintext("deployment legacy/caller", START.plus(HOUR.dividedBy(2)));
    assertThat(shop.after(HOUR).inForce()).isEqualTo(EnrollmentMtls.STRICT_WHEN_QUIET);
    assertThat(shop.reason()).isEqualTo("PlaintextArrives");
    assertThat(shop.message())
        .contains("deployment legacy/caller to web port 8080, 3 connections, last at");
    assertThat(shop.mtlsStatus().plaintext())
        .singleElement()
        .satisfies(sender -> assertThat(sender.from()).isEqualTo("deployment legacy/caller"));
    assertThat(shop.mtlsStatus().senders()).isEqualTo(1);
    assertThat(shop.after(HOUR.dividedBy(2)).inForce()).isEqualTo(EnrollmentMtls.STRICT);
  }

  @Test
  void onceStrictItStaysStrictWhateverComes() {
    var shop = watched();
    assertThat(shop.after(HOUR).inForce()).isEqualTo(EnrollmentMtls.STRICT);
    var since = shop.mtlsStatus().strictSince();
    shop.ztunnel("a").plaintext("pod legacy/caller", shop.now);
    shop.pods.put("c", shop.now);
    shop.uncaptured.add("c");
    shop.generation++;
    assertThat(shop.after(Duration.ofMinutes(1)).inForce()).isEqualTo(EnrollmentMtls.STRICT);
    assertThat(shop.mtlsStatus().strictSince()).isEqualTo(since);
    shop.mtls = EnrollmentMtls.PERMISSIVE;
    assertThat(shop.inForce()).isEqualTo(EnrollmentMtls.PERMISSIVE);
    assertThat(shop.status.mtls()).isNull();
    assertThat(shop.reason()).isEqualTo("Permissive");
  }

  @Test
  void nothingIsClaimedWhileAZtunnelDoesNotAnswer() {
    var shop = watched();
    shop.look();
    shop.unheard.add("b");
    assertThat(shop.after(HOUR).inForce()).isEqualTo(EnrollmentMtls.STRICT_WHEN_QUIET);
    assertThat(shop.reason()).isEqualTo("EvidenceIncomplete");
    assertThat(shop.message()).contains("b");
    // It has been there all the time, and knows what came.
    shop.unheard.clear();
    assertThat(shop.after(Duration.ofSeconds(15)).inForce()).isEqualTo(EnrollmentMtls.STRICT);
  }

  @Test
  void nothingIsClaimedBeforeZtunnelsAreAsked() {
    var shop = watched();
    shop.asked = false;
    assertThat(shop.after(HOUR.multipliedBy(2)).inForce())
        .isEqualTo(EnrollmentMtls.STRICT_WHEN_QUIET);
    assertThat(shop.reason()).isEqualTo("EvidenceIncomplete");
  }

  @Test
  void aZtunnelThatBeganAnewHasForgottenAndTheTimeBeginsAnew() {
    var shop = watched();
    shop.look();
    Instant restart = START.plus(Duration.ofMinutes(50));
    shop.ztunnels.put("b", new Ztunnel("on-b-again").serves("b", restart));
    assertThat(shop.after(Duration.ofMinutes(51)).inForce())
        .isEqualTo(EnrollmentMtls.STRICT_WHEN_QUIET);
    assertThat(shop.after(Duration.ofMinutes(58)).inForce())
        .isEqualTo(EnrollmentMtls.STRICT_WHEN_QUIET);
    assertThat(shop.after(Duration.ofMinutes(2)).inForce()).isEqualTo(EnrollmentMtls.STRICT);
  }

  @Test
  void aNodeThatWentAwayWithItsPodsTakesWhatItSawWithIt() {
    var shop = watched();
    shop.look();
    shop.pods.remove("b");
    shop.ztunnels.remove("b");
    assertThat(shop.after(HOUR).inForce()).isEqualTo(EnrollmentMtls.STRICT_WHEN_QUIET);
    assertThat(shop.mtlsStatus().quietSince()).isEqualTo(START.plus(HOUR).toString());
    assertThat(shop.after(HOUR).inForce()).isEqualTo(EnrollmentMtls.STRICT);
  }

  @Test
  void aNodeThatWentAwayAfterItsPodsHasToldAll() {
    var shop = watched();
    shop.look();
    shop.pods.remove("b");
    shop.ztunnel("b").pods.clear();
    shop.after(Duration.ofMinutes(10)).look();
    shop.ztunnels.remove("b");
    assertThat(shop.after(Duration.ofMinutes(50)).inForce()).isEqualTo(EnrollmentMtls.STRICT);
  }

  @Test
  void aPodThatIsNewIsKnownFromItsBeginning() {
    var shop = watched();
    Instant born = START.plus(Duration.ofMinutes(40));
    shop.pods.put("c", born);
    shop.ztunnel("a").serves("c", born.minusMillis(300));
    assertThat(shop.after(HOUR).inForce()).isEqualTo(EnrollmentMtls.STRICT);
  }

  @Test
  void aPodThatWasCapturedWhileItRanMayHaveHeardPlaintextBefore() {
    var shop = watched();
    shop.pods.put("c", START.minus(HOUR));
    shop.ztunnel("a").serves("c", START.plus(Duration.ofMinutes(40)));
    assertThat(shop.after(HOUR).inForce()).isEqualTo(EnrollmentMtls.STRICT_WHEN_QUIET);
    assertThat(shop.after(Duration.ofMinutes(40)).inForce()).isEqualTo(EnrollmentMtls.STRICT);
  }

  @Test
  void aPodThatNoZtunnelTellsOfIsNotQuiet() {
    var shop = watched();
    shop.ztunnel("b").pods.clear();
    assertThat(shop.after(HOUR).inForce()).isEqualTo(EnrollmentMtls.STRICT_WHEN_QUIET);
    assertThat(shop.message()).contains("pod b");
  }

  @Test
  void aPodOutsideTheMeshHoldsItUp() {
    var shop = watched();
    shop.uncaptured.add("b");
    assertThat(shop.after(HOUR).inForce()).isEqualTo(EnrollmentMtls.STRICT_WHEN_QUIET);
    var fresh = new Shop();
    fresh.uncaptured.add("b");
    assertThat(fresh.inForce()).isEqualTo(EnrollmentMtls.PERMISSIVE);
    assertThat(fresh.reason()).isEqualTo("PodsNotInMesh");
  }

  @Test
  void withUdpPlainDatagramsHaveToBeSeenToo() {
    var shop = watched();
    shop.udp = true;
    assertThat(shop.after(HOUR).inForce()).isEqualTo(EnrollmentMtls.STRICT_WHEN_QUIET);
    assertThat(shop.reason()).isEqualTo("EvidenceIncomplete");
    shop.ztunnels.values().forEach(Ztunnel::seesDatagrams);
    assertThat(shop.after(Duration.ofMinutes(1)).inForce())
        .isEqualTo(EnrollmentMtls.STRICT_WHEN_QUIET);
    assertThat(shop.after(HOUR.minusMinutes(1)).inForce()).isEqualTo(EnrollmentMtls.STRICT);
  }

  @Test
  void whatNobodySawIsRememberedAtOnce() {
    var shop = watched();
    shop.udp = true;
    shop.ztunnels.values().forEach(Ztunnel::seesDatagrams);
    shop.after(Duration.ofMinutes(50)).look();
    var pods = Map.copyOf(shop.ztunnel("a").pods);
    shop.ztunnel("a").pods.replaceAll((pod, w) -> new Watched(w.from(), w.since(), false));
    shop.after(Duration.ofSeconds(5)).look();
    shop.ztunnel("a").pods.putAll(pods);
    assertThat(shop.after(Duration.ofMinutes(30)).inForce())
        .isEqualTo(EnrollmentMtls.STRICT_WHEN_QUIET);
  }

  @Test
  void pausedItStaysAsItIs() {
    var shop = watched();
    shop.paused = true;
    assertThat(shop.after(HOUR).inForce()).isEqualTo(EnrollmentMtls.STRICT_WHEN_QUIET);
    shop.paused = false;
    assertThat(shop.inForce()).isEqualTo(EnrollmentMtls.STRICT);
  }

  @Test
  void figuresAreWrittenOnceAMinuteAndTheSameNotAtAll() {
    var shop = watched();
    shop.ztunnel("a").plaintext("pod legacy/caller", START.plusSeconds(10));
    var first = shop.after(Duration.ofSeconds(15)).look();
    assertThat(shop.after(Duration.ofMinutes(5)).look().mtls()).isEqualTo(first.mtls());
    shop.ztunnel("a").plaintext("pod legacy/caller", shop.now);
    var second = shop.after(Duration.ofSeconds(15)).look();
    assertThat(second.mtls()).isNotEqualTo(first.mtls());
    shop.ztunnel("a").plaintext("pod legacy/caller", shop.now);
    assertThat(shop.after(Duration.ofSeconds(15)).look().mtls()).isEqualTo(second.mtls());
    assertThat(shop.after(Duration.ofSeconds(50)).look().mtls()).isNotEqualTo(second.mtls());
  }

  @Test
  void theStricterOfEnrollmentAndPeerAuthenticationIsTold() {
    var shop = watched();
    shop.policies = new MtlsPolicies("", "lenient", List.of());
    shop.after(HOUR).look();
    assertThat(shop.reason()).isEqualTo("OverridesPeerAuthentication");
    shop.policies = new MtlsPolicies("", "", List.of("for-legacy"));
    shop.look();
    assertThat(shop.reason()).isEqualTo("PeerAuthenticationPermits");
    assertThat(shop.message()).contains("for-legacy");
    shop.mtls = EnrollmentMtls.PERMISSIVE;
    shop.policies = new MtlsPolicies("strict", "", List.of());
    shop.look();
    assertThat(shop.reason()).isEqualTo("PeerAuthenticationStricter");
  }

  @Test
  void strictAtOnceIsToldWhomItRefuses() {
    var shop = watched();
    shop.ztunnel("a").plaintext("deployment legacy/caller", START);
    shop.ztunnel("a").plaintext("192.0.2.1", START);
    var findings = StrictRefusals.with(List.of(), EnrollmentMtls.STRICT, shop.sightings());
    assertThat(findings)
        .extracting(finding -> finding.reason() + " at " + finding.object())
        .containsExactlyInAnyOrder(
            "StrictRefusesClient at Deployment legacy/caller",
            "StrictRefusesClient at Address 192.0.2.1");
    assertThat(StrictRefusals.with(List.of(), EnrollmentMtls.STRICT_WHEN_QUIET, shop.sightings()))
        .isEmpty();
  }

  @Test
  void leavingTheMeshEndsIt() {
    var shop = watched();
    shop.after(HOUR).look();
    shop.stage = Stage.NONE;
    assertThat(shop.inForce()).isEqualTo(EnrollmentMtls.PERMISSIVE);
    assertThat(shop.status.mtls()).isNull();
  }
}
