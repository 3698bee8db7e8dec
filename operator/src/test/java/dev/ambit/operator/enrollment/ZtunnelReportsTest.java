package dev.ambit.operator.enrollment;

import static org.assertj.core.api.Assertions.assertThat;

import dev.ambit.api.MeshEnrollmentSpec;
import dev.ambit.api.MeshEnrollmentStatus;
import dev.ambit.operator.enrollment.model.EnrollmentSource;
import dev.ambit.operator.enrollment.model.PlaintextSightings;
import dev.ambit.operator.enrollment.model.Traffic;
import io.fabric8.kubernetes.client.utils.Serialization;
import io.javaoperatorsdk.operator.processing.event.ResourceID;
import java.time.Instant;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import org.junit.jupiter.api.Test;

/** Who of a namespace's enrollments has ztunnels asked, and until when. */
class ZtunnelReportsTest {
  private static final Traffic SOME = new Traffic(5, 1, List.of());
  private static final PlaintextSightings SEEN =
      new PlaintextSightings(Instant.EPOCH, List.of(), Set.of(), List.of());
  private static final ResourceID DEFAULT = new ResourceID("default", "shop");
  private static final ResourceID OTHER = new ResourceID("other", "shop");
  private static final MeshEnrollmentStatus BEFORE = MeshEnrollmentStatus.NOTHING_YET;

  private final Set<String> traffic = new TreeSet<>();
  private final Set<String> plaintext = new TreeSet<>();
  private final ZtunnelReports reports =
      new ZtunnelReports(
          new TrafficCounts() {
            @Override
            public Traffic since(String namespace, Set<String> nodes) {
              traffic.add(namespace);
              return SOME;
            }

            @Override
            public void kept(String namespace, Traffic told) {}

            @Override
            public void forget(String namespace) {
              traffic.remove(namespace);
            }
          },
          new PlaintextWatch() {
            @Override
            public PlaintextSightings of(String namespace, Set<String> nodes) {
              plaintext.add(namespace);
              return SEEN;
            }

            @Override
            public void forget(String namespace) {
              plaintext.remove(namespace);
            }
          });

  private static MeshEnrollmentSpec spec(String yaml) {
    return Serialization.unmarshal("---\n" + yaml, MeshEnrollmentSpec.class);
  }

  private static MeshEnrollmentSpec careful() {
    return spec("{stage: L4, mtls: Strict, rollout: {abortAbove: {failedConnections: 1%}}}");
  }

  @Test
  void oneThatDoesNotCountTakesNothingFromTheOneThatDoes() {
    var counts = new EnrollmentSource.User(careful());
    assertThat(reports.traffic(DEFAULT, counts, BEFORE, Set.of())).isEqualTo(SOME);
    assertThat(reports.plaintext(DEFAULT, counts, BEFORE, Set.of())).isEqualTo(SEEN);

    var superseded = new EnrollmentSource.Superseded("default", true);
    assertThat(reports.traffic(OTHER, superseded, BEFORE, Set.of())).isEqualTo(Traffic.NONE);
    assertThat(reports.plaintext(OTHER, superseded, BEFORE, Set.of()))
        .isEqualTo(PlaintextSightings.NOT_ASKED);
    assertThat(traffic).containsExactly("shop");
    assertThat(plaintext).containsExactly("shop");
  }

  @Test
  void aPlanBesideTheMirrorOfALabelGoesOnBeingTold() {
    var plan = new EnrollmentSource.Plan(spec("{stage: L4, mtls: Strict, dryRun: true}"));
    assertThat(reports.plaintext(DEFAULT, plan, BEFORE, Set.of())).isEqualTo(SEEN);
    assertThat(reports.plaintext(OTHER, new EnrollmentSource.Labels(), BEFORE, Set.of()))
        .isEqualTo(PlaintextSightings.NOT_ASKED);
    assertThat(plaintext).containsExactly("shop");
  }

  @Test
  void nobodyIsAskedOnceNoneTurnsOnIt() {
    var counts = new EnrollmentSource.User(careful());
    reports.traffic(DEFAULT, counts, BEFORE, Set.of());
    reports.plaintext(DEFAULT, counts, BEFORE, Set.of());
    reports.plaintext(OTHER, counts, BEFORE, Set.of());

    reports.traffic(DEFAULT, new EnrollmentSource.User(spec("{stage: L4}")), BEFORE, Set.of());
    assertThat(traffic).isEmpty();
    reports.forget(DEFAULT);
    assertThat(plaintext).containsExactly("shop");
    reports.forget(OTHER);
    assertThat(plaintext).isEmpty();
  }
}
