package dev.ambit.ztunnel.hbone;

import static org.assertj.core.api.Assertions.assertThat;

import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import io.netty.handler.codec.http2.DefaultHttp2Headers;
import io.netty.handler.codec.http2.Http2Error;
import java.util.Arrays;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;

/** What a peer may take, and what becomes of one that takes more. */
class HboneLimitsTest {
  private static final int CALM = (int) Http2Error.ENHANCE_YOUR_CALM.code();

  private static void pass(Peer peer, int seconds) {
    peer.channel.advanceTimeBy(seconds, TimeUnit.SECONDS);
    peer.channel.runScheduledPendingTasks();
  }

  private static HboneStream open(Peer peer, int id) {
    peer.send(peer.connect(id));
    HboneStream stream = peer.listener.streams.getLast();
    stream.respond(new DefaultHttp2Headers().status("200"), false);
    peer.received();
    return stream;
  }

  @Test
  void windowUpdatesForNothingEndTheConnection() {
    Peer peer = Peer.ofServer().greet();
    open(peer, 1);
    int sent = 0;
    while (peer.channel.isOpen() && sent < 100_000) {
      peer.send(Peer.words(Frames.WINDOW_UPDATE, sent % 2, 1));
      sent++;
    }
    assertThat(peer.goAwayCode()).isEqualTo(CALM);
    assertThat(sent).isBetween(900, 1100);
    assertThat(peer.leaked()).isZero();
  }

  @Test
  void windowUpdatesForWhatWasSentAreWelcome() {
    Peer peer = Peer.ofServer().greet();
    HboneStream stream = open(peer, 1);
    for (int i = 0; i < 5000; i++) {
      stream.write(peer.allocator.directBuffer().writeZero(10));
      stream.flush();
      assertThat(peer.received(Frames.DATA)).hasSize(1);
      peer.send(Peer.words(Frames.WINDOW_UPDATE, 0, 10));
      peer.send(Peer.words(Frames.WINDOW_UPDATE, 1, 10));
    }
    assertThat(peer.channel.isOpen()).isTrue();
    assertThat(peer.leaked()).isZero();
  }

  @Test
  void aPeerWithATinyWindowGetsByteByByteAndNothingPilesUp() {
    Peer peer = Peer.ofServer();
    peer.send(Unpooled.wrappedBuffer(Frames.PREFACE));
    peer.send(Peer.settings(Frames.SETTINGS_INITIAL_WINDOW_SIZE, 1));
    HboneStream stream = open(peer, 1);
    stream.write(peer.allocator.directBuffer().writeZero(50));
    stream.flush();
    assertThat(stream.isWritable()).isFalse();
    int bytes = 0;
    for (int i = 0; i < 50; i++) {
      for (Peer.Frame frame : peer.received(Frames.DATA)) {
        bytes += frame.payload().length;
      }
      peer.send(Peer.words(Frames.WINDOW_UPDATE, 1, 1));
    }
    assertThat(bytes).isEqualTo(50);
    assertThat(peer.channel.isOpen()).isTrue();
    assertThat(stream.isWritable()).isTrue();
    assertThat(peer.leaked()).isZero();
  }

  @Test
  void aHeaderBlockHasToComeToItsEnd() {
    Peer peer = Peer.ofServer().greet();
    peer.send(Peer.frame(Frames.HEADERS, 0, 1));
    for (int i = 0; i < 6 && peer.channel.isOpen(); i++) {
      pass(peer, 5);
      peer.send(Peer.frame(Frames.CONTINUATION, 0, 1, (byte) 0));
    }
    assertThat(peer.goAwayCode()).isEqualTo(CALM);
    pass(peer, 2);
    assertThat(peer.channel.isOpen()).isFalse();
    assertThat(peer.leaked()).isZero();
  }

  @Test
  void aFrameHasToComeToItsEnd() {
    Peer peer = Peer.ofServer().greet();
    ByteBuf slow = peer.connect(1);
    for (int i = 0; i < 10 && peer.channel.isOpen(); i++) {
      peer.send(slow.readRetainedSlice(1));
      pass(peer, 5);
    }
    slow.release();
    assertThat(peer.goAwayCode()).isEqualTo(CALM);
    assertThat(peer.leaked()).isZero();
  }

  @Test
  void dataMayComeSlowlyForItsWindowBoundsIt() {
    Peer peer = Peer.ofServer().greet();
    open(peer, 1);
    ByteBuf slow = Peer.data(1, "x".repeat(40), false);
    while (slow.isReadable()) {
      peer.send(slow.readRetainedSlice(slow.readableBytes() > 40 ? 9 : 1));
      pass(peer, 5);
      peer.received();
    }
    slow.release();
    assertThat(peer.channel.isOpen()).isTrue();
    assertThat(peer.listener.handlers.getFirst().text()).hasSize(40);
    assertThat(peer.leaked()).isZero();
  }

  @Test
  void aPeerThatDoesNotReadItsAnswersIsCutOff() {
    Peer peer = Peer.ofServer().greet();
    // As a socket whose peer does not read.
    peer.channel.unsafe().outboundBuffer().setUserDefinedWritability(1, false);
    int sent = 0;
    for (int second = 0; second < 200 && peer.channel.isOpen(); second++) {
      for (int i = 0; i < 90; i++) {
        peer.send(Peer.words(Frames.PING, 0, 1, 2));
        sent++;
      }
      peer.connection.channel().read();
      pass(peer, 1);
      assertThat(peer.listener.cause == null || !peer.channel.isOpen()).isTrue();
    }
    assertThat(peer.channel.isOpen()).isFalse();
    assertThat(sent).isLessThan(20_000);
    assertThat(peer.leaked()).isZero();
  }

  @Test
  void aBreachEndsTheConnectionThoughThePeerDoesNotRead() {
    Peer peer = Peer.ofServer().greet();
    peer.connection.abort(Http2Error.INADEQUATE_SECURITY, "certificate revoked");
    assertThat(peer.goAwayCode()).isEqualTo((int) Http2Error.INADEQUATE_SECURITY.code());
    pass(peer, 2);
    assertThat(peer.channel.isOpen()).isFalse();
    assertThat(peer.listener.cause).hasMessageContaining("revoked");
    assertThat(peer.leaked()).isZero();
  }

  private static void sendMuch(Peer peer, int stream, int bytes) {
    byte[] piece = new byte[16_000];
    Arrays.fill(piece, (byte) 'x');
    for (int left = bytes; left > 0; left -= piece.length) {
      peer.send(Peer.frame(Frames.DATA, 0, stream, piece));
    }
    peer.received();
  }

  @Test
  void whereAllHoldTooMuchThoseThatHoldSomeAreNotReadFrom() {
    MemoryBudget budget = new MemoryBudget(500_000);
    Peer greedy = Peer.ofServer(budget).greet();
    Peer other = Peer.ofServer(budget).greet();
    HboneStream one = open(greedy, 1);
    HboneStream two = open(greedy, 3);
    HboneStream small = open(other, 1);
    sendMuch(greedy, 1, 200_000);
    assertThat(greedy.channel.config().isAutoRead()).isTrue();
    sendMuch(greedy, 3, 400_000);
    assertThat(greedy.channel.config().isAutoRead()).isFalse();
    assertThat(budget.held()).isBetween(500_000L, 700_000L);

    other.send(Peer.data(1, "hello", false));
    assertThat(other.channel.config().isAutoRead()).isTrue();
    small.consumed(5);

    two.consumed(400_000);
    assertThat(greedy.channel.config().isAutoRead()).isTrue();
    one.consumed(200_000);
    assertThat(greedy.leaked()).isZero();
    assertThat(other.leaked()).isZero();
    assertThat(budget.held()).isZero();
  }

  @Test
  void aTunnelThatHoldsTooMuchAndIsNotDrainedEnds() {
    MemoryBudget budget = new MemoryBudget(100_000);
    Peer peer = Peer.ofServer(budget).greet();
    open(peer, 1);
    sendMuch(peer, 1, 300_000);
    assertThat(peer.channel.config().isAutoRead()).isFalse();
    for (int i = 0; i < 5; i++) {
      pass(peer, 10);
    }
    assertThat(peer.channel.isOpen()).isFalse();
    assertThat(peer.leaked()).isZero();
    assertThat(budget.held()).isZero();
  }

  @Test
  void crumbsDoNotKeepWhatTheyWereReadFrom() {
    Peer peer = Peer.ofServer().greet();
    HboneStream stream = open(peer, 1);
    int[] capacity = new int[1];
    stream.handler(
        new StreamHandler() {
          @Override
          public void onResponse(io.netty.handler.codec.http2.Http2Headers headers) {}

          @Override
          public void onData(ByteBuf data) {
            ByteBuf root = data;
            while (root.unwrap() != null) {
              root = root.unwrap();
            }
            capacity[0] = Math.max(capacity[0], root.capacity());
            data.release();
          }

          @Override
          public void onDataComplete() {}

          @Override
          public void onEnd() {}

          @Override
          public void onReset(Http2Error error) {}

          @Override
          public void onWritable() {}
        });
    ByteBuf read = Unpooled.buffer();
    read.writeBytes(Peer.data(1, "x", false));
    for (int i = 0; i < 100; i++) {
      // Fills the read, and asks for no bytes to be kept.
      read.writeBytes(Peer.words(Frames.PING, 0, 1, 2));
    }
    peer.send(read);
    assertThat(capacity[0]).isPositive().isLessThan(64);
    assertThat(peer.leaked()).isZero();
  }
}
