package dev.ambit.ztunnel.netns;

import static org.awaitility.Awaitility.await;

import java.io.BufferedInputStream;
import java.io.ByteArrayOutputStream;
import java.io.EOFException;
import java.io.IOException;
import java.io.InputStream;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.security.cert.CertificateParsingException;
import java.security.cert.X509Certificate;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.TreeMap;
import java.util.function.Consumer;
import java.util.function.Function;
import java.util.function.Predicate;
import javax.net.ssl.SNIMatcher;
import javax.net.ssl.SNIServerName;
import javax.net.ssl.SSLContext;
import javax.net.ssl.SSLParameters;
import javax.net.ssl.SSLPeerUnverifiedException;
import javax.net.ssl.SSLSocket;
import javax.net.ssl.StandardConstants;

/** HTTP/1.1 as far as tests speak it, in pods: a server that shows what it got, and a client. */
final class Web {
  private Web() {}

  /** A message: its first line, its headers by lower-case name, the last of a name, its body. */
  record Message(String first, Map<String, String> headers, String body) {
    int status() {
      return Integer.parseInt(first.split(" ", 3)[1]);
    }

    String header(String name) {
      return headers.getOrDefault(name.toLowerCase(Locale.ROOT), "");
    }

    /** What a request is for. */
    String path() {
      return first.split(" ", 3)[1];
    }
  }

  /** What a server says to a request. */
  record Answer(int status, String body) {}

  /**
   * Answers each request with the name of the pod in header {@code x-pod} and the request's head as
   * the body; {@code /status/503} with that status, {@code /bytes/1000} with so many bytes, and a
   * request to upgrade by an echo of all that follows.
   */
  static TcpServer serve(Pod pod, int port) throws IOException {
    return serve(pod, port, _ -> {});
  }

  /**
   * The same, which tells of each request's first line and body, with what is not text as it is.
   */
  static TcpServer serve(Pod pod, int port, Consumer<String> seen) throws IOException {
    return answer(
        pod,
        port,
        request -> {
          seen.accept(request.first() + "\n" + request.body());
          return shown(request);
        });
  }

  /** Answers with what is made of a request, and the name of the pod in header {@code x-pod}. */
  static TcpServer answer(Pod pod, int port, Function<Message, Answer> answers) throws IOException {
    return TcpServer.start(pod, port, socket -> converse(pod, socket, answers));
  }

  /**
   * Serves as {@link #serve}, over TLS.
   *
   * @param names told which name each client asked for in TLS
   */
  static TcpServer serveTls(Pod pod, int port, SSLContext context, Consumer<String> names)
      throws IOException {
    return TcpServer.start(
        pod,
        port,
        socket -> {
          try (SSLSocket tls =
              (SSLSocket) context.getSocketFactory().createSocket(socket, null, false)) {
            SSLParameters parameters = tls.getSSLParameters();
            parameters.setSNIMatchers(List.of(new Listening(names)));
            parameters.setWantClientAuth(true);
            tls.setSSLParameters(parameters);
            converse(
                pod,
                tls,
                request -> {
                  Answer shown = shown(request);
                  return new Answer(
                      shown.status(), shown.body() + "\ncertificate=" + certificate(tls));
                });
          }
        });
  }

  /** Whom the client's certificate names. */
  private static String certificate(SSLSocket tls) {
    try {
      var certificate = (X509Certificate) tls.getSession().getPeerCertificates()[0];
      return String.valueOf(certificate.getSubjectAlternativeNames());
    } catch (SSLPeerUnverifiedException e) {
      return "none";
    } catch (CertificateParsingException e) {
      throw new IllegalStateException(e);
    }
  }

  /** Takes any name, also where the client then ends the handshake. */
  private static final class Listening extends SNIMatcher {
    private final Consumer<String> names;

    Listening(Consumer<String> names) {
      super(StandardConstants.SNI_HOST_NAME);
      this.names = names;
    }

    @Override
    public boolean matches(SNIServerName name) {
      names.accept(new String(name.getEncoded(), StandardCharsets.US_ASCII));
      return true;
    }
  }

  private static Answer shown(Message request) {
    String path = request.path();
    return new Answer(
        path.startsWith("/status/") ? Integer.parseInt(path.substring("/status/".length())) : 200,
        path.startsWith("/bytes/")
            ? "b".repeat(Integer.parseInt(path.substring("/bytes/".length())))
            : request.first() + "\n" + request.headers());
  }

  private static void converse(Pod pod, Socket socket, Function<Message, Answer> answers)
      throws IOException {
    InputStream in = new BufferedInputStream(socket.getInputStream());
    for (Message request = read(in); request != null; request = read(in)) {
      if (!request.header("upgrade").isEmpty()) {
        write(
            socket,
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n");
        in.transferTo(socket.getOutputStream());
        return;
      }
      Answer answer = answers.apply(request);
      write(
          socket,
          "HTTP/1.1 %d OK\r\nx-pod: %s\r\ncontent-length: %d\r\n\r\n%s"
              .formatted(
                  answer.status(),
                  pod.name(),
                  answer.body().getBytes(StandardCharsets.UTF_8).length,
                  answer.body()));
    }
  }

  private static void write(Socket socket, String text) throws IOException {
    socket.getOutputStream().write(text.getBytes(StandardCharsets.UTF_8));
    socket.getOutputStream().flush();
  }

  /** Asks over a connection of its own. */
  static Message get(Pod client, InetSocketAddress server, String path, String... headers)
      throws IOException {
    try (Connection connection = connect(client, server)) {
      return connection.get(path, headers);
    }
  }

  /** Asks until the answer is as wanted, which takes a moment after a change, and returns it. */
  static Message becomes(
      Pod client,
      InetSocketAddress server,
      String path,
      Predicate<Message> wanted,
      String... headers) {
    Message[] last = new Message[1];
    await("the answer of " + server + path + " to " + client)
        .atMost(Patience.LONG)
        .pollInterval(Duration.ofMillis(50))
        .ignoreExceptionsInstanceOf(IOException.class)
        .until(
            () -> {
              last[0] = get(client, server, path, headers);
              return wanted.test(last[0]);
            });
    return last[0];
  }

  static Connection connect(Pod client, InetSocketAddress server) throws IOException {
    return new Connection(TcpClient.connect(client, server));
  }

  /** A connection that requests are sent over, one after the other. */
  static final class Connection implements AutoCloseable {
    private final TcpClient client;
    private final InputStream in;

    private Connection(TcpClient client) throws IOException {
      this.client = client;
      this.in = new BufferedInputStream(client.socket().getInputStream());
    }

    Message get(String path, String... headers) throws IOException {
      send(path, headers);
      return receive();
    }

    void send(String path, String... headers) throws IOException {
      List<String> lines = new ArrayList<>(List.of("GET " + path + " HTTP/1.1", "host: test"));
      lines.addAll(List.of(headers));
      client.send(String.join("\r\n", lines) + "\r\n\r\n");
    }

    Message receive() throws IOException {
      Message answer = read(in);
      if (answer == null) {
        throw new EOFException("the connection ended instead of an answer");
      }
      return answer;
    }

    TcpClient client() {
      return client;
    }

    InputStream in() {
      return in;
    }

    @Override
    public void close() throws IOException {
      client.close();
    }
  }

  private static @org.jspecify.annotations.Nullable Message read(InputStream in)
      throws IOException {
    String first = line(in);
    if (first == null) {
      return null;
    }
    Map<String, String> headers = new TreeMap<>();
    for (String line = line(in); line != null && !line.isEmpty(); line = line(in)) {
      int colon = line.indexOf(':');
      headers.put(
          line.substring(0, colon).toLowerCase(Locale.ROOT), line.substring(colon + 1).strip());
    }
    ByteArrayOutputStream body = new ByteArrayOutputStream();
    if ("chunked".equals(headers.get("transfer-encoding"))) {
      for (int size = size(in); size > 0; size = size(in)) {
        body.write(in.readNBytes(size));
        line(in);
      }
      line(in);
    } else {
      body.write(in.readNBytes(Integer.parseInt(headers.getOrDefault("content-length", "0"))));
    }
    return new Message(first, headers, body.toString(StandardCharsets.UTF_8));
  }

  private static int size(InputStream in) throws IOException {
    String line = line(in);
    if (line == null) {
      throw new EOFException("a chunked body ended early");
    }
    return Integer.parseInt(line, 16);
  }

  private static @org.jspecify.annotations.Nullable String line(InputStream in) throws IOException {
    ByteArrayOutputStream line = new ByteArrayOutputStream();
    for (int next = in.read(); next >= 0; next = in.read()) {
      if (next == '\n') {
        return line.toString(StandardCharsets.ISO_8859_1).stripTrailing();
      }
      line.write(next);
    }
    return null;
  }
}
