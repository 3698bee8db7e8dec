package dev.ambit.ztunnel.channel;

import static org.assertj.core.api.Assertions.assertThat;

import io.grpc.Status;
import java.io.IOException;
import java.security.SignatureException;
import java.security.cert.CertificateException;
import javax.net.ssl.SSLHandshakeException;
import org.junit.jupiter.api.Test;

class CallFailureTest {
  @Test
  void saysWhatIsAtTheBottomInOneLine() {
    IOException refused = new IOException("Connection refused");
    Throwable failure =
        Status.UNAVAILABLE
            .withDescription("io exception\nChannel Pipeline: [x]")
            .withCause(new IOException("outer", refused))
            .asRuntimeException();
    assertThat(CallFailure.describe(failure))
        .isEqualTo("UNAVAILABLE: io exception: Connection refused");
  }

  @Test
  void namesTheCertificateWhereThatIsTheFault() {
    SSLHandshakeException handshake = new SSLHandshakeException("General OpenSslEngine problem");
    handshake.initCause(
        new CertificateException("path", new SignatureException("Signature does not match.")));
    Throwable failure =
        Status.UNAVAILABLE.withDescription("io exception").withCause(handshake).asException();
    assertThat(CallFailure.describe(failure))
        .contains("certificate", "root", "Signature does not match.");
  }

  @Test
  void otherFailuresSayWhatTheySay() {
    assertThat(CallFailure.describe(new IOException("token file /x is empty")))
        .isEqualTo("token file /x is empty");
    assertThat(
            CallFailure.describe(
                Status.UNAUTHENTICATED.withDescription("no such pod").asRuntimeException()))
        .isEqualTo("UNAUTHENTICATED: no such pod");
  }
}
