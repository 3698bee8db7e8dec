package dev.ambit.ztunnel.hbone;

import static org.assertj.core.api.Assertions.assertThat;

import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import io.netty.handler.codec.http2.DefaultHttp2Headers;
import java.util.Random;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;

/** Whatever a peer sends, nothing leaks, nothing throws, and a broken connection is closed. */
class HboneFuzzTest {
  @Property(tries = 1500)
  void randomBytesAfterAGreeting(@ForAll long seed) {
    Random random = new Random(seed);
    Peer peer = random.nextBoolean() ? Peer.ofServer() : Peer.ofClient();
    peer.greet();
    byte[] bytes = new byte[random.nextInt(400)];
    random.nextBytes(bytes);
    feed(peer, Unpooled.wrappedBuffer(bytes), random);
    finish(peer);
  }

  @Property(tries = 1500)
  void sessionsWithBytesChanged(@ForAll long seed) {
    Random random = new Random(seed);
    Peer peer = Peer.ofServer();
    ByteBuf session = Unpooled.buffer();
    session.writeBytes(Frames.PREFACE);
    append(session, Peer.settings(Frames.SETTINGS_INITIAL_WINDOW_SIZE, random.nextInt(1 << 20)));
    for (int i = 0; i < 12; i++) {
      int stream = 1 + 2 * random.nextInt(4);
      append(session, frame(peer, random, stream));
    }
    int changes = random.nextInt(4);
    for (int i = 0; i < changes; i++) {
      session.setByte(24 + random.nextInt(session.readableBytes() - 24), random.nextInt(256));
    }
    feed(peer, session, random);
    for (HboneStream stream : peer.listener.streams) {
      switch (random.nextInt(5)) {
        case 0 -> stream.respond(new DefaultHttp2Headers().status("200"), random.nextBoolean());
        case 1 -> stream.write(peer.allocator.directBuffer().writeZero(random.nextInt(200_000)));
        case 2 -> stream.end();
        case 3 -> stream.consumed(random.nextInt(2000));
        default -> peer.connection.shutdown();
      }
      stream.flush();
    }
    finish(peer);
  }

  @Property(tries = 1500)
  void headerBlocksOfAnyBytes(@ForAll long seed) {
    Random random = new Random(seed);
    Peer peer = Peer.ofServer().greet();
    for (int i = 0; i < 4; i++) {
      byte[] block =
          random.nextBoolean()
              ? new byte[random.nextInt(60)]
              : peer.block(Peer.connectHeaders().add("baggage", "a=b,c=d"));
      for (int n = random.nextInt(1 + block.length); n > 0; n--) {
        block[random.nextInt(block.length)] = (byte) random.nextInt();
      }
      feed(peer, Peer.frame(Frames.HEADERS, Frames.FLAG_END_HEADERS, 2 * i + 1, block), random);
    }
    finish(peer);
  }

  private static ByteBuf frame(Peer peer, Random random, int stream) {
    return switch (random.nextInt(9)) {
      case 0, 1 -> peer.connect(stream);
      case 2, 3 -> Peer.data(stream, "x".repeat(random.nextInt(50)), random.nextInt(4) == 0);
      case 4 -> Peer.words(Frames.WINDOW_UPDATE, random.nextInt(2) * stream, random.nextInt());
      case 5 -> Peer.words(Frames.RST_STREAM, stream, random.nextInt(15));
      case 6 -> Peer.words(Frames.PING, 0, 1, 2);
      case 7 -> Peer.settings(1 + random.nextInt(7), random.nextInt());
      default -> Peer.words(Frames.GOAWAY, 0, stream, random.nextInt(15), random.nextInt());
    };
  }

  private static void append(ByteBuf session, ByteBuf frame) {
    session.writeBytes(frame);
    frame.release();
  }

  private static void feed(Peer peer, ByteBuf bytes, Random random) {
    while (bytes.isReadable()) {
      int count = Math.min(bytes.readableBytes(), 1 + random.nextInt(40));
      peer.send(bytes.readRetainedSlice(count));
      peer.channel.checkException();
    }
    bytes.release();
  }

  private static void finish(Peer peer) {
    peer.received();
    peer.channel.checkException();
    boolean open = peer.channel.isOpen();
    assertThat(peer.listener.closed).isEqualTo(!open);
    assertThat(peer.leaked()).isZero();
    assertThat(peer.listener.closed).isTrue();
  }
}
