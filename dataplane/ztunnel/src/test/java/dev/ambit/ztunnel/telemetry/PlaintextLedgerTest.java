package dev.ambit.ztunnel.telemetry;

import static dev.ambit.ztunnel.testing.MeshFixtures.pod;
import static dev.ambit.ztunnel.testing.MeshFixtures.socket;
import static org.assertj.core.api.Assertions.assertThat;

import com.google.protobuf.Struct;
import com.google.protobuf.util.JsonFormat;
import dev.ambit.ztunnel.identity.Identity;
import dev.ambit.ztunnel.state.Endpoint;
import dev.ambit.ztunnel.state.LocalPod;
import dev.ambit.ztunnel.state.MeshWorkload;
import java.io.IOException;
import java.io.OutputStream;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.concurrent.atomic.AtomicLong;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;

class PlaintextLedgerTest {
  private static final Instant NOW = Instant.parse("2026-11-22T12:00:00Z");
  private static final MeshWorkload CART = MeshWorkload.of(pod("shop", "cart", "10.0.0.2").build());
  private static final MeshWorkload CALLER =
      MeshWorkload.of(pod("legacy", "caller", "10.0.0.9").build());

  private final AtomicLong nanos = new AtomicLong(Duration.ofDays(3).toNanos());
  private final PlaintextLedger ledger =
      new PlaintextLedger("run-1", () -> NOW, nanos::get, pod -> true);
  private final PlaintextConnectionLog log =
      new PlaintextConnectionLog(
          new ConnectionTelemetry(
              new MetricRegistry(),
              new AccessLog(LogFormat.TEXT, OutputStream.nullOutputStream()),
              Duration.ofHours(1)),
          ledger);

  private void after(Duration time) {
    nanos.addAndGet(time.toNanos());
  }

  private static ConnectionInfo from(
      String address, @Nullable MeshWorkload source, @Nullable Identity proven) {
    return new ConnectionInfo(
        Reporter.DESTINATION,
        socket(address, 43210),
        source,
        proven,
        socket("10.0.0.2", 8080),
        null,
        new Endpoint(CART, null),
        proven == null ? null : CART.identity());
  }

  private Struct namespace() throws IOException {
    var struct = Struct.newBuilder();
    JsonFormat.parser().merge(ledger.write(), struct);
    assertThat(struct.build().getFieldsOrThrow("instance").getStringValue()).isEqualTo("run-1");
    return struct
        .build()
        .getFieldsOrThrow("namespaces")
        .getListValue()
        .getValues(0)
        .getStructValue();
  }

  private static List<Struct> list(Struct of, String name) {
    return of.getFieldsOrThrow(name).getListValue().getValuesList().stream()
        .map(value -> value.getStructValue())
        .toList();
  }

  private static double number(Struct of, String name) {
    return of.getFieldsOrThrow(name).getNumberValue();
  }

  @Test
  void aSenderIsToldByItsWorkloadWithHowMuchAndWhenLast() throws IOException {
    OpenConnection open = log.opened(from("10.0.0.9", CALLER, null));
    open.progress(100, 50);
    after(Duration.ofMinutes(1));
    Struct sender = list(namespace(), "senders").getFirst();
    assertThat(sender.getFieldsOrThrow("namespace").getStringValue()).isEqualTo("legacy");
    assertThat(sender.getFieldsOrThrow("workload").getStringValue()).isEqualTo("caller");
    assertThat(sender.getFieldsOrThrow("destination").getStringValue()).isEqualTo("cart");
    assertThat(number(sender, "port")).isEqualTo(8080);
    // Plain text may come at any moment while the connection is open.
    assertThat(number(sender, "open")).isOne();
    assertThat(number(sender, "agoMillis")).isZero();
    assertThat(number(sender, "bytes")).isEqualTo(150);
    open.closed(100, 90, null, ResponseFlag.NONE);
    open.closed(100, 90, null, ResponseFlag.NONE);
    after(Duration.ofSeconds(30));
    sender = list(namespace(), "senders").getFirst();
    assertThat(number(sender, "open")).isZero();
    assertThat(number(sender, "connections")).isOne();
    assertThat(number(sender, "bytes")).isEqualTo(190);
    assertThat(number(sender, "agoMillis")).isEqualTo(30_000);
    assertThat(number(namespace(), "agoMillis")).isEqualTo(30_000);
  }

  @Test
  void aSenderThatIsNoPodIsToldByItsAddress() throws IOException {
    log.opened(from("192.0.2.7", null, null));
    assertThat(list(namespace(), "senders").getFirst().getFieldsOrThrow("address").getStringValue())
        .isEqualTo("192.0.2.7");
  }

  @Test
  void whatCameThroughATunnelOrWasRefusedIsNotPlaintext() throws IOException {
    ledger.started(new LocalPod("uid", "cart-0", "shop", "cart"));
    log.opened(from("10.0.0.9", CALLER, CALLER.identity()));
    log.failed(from("10.0.0.9", CALLER, null), "denied", ResponseFlag.DENIED);
    assertThat(list(namespace(), "senders")).isEmpty();
    assertThat(namespace().containsFields("agoMillis")).isFalse();
  }

  @Test
  void podsAreToldWithSinceWhenTheyAreWatched() throws IOException {
    LocalPod pod = new LocalPod("uid", "cart-0", "shop", "cart");
    ledger.started(pod);
    after(Duration.ofSeconds(5));
    Struct told = list(namespace(), "pods").getFirst();
    assertThat(told.getFieldsOrThrow("uid").getStringValue()).isEqualTo("uid");
    assertThat(told.getFieldsOrThrow("since").getStringValue()).isEqualTo(NOW.toString());
    assertThat(number(told, "watchedMillis")).isEqualTo(5000);
    assertThat(told.getFieldsOrThrow("datagrams").getBoolValue()).isTrue();
    ledger.stopped(pod);
    assertThat(list(namespace(), "pods")).isEmpty();
  }

  @Test
  void ofManySendersTheLastAreKeptAndTheSumsStay() throws IOException {
    int count = PlaintextLedger.MOST_SENDERS + 50;
    for (int i = 0; i < count; i++) {
      log.opened(from("192.0.2." + i % 256, null, null)).closed(1, 1, null, ResponseFlag.NONE);
      after(Duration.ofSeconds(1));
    }
    assertThat(list(namespace(), "senders")).hasSize(PlaintextLedger.MOST_SENDERS);
    assertThat(number(namespace(), "connections")).isEqualTo(count);
    assertThat(list(namespace(), "senders"))
        .allSatisfy(sender -> assertThat(number(sender, "agoMillis")).isLessThan(201_000));
    assertThat(number(namespace(), "bytes")).isEqualTo(2.0 * count);
  }

  @Test
  void connectionsThatAreOpenAreNeverForgotten() throws IOException {
    for (int i = 0; i < PlaintextLedger.MOST_SENDERS + 20; i++) {
      log.opened(from("192.0.2." + i, null, null));
    }
    after(Duration.ofHours(9));
    assertThat(list(namespace(), "senders")).hasSize(PlaintextLedger.MOST_SENDERS);
    assertThat(number(namespace(), "open")).isEqualTo(PlaintextLedger.MOST_SENDERS + 20);
    assertThat(number(namespace(), "agoMillis")).isZero();
  }

  @Test
  void aFlowOfDatagramsCountsWhenItIsLetIn() throws IOException {
    ledger.datagram(from("10.0.0.9", CALLER, null));
    after(Duration.ofSeconds(7));
    Struct sender = list(namespace(), "senders").getFirst();
    assertThat(sender.getFieldsOrThrow("protocol").getStringValue()).isEqualTo("udp");
    assertThat(number(sender, "agoMillis")).isEqualTo(7000);
  }

  @Test
  void namespacesThatAreGoneAreForgottenOnceNobodyCanAsk() throws IOException {
    LocalPod pod = new LocalPod("uid", "cart-0", "shop", "cart");
    ledger.started(pod);
    log.opened(from("10.0.0.9", CALLER, null)).closed(1, 1, null, ResponseFlag.NONE);
    after(PlaintextLedger.FORGET.plusSeconds(1));
    assertThat(list(namespace(), "senders")).hasSize(1);
    ledger.stopped(pod);
    assertThat(ledger.write()).doesNotContain("shop");
  }
}
