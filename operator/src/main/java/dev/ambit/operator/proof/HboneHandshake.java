package dev.ambit.operator.proof;

import dev.ambit.operator.enrollment.model.Proof;
import java.io.DataInputStream;
import java.io.EOFException;
import java.io.IOException;
import java.io.OutputStream;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.net.SocketTimeoutException;
import java.security.cert.CertificateParsingException;
import java.security.cert.X509Certificate;
import java.time.Duration;
import java.util.Collection;
import java.util.HexFormat;
import java.util.List;
import java.util.Objects;
import javax.net.ssl.SSLContext;
import javax.net.ssl.SSLException;
import javax.net.ssl.SSLParameters;
import javax.net.ssl.SSLSocket;

/**
 * One tunnel that is set up and taken down: mTLS with the pod's identity looked at, and HTTP/2 up
 * to the answer to a PING, which says that the other side has taken our certificate too. A waypoint
 * is asked a request through a tunnel besides. Nothing is sent to an application.
 */
final class HboneHandshake {
  private static final int URI_NAME = 6;
  private static final int PING = 6;
  private static final int ACK = 1;
  private static final int MOST_FRAMES = 20;
  private static final int LARGEST_FRAME = 16_384;

  private static final byte[] PREFACE_AND_PING =
      HexFormat.of()
          .parseHex(
              // The preface, SETTINGS without any, PING.
              "505249202a20485454502f322e300d0a0d0a534d0d0a0d0a"
                  + "000000040000000000"
                  + "000008060000000000"
                  + "616d626974000000");

  /** GOAWAY without an error. */
  private static final byte[] FAREWELL =
      HexFormat.of().parseHex("000008070000000000" + "0000000000000000");

  private HboneHandshake() {}

  /**
   * Tries.
   *
   * @param tls a new one for each attempt, since a resumed session would show no certificate
   * @param identity the URI that the pod's certificate must have
   * @param waypoint whether it is a waypoint, which is asked a request besides
   * @param within for each of connecting and answering
   */
  static Proof attempt(
      InetSocketAddress address,
      SSLContext tls,
      String identity,
      boolean waypoint,
      Duration within) {
    try (Socket plain = new Socket()) {
      plain.connect(address, Math.toIntExact(within.toMillis()));
      plain.setSoTimeout(Math.toIntExact(within.toMillis()));
      plain.setTcpNoDelay(true);
      try (SSLSocket socket =
          (SSLSocket)
              tls.getSocketFactory()
                  .createSocket(plain, address.getHostString(), address.getPort(), true)) {
        SSLParameters parameters = socket.getSSLParameters();
        parameters.setApplicationProtocols(new String[] {"h2"});
        parameters.setProtocols(new String[] {"TLSv1.3"});
        socket.setSSLParameters(parameters);
        socket.startHandshake();
        List<String> shown =
            identities((X509Certificate) socket.getSession().getPeerCertificates()[0]);
        if (!shown.contains(identity)) {
          return Proof.failed(
              "port " + address.getPort() + " is " + shown + " and not " + identity);
        }
        DataInputStream in = new DataInputStream(socket.getInputStream());
        if (!ping(in, socket.getOutputStream())) {
          return Proof.failed("port " + address.getPort() + " does not speak HTTP/2");
        }
        Proof proof = waypoint ? TunnelRequest.proof(in, socket.getOutputStream()) : Proof.HOLDS;
        socket.getOutputStream().write(FAREWELL);
        socket.getOutputStream().flush();
        return proof;
      }
    } catch (SocketTimeoutException e) {
      return Proof.failed(
          "port " + address.getPort() + " does not answer within " + within.toSeconds() + " s");
    } catch (SSLException e) {
      return Proof.failed("TLS with port " + address.getPort() + " fails: " + e.getMessage());
    } catch (IOException | CertificateParsingException e) {
      return Proof.failed("port " + address.getPort() + " cannot be reached: " + e.getMessage());
    }
  }

  private static List<String> identities(X509Certificate certificate)
      throws CertificateParsingException {
    Collection<List<?>> names = certificate.getSubjectAlternativeNames();
    return names == null
        ? List.of()
        : names.stream()
            .filter(name -> Objects.equals(name.getFirst(), URI_NAME))
            .map(name -> String.valueOf(name.get(1)))
            .toList();
  }

  private static boolean ping(DataInputStream in, OutputStream out) throws IOException {
    out.write(PREFACE_AND_PING);
    out.flush();
    try {
      for (int i = 0; i < MOST_FRAMES; i++) {
        int length = (in.readUnsignedByte() << 16) | in.readUnsignedShort();
        int type = in.readUnsignedByte();
        int flags = in.readUnsignedByte();
        in.readInt();
        if (length > LARGEST_FRAME) {
          return false;
        }
        in.skipNBytes(length);
        if (type == PING && (flags & ACK) != 0) {
          return true;
        }
      }
      return false;
    } catch (EOFException e) {
      throw new SSLException("it was closed before the first answer", e);
    }
  }
}
