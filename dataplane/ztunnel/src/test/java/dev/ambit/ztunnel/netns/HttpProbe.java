package dev.ambit.ztunnel.netns;

import java.io.IOException;
import java.net.InetSocketAddress;
import java.nio.charset.StandardCharsets;

/** One HTTP GET from inside a namespace. */
final class HttpProbe {
  private HttpProbe() {}

  /** An answer: its status code and body. */
  record Answer(int status, String body) {}

  static Answer get(Host host, InetSocketAddress address, String path) throws IOException {
    try (var client = TcpClient.connect(host, address)) {
      client.send("GET " + path + " HTTP/1.0\r\nHost: test\r\nConnection: close\r\n\r\n");
      var text = new String(client.receiveAll(), StandardCharsets.UTF_8);
      int headersEnd = text.indexOf("\r\n\r\n");
      if (headersEnd < 0) {
        throw new IOException("no HTTP answer but: " + text);
      }
      return new Answer(Integer.parseInt(text.split(" ", 3)[1]), text.substring(headersEnd + 4));
    }
  }
}
