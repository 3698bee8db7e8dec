package dev.ambit.ztunnel.proxy;

import static org.assertj.core.api.Assertions.assertThat;

import java.net.InetAddress;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import org.junit.jupiter.api.Test;

/** One address cannot take what is there for all. */
class FlowAdmissionTest {
  private final AtomicLong now = new AtomicLong();

  private static InetAddress address(int last) {
    return Addresses.of(new byte[] {10, 0, 0, (byte) last});
  }

  @Test
  void soManyAreOpenAndNoMore() {
    FlowAdmission admission = new FlowAdmission(2, 100, now::get);
    assertThat(admission.admit(address(1))).isNull();
    assertThat(admission.admit(address(1))).isNull();
    assertThat(admission.admit(address(1))).isEqualTo("the source has 2 UDP flows already");
    assertThat(admission.admit(address(2))).as("of another address").isNull();
    admission.closed(address(1));
    assertThat(admission.admit(address(1))).isNull();
  }

  @Test
  void soManyBeginInASecondAlsoWhereTheyEndAtOnce() {
    FlowAdmission admission = new FlowAdmission(1000, 10, now::get);
    int admitted = 0;
    for (int i = 0; i < 100; i++) {
      if (admission.admit(address(1)) == null) {
        admitted++;
        admission.closed(address(1));
      }
    }
    assertThat(admitted).isEqualTo(20);
    now.addAndGet(TimeUnit.SECONDS.toNanos(1));
    for (int i = 0; i < 100; i++) {
      admitted += admission.admit(address(1)) == null ? 1 : 0;
    }
    assertThat(admitted).isEqualTo(30);
  }
}
