package dev.ambit.ztunnel.netns;

import java.io.IOException;
import java.net.InetSocketAddress;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;

/** One HTTP request from inside a namespace. */
final class HttpProbe {
  private HttpProbe() {}

  /** An answer: its status code, its head and its body, as text and as it came. */
  record Answer(int status, String head, String body, byte[] bytes) {}

  static Answer get(Host host, InetSocketAddress address, String path) throws IOException {
    return send(host, address, "GET", path);
  }

  /**
   * Sends a request without a body.
   *
   * @param headers whole lines
   */
  static Answer send(
      Host host, InetSocketAddress address, String method, String path, String... headers)
      throws IOException {
    try (var client = TcpClient.connect(host, address)) {
      client.socket().setSoTimeout((int) Patience.LONG.toMillis());
      var lines = new StringBuilder(method + " " + path + " HTTP/1.0\r\nHost: test\r\n");
      for (var header : headers) {
        lines.append(header).append("\r\n");
      }
      client.send(lines + "Connection: close\r\n\r\n");
      var answer = client.receiveAll();
      // One character a byte, so that places in the text are places in the answer.
      int headersEnd = new String(answer, StandardCharsets.ISO_8859_1).indexOf("\r\n\r\n");
      if (headersEnd < 0) {
        throw new IOException("no HTTP answer but: " + new String(answer, StandardCharsets.UTF_8));
      }
      var head = new String(answer, 0, headersEnd, StandardCharsets.ISO_8859_1);
      var body = Arrays.copyOfRange(answer, headersEnd + 4, answer.length);
      return new Answer(
          Integer.parseInt(head.split(" ", 3)[1]),
          head,
          new String(body, StandardCharsets.UTF_8),
          body);
    }
  }
}
