package dev.ambit.ztunnel.admin;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.awaitility.Awaitility.await;

import io.netty.channel.EventLoopGroup;
import io.netty.channel.MultiThreadIoEventLoopGroup;
import io.netty.channel.epoll.EpollIoHandler;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.zip.GZIPInputStream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class HttpServerTest {
  private static final String LONG = "x".repeat(100_000);

  private final EventLoopGroup loop =
      new MultiThreadIoEventLoopGroup(1, EpollIoHandler.newFactory());
  private final HttpClient client =
      HttpClient.newBuilder().version(HttpClient.Version.HTTP_1_1).build();
  private final Readiness readiness = new Readiness();
  private final CompletableFuture<Endpoint.Reply> awaited = new CompletableFuture<>();
  private volatile boolean done;
  private HttpServer server;

  @BeforeEach
  void setUp() throws IOException {
    readiness.require("first", () -> true);
    readiness.require("second", () -> done);
    server =
        HttpServer.start(
            loop,
            new InetSocketAddress("127.0.0.1", 0),
            new HttpServer.Routes()
                .get(
                    "/ready",
                    request ->
                        Endpoint.Reply.text(
                            readiness.pending().isEmpty() ? 200 : 500,
                            readiness.pending().toString()))
                .get("/long", request -> Endpoint.Reply.text(200, LONG))
                .get(
                    "/broken",
                    request -> {
                      throw new IllegalStateException("secret");
                    })
                .later("/later", request -> awaited)
                .later(
                    "/broken-later",
                    request -> CompletableFuture.failedFuture(new IOException("secret")))
                .post("/echo", request -> Endpoint.Reply.json(request.query().toString())));
  }

  @AfterEach
  void tearDown() {
    server.close();
    client.close();
    loop.shutdownGracefully(0, 1, TimeUnit.SECONDS);
  }

  private HttpResponse<byte[]> send(String method, String path, String... headers)
      throws Exception {
    HttpRequest.Builder request =
        HttpRequest.newBuilder(uri(path)).method(method, HttpRequest.BodyPublishers.noBody());
    for (int i = 0; i < headers.length; i += 2) {
      request.header(headers[i], headers[i + 1]);
    }
    return client.send(request.build(), HttpResponse.BodyHandlers.ofByteArray());
  }

  private URI uri(String path) {
    return URI.create("http://127.0.0.1:" + server.address().getPort() + path);
  }

  private static String text(HttpResponse<byte[]> response) {
    return new String(response.body(), StandardCharsets.UTF_8);
  }

  @Test
  void tellsWhatItWaitsFor() throws Exception {
    HttpResponse<byte[]> response = send("GET", "/ready");
    assertThat(response.statusCode()).isEqualTo(500);
    assertThat(text(response)).isEqualTo("[second]");
    done = true;
    assertThat(send("GET", "/ready").statusCode()).isEqualTo(200);
  }

  @Test
  void compressesOnRequestOnly() throws Exception {
    assertThat(text(send("GET", "/long"))).isEqualTo(LONG);
    HttpResponse<byte[]> compressed = send("GET", "/long", "Accept-Encoding", "gzip, deflate");
    assertThat(compressed.headers().firstValue("content-encoding")).hasValue("gzip");
    assertThat(compressed.body().length).isLessThan(1000);
    try (GZIPInputStream in = new GZIPInputStream(new ByteArrayInputStream(compressed.body()))) {
      assertThat(new String(in.readAllBytes(), StandardCharsets.UTF_8)).isEqualTo(LONG);
    }
  }

  @Test
  void answersWhatItKnowsByTheRightMethod() throws Exception {
    assertThat(send("GET", "/nothing").statusCode()).isEqualTo(404);
    assertThat(send("GET", "/echo").statusCode()).isEqualTo(405);
    assertThat(send("POST", "/ready").statusCode()).isEqualTo(405);
    HttpResponse<byte[]> echo = send("POST", "/echo?level=debug&x=1");
    assertThat(text(echo)).isEqualTo("{level=[debug], x=[1]}");
    HttpResponse<byte[]> head = send("HEAD", "/long");
    assertThat(head.statusCode()).isEqualTo(200);
    assertThat(head.body()).isEmpty();
  }

  @Test
  void aFaultIsNotToldToTheCaller() throws Exception {
    for (String path : List.of("/broken", "/broken-later")) {
      HttpResponse<byte[]> response = send("GET", path);
      assertThat(response.statusCode()).isEqualTo(500);
      assertThat(text(response)).doesNotContain("secret");
    }
  }

  @Test
  void anAnswerThatTakesItsTimeHoldsUpNobody() throws Exception {
    CompletableFuture<HttpResponse<byte[]>> answer =
        client.sendAsync(
            HttpRequest.newBuilder(uri("/later")).build(), HttpResponse.BodyHandlers.ofByteArray());
    assertThat(send("GET", "/ready").statusCode()).isEqualTo(500);
    assertThat(send("POST", "/later").statusCode()).isEqualTo(405);
    assertThat(answer).isNotDone();
    awaited.complete(Endpoint.Reply.text(200, "at last"));
    assertThat(text(answer.get(20, TimeUnit.SECONDS))).isEqualTo("at last");
  }

  @Test
  void aFileIsSentWholeAndThenDeleted(@TempDir Path directory) throws Exception {
    Path file = Files.writeString(directory.resolve("f"), LONG);
    awaited.complete(Endpoint.Reply.download(file, "name.jfr"));
    HttpResponse<byte[]> answer = send("GET", "/later");
    assertThat(answer.headers().firstValue("content-disposition"))
        .hasValue("attachment; filename=\"name.jfr\"");
    assertThat(text(answer)).isEqualTo(LONG);
    await().atMost(Duration.ofSeconds(20)).until(() -> Files.notExists(file));
  }

  @Test
  void anAddressInUseIsNamed() {
    assertThatThrownBy(() -> HttpServer.start(loop, server.address(), new HttpServer.Routes()))
        .isInstanceOf(IOException.class)
        .hasMessageContaining(String.valueOf(server.address().getPort()));
  }
}
