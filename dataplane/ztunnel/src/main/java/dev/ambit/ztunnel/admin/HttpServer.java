package dev.ambit.ztunnel.admin;

import io.netty.bootstrap.ServerBootstrap;
import io.netty.buffer.ByteBuf;
import io.netty.channel.Channel;
import io.netty.channel.ChannelFutureListener;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInitializer;
import io.netty.channel.DefaultFileRegion;
import io.netty.channel.EventLoopGroup;
import io.netty.channel.SimpleChannelInboundHandler;
import io.netty.channel.epoll.EpollServerSocketChannel;
import io.netty.handler.codec.http.DefaultFullHttpResponse;
import io.netty.handler.codec.http.DefaultHttpResponse;
import io.netty.handler.codec.http.FullHttpRequest;
import io.netty.handler.codec.http.FullHttpResponse;
import io.netty.handler.codec.http.HttpHeaderNames;
import io.netty.handler.codec.http.HttpHeaderValues;
import io.netty.handler.codec.http.HttpMethod;
import io.netty.handler.codec.http.HttpObjectAggregator;
import io.netty.handler.codec.http.HttpResponse;
import io.netty.handler.codec.http.HttpResponseStatus;
import io.netty.handler.codec.http.HttpServerCodec;
import io.netty.handler.codec.http.HttpUtil;
import io.netty.handler.codec.http.HttpVersion;
import io.netty.handler.codec.http.LastHttpContent;
import io.netty.handler.codec.http.QueryStringDecoder;
import io.netty.handler.timeout.ReadTimeoutHandler;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.InetSocketAddress;
import java.nio.charset.StandardCharsets;
import java.util.HashMap;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.zip.GZIPOutputStream;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** A small HTTP server for people, probes and scrapers; kept off the threads that carry traffic. */
public final class HttpServer implements AutoCloseable {
  private static final Logger log = LoggerFactory.getLogger(HttpServer.class);
  private static final int LARGEST_BODY = 4096;
  private static final int COMPRESS_FROM = 1024;
  private static final int IDLE_SECONDS = 60;

  private final Channel channel;

  /** Which path answers which method, and how. */
  public static final class Routes {
    private final Map<String, Endpoint> gets = new HashMap<>();
    private final Map<String, Endpoint.Later> later = new HashMap<>();
    private final Map<String, Endpoint> posts = new HashMap<>();

    /** Answers GET and HEAD. */
    public Routes get(String path, Endpoint endpoint) {
      gets.put(path, endpoint);
      return this;
    }

    /** Answers GET when there is an answer; then the connection is closed. */
    public Routes later(String path, Endpoint.Later endpoint) {
      later.put(path, endpoint);
      return this;
    }

    /** Answers POST. */
    public Routes post(String path, Endpoint endpoint) {
      posts.put(path, endpoint);
      return this;
    }
  }

  private HttpServer(Channel channel) {
    this.channel = channel;
  }

  /**
   * Binds and serves.
   *
   * @param loop one thread, on which requests are answered
   * @throws IOException where the address cannot be bound
   */
  public static HttpServer start(EventLoopGroup loop, InetSocketAddress address, Routes routes)
      throws IOException {
    var bound =
        new ServerBootstrap()
            .group(loop)
            .channel(EpollServerSocketChannel.class)
            .childHandler(
                new ChannelInitializer<Channel>() {
                  @Override
                  protected void initChannel(Channel connection) {
                    connection
                        .pipeline()
                        .addLast(
                            new ReadTimeoutHandler(IDLE_SECONDS),
                            new HttpServerCodec(),
                            new HttpObjectAggregator(LARGEST_BODY),
                            new Handler(routes));
                  }
                })
            .bind(address)
            .awaitUninterruptibly();
    if (!bound.isSuccess()) {
      throw new IOException("cannot listen on " + address + ": " + bound.cause().getMessage());
    }
    return new HttpServer(bound.channel());
  }

  /** Where it listens. */
  public InetSocketAddress address() {
    return (InetSocketAddress) channel.localAddress();
  }

  @Override
  public void close() {
    channel.close().awaitUninterruptibly();
  }

  private static final class Handler extends SimpleChannelInboundHandler<FullHttpRequest> {
    private final Routes routes;
    private boolean answering;

    Handler(Routes routes) {
      this.routes = routes;
    }

    @Override
    protected void channelRead0(ChannelHandlerContext context, FullHttpRequest request) {
      if (answering) {
        return; // the connection ends with the answer that is awaited
      }
      QueryStringDecoder uri = new QueryStringDecoder(request.uri());
      Endpoint.Request asked =
          new Endpoint.Request(uri.parameters(), request.headers().getAll(HttpHeaderNames.ACCEPT));
      boolean gzip = takesGzip(request);
      Endpoint.Later later = routes.later.get(uri.path());
      if (later != null && request.method().equals(HttpMethod.GET)) {
        answering = true;
        context.pipeline().remove(ReadTimeoutHandler.class);
        answerLater(context, uri.path(), later, asked, gzip);
        return;
      }
      FullHttpResponse response = response(reply(request.method(), uri.path(), asked), gzip);
      boolean keepAlive = HttpUtil.isKeepAlive(request);
      HttpUtil.setKeepAlive(response, keepAlive);
      if (request.method().equals(HttpMethod.HEAD)) {
        response.content().clear();
      }
      var written = context.writeAndFlush(response);
      if (!keepAlive) {
        written.addListener(ChannelFutureListener.CLOSE);
      }
    }

    private static void answerLater(
        ChannelHandlerContext context,
        String path,
        Endpoint.Later endpoint,
        Endpoint.Request asked,
        boolean gzip) {
      CompletionStage<Endpoint.Reply> answer;
      try {
        answer = endpoint.reply(asked);
      } catch (RuntimeException e) {
        answer = CompletableFuture.failedFuture(e);
      }
      answer.whenComplete(
          (reply, failure) ->
              context
                  .executor()
                  .execute(
                      () -> last(context, failure == null ? reply : fault(path, failure), gzip)));
    }

    private static void last(ChannelHandlerContext context, Endpoint.Reply reply, boolean gzip) {
      if (reply.body() instanceof Endpoint.Body.File file) {
        download(context, reply, file);
        return;
      }
      FullHttpResponse response = response(reply, gzip);
      HttpUtil.setKeepAlive(response, false);
      context.writeAndFlush(response).addListener(ChannelFutureListener.CLOSE);
    }

    private static void download(
        ChannelHandlerContext context, Endpoint.Reply reply, Endpoint.Body.File file) {
      long length = file.path().toFile().length();
      HttpResponse head =
          new DefaultHttpResponse(HttpVersion.HTTP_1_1, HttpResponseStatus.valueOf(reply.status()));
      head.headers()
          .set(HttpHeaderNames.CONTENT_TYPE, reply.contentType())
          .set(HttpHeaderNames.CONTENT_LENGTH, length)
          .set(HttpHeaderNames.CONTENT_DISPOSITION, "attachment; filename=\"" + file.name() + "\"")
          .set(HttpHeaderNames.CONNECTION, HttpHeaderValues.CLOSE);
      context.write(head);
      context.write(new DefaultFileRegion(file.path().toFile(), 0, length));
      context
          .writeAndFlush(LastHttpContent.EMPTY_LAST_CONTENT)
          .addListener(ChannelFutureListener.CLOSE)
          .addListener(
              sent -> {
                if (!file.path().toFile().delete()) {
                  log.atWarn().addKeyValue("file", file.path()).log("cannot delete a file");
                }
              });
    }

    private static FullHttpResponse response(Endpoint.Reply reply, boolean gzip) {
      byte[] body =
          switch (reply.body()) {
            case Endpoint.Body.Text(String text) -> text.getBytes(StandardCharsets.UTF_8);
            case Endpoint.Body.File file ->
                throw new IllegalStateException("a file is sent as a download");
          };
      boolean compress = body.length >= COMPRESS_FROM && gzip;
      ByteBuf content = io.netty.buffer.Unpooled.wrappedBuffer(compress ? gzip(body) : body);
      FullHttpResponse response =
          new DefaultFullHttpResponse(
              HttpVersion.HTTP_1_1, HttpResponseStatus.valueOf(reply.status()), content);
      response.headers().set(HttpHeaderNames.CONTENT_TYPE, reply.contentType());
      response.headers().setInt(HttpHeaderNames.CONTENT_LENGTH, content.readableBytes());
      if (compress) {
        response.headers().set(HttpHeaderNames.CONTENT_ENCODING, HttpHeaderValues.GZIP);
      }
      return response;
    }

    private static boolean takesGzip(FullHttpRequest request) {
      return request.headers().getAll(HttpHeaderNames.ACCEPT_ENCODING).stream()
          .anyMatch(value -> value.contains("gzip"));
    }

    private Endpoint.Reply reply(HttpMethod method, String path, Endpoint.Request asked) {
      boolean reads = method.equals(HttpMethod.GET) || method.equals(HttpMethod.HEAD);
      Endpoint get = routes.gets.get(path);
      Endpoint post = routes.posts.get(path);
      if (get == null && post == null && !routes.later.containsKey(path)) {
        return Endpoint.Reply.text(404, "not found\n");
      }
      Endpoint endpoint = reads ? get : method.equals(HttpMethod.POST) ? post : null;
      if (endpoint == null) {
        return Endpoint.Reply.text(405, "use " + (post == null ? "GET" : "POST") + "\n");
      }
      try {
        return endpoint.reply(asked);
      } catch (RuntimeException e) {
        return fault(path, e);
      }
    }

    private static Endpoint.Reply fault(String path, Throwable failure) {
      log.atError().addKeyValue("path", path).setCause(failure).log("cannot answer a request");
      return Endpoint.Reply.text(500, "internal error\n");
    }

    private static byte[] gzip(byte[] body) {
      ByteArrayOutputStream out = new ByteArrayOutputStream(body.length / 4);
      try (GZIPOutputStream gzip = new GZIPOutputStream(out)) {
        gzip.write(body);
      } catch (IOException e) {
        throw new UncheckedIOException(e);
      }
      return out.toByteArray();
    }

    @Override
    public void exceptionCaught(ChannelHandlerContext context, Throwable cause) {
      log.atDebug()
          .addKeyValue("peer", context.channel().remoteAddress())
          .addKeyValue("reason", String.valueOf(cause.getMessage()))
          .log("admin connection failed");
      context.close();
    }
  }
}
