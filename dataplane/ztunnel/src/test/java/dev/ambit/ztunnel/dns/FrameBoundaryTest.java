package dev.ambit.ztunnel.dns;

import static org.assertj.core.api.Assertions.assertThat;

import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;

class FrameBoundaryTest {
  @Property(tries = 500)
  void findsEveryEndAndEveryIdHoweverTheBytesArrive(@ForAll long seed) {
    var random = new Random(seed);
    ByteBuf stream = Unpooled.buffer();
    List<Integer> ends = new ArrayList<>();
    List<Integer> ids = new ArrayList<>();
    for (int i = random.nextInt(20); i > 0; i--) {
      int length = random.nextInt(5) == 0 ? random.nextInt(3) : random.nextInt(70_000) & 0xffff;
      byte[] message = new byte[length];
      random.nextBytes(message);
      stream.writeShort(length).writeBytes(message);
      ends.add(stream.writerIndex());
      if (length >= 2) {
        ids.add((message[0] & 0xff) << 8 | message[1] & 0xff);
      }
    }
    List<Integer> foundEnds = new ArrayList<>();
    List<Integer> foundIds = new ArrayList<>();
    var boundary = new FrameBoundary(foundIds::add);
    for (int at = 0; at < stream.writerIndex(); ) {
      int part = Math.min(stream.writerIndex() - at, 1 + random.nextInt(10_000));
      ByteBuf bytes = stream.slice(at, part);
      for (int from = 0; from < part; ) {
        from = boundary.advance(bytes, from);
        if (boundary.isBetween()) {
          foundEnds.add(at + from);
        }
      }
      at += part;
    }
    assertThat(foundEnds).isEqualTo(ends);
    assertThat(foundIds).isEqualTo(ids);
    assertThat(boundary.isBetween()).isTrue();
  }
}
