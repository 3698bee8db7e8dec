package dev.ambit.ztunnel.telemetry;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import dev.ambit.ztunnel.state.Endpoint;
import java.io.ByteArrayOutputStream;
import java.net.InetSocketAddress;
import java.nio.charset.StandardCharsets;
import java.time.Instant;
import java.time.ZoneOffset;
import java.time.format.DateTimeFormatter;
import java.util.List;
import java.util.Random;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

class AccessLogTest {
  private final AtomicInteger writes = new AtomicInteger();
  private final ByteArrayOutputStream out =
      new ByteArrayOutputStream() {
        @Override
        public synchronized void write(byte[] bytes, int from, int length) {
          writes.incrementAndGet();
          super.write(bytes, from, length);
        }
      };
  private final AccessLog log = new AccessLog(LogFormat.TEXT, out);

  private void connection(int port) {
    InetSocketAddress address = InetSocketAddress.createUnresolved("10.0.0.1", port);
    log.closed(
        new ConnectionInfo(
            Reporter.SOURCE, address, null, null, address, null, Endpoint.UNKNOWN, null),
        1,
        2,
        3,
        null);
  }

  private List<String> lines() {
    return out.toString(StandardCharsets.UTF_8).lines().toList();
  }

  @Test
  void aLineIsWrittenWithoutAnyOtherThatFollows() {
    connection(1);
    await().until(() -> lines().size() == 1);
    connection(2);
    await().until(() -> lines().size() == 2);
  }

  @Test
  void whatWaitsIsWrittenInOrderBeforeTheEnd() throws InterruptedException {
    int count = 5000;
    IntStream.range(0, count).forEach(this::connection);
    log.close();
    List<String> written = lines();
    assertThat(written).hasSize(count);
    for (int i = 0; i < count; i++) {
      assertThat(written.get(i)).contains(" src.addr=10.0.0.1:" + i + " ");
    }
    assertThat(writes).hasValueLessThan(count / 10);
    assertThat(log.dropped()).isZero();
  }

  @Test
  void whatComesAfterTheEndIsCounted() throws InterruptedException {
    log.close();
    connection(1);
    assertThat(lines()).isEmpty();
    assertThat(log.dropped()).isEqualTo(1);
  }

  @Test
  void timesAreUtcToTheMicrosecond() {
    DateTimeFormatter model =
        DateTimeFormatter.ofPattern("yyyy-MM-dd'T'HH:mm:ss.SSSSSS'Z'").withZone(ZoneOffset.UTC);
    Random random = new Random(1);
    for (int i = 0; i < 1000; i++) {
      Instant time = Instant.ofEpochSecond(random.nextLong(1L << 33), random.nextLong(1L << 31));
      assertThat(LogLine.stamp(time)).isEqualTo(model.format(time));
      Instant whole = Instant.ofEpochSecond(time.getEpochSecond());
      assertThat(LogLine.stamp(whole)).isEqualTo(model.format(whole));
    }
  }
}
