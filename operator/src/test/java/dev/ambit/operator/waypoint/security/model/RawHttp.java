package dev.ambit.operator.waypoint.security.model;

import java.io.BufferedInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.TreeMap;

/** Requests of HTTP/1.1 as they are written, also where no honest client would write them so. */
final class RawHttp implements AutoCloseable {
  private final Socket socket;
  private final InputStream in;

  private RawHttp(Socket socket) throws IOException {
    this.socket = socket;
    this.in = new BufferedInputStream(socket.getInputStream());
  }

  /** A request; the host stands among the headers. */
  record Request(String method, String target, List<Map.Entry<String, String>> headers) {
    static Request get(String target, String... headers) {
      return of("GET", target, headers);
    }

    /** Headers as "name: value"; the host is "server" where none says otherwise. */
    static Request of(String method, String target, String... headers) {
      List<Map.Entry<String, String>> all = new java.util.ArrayList<>();
      boolean host = false;
      for (String header : headers) {
        int colon = header.indexOf(": ");
        all.add(Map.entry(header.substring(0, colon), header.substring(colon + 2)));
        host |= header.toLowerCase(Locale.ROOT).startsWith("host: ");
      }
      if (!host) {
        all.addFirst(Map.entry("Host", "server"));
      }
      return new Request(method, target, List.copyOf(all));
    }

    Request with(String name, String value) {
      List<Map.Entry<String, String>> all = new java.util.ArrayList<>(headers);
      all.add(Map.entry(name, value));
      return new Request(method, target, List.copyOf(all));
    }
  }

  record Response(int status, Map<String, String> headers, String body) {
    String header(String name) {
      return headers.getOrDefault(name, "");
    }
  }

  /** Connects over loopback, from that address of it. */
  static RawHttp connect(int port, String from) throws IOException {
    Socket socket = new Socket();
    socket.setTcpNoDelay(true);
    socket.setSoTimeout(20_000);
    socket.bind(new InetSocketAddress(InetAddress.ofLiteral(from), 0));
    socket.connect(new InetSocketAddress(InetAddress.ofLiteral("127.0.0.1"), port));
    return new RawHttp(socket);
  }

  /** One request on a connection of its own. */
  static Response once(int port, Request request) throws IOException {
    try (RawHttp connection = connect(port, "127.0.0.1")) {
      return connection.send(request);
    }
  }

  Response send(Request request) throws IOException {
    StringBuilder text = new StringBuilder();
    text.append(request.method()).append(' ').append(request.target()).append(" HTTP/1.1\r\n");
    for (Map.Entry<String, String> header : request.headers()) {
      text.append(header.getKey()).append(": ").append(header.getValue()).append("\r\n");
    }
    text.append("\r\n");
    socket.getOutputStream().write(text.toString().getBytes(StandardCharsets.ISO_8859_1));
    socket.getOutputStream().flush();
    return read();
  }

  private Response read() throws IOException {
    String status = line();
    Map<String, String> headers = new TreeMap<>(String.CASE_INSENSITIVE_ORDER);
    for (String line = line(); !line.isEmpty(); line = line()) {
      int colon = line.indexOf(':');
      headers.put(line.substring(0, colon), line.substring(colon + 1).strip());
    }
    int length = Integer.parseInt(headers.getOrDefault("content-length", "0"));
    String body = new String(in.readNBytes(length), StandardCharsets.ISO_8859_1);
    return new Response(Integer.parseInt(status.split(" ")[1]), headers, body);
  }

  private String line() throws IOException {
    StringBuilder line = new StringBuilder();
    for (int c = in.read(); c != '\n'; c = in.read()) {
      if (c < 0) {
        throw new IOException("the connection ended within \"" + line + "\"");
      }
      if (c != '\r') {
        line.append((char) c);
      }
    }
    return line.toString();
  }

  @Override
  public void close() throws IOException {
    socket.close();
  }
}
