package dev.ambit.ztunnel.admin;

import static org.assertj.core.api.Assertions.assertThat;

import io.netty.channel.EventLoopGroup;
import io.netty.channel.MultiThreadIoEventLoopGroup;
import io.netty.channel.epoll.EpollIoHandler;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Random;
import java.util.concurrent.TimeUnit;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.lifecycle.AfterContainer;

/** Whatever a caller sends, the next one is answered. */
class HttpServerFuzzTest {
  private static final int PATIENCE_MILLIS = 30_000;
  private static final List<String> PIECES =
      List.of(
          "GET ",
          "POST ",
          "HEAD ",
          "/ready",
          "/%zz",
          "?a=%",
          "/../..",
          " HTTP/1.1",
          " HTTP/9.9",
          "\r\n",
          "\r\n\r\n",
          "Host: x",
          "Content-Length: -1",
          "Content-Length: 99999999999",
          "Transfer-Encoding: chunked",
          "ffffffffffffffff\r\n",
          "Accept-Encoding: gzip",
          ":",
          "\u0000");

  private static final EventLoopGroup LOOP =
      new MultiThreadIoEventLoopGroup(1, EpollIoHandler.newFactory());
  private static final HttpServer SERVER = start();

  private static HttpServer start() {
    try {
      return HttpServer.start(
          LOOP,
          new InetSocketAddress("127.0.0.1", 0),
          new HttpServer.Routes().get("/ready", query -> Endpoint.Reply.text(200, "ready\n")));
    } catch (IOException e) {
      throw new IllegalStateException(e);
    }
  }

  @AfterContainer
  static void stop() {
    SERVER.close();
    LOOP.shutdownGracefully(0, 1, TimeUnit.SECONDS);
  }

  @Property(tries = 300)
  void anyRequest(@ForAll long seed) throws IOException {
    Random random = new Random(seed);
    StringBuilder request = new StringBuilder();
    for (int i = random.nextInt(12); i > 0; i--) {
      request.append(
          random.nextInt(5) == 0
              ? "" + (char) random.nextInt(256)
              : PIECES.get(random.nextInt(PIECES.size())));
    }
    try (Socket hostile = connect()) {
      hostile.getOutputStream().write(request.toString().getBytes(StandardCharsets.ISO_8859_1));
    }
    try (Socket next = connect()) {
      next.getOutputStream()
          .write("GET /ready HTTP/1.0\r\n\r\n".getBytes(StandardCharsets.US_ASCII));
      assertThat(new String(next.getInputStream().readAllBytes(), StandardCharsets.US_ASCII))
          .contains("200 OK")
          .endsWith("ready\n");
    }
  }

  private static Socket connect() throws IOException {
    Socket socket = new Socket("127.0.0.1", SERVER.address().getPort());
    socket.setSoTimeout(PATIENCE_MILLIS);
    return socket;
  }
}
