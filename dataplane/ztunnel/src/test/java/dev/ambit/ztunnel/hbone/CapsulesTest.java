package dev.ambit.ztunnel.hbone;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.netty.buffer.ByteBuf;
import io.netty.buffer.ByteBufUtil;
import io.netty.buffer.Unpooled;
import io.netty.buffer.UnpooledByteBufAllocator;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * Datagrams in a stream are as RFC 9297 and RFC 9298 have them, and survive every way to be cut.
 */
class CapsulesTest {
  private final UnpooledByteBufAllocator allocator = new UnpooledByteBufAllocator(true);
  private final CapsuleReader reader = new CapsuleReader(allocator);
  private final List<byte[]> datagrams = new ArrayList<>();

  private final CapsuleReader.Sink sink =
      new CapsuleReader.Sink() {
        @Override
        public void onDatagram(ByteBuf payload) {
          datagrams.add(ByteBufUtil.getBytes(payload));
        }

        @Override
        public void settle() {}
      };

  private void read(ByteBuf data) throws CapsuleException {
    try {
      reader.read(data, sink);
      assertThat(data.isReadable()).isFalse();
    } finally {
      data.release();
    }
  }

  private void read(String hex) throws CapsuleException {
    read(Unpooled.wrappedBuffer(ByteBufUtil.decodeHexDump(hex)));
  }

  private long leaked() {
    reader.close();
    return allocator.metric().usedDirectMemory();
  }

  private static ByteBuf written(byte[]... payloads) {
    ByteBuf out = Unpooled.buffer();
    for (byte[] payload : payloads) {
      Capsules.write(out, ByteBuffer.wrap(payload));
    }
    return out;
  }

  @ParameterizedTest
  @CsvSource({
    "0, 000100",
    "62, 003f00",
    "63, 00404000",
    "1400, 00457900",
    "16382, 007fff00",
    "16383, 008000400000",
    "65507, 008000ffe400"
  })
  void aCapsuleHasTheShortestHead(int length, String head) {
    ByteBuf out = written(new byte[length]);
    assertThat(ByteBufUtil.hexDump(out, 0, out.readableBytes() - length)).isEqualTo(head);
    assertThat(out.readableBytes() - length).isLessThanOrEqualTo(Capsules.OVERHEAD);
  }

  @Test
  void numbersMayBeLongerThanTheyNeedToBe() throws CapsuleException {
    read("4000" + "8000000a" + "c000000000000000" + "cafe");
    assertThat(datagrams).containsExactly(new byte[] {(byte) 0xca, (byte) 0xfe});
  }

  @Test
  void whatIsNotKnownIsSkipped() throws CapsuleException {
    // A capsule of another type, a datagram of another context, then one that is meant.
    read("3f03aabbcc" + "000302aabb" + "00020042");
    assertThat(datagrams).containsExactly(new byte[] {0x42});
    // Of a type and length that take eight bytes each; its end never comes.
    read("c0000000000000ff" + "ffffffffffffffff" + "00".repeat(100));
    assertThat(datagrams).hasSize(1);
    assertThat(leaked()).isZero();
  }

  @ParameterizedTest
  @ValueSource(strings = {"0000", "0001c0", "00ffffffffffffffff", "00800100000000"})
  void whatCannotBeIsRefused(String hex) {
    assertThatThrownBy(() -> read(hex)).isInstanceOf(CapsuleException.class);
    assertThat(leaked()).isZero();
  }

  @Test
  void aPayloadThatUdpDoesNotHaveIsRefused() throws CapsuleException {
    read(written(new byte[65_527]));
    assertThat(datagrams.getFirst()).hasSize(65_527);
    assertThatThrownBy(() -> read(written(new byte[65_528]))).isInstanceOf(CapsuleException.class);
    assertThat(leaked()).isZero();
  }

  @Test
  void whatIsKeptIsWhatCameAndNotWhatIsToCome() throws CapsuleException {
    ByteBuf all = written(new byte[60_000]);
    read(all.readRetainedSlice(10));
    assertThat(reader.kept()).isEqualTo(10);
    assertThat(allocator.metric().usedDirectMemory()).isLessThan(1_000);
    read(all.readRetainedSlice(30_000));
    assertThat(reader.kept()).isEqualTo(30_010);
    read(all);
    assertThat(reader.kept()).isZero();
    assertThat(datagrams.getFirst()).hasSize(60_000);
    assertThat(leaked()).isZero();
  }

  @Property(tries = 300)
  void datagramsComeOutAsTheyWentInHoweverTheyAreCut(@ForAll long seed) throws CapsuleException {
    datagrams.clear();
    Random random = new Random(seed);
    byte[][] payloads = new byte[1 + random.nextInt(8)][];
    for (int i = 0; i < payloads.length; i++) {
      payloads[i] = new byte[random.nextInt(random.nextInt(10) == 0 ? 65_508 : 200)];
      random.nextBytes(payloads[i]);
    }
    ByteBuf all = written(payloads);
    int largest = 1 + random.nextInt(random.nextBoolean() ? 5 : 70_000);
    while (all.isReadable()) {
      int count = Math.min(all.readableBytes(), 1 + random.nextInt(largest));
      read(all.readRetainedSlice(count));
    }
    all.release();
    assertThat(datagrams.toArray(byte[][]::new)).isDeepEqualTo(payloads);
    assertThat(leaked()).isZero();
  }

  @Property(tries = 2000)
  void anyBytesAreReadOrRefusedAndNothingLeaks(@ForAll long seed) {
    datagrams.clear();
    Random random = new Random(seed);
    CapsuleReader reader = new CapsuleReader(allocator);
    byte[] bytes = new byte[random.nextInt(400)];
    random.nextBytes(bytes);
    for (int i = 0; i < bytes.length; i++) {
      // Heads that begin like a datagram's are what matters.
      bytes[i] = random.nextInt(3) == 0 ? 0 : bytes[i];
    }
    ByteBuf all = Unpooled.wrappedBuffer(bytes);
    try {
      while (all.isReadable()) {
        int count = Math.min(all.readableBytes(), 1 + random.nextInt(20));
        reader.read(all.readSlice(count), sink);
      }
    } catch (CapsuleException e) {
      assertThat(e).hasMessageNotContaining("null");
    }
    all.release();
    reader.close();
    assertThat(leaked()).isZero();
    assertThat(datagrams).allSatisfy(datagram -> assertThat(datagram).hasSizeLessThan(400));
  }
}
