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
import java.net.ServerSocket;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.security.cert.CertificateParsingException;
import java.security.cert.X509Certificate;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.function.Function;
import javax.net.ssl.SSLSocket;
import org.jspecify.annotations.Nullable;

/**
 * A program that ends HBONE itself, as a waypoint does, without a ztunnel: it answers each CONNECT
 * as told, and sends back what comes with a text before it.
 */
final class HboneServer implements AutoCloseable {
  static final int PORT = 15008;

  private static final int DATA = 0;
  private static final int HEADERS = 1;
  private static final int SETTINGS = 4;
  private static final int PING = 6;
  private static final int WINDOW_UPDATE = 8;
  private static final int END_STREAM = 1;
  private static final int END_HEADERS = 4;
  private static final int ACK = 1;
  private static final int PREFACE = 24;

  private final Pod pod;
  private final ServerSocket listener;
  private final TestAuthority authority;
  private final Credentials credentials;
  private final String greeting;
  private final Function<String, Integer> answer;
  private final List<Request> requests = new CopyOnWriteArrayList<>();
  private final List<Socket> open = new CopyOnWriteArrayList<>();
  private final Thread accepting;

  /**
   * A CONNECT that came.
   *
   * @param caller the first URI of the certificate that the caller showed
   */
  record Request(String caller, String authority, Map<String, String> headers) {}

  private HboneServer(
      Pod pod,
      ServerSocket listener,
      TestAuthority authority,
      Credentials credentials,
      String greeting,
      Function<String, Integer> answer) {
    this.pod = pod;
    this.listener = listener;
    this.authority = authority;
    this.credentials = credentials;
    this.greeting = greeting;
    this.answer = answer;
    this.accepting = Thread.ofPlatform().daemon().name("hbone-" + pod).unstarted(this::accept);
  }

  /** Takes every CONNECT, and greets with {@code greeting}. */
  static HboneServer start(Pod pod, TestAuthority authority, String greeting) throws IOException {
    return start(pod, authority, PORT, greeting, asked -> 200);
  }

  /**
   * Starts one, with the pod's identity.
   *
   * @param answer the status for an authority
   */
  static HboneServer start(
      Pod pod, TestAuthority authority, int port, String greeting, Function<String, Integer> answer)
      throws IOException {
    var listener =
        pod.host()
            .bindSocket(
                () -> {
                  var socket = new ServerSocket();
                  socket.setReuseAddress(true);
                  socket.bind(new InetSocketAddress(port), 64);
                  return socket;
                });
    var server =
        new HboneServer(
            pod, listener, authority, authority.workload(pod.identity()), greeting, answer);
    server.accepting.start();
    return server;
  }

  /** What was asked for, in order. */
  List<Request> requests() {
    return requests;
  }

  private void accept() {
    while (true) {
      try {
        var socket = listener.accept();
        open.add(socket);
        Thread.ofPlatform().daemon().name("hbone-serve-" + pod).start(() -> serve(socket));
      } catch (IOException closed) {
        return;
      }
    }
  }

  private void serve(Socket socket) {
    try (socket) {
      socket.setTcpNoDelay(true);
      var tls =
          (SSLSocket)
              HboneClient.context(authority, credentials)
                  .getSocketFactory()
                  .createSocket(socket, null, socket.getPort(), true);
      tls.setUseClientMode(false);
      tls.setNeedClientAuth(true);
      var parameters = tls.getSSLParameters();
      parameters.setApplicationProtocols(new String[] {"h2"});
      parameters.setNeedClientAuth(true);
      tls.setSSLParameters(parameters);
      tls.startHandshake();
      new Connection(tls).run();
    } catch (IOException ended) {
      // The caller went away, or is not to be talked to; it is looked at there.
    } finally {
      open.remove(socket);
    }
  }

  @Override
  public void close() throws IOException {
    listener.close();
    try {
      accepting.join(Patience.SHORT);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
    for (var socket : open) {
      socket.close();
    }
  }

  private final class Connection {
    private final DataInputStream input;
    private final DataOutputStream output;
    private final String caller;
    private final DefaultHttp2HeadersEncoder encoder = new DefaultHttp2HeadersEncoder();
    private final DefaultHttp2HeadersDecoder decoder = new DefaultHttp2HeadersDecoder();

    Connection(SSLSocket tls) throws IOException {
      input = new DataInputStream(tls.getInputStream());
      output = new DataOutputStream(tls.getOutputStream());
      caller = uri((X509Certificate) tls.getSession().getPeerCertificates()[0]);
    }

    void run() throws IOException {
      input.readNBytes(PREFACE);
      frame(SETTINGS, 0, 0, new byte[0]);
      while (true) {
        int length = input.readUnsignedByte() << 16 | input.readUnsignedShort();
        int type = input.readUnsignedByte();
        int flags = input.readUnsignedByte();
        int stream = input.readInt() & 0x7fffffff;
        var payload = input.readNBytes(length);
        switch (type) {
          case SETTINGS, PING -> {
            if ((flags & ACK) == 0) {
              frame(type, ACK, 0, type == PING ? payload : new byte[0]);
            }
          }
          case HEADERS -> request(stream, payload);
          case DATA -> {
            if (payload.length > 0) {
              grant(0, payload.length);
              grant(stream, payload.length);
            }
            frame(DATA, flags & END_STREAM, stream, payload);
          }
          default -> {
            // Nothing else concerns this server.
          }
        }
      }
    }

    private void request(int stream, byte[] block) throws IOException {
      try {
        Http2Headers headers = decoder.decodeHeaders(stream, Unpooled.wrappedBuffer(block));
        var asked = String.valueOf(headers.authority());
        var all = new java.util.HashMap<String, String>();
        headers.forEach(entry -> all.put(entry.getKey().toString(), entry.getValue().toString()));
        requests.add(new Request(caller, asked, all));
        int status = answer.apply(asked);
        var response = new DefaultHttp2Headers(false).status(Integer.toString(status));
        int last = status == 200 ? 0 : END_STREAM;
        frame(HEADERS, END_HEADERS | last, stream, encode(stream, response));
        if (status == 200 && !greeting.isEmpty()) {
          frame(DATA, 0, stream, greeting.getBytes(StandardCharsets.UTF_8));
        }
      } catch (Http2Exception e) {
        throw new IOException(e);
      }
    }

    private byte[] encode(int stream, Http2Headers headers) throws Http2Exception {
      var buffer = Unpooled.buffer();
      try {
        encoder.encodeHeaders(stream, headers, buffer);
        var bytes = new byte[buffer.readableBytes()];
        buffer.readBytes(bytes);
        return bytes;
      } finally {
        buffer.release();
      }
    }

    private void grant(int stream, int bytes) throws IOException {
      frame(
          WINDOW_UPDATE,
          0,
          stream,
          new byte[] {
            (byte) (bytes >> 24), (byte) (bytes >> 16), (byte) (bytes >> 8), (byte) bytes
          });
    }

    private void frame(int type, int flags, int stream, byte[] payload) throws IOException {
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
  }

  private static String uri(@Nullable X509Certificate certificate) throws IOException {
    try {
      return certificate == null
          ? ""
          : certificate.getSubjectAlternativeNames().stream()
              .filter(name -> name.get(0).equals(6))
              .map(name -> name.get(1).toString())
              .findFirst()
              .orElse("");
    } catch (CertificateParsingException e) {
      throw new IOException(e);
    }
  }
}
