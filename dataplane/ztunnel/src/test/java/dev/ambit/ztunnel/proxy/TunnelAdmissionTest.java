package dev.ambit.ztunnel.proxy;

import static org.assertj.core.api.Assertions.assertThat;

import dev.ambit.ztunnel.hbone.MemoryBudget;
import io.netty.channel.embedded.EmbeddedChannel;
import java.net.InetAddress;
import java.time.Duration;
import java.util.Random;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import org.junit.jupiter.api.Test;

class TunnelAdmissionTest {
  private static final InetAddress A = InetAddress.ofLiteral("10.0.0.1");
  private static final InetAddress B = InetAddress.ofLiteral("10.0.0.2");

  private final EmbeddedChannel listener = new EmbeddedChannel();

  private static TunnelAdmission admission(int perSource, int pendingPerSource, int pending) {
    return new TunnelAdmission(
        new TunnelLimits(
            perSource,
            pendingPerSource,
            pending,
            Duration.ofMinutes(15),
            MemoryBudget.unlimited()));
  }

  @Test
  void oneSourceMayHaveOnlySomeThatAreNotProven() {
    TunnelAdmission admission = admission(10, 2, 100);
    assertThat(admission.admit(A, listener)).isNull();
    assertThat(admission.admit(A, listener)).isNull();
    assertThat(admission.admit(A, listener)).contains("not proven");
    assertThat(admission.admit(B, listener)).isNull();
    admission.authenticated(A);
    assertThat(admission.admit(A, listener)).isNull();
    admission.closed(A, false);
    assertThat(admission.admit(A, listener)).isNull();
  }

  @Test
  void oneSourceMayHaveOnlySomeInAll() {
    TunnelAdmission admission = admission(3, 10, 100);
    for (int i = 0; i < 3; i++) {
      assertThat(admission.admit(A, listener)).isNull();
      admission.authenticated(A);
    }
    assertThat(admission.admit(A, listener)).contains("3 tunnels");
    admission.closed(A, true);
    assertThat(admission.admit(A, listener)).isNull();
  }

  @Test
  void whereTooManyAreNotProvenMoreAreNotAccepted() {
    TunnelAdmission admission = admission(10, 10, 2);
    admission.admit(A, listener);
    assertThat(listener.config().isAutoRead()).isTrue();
    admission.admit(B, listener);
    assertThat(listener.config().isAutoRead()).isFalse();
    admission.closed(A, false);
    assertThat(listener.config().isAutoRead()).isTrue();
  }

  /** Counts never drift, whatever comes and goes: at the end all is open again. */
  @Property(tries = 300)
  void allThatIsTakenIsGivenBack(@ForAll long seed) {
    Random random = new Random(seed);
    TunnelAdmission admission = admission(6, 3, 5);
    EmbeddedChannel paused = new EmbeddedChannel();
    int[] ofA = new int[2];
    int[] ofB = new int[2];
    for (int i = 0; i < 200; i++) {
      boolean first = random.nextBoolean();
      InetAddress address = first ? A : B;
      int[] counts = first ? ofA : ofB;
      switch (random.nextInt(3)) {
        case 0 -> {
          boolean room = counts[0] < 3 && counts[0] + counts[1] < 6;
          assertThat(admission.admit(address, paused) == null).isEqualTo(room);
          counts[0] += room ? 1 : 0;
        }
        case 1 -> {
          if (counts[0] > 0) {
            admission.authenticated(address);
            counts[0]--;
            counts[1]++;
          }
        }
        default -> {
          int which = random.nextInt(2);
          if (counts[which] > 0) {
            admission.closed(address, which == 1);
            counts[which]--;
          }
        }
      }
      int pending = ofA[0] + ofB[0];
      assertThat(paused.config().isAutoRead()).isEqualTo(pending < 5);
    }
  }
}
