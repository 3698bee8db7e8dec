package dev.ambit.ztunnel.netns;

import io.netty.buffer.Unpooled;
import io.netty.handler.codec.http2.DefaultHttp2Headers;
import io.netty.handler.codec.http2.DefaultHttp2HeadersDecoder;
import io.netty.handler.codec.http2.DefaultHttp2HeadersEncoder;
import io.netty.handler.codec.http2.Http2Exception;
import io.netty.handler.codec.http2.Http2Headers;
import java.io.ByteArrayOutputStream;
import java.io.DataInputStream;
import java.io.DataOutputStream;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.security.GeneralSecurityException;
import java.security.KeyStore;
import java.util.Map;
import javax.net.ssl.KeyManagerFactory;
import javax.net.ssl.SSLContext;
import javax.net.ssl.SSLSocket;
import javax.net.ssl.TrustManagerFactory;
import org.jspecify.annotations.Nullable;

/**
 * A caller that speaks HBONE by itself, one stream at a time and unoptimised, so that it can say
 * what a ztunnel never would.
 */
final class HboneClient implements AutoCloseable {
  private static final int DATA = 0;
  private static final int HEADERS = 1;
  private static final int RST_STREAM = 3;
  private static final int SETTINGS = 4;
  private static final int PING = 6;
  private static final int GOAWAY = 7;
  private static final int WINDOW_UPDATE = 8;
  private static final int END_STREAM = 1;
  private static final int END_HEADERS = 4;
  private static final int ACK = 1;
  private static final int ANY_STREAM = 0;

  private final TcpClient tcp;
  private final SSLSocket tls;
  private final DataOutputStream output;
  private final DataInputStream input;
  private final DefaultHttp2HeadersEncoder encoder = new DefaultHttp2HeadersEncoder();
  private final DefaultHttp2HeadersDecoder decoder = new DefaultHttp2HeadersDecoder();
  private int lastStream = -1;

  /** What came on a stream: a status, data, or its end. */
  record Event(int type, int flags, @Nullable String status, byte[] data) {
    boolean isReset() {
      return type == RST_STREAM;
    }

    boolean isEnd() {
      return type == GOAWAY || (flags & END_STREAM) != 0 || isReset();
    }
  }

  private HboneClient(TcpClient tcp, SSLSocket tls) throws IOException {
    this.tcp = tcp;
    this.tls = tls;
    this.output = new DataOutputStream(tls.getOutputStream());
    this.input = new DataInputStream(tls.getInputStream());
    output.write("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".getBytes(StandardCharsets.US_ASCII));
    frame(SETTINGS, 0, 0, new byte[0]);
  }

  /**
   * Opens mTLS to {@code destination} with {@code credentials}.
   *
   * @throws IOException where the connection or the handshake fails
   */
  static HboneClient connect(
      Host host, InetSocketAddress destination, TestAuthority authority, Credentials credentials)
      throws IOException {
    return connect(host, destination, context(authority, credentials));
  }

  /** The same, with certificates and roots of any authority. */
  static HboneClient connect(Host host, InetSocketAddress destination, SSLContext context)
      throws IOException {
    var tcp = TcpClient.connect(host, destination);
    try {
      var socket =
          (SSLSocket)
              context
                  .getSocketFactory()
                  .createSocket(
                      tcp.socket(), destination.getHostString(), destination.getPort(), true);
      var parameters = socket.getSSLParameters();
      parameters.setApplicationProtocols(new String[] {"h2"});
      parameters.setProtocols(new String[] {"TLSv1.3"});
      socket.setSSLParameters(parameters);
      socket.startHandshake();
      return new HboneClient(tcp, socket);
    } catch (IOException e) {
      tcp.close();
      throw e;
    }
  }

  static SSLContext context(TestAuthority authority, Credentials credentials) throws IOException {
    return context(authority.root(), credentials);
  }

  static SSLContext context(java.security.cert.X509Certificate root, Credentials credentials)
      throws IOException {
    try {
      var password = new char[0];
      var keys = KeyStore.getInstance("PKCS12");
      keys.load(null, password);
      keys.setKeyEntry("self", credentials.key(), password, credentials.chainArray());
      var keyManagers = KeyManagerFactory.getInstance("PKIX");
      keyManagers.init(keys, password);
      var roots = KeyStore.getInstance("PKCS12");
      roots.load(null, password);
      roots.setCertificateEntry("root", root);
      var trustManagers = TrustManagerFactory.getInstance("PKIX");
      trustManagers.init(roots);
      var context = SSLContext.getInstance("TLSv1.3");
      context.init(keyManagers.getKeyManagers(), trustManagers.getTrustManagers(), null);
      return context;
    } catch (GeneralSecurityException e) {
      throw new IOException("cannot set up TLS", e);
    }
  }

  java.net.Socket socket() {
    return tls;
  }

  /** The first URI among the names in the certificate that the other side showed. */
  String peerIdentity() throws IOException {
    try {
      var certificate =
          (java.security.cert.X509Certificate) tls.getSession().getPeerCertificates()[0];
      return certificate.getSubjectAlternativeNames().stream()
          .filter(name -> name.get(0).equals(6))
          .map(name -> name.get(1).toString())
          .findFirst()
          .orElseThrow(() -> new IOException("the certificate names no URI"));
    } catch (java.security.cert.CertificateParsingException e) {
      throw new IOException(e);
    }
  }

  /** Sends CONNECT and returns the status of the answer. */
  String connect(String authority) throws IOException {
    return request("CONNECT", authority, Map.of());
  }

  /** Sends a request and returns its status, or "reset" or "closed". */
  String request(String method, String authority, Map<String, String> more) throws IOException {
    lastStream += 2;
    var headers = new DefaultHttp2Headers(false).method(method).authority(authority);
    if (!method.equals("CONNECT")) {
      headers.scheme("https").path("/");
    }
    more.forEach(headers::add);
    frame(HEADERS, END_HEADERS, lastStream, encode(headers));
    try {
      while (true) {
        var event = next(lastStream);
        if (event.status() != null) {
          return event.status();
        }
        if (event.isReset()) {
          return "reset";
        }
        if (event.isEnd()) {
          return "closed";
        }
      }
    } catch (java.io.EOFException | javax.net.ssl.SSLException | java.net.SocketException e) {
      return "closed";
    }
  }

  /** The header block of a CONNECT, for a frame of one's own. */
  byte[] connectHeaders(int stream, String authority) throws IOException {
    lastStream = stream;
    return encode(new DefaultHttp2Headers(false).method("CONNECT").authority(authority));
  }

  /** What is read from now on is of this stream. */
  void expectStream(int stream) {
    lastStream = stream;
  }

  /** Reads until {@code count} streams have a status or were reset; how many had which. */
  Map<String, Integer> awaitOutcomes(int count) throws IOException {
    var outcomes = new java.util.HashMap<String, Integer>();
    for (int seen = 0; seen < count; ) {
      var event = next(ANY_STREAM);
      if (event.type() == GOAWAY) {
        throw new IOException("the tunnel ends after " + outcomes);
      }
      var outcome = event.isReset() ? "reset" : event.status();
      if (outcome != null) {
        outcomes.merge(outcome, 1, Integer::sum);
        seen++;
      }
    }
    return outcomes;
  }

  void send(String text) throws IOException {
    frame(DATA, 0, lastStream, text.getBytes(StandardCharsets.UTF_8));
  }

  /** Reads {@code length} bytes of the last stream. */
  String receive(int length) throws IOException {
    var received = new ByteArrayOutputStream();
    while (received.size() < length) {
      var event = next(lastStream);
      received.writeBytes(event.data());
      if (event.isEnd() && received.size() < length) {
        throw new IOException("the stream ended after " + received.size() + " bytes");
      }
    }
    return received.toString(StandardCharsets.UTF_8);
  }

  /** Reads the last stream to its end, or the connection to its end; true if it was a reset. */
  boolean awaitEnd() throws IOException {
    try {
      while (true) {
        var event = next(lastStream);
        if (event.isEnd()) {
          return event.isReset();
        }
      }
    } catch (java.io.EOFException | javax.net.ssl.SSLException | java.net.SocketException e) {
      return true;
    }
  }

  /**
   * Reads the last stream to its end, past what is said of the connection; true if it was a reset.
   */
  boolean awaitStreamEnd() throws IOException {
    while (true) {
      var event = next(lastStream);
      if (event.type() != GOAWAY && event.isEnd()) {
        return event.isReset();
      }
    }
  }

  /**
   * Reads up to the GOAWAY that names the last stream taken, past those that announce it.
   *
   * @return its error code
   */
  int awaitGoAway() throws IOException {
    while (true) {
      var event = next(lastStream);
      if (event.type() == GOAWAY) {
        var payload = ByteBuffer.wrap(event.data());
        if (payload.getInt() != Integer.MAX_VALUE) {
          return payload.getInt();
        }
      }
    }
  }

  /** Whether the connection ends in order, with nothing of it left to read. */
  boolean isFinished() throws IOException {
    return input.read() < 0;
  }

  private byte[] encode(Http2Headers headers) throws IOException {
    var buffer = Unpooled.buffer();
    try {
      encoder.encodeHeaders(lastStream, headers, buffer);
      var bytes = new byte[buffer.readableBytes()];
      buffer.readBytes(bytes);
      return bytes;
    } catch (Http2Exception e) {
      throw new IOException(e);
    } finally {
      buffer.release();
    }
  }

  /** Sends a frame as it is. */
  void frame(int type, int flags, int stream, byte[] payload) throws IOException {
    var bytes = new ByteArrayOutputStream();
    var frame = new DataOutputStream(bytes);
    frame.writeByte(payload.length >> 16);
    frame.writeShort(payload.length);
    frame.writeByte(type);
    frame.writeByte(flags);
    frame.writeInt(stream);
    frame.write(payload);
    output.write(bytes.toByteArray());
    output.flush();
  }

  /** The next frame of {@code stream}, or the connection's end; answers what HTTP/2 has to. */
  private Event next(int stream) throws IOException {
    while (true) {
      int length = input.readUnsignedByte() << 16 | input.readUnsignedShort();
      int type = input.readUnsignedByte();
      int flags = input.readUnsignedByte();
      int id = input.readInt() & 0x7fffffff;
      var payload = input.readNBytes(length);
      switch (type) {
        case SETTINGS -> {
          if ((flags & ACK) == 0) {
            frame(SETTINGS, ACK, 0, new byte[0]);
          }
        }
        case PING -> {
          if ((flags & ACK) == 0) {
            frame(PING, ACK, 0, payload);
          }
        }
        case GOAWAY -> {
          return new Event(type, 0, null, payload);
        }
        case HEADERS -> {
          var status = status(id, payload);
          if (id == stream || stream == ANY_STREAM) {
            return new Event(type, flags, status, new byte[0]);
          }
        }
        case DATA -> {
          if (payload.length > 0) {
            grant(0, payload.length);
            grant(id, payload.length);
          }
          if (id == stream || stream == ANY_STREAM) {
            return new Event(type, flags, null, payload);
          }
        }
        case RST_STREAM -> {
          if (id == stream || stream == ANY_STREAM) {
            return new Event(type, 0, null, new byte[0]);
          }
        }
        default -> {
          // Nothing else concerns this client.
        }
      }
    }
  }

  private void grant(int stream, int bytes) throws IOException {
    frame(
        WINDOW_UPDATE,
        0,
        stream,
        new byte[] {(byte) (bytes >> 24), (byte) (bytes >> 16), (byte) (bytes >> 8), (byte) bytes});
  }

  private @Nullable String status(int stream, byte[] block) throws IOException {
    try {
      var status = decoder.decodeHeaders(stream, Unpooled.wrappedBuffer(block)).status();
      return status == null ? null : status.toString();
    } catch (Http2Exception e) {
      throw new IOException(e);
    }
  }

  /** Breaks the connection off, also where somebody is stuck in writing to it. */
  void reset() throws IOException {
    tcp.reset();
  }

  @Override
  public void close() throws IOException {
    try {
      tls.close();
    } finally {
      tcp.close();
    }
  }
}
