package dev.ambit.ztunnel.dns;

import static org.assertj.core.api.Assertions.assertThat;

import dev.ambit.ztunnel.dns.Message.AddressQuestion;
import dev.ambit.ztunnel.dns.Message.Foreign;
import dev.ambit.ztunnel.dns.Message.OtherRequest;
import dev.ambit.ztunnel.dns.Message.Request;
import dev.ambit.ztunnel.testing.DnsMessages;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import io.netty.buffer.UnpooledByteBufAllocator;
import java.net.InetAddress;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;

/** Whatever a pod or a server sends, reading it does not fail, and answers are well formed. */
class MessageFuzzTest {
  @Property(tries = 3000)
  void anyBytesAreRead(@ForAll byte[] bytes) {
    check(bytes);
  }

  @Property(tries = 3000)
  void questionsWithBytesChangedCutOffOrAdded(@ForAll long seed) {
    var random = new Random(seed);
    byte[] message = DnsMessages.query(random.nextInt(65_536), name(random), 1);
    if (random.nextBoolean()) {
      message = DnsMessages.withEdns(message, random.nextInt(65_536));
    }
    for (int i = random.nextInt(4); i > 0; i--) {
      message[random.nextInt(message.length)] = (byte) random.nextInt();
    }
    check(java.util.Arrays.copyOf(message, Math.max(0, message.length - 3 + random.nextInt(6))));
  }

  private static String name(Random random) {
    var labels = new ArrayList<String>();
    for (int i = 1 + random.nextInt(8); i > 0; i--) {
      labels.add("abcXYZ0123456789-_*".repeat(3).substring(0, 1 + random.nextInt(30)));
    }
    return String.join(".", labels);
  }

  private static void check(byte[] bytes) {
    // Somewhere in a larger buffer, as messages of a connection are.
    ByteBuf message =
        Unpooled.wrappedBuffer(new byte[7], bytes, new byte[300]).slice(7, bytes.length);
    Message read = MessageReader.read(message);
    assertThat(message.readerIndex()).isZero();
    switch (read) {
      case AddressQuestion question -> checkAnswer(message, question);
      case OtherRequest request -> checkRequest(message, request);
      case Foreign foreign -> assertThat(foreign).isNotNull();
    }
    MessageReader.answers(message, bytes.length, bytes);
  }

  private static void checkRequest(ByteBuf message, Request request) {
    assertThat(request.id()).isEqualTo(message.getUnsignedShort(0));
    assertThat(request.questionEnd()).isBetween(Message.HEADER, message.readableBytes());
    byte[] question = DatagramServer.question(message, request);
    ByteBuf failure =
        AnswerWriter.failure(
            UnpooledByteBufAllocator.DEFAULT, request.id(), message.getUnsignedShort(2), question);
    assertThat(MessageReader.answers(failure, request.id(), question)).isTrue();
    assertThat(MessageReader.answers(failure, request.id() ^ 1, question)).isFalse();
    failure.release();
  }

  private static void checkAnswer(ByteBuf message, AddressQuestion question) {
    checkRequest(message, question);
    assertThat(question.name())
        .isNotEmpty()
        .isEqualTo(question.name().toLowerCase(java.util.Locale.ROOT));
    List<InetAddress> addresses = new ArrayList<>();
    for (int i = 0; i < 100; i++) {
      addresses.add(
          InetAddress.ofLiteral(question.type() == Message.TYPE_A ? "10.0.0." + i : "fd00::" + i));
    }
    for (String alias : new String[] {null, "alias.example.com"}) {
      int limit = AnswerWriter.datagramLimit(question);
      ByteBuf answer =
          AnswerWriter.answer(
              UnpooledByteBufAllocator.DEFAULT, message, question, alias, addresses, limit);
      assertThat(answer.readableBytes()).isLessThanOrEqualTo(limit);
      byte[] bytes = new byte[answer.readableBytes()];
      answer.readBytes(bytes);
      answer.release();
      var told = DnsMessages.read(bytes);
      assertThat(told.id()).isEqualTo(question.id());
      int records = told.answers().size() - (alias == null || told.answers().isEmpty() ? 0 : 1);
      assertThat(told.truncated()).isEqualTo(records < addresses.size());
      assertThat(told.additional()).isEqualTo(question.payloadLimit() == 0 ? 0 : 1);
    }
  }
}
