package dev.ambit.ztunnel.hbone;

import static org.assertj.core.api.Assertions.assertThat;

import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import io.netty.handler.codec.http2.DefaultHttp2Headers;
import io.netty.handler.codec.http2.Http2Error;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** The rules of RFC 9113 as a peer sees them kept. */
class HboneConnectionTest {
  private static final int PROTOCOL_ERROR = (int) Http2Error.PROTOCOL_ERROR.code();
  private static final int FLOW_CONTROL_ERROR = (int) Http2Error.FLOW_CONTROL_ERROR.code();
  private static final int FRAME_SIZE_ERROR = (int) Http2Error.FRAME_SIZE_ERROR.code();
  private static final int CALM = (int) Http2Error.ENHANCE_YOUR_CALM.code();

  @Test
  void grantsItsWindowsAndAcknowledgesSettings() {
    Peer peer = Peer.ofServer();
    peer.send(Unpooled.wrappedBuffer(Frames.PREFACE));
    peer.send(Peer.settings());

    List<Peer.Frame> frames = peer.received();

    assertThat(frames)
        .extracting(Peer.Frame::type)
        .containsExactly(Frames.SETTINGS, Frames.WINDOW_UPDATE, Frames.SETTINGS);
    assertThat(frames.get(1).intAt(0)).isEqualTo((16 << 20) - 65_535);
    assertThat(frames.get(2).flags()).isEqualTo(Frames.FLAG_ACK);
    assertThat(peer.leaked()).isZero();
  }

  @Test
  void passesOnBytesThatArriveOneByOne() {
    Peer peer = Peer.ofServer();
    ByteBuf all =
        Unpooled.wrappedBuffer(
            Unpooled.wrappedBuffer(Frames.PREFACE),
            Peer.settings(Frames.SETTINGS_INITIAL_WINDOW_SIZE, 1 << 20),
            peer.connect(1),
            Peer.data(1, "hello ", false),
            Peer.frame(
                Frames.DATA,
                Frames.FLAG_PADDED,
                1,
                (byte) 3,
                (byte) 'w',
                (byte) 'o',
                (byte) 0,
                (byte) 0,
                (byte) 0),
            Peer.data(1, "rld", true));
    while (all.isReadable()) {
      peer.send(all.readRetainedSlice(1));
    }
    all.release();

    RecordingHandler handler = peer.listener.handlers.getFirst();
    assertThat(handler.text()).isEqualTo("hello world");
    assertThat(handler.ended).isTrue();
    assertThat(peer.listener.requests.getFirst().authority()).hasToString("10.0.0.1:80");
    assertThat(peer.leaked()).isZero();
  }

  @Test
  void joinsHeaderBlocks() {
    Peer peer = Peer.ofServer().greet();
    byte[] block = peer.block(Peer.connectHeaders());
    int half = block.length / 2;
    peer.send(Peer.frame(Frames.HEADERS, 0, 1, Arrays.copyOf(block, half)));
    peer.send(
        Peer.frame(
            Frames.CONTINUATION,
            Frames.FLAG_END_HEADERS,
            1,
            Arrays.copyOfRange(block, half, block.length)));

    assertThat(peer.listener.requests).hasSize(1);
    assertThat(peer.leaked()).isZero();
  }

  @Test
  void refusesWhatIsNotHttp2() {
    Peer peer = Peer.ofServer();
    peer.send(Unpooled.copiedBuffer("GET / HTTP/1.1\r\nHost: x\r\n\r\n".getBytes()));

    assertThat(peer.goAwayCode()).isEqualTo(PROTOCOL_ERROR);
    assertThat(peer.channel.isOpen()).isFalse();
    assertThat(peer.leaked()).isZero();
  }

  @Test
  void breachesEndTheConnectionWithTheRightError() {
    assertThat(breach(p -> Peer.words(Frames.PING, 1, 0, 0))).isEqualTo(PROTOCOL_ERROR);
    assertThat(breach(p -> Peer.words(Frames.PING, 0, 0))).isEqualTo(FRAME_SIZE_ERROR);
    assertThat(breach(p -> Peer.data(0, "x", false))).isEqualTo(PROTOCOL_ERROR);
    assertThat(breach(p -> Peer.data(1, "x", false))).isEqualTo(PROTOCOL_ERROR);
    assertThat(breach(p -> p.connect(2))).isEqualTo(PROTOCOL_ERROR);
    assertThat(breach(p -> Peer.words(Frames.RST_STREAM, 1, 0))).isEqualTo(PROTOCOL_ERROR);
    assertThat(breach(p -> Peer.words(Frames.RST_STREAM, 0, 0))).isEqualTo(PROTOCOL_ERROR);
    assertThat(breach(p -> Peer.words(Frames.WINDOW_UPDATE, 0, 0))).isEqualTo(PROTOCOL_ERROR);
    assertThat(breach(p -> Peer.words(Frames.WINDOW_UPDATE, 0, Integer.MAX_VALUE)))
        .isEqualTo(FLOW_CONTROL_ERROR);
    assertThat(breach(p -> Peer.words(Frames.WINDOW_UPDATE, 3, 5))).isEqualTo(PROTOCOL_ERROR);
    assertThat(breach(p -> Peer.settings(Frames.SETTINGS_INITIAL_WINDOW_SIZE, -1)))
        .isEqualTo(FLOW_CONTROL_ERROR);
    assertThat(breach(p -> Peer.settings(Frames.SETTINGS_MAX_FRAME_SIZE, 100)))
        .isEqualTo(PROTOCOL_ERROR);
    assertThat(breach(p -> Peer.settings(Frames.SETTINGS_ENABLE_PUSH, 2)))
        .isEqualTo(PROTOCOL_ERROR);
    assertThat(breach(p -> Peer.frame(Frames.SETTINGS, 0, 0, new byte[5])))
        .isEqualTo(FRAME_SIZE_ERROR);
    assertThat(breach(p -> Peer.frame(Frames.SETTINGS, Frames.FLAG_ACK, 0, new byte[6])))
        .isEqualTo(FRAME_SIZE_ERROR);
    assertThat(breach(p -> Peer.frame(Frames.PUSH_PROMISE, 0, 1, new byte[4])))
        .isEqualTo(PROTOCOL_ERROR);
    assertThat(breach(p -> Peer.frame(Frames.CONTINUATION, 4, 1, new byte[4])))
        .isEqualTo(PROTOCOL_ERROR);
    assertThat(breach(p -> Peer.frame(Frames.HEADERS, 4, 1, (byte) 0xff, (byte) 0xff)))
        .isEqualTo((int) Http2Error.COMPRESSION_ERROR.code());
    assertThat(
            breach(
                p ->
                    Unpooled.wrappedBuffer(
                        Peer.frame(Frames.HEADERS, 0, 1, new byte[0]), Peer.data(1, "x", false))))
        .isEqualTo(PROTOCOL_ERROR);
    assertThat(
            breach(
                p ->
                    Unpooled.wrappedBuffer(
                        p.connect(1),
                        Peer.frame(Frames.DATA, Frames.FLAG_PADDED, 1, (byte) 9, (byte) 0))))
        .isEqualTo(PROTOCOL_ERROR);
    ByteBuf oversized = Unpooled.buffer();
    Frames.writeHead(oversized, (1 << 20) + 1, Frames.DATA, 0, 1);
    assertThat(breach(p -> oversized)).isEqualTo(FRAME_SIZE_ERROR);
  }

  private interface Breach {
    ByteBuf frame(Peer peer);
  }

  private static int breach(Breach breach) {
    Peer peer = Peer.ofServer().greet();
    peer.send(breach.frame(peer));
    int code = peer.goAwayCode();
    assertThat(peer.channel.isOpen()).isFalse();
    assertThat(peer.leaked()).isZero();
    return code;
  }

  @Test
  void aFrameBeforeSettingsIsABreach() {
    Peer peer = Peer.ofServer();
    peer.send(Unpooled.wrappedBuffer(Frames.PREFACE));
    peer.send(Peer.words(Frames.PING, 0, 0, 0));

    assertThat(peer.goAwayCode()).isEqualTo(PROTOCOL_ERROR);
  }

  @Test
  void refusesStreamsBeyondItsLimit() {
    Peer peer = Peer.ofServer().greet();
    for (int i = 0; i < 201; i++) {
      peer.send(peer.connect(1 + 2 * i));
    }

    assertThat(peer.listener.streams).hasSize(200);
    List<Peer.Frame> resets = peer.received(Frames.RST_STREAM);
    assertThat(resets).hasSize(1);
    assertThat(resets.getFirst().streamId()).isEqualTo(401);
    assertThat(resets.getFirst().intAt(0)).isEqualTo((int) Http2Error.REFUSED_STREAM.code());

    peer.send(Peer.words(Frames.RST_STREAM, 1, 8));
    peer.send(peer.connect(403));
    assertThat(peer.listener.streams).hasSize(201);
    assertThat(peer.leaked()).isZero();
  }

  @Test
  void aStalledStreamIsBoundedAndStopsNobodyElse() {
    Peer peer = Peer.ofServer().greet();
    peer.send(peer.connect(1));
    peer.send(peer.connect(3));
    byte[] chunk = new byte[1 << 16];
    for (int i = 0; i < HboneSettings.server().streamWindow() / chunk.length; i++) {
      peer.send(Peer.frame(Frames.DATA, 0, 1, chunk));
    }
    assertThat(peer.received(Frames.RST_STREAM)).isEmpty();

    // Nobody consumes on stream 1; stream 3's bytes are consumed as they come.
    long connectionCredit = 0;
    for (int i = 0; i < 1024; i++) {
      peer.send(Peer.frame(Frames.DATA, 0, 3, chunk));
      peer.listener.streams.get(1).consumed(chunk.length);
      for (Peer.Frame update : peer.received(Frames.WINDOW_UPDATE)) {
        connectionCredit += update.streamId() == 0 ? update.intAt(0) : 0;
      }
    }
    assertThat(connectionCredit).isGreaterThan(60 << 20);

    peer.send(Peer.data(1, "one byte too many", false));
    List<Peer.Frame> resets = peer.received(Frames.RST_STREAM);
    assertThat(resets).hasSize(1);
    assertThat(resets.getFirst().intAt(0)).isEqualTo(FLOW_CONTROL_ERROR);
    assertThat(peer.listener.handlers.getFirst().reset).isEqualTo(Http2Error.FLOW_CONTROL_ERROR);
    assertThat(peer.channel.isOpen()).isTrue();
    assertThat(peer.leaked()).isZero();
  }

  @Test
  void aLastCrumbOfTheWindowWaitsForMoreCredit() {
    Peer peer = Peer.ofServer().greet();
    peer.send(Peer.words(Frames.WINDOW_UPDATE, 0, 1 << 20));
    peer.send(peer.connect(1));
    HboneStream stream = peer.listener.streams.getFirst();
    stream.respond(new DefaultHttp2Headers().status("200"), false);
    stream.write(peer.allocator.directBuffer().writeZero(65_535 - 36));
    stream.write(peer.allocator.directBuffer().writeZero(1_000));
    stream.flush();
    assertThat(dataBytes(peer.received())).isEqualTo(65_535 - 36);
    assertThat(stream.isWritable()).isFalse();

    peer.send(Peer.words(Frames.WINDOW_UPDATE, 1, 32 << 10));
    assertThat(dataBytes(peer.received())).isEqualTo(1_000);

    stream.write(peer.allocator.directBuffer().writeZero(20));
    stream.flush();
    assertThat(dataBytes(peer.received())).as("what fits whole is sent").isEqualTo(20);
    assertThat(peer.leaked()).isZero();
  }

  @Test
  void sendsNoMoreThanThePeersWindows() {
    Peer peer = Peer.ofServer().greet();
    peer.send(peer.connect(1));
    HboneStream stream = peer.listener.streams.getFirst();
    stream.respond(new DefaultHttp2Headers().status("200"), false);
    stream.write(peer.allocator.directBuffer().writeZero(100_000));
    stream.end();

    assertThat(stream.isWritable()).isFalse();
    assertThat(dataBytes(peer.received())).isEqualTo(65_535);

    peer.send(Peer.words(Frames.WINDOW_UPDATE, 1, 1_000_000));
    assertThat(dataBytes(peer.received())).as("the connection's window is used up").isZero();

    peer.send(Peer.words(Frames.WINDOW_UPDATE, 0, 1_000_000));
    List<Peer.Frame> rest = peer.received(Frames.DATA);
    assertThat(dataBytes(rest)).isEqualTo(100_000 - 65_535);
    assertThat(rest.getLast().flags()).isEqualTo(Frames.FLAG_END_STREAM);
    assertThat(peer.leaked()).isZero();
  }

  @Test
  void windowsFollowSettings() {
    Peer peer = Peer.ofServer().greet();
    peer.send(peer.connect(1));
    HboneStream stream = peer.listener.streams.getFirst();
    stream.write(peer.allocator.directBuffer().writeZero(65_000));
    stream.flush();
    assertThat(dataBytes(peer.received())).isEqualTo(65_000);

    peer.send(Peer.words(Frames.WINDOW_UPDATE, 0, 1 << 20));
    peer.send(Peer.settings(Frames.SETTINGS_INITIAL_WINDOW_SIZE, 1000));
    stream.write(peer.allocator.directBuffer().writeZero(10));
    assertThat(dataBytes(peer.received())).as("the window is negative now").isZero();
    assertThat(stream.isWritable()).isFalse();

    peer.send(Peer.settings(Frames.SETTINGS_INITIAL_WINDOW_SIZE, 65_535));
    assertThat(dataBytes(peer.received())).isEqualTo(10);
    assertThat(peer.listener.handlers.getFirst().writable).isEqualTo(1);
    assertThat(peer.leaked()).isZero();
  }

  private static int dataBytes(List<Peer.Frame> frames) {
    return frames.stream()
        .filter(frame -> frame.type() == Frames.DATA)
        .mapToInt(frame -> frame.payload().length)
        .sum();
  }

  @Test
  void writesTheHeadIntoTheBuffersHeadroom() {
    Peer peer = Peer.ofServer().greet();
    peer.send(peer.connect(1));
    ByteBuf buffer = peer.allocator.directBuffer(64, 64).setIndex(9, 9);
    buffer.writeBytes("hello".getBytes());
    peer.listener.streams.getFirst().write(buffer);

    ByteBuf written = peer.channel.flushOutbound().readOutbound();
    assertThat(written).isSameAs(buffer);
    assertThat(written.readableBytes()).isEqualTo(14);
    written.release();
    assertThat(peer.leaked()).isZero();
  }

  @Test
  void endsGracefullyInTwoSteps() {
    Peer peer = Peer.ofServer().greet();
    peer.send(peer.connect(1));
    peer.connection.shutdown();

    List<Peer.Frame> first = peer.received();
    assertThat(first).extracting(Peer.Frame::type).containsExactly(Frames.GOAWAY, Frames.PING);
    assertThat(first.getFirst().intAt(0)).isEqualTo(Integer.MAX_VALUE);

    peer.send(peer.connect(3)); // was under way
    assertThat(peer.listener.streams).hasSize(2);
    peer.send(Peer.frame(Frames.PING, Frames.FLAG_ACK, 0, first.get(1).payload()));
    List<Peer.Frame> second = peer.received(Frames.GOAWAY);
    assertThat(second).hasSize(1);
    assertThat(second.getFirst().intAt(0)).isEqualTo(3);

    peer.send(peer.connect(5));
    assertThat(peer.listener.streams).hasSize(2);
    peer.listener.streams.forEach(
        stream -> stream.respond(new DefaultHttp2Headers().status("503"), true));
    assertThat(peer.channel.isOpen()).as("the client closes first").isTrue();
    peer.channel.advanceTimeBy(2, TimeUnit.SECONDS);
    peer.channel.runScheduledPendingTasks();
    assertThat(peer.channel.isOpen()).isFalse();
    assertThat(peer.listener.cause).isNull();
    assertThat(peer.leaked()).isZero();
  }

  @Test
  void aClientObeysGoAway() {
    Peer peer = Peer.ofClient().greet();
    RecordingHandler first = new RecordingHandler();
    RecordingHandler second = new RecordingHandler();
    HboneStream kept = peer.connection.open(Peer.connectHeaders(), first);
    peer.connection.open(Peer.connectHeaders(), second);
    peer.send(peer.answer(1, 200));
    peer.send(Peer.words(Frames.GOAWAY, 0, 1, 0));

    assertThat(second.reset).isEqualTo(Http2Error.REFUSED_STREAM);
    assertThat(first.reset).isNull();
    assertThat(peer.connection.canOpen(100)).isFalse();
    peer.send(Peer.data(1, "bye", true));
    kept.end();
    assertThat(first.text()).isEqualTo("bye");
    peer.received();
    assertThat(peer.channel.isOpen()).isFalse();
    assertThat(peer.leaked()).isZero();
  }

  @Test
  void aClientObeysThePeersStreamLimit() {
    Peer peer = Peer.ofClient();
    assertThat(peer.connection.canOpen(100)).as("one before SETTINGS").isTrue();
    peer.connection.open(Peer.connectHeaders(), new RecordingHandler());
    assertThat(peer.connection.canOpen(100)).isFalse();
    peer.send(Peer.settings(Frames.SETTINGS_MAX_CONCURRENT_STREAMS, 2));
    peer.connection.open(Peer.connectHeaders(), new RecordingHandler());
    assertThat(peer.connection.canOpen(100)).isFalse();
    assertThat(peer.leaked()).isZero();
  }

  @Test
  void aResetReachesTheStreamAlone() {
    Peer peer = Peer.ofServer().greet();
    peer.send(peer.connect(1));
    peer.send(peer.connect(3));
    peer.send(Peer.words(Frames.RST_STREAM, 1, 8));

    assertThat(peer.listener.handlers.get(0).reset).isEqualTo(Http2Error.CANCEL);
    assertThat(peer.listener.handlers.get(1).reset).isNull();
    peer.send(Peer.data(1, "late", false));
    assertThat(peer.channel.isOpen()).isTrue();
    assertThat(peer.leaked()).isZero();
  }

  @ParameterizedTest
  @ValueSource(strings = {"ping", "settings", "reset", "data", "continuation", "unknown"})
  void floodsAreBounded(String kind) {
    Peer peer = Peer.ofServer().greet();
    int stream = 1;
    if (kind.equals("data")) {
      peer.send(peer.connect(1));
    } else if (kind.equals("continuation")) {
      peer.send(Peer.frame(Frames.HEADERS, 0, 1, new byte[0]));
    }
    int sent = 0;
    while (peer.channel.isOpen() && sent < 10_000) {
      peer.send(
          switch (kind) {
            case "ping" -> Peer.words(Frames.PING, 0, 0, 0);
            case "settings" -> Peer.settings();
            case "reset" ->
                Unpooled.wrappedBuffer(
                    peer.connect(stream), Peer.words(Frames.RST_STREAM, stream, 8));
            case "data" -> Peer.data(1, "", false);
            case "continuation" -> Peer.frame(Frames.CONTINUATION, 0, 1, new byte[0]);
            default -> Peer.frame(0x77, 0, 0, new byte[0]);
          });
      sent++;
      stream += 2;
    }

    assertThat(peer.goAwayCode()).isEqualTo(CALM);
    assertThat(peer.leaked()).isZero();
  }

  @Test
  void headerListsAreBounded() {
    Peer peer = Peer.ofServer().greet();
    DefaultHttp2Headers headers = new DefaultHttp2Headers();
    headers.method("CONNECT").authority("10.0.0.1:80");
    for (int i = 0; i < 30; i++) {
      headers.add("x", "y".repeat(5000));
    }
    byte[] block = peer.block(headers);
    List<ByteBuf> frames = new ArrayList<>();
    for (int at = 0; at < block.length; at += 16_000) {
      int to = Math.min(at + 16_000, block.length);
      frames.add(
          Peer.frame(
              at == 0 ? Frames.HEADERS : Frames.CONTINUATION,
              to == block.length ? Frames.FLAG_END_HEADERS : 0,
              1,
              Arrays.copyOfRange(block, at, to)));
    }
    peer.send(Unpooled.wrappedBuffer(frames.toArray(ByteBuf[]::new)));

    assertThat(peer.listener.requests).isEmpty();
    assertThat(peer.goAwayCode()).isEqualTo(CALM);
    assertThat(peer.leaked()).isZero();
  }

  @Test
  void asksASilentPeerAndGivesUp() {
    Peer peer = Peer.ofServer().greet();
    peer.channel.advanceTimeBy(10, TimeUnit.SECONDS);
    peer.channel.runScheduledPendingTasks();
    List<Peer.Frame> pings = peer.received(Frames.PING);
    assertThat(pings).hasSize(1);
    peer.send(Peer.frame(Frames.PING, Frames.FLAG_ACK, 0, pings.getFirst().payload()));

    peer.channel.advanceTimeBy(10, TimeUnit.SECONDS);
    peer.channel.runScheduledPendingTasks();
    assertThat(peer.received(Frames.PING)).hasSize(1);
    peer.channel.advanceTimeBy(20, TimeUnit.SECONDS);
    peer.channel.runScheduledPendingTasks();

    assertThat(peer.channel.isOpen()).isFalse();
    assertThat(peer.listener.cause).hasMessageContaining("PING");
    assertThat(peer.leaked()).isZero();
  }

  @Test
  void wantsThePeersSettingsInTime() {
    Peer peer = Peer.ofServer();
    peer.send(Unpooled.wrappedBuffer(Frames.PREFACE, 0, 5));
    peer.channel.advanceTimeBy(10, TimeUnit.SECONDS);
    peer.channel.runScheduledPendingTasks();

    assertThat(peer.goAwayCode()).isEqualTo((int) Http2Error.SETTINGS_TIMEOUT.code());
    assertThat(peer.channel.isOpen()).isFalse();
  }

  @Test
  void aFinalAnswerFreesTheStreamAtOnce() {
    Peer peer = Peer.ofServer().greet();
    peer.send(peer.connect(1));
    peer.listener.streams.getFirst().respond(new DefaultHttp2Headers().status("401"), true);

    assertThat(peer.received())
        .extracting(Peer.Frame::type)
        .containsExactly(Frames.HEADERS, Frames.RST_STREAM);
    assertThat(peer.connection.activeStreams()).isZero();
    peer.send(Peer.data(1, "late", true));
    assertThat(peer.channel.isOpen()).isTrue();
    assertThat(peer.leaked()).isZero();
  }
}
