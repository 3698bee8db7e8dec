package dev.ambit.k3s;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import org.junit.jupiter.api.Test;

class PcapReaderTest {

  private static final byte[] TEXT = "GET / HTTP/1.1".getBytes(StandardCharsets.US_ASCII);

  @Test
  void readsAddressesPortsAndPayloadOfATcpPacketAndDropsPadding() {
    byte[] file = file(ethernet(ipv4(tcp(TEXT)), 6));

    assertThat(PcapReader.read(file))
        .singleElement()
        .satisfies(
            packet -> {
              assertThat(packet.transport()).isEqualTo(Packet.Transport.TCP);
              assertThat(packet.source().getAddress().getHostAddress()).isEqualTo("10.42.0.2");
              assertThat(packet.source().getPort()).isEqualTo(40000);
              assertThat(packet.destination().getAddress().getHostAddress()).isEqualTo("10.42.1.3");
              assertThat(packet.destination().getPort()).isEqualTo(15008);
              assertThat(packet.payload()).isEqualTo(TEXT);
              assertThat(packet.touches(15008)).isTrue();
              assertThat(packet.shows("HTTP/1.1")).isTrue();
              assertThat(packet.shows("POST")).isFalse();
            });
  }

  @Test
  void leavesOutARecordThatIsStillBeingWritten() {
    byte[] file = file(ethernet(ipv4(tcp(TEXT)), 0), ethernet(ipv4(tcp(TEXT)), 0));

    for (int cut = 1; cut < 60; cut++) {
      assertThat(PcapReader.read(Arrays.copyOf(file, file.length - cut))).hasSize(1);
    }
  }

  @Test
  void leavesOutFramesThatAreNoIpOrCutShort() {
    byte[] arp = new byte[42];
    arp[12] = 0x08;
    arp[13] = 0x06;

    assertThat(
            PcapReader.read(
                file(arp, new byte[3], Arrays.copyOf(ethernet(ipv4(tcp(TEXT)), 0), 40))))
        .isEmpty();
  }

  @Test
  void anEmptyFileHasNoPacketsAndAForeignOneIsRefused() {
    assertThat(PcapReader.read(new byte[0])).isEmpty();
    assertThatThrownBy(() -> PcapReader.read(new byte[24]))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining("Not a capture file");
  }

  private static byte[] file(byte[]... frames) {
    ByteBuffer file = ByteBuffer.allocate(1000).order(ByteOrder.LITTLE_ENDIAN);
    file.putInt(0xa1b2c3d4)
        .putShort((short) 2)
        .putShort((short) 4)
        .putLong(0)
        .putInt(65535)
        .putInt(1);
    for (byte[] frame : frames) {
      file.putInt(0).putInt(0).putInt(frame.length).putInt(frame.length).put(frame);
    }
    return Arrays.copyOf(file.array(), file.position());
  }

  private static byte[] ethernet(byte[] packet, int padding) {
    return ByteBuffer.allocate(14 + packet.length + padding)
        .putShort(12, (short) 0x0800)
        .put(14, packet)
        .array();
  }

  private static byte[] ipv4(byte[] segment) {
    return ByteBuffer.allocate(20 + segment.length)
        .put(0, (byte) 0x45)
        .putShort(2, (short) (20 + segment.length))
        .put(9, (byte) 6)
        .put(12, new byte[] {10, 42, 0, 2})
        .put(16, new byte[] {10, 42, 1, 3})
        .put(20, segment)
        .array();
  }

  private static byte[] tcp(byte[] payload) {
    return ByteBuffer.allocate(20 + payload.length)
        .putShort(0, (short) 40000)
        .putShort(2, (short) 15008)
        .put(12, (byte) 0x50)
        .put(20, payload)
        .array();
  }
}
