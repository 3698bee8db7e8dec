package dev.ambit.ztunnel.dns;

import static dev.ambit.ztunnel.testing.DnsMessages.A;
import static dev.ambit.ztunnel.testing.DnsMessages.AAAA;
import static dev.ambit.ztunnel.testing.DnsMessages.TXT;
import static dev.ambit.ztunnel.testing.DnsMessages.query;
import static dev.ambit.ztunnel.testing.DnsMessages.reply;
import static dev.ambit.ztunnel.testing.DnsMessages.withEdns;
import static dev.ambit.ztunnel.testing.DnsMessages.withOpcode;
import static org.assertj.core.api.Assertions.assertThat;

import dev.ambit.ztunnel.dns.Message.AddressQuestion;
import dev.ambit.ztunnel.dns.Message.Foreign;
import dev.ambit.ztunnel.dns.Message.OtherRequest;
import io.netty.buffer.Unpooled;
import java.util.Arrays;
import org.junit.jupiter.api.Test;

class MessageReaderTest {
  private static Message read(byte[] message) {
    return MessageReader.read(Unpooled.wrappedBuffer(message));
  }

  @Test
  void plainQuestionsForAddressesAreForTheProxy() {
    assertThat(read(query(7, "Cart.Shop.svc.cluster.local", A)))
        .isEqualTo(new AddressQuestion(7, A, 45, "cart.shop.svc.cluster.local", 0, false));
    assertThat(read(withEdns(query(65_535, "a.b", AAAA), 1400)))
        .isEqualTo(new AddressQuestion(65_535, AAAA, 21, "a.b", 1400, true));
    assertThat(read(withEdns(query(1, "a.b", A), 100)))
        .as("every client takes 512 bytes")
        .isEqualTo(new AddressQuestion(1, A, 21, "a.b", 512, true));
  }

  @Test
  void otherRequestsAreForTheServer() {
    assertThat(read(query(1, "a.b", TXT))).isInstanceOf(OtherRequest.class);
    assertThat(read(query(1, "a.b", A, 3))).isInstanceOf(OtherRequest.class);
    assertThat(read(withOpcode(query(1, "a.b", A), 5))).isInstanceOf(OtherRequest.class);
    byte[] truncated = query(1, "a.b", A);
    truncated[2] |= 2;
    assertThat(read(truncated)).isInstanceOf(OtherRequest.class);
    byte[] newerEdns = withEdns(query(1, "a.b", A), 1400);
    newerEdns[newerEdns.length - 5] = 1;
    assertThat(read(newerEdns)).isInstanceOf(OtherRequest.class);
    byte[] more = query(1, "a.b", A);
    assertThat(read(Arrays.copyOf(more, more.length + 1))).isInstanceOf(OtherRequest.class);
    byte[] twoQuestions = query(1, "a.b", A);
    twoQuestions[5] = 2;
    assertThat(read(twoQuestions)).isInstanceOf(OtherRequest.class);
    byte[] noQuestion = Arrays.copyOf(query(9, "a.b", A), 12);
    noQuestion[5] = 0;
    assertThat(read(noQuestion)).isEqualTo(new OtherRequest(9, Message.NO_TYPE, 12));
    assertThat(read(query(1, "caf\u0001.b", A))).isInstanceOf(OtherRequest.class);
  }

  @Test
  void aDotWithinALabelIsNoOther() {
    byte[] dotted = query(1, "cart-shop.svc.cluster.local", A);
    dotted[12 + 1 + 4] = '.';
    assertThat(read(dotted)).isInstanceOf(OtherRequest.class);
  }

  @Test
  void whatIsNoRequestIsForeign() {
    assertThat(read(new byte[0])).isInstanceOf(Foreign.class);
    assertThat(read(new byte[11])).isInstanceOf(Foreign.class);
    assertThat(read(reply(query(1, "a.b", A)))).isInstanceOf(Foreign.class);
    byte[] pointer = query(1, "a.b", A);
    pointer[12] = (byte) 0xc0;
    assertThat(read(pointer)).isInstanceOf(Foreign.class);
    byte[] cut = query(1, "a.b", A);
    assertThat(read(Arrays.copyOf(cut, cut.length - 1))).isInstanceOf(Foreign.class);
  }
}
