package dev.ambit.operator.proof;

import static org.assertj.core.api.Assertions.assertThat;

import dev.ambit.operator.ca.CertificateAuthority;
import dev.ambit.operator.ca.MeshTrust;
import dev.ambit.operator.ca.PeerTls;
import dev.ambit.operator.ca.SelfSignedRoot;
import dev.ambit.operator.ca.ServerCertificate;
import dev.ambit.operator.ca.SpiffeId;
import dev.ambit.operator.ca.TrustDomain;
import dev.ambit.operator.enrollment.model.Proof;
import dev.ambit.operator.waypoint.model.WaypointProbe;
import java.io.DataInputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.security.cert.X509Certificate;
import java.time.Duration;
import java.time.Instant;
import java.time.InstantSource;
import java.util.HexFormat;
import java.util.List;
import java.util.concurrent.ArrayBlockingQueue;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.TimeUnit;
import javax.net.ssl.KeyManager;
import javax.net.ssl.SSLContext;
import javax.net.ssl.SSLParameters;
import javax.net.ssl.SSLServerSocket;
import javax.net.ssl.SSLSocket;
import javax.net.ssl.TrustManager;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** Against a TLS server that answers as a ztunnel does, or not. */
@Timeout(60)
class HboneHandshakeTest {
  private static final TrustDomain TRUST_DOMAIN = new TrustDomain("cluster.local");
  private static final Duration PATIENCE = Duration.ofSeconds(10);
  private static final byte[] SETTINGS = HexFormat.of().parseHex("000000040000000000");
  private static final byte[] PING_ACK =
      HexFormat.of().parseHex("0000080601000000000000000000000000");

  private final CertificateAuthority authority = authority();
  private final BlockingQueue<String> callers = new ArrayBlockingQueue<>(10);
  private boolean toWaypoint;

  private static CertificateAuthority authority() {
    try {
      CertificateAuthority authority = new CertificateAuthority(InstantSource.system());
      authority.load(SelfSignedRoot.generate(TRUST_DOMAIN, Instant.now()));
      return authority;
    } catch (Exception e) {
      throw new AssertionError(e);
    }
  }

  private static ServerCertificate certificate(CertificateAuthority of, String account)
      throws Exception {
    return new ServerCertificate(
        of, List.of(), () -> new SpiffeId(TRUST_DOMAIN, "shop", account), InstantSource.system());
  }

  /** What the server does once TLS is there. */
  private interface Behaviour {
    void serve(DataInputStream in, OutputStream out) throws IOException;
  }

  private static void asZtunnel(DataInputStream in, OutputStream out) throws IOException {
    asZtunnel(in, out, 17);
  }

  private static void asZtunnel(DataInputStream in, OutputStream out, int farewell)
      throws IOException {
    out.write(SETTINGS);
    in.skipNBytes(24 + 9 + 17);
    out.write(SETTINGS);
    out.write(PING_ACK);
    in.skipNBytes(farewell);
  }

  private Proof attempt(CertificateAuthority signer, String account, Behaviour behaviour)
      throws Exception {
    SSLContext context = SSLContext.getInstance("TLS");
    context.init(
        new KeyManager[] {certificate(signer, account)},
        new TrustManager[] {new MeshTrust(authority)},
        null);
    try (SSLServerSocket server =
        (SSLServerSocket)
            context
                .getServerSocketFactory()
                .createServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
      server.setNeedClientAuth(true);
      Thread.ofVirtual()
          .start(
              () -> {
                try (SSLSocket socket = (SSLSocket) server.accept()) {
                  SSLParameters parameters = socket.getSSLParameters();
                  parameters.setApplicationProtocols(new String[] {"h2"});
                  socket.setSSLParameters(parameters);
                  socket.startHandshake();
                  X509Certificate caller =
                      (X509Certificate) socket.getSession().getPeerCertificates()[0];
                  callers.add(String.valueOf(caller.getSubjectAlternativeNames()));
                  behaviour.serve(
                      new DataInputStream(socket.getInputStream()), socket.getOutputStream());
                } catch (Exception e) {
                  // The caller's verdict is what is looked at.
                }
              });
      return attempt(server.getLocalPort());
    }
  }

  private Proof attempt(int port) throws Exception {
    return attempt(port, toWaypoint);
  }

  private Proof attempt(int port, boolean waypoint) throws Exception {
    return HboneHandshake.attempt(
        new InetSocketAddress(InetAddress.getLoopbackAddress(), port),
        PeerTls.of(certificate(authority, "operator"), authority),
        "spiffe://cluster.local/ns/shop/sa/cart",
        waypoint,
        PATIENCE);
  }

  @Test
  void thePodsIdentityAndAnAnswerAreProofAndTheCallerShowsItsOwn() throws Exception {
    assertThat(attempt(authority, "cart", HboneHandshakeTest::asZtunnel)).isEqualTo(Proof.HOLDS);
    assertThat(callers.poll(10, TimeUnit.SECONDS))
        .contains("spiffe://cluster.local/ns/shop/sa/operator");
  }

  private static final String NOT_FOUND = "8d";

  /**
   * Answers CONNECT with those bytes, the first of them with 404 and the end where so told, and
   * what comes in the tunnel with those.
   */
  private static Behaviour asWaypoint(boolean knowsNamespace, String connectAnswer, String answer) {
    return (in, out) -> {
      asZtunnel(in, out, 0);
      skipFrame(in);
      int stream = 1;
      if (!knowsNamespace) {
        out.write(frame(stream, 1, 5, HexFormat.of().parseHex(NOT_FOUND)));
        skipFrame(in);
        stream = 3;
      }
      out.write(frame(stream, 1, 4, HexFormat.of().parseHex(connectAnswer)));
      skipFrame(in);
      out.write(frame(stream, 0, 0, answer.getBytes(StandardCharsets.US_ASCII)));
      skipFrame(in);
    };
  }

  private static void skipFrame(DataInputStream in) throws IOException {
    int length = (in.readUnsignedByte() << 16) | in.readUnsignedShort();
    in.skipNBytes(6 + length);
  }

  private static byte[] frame(int stream, int type, int flags, byte[] content) {
    return ByteBuffer.allocate(9 + content.length)
        .put((byte) 0)
        .putShort((short) content.length)
        .put((byte) type)
        .put((byte) flags)
        .putInt(stream)
        .put(content)
        .array();
  }

  private Proof probe(Behaviour behaviour) throws Exception {
    toWaypoint = true;
    return attempt(authority, "cart", behaviour);
  }

  @Test
  void aWaypointHasToLetARequestThroughBesides() throws Exception {
    String answer = "HTTP/1.1 200 OK\r\ncontent-length: 15\r\n\r\n" + WaypointProbe.ANSWER;
    assertThat(probe(asWaypoint(true, "88", answer))).isEqualTo(Proof.KNOWS_NAMESPACE);
    assertThat(probe(asWaypoint(false, "88", answer))).isEqualTo(Proof.HOLDS);
    // A change of the table's size comes first.
    assertThat(probe(asWaypoint(true, "3fe11f88", answer))).isEqualTo(Proof.KNOWS_NAMESPACE);
    assertThat(probe(asWaypoint(false, NOT_FOUND, "")).problem()).contains("404");
    for (boolean knows : List.of(true, false)) {
      assertThat(probe(asWaypoint(knows, "4803353033", "")).problem())
          .contains("another status than 200");
      assertThat(probe(asWaypoint(knows, "88", "HTTP/1.1 503 Unavailable\r\n\r\n")).holds())
          .isFalse();
    }
    assertThat(probe(HboneHandshakeTest::asZtunnel).holds()).isFalse();
  }

  @Test
  void anotherPodsIdentityIsNone() throws Exception {
    var proof = attempt(authority, "other", HboneHandshakeTest::asZtunnel);
    assertThat(proof.holds()).isFalse();
    assertThat(proof.problem())
        .contains("sa/other", "and not spiffe://cluster.local/ns/shop/sa/cart");
  }

  @Test
  void aCertificateOfAnotherAuthorityIsNone() throws Exception {
    var proof = attempt(authority(), "cart", HboneHandshakeTest::asZtunnel);
    assertThat(proof.holds()).isFalse();
    assertThat(proof.problem()).contains("TLS with port");
  }

  @Test
  void aServerThatClosesOrIsNoTunnelIsNone() throws Exception {
    assertThat(attempt(authority, "cart", (in, out) -> {}).holds()).isFalse();
    assertThat(
            attempt(
                    authority,
                    "cart",
                    (in, out) ->
                        out.write(
                            "HTTP/1.1 400 Bad Request\r\n\r\n".getBytes(StandardCharsets.US_ASCII)))
                .holds())
        .isFalse();
  }

  @Test
  void aPortWhereNobodyListensIsNone() throws Exception {
    int port;
    try (ServerSocket free = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
      port = free.getLocalPort();
    }
    assertThat(attempt(port).problem()).contains("cannot be reached");
  }
}
