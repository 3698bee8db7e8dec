package dev.ambit.ztunnel.hbone;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import dev.ambit.ztunnel.certificate.TlsIdentity;
import dev.ambit.ztunnel.identity.Identity;
import dev.ambit.ztunnel.proxy.TestAuthority;
import io.netty.bootstrap.Bootstrap;
import io.netty.bootstrap.ServerBootstrap;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import io.netty.channel.Channel;
import io.netty.channel.ChannelHandler;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInboundHandlerAdapter;
import io.netty.channel.ChannelInitializer;
import io.netty.channel.EventLoopGroup;
import io.netty.channel.MultiThreadIoEventLoopGroup;
import io.netty.channel.SimpleChannelInboundHandler;
import io.netty.channel.epoll.EpollIoHandler;
import io.netty.channel.epoll.EpollServerSocketChannel;
import io.netty.channel.epoll.EpollSocketChannel;
import io.netty.handler.codec.http2.DefaultHttp2DataFrame;
import io.netty.handler.codec.http2.DefaultHttp2Headers;
import io.netty.handler.codec.http2.DefaultHttp2HeadersFrame;
import io.netty.handler.codec.http2.DefaultHttp2ResetFrame;
import io.netty.handler.codec.http2.Http2DataFrame;
import io.netty.handler.codec.http2.Http2Error;
import io.netty.handler.codec.http2.Http2FrameCodecBuilder;
import io.netty.handler.codec.http2.Http2Headers;
import io.netty.handler.codec.http2.Http2HeadersFrame;
import io.netty.handler.codec.http2.Http2MultiplexHandler;
import io.netty.handler.codec.http2.Http2ResetFrame;
import io.netty.handler.codec.http2.Http2Settings;
import io.netty.handler.codec.http2.Http2StreamChannel;
import io.netty.handler.codec.http2.Http2StreamChannelBootstrap;
import io.netty.handler.codec.http2.Http2StreamFrame;
import io.netty.handler.ssl.SslHandler;
import io.netty.handler.ssl.SslHandshakeCompletionEvent;
import java.net.InetSocketAddress;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import java.util.zip.CRC32;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** The own HTTP/2 layer against Netty's, over mutual TLS on loopback. */
@Timeout(60)
class HboneInteropTest {
  private static final int CHUNK = 50_000;
  private static final int CHUNKS = 100;

  private final EventLoopGroup loops =
      new MultiThreadIoEventLoopGroup(2, EpollIoHandler.newFactory());
  private final TlsIdentity tls =
      new TestAuthority().issue(new Identity("cluster.local", "default", "test"));

  @AfterEach
  void stop() throws Exception {
    loops.shutdownGracefully(0, 5, TimeUnit.SECONDS).sync();
  }

  private Channel listen(ChannelHandler handler) throws Exception {
    return new ServerBootstrap()
        .group(loops)
        .channel(EpollServerSocketChannel.class)
        .childHandler(handler)
        .bind("127.0.0.1", 0)
        .sync()
        .channel();
  }

  private Channel connect(Channel listener, ChannelHandler handler) throws Exception {
    return new Bootstrap()
        .group(loops)
        .channel(EpollSocketChannel.class)
        .handler(handler)
        .connect(
            new InetSocketAddress(
                "127.0.0.1", ((InetSocketAddress) listener.localAddress()).getPort()))
        .sync()
        .channel();
  }

  private static ChannelHandler pipeline(java.util.function.Consumer<Channel> setUp) {
    return new ChannelInitializer<Channel>() {
      @Override
      protected void initChannel(Channel channel) {
        setUp.accept(channel);
      }
    };
  }

  private void ownServer(Channel channel, HboneListener listener) {
    start(channel, tls.server().newHandler(channel.alloc()), server(listener));
  }

  private static HboneConnection server(HboneListener listener) {
    return HboneConnection.server(HboneSettings.server(), listener);
  }

  /** As the proxy does: HTTP/2 starts once TLS stands. */
  private static void start(Channel channel, SslHandler handler, HboneConnection connection) {
    channel
        .pipeline()
        .addLast(
            handler,
            new ChannelInboundHandlerAdapter() {
              @Override
              public void userEventTriggered(ChannelHandlerContext context, Object event) {
                if (event instanceof SslHandshakeCompletionEvent completion
                    && completion.isSuccess()) {
                  connection.start();
                }
              }
            },
            connection);
  }

  /** Answers 200 and sends back what comes, with credit only as it goes out again. */
  private static final class Echo implements HboneListener {
    final CompletableFuture<Http2Error> reset = new CompletableFuture<>();

    @Override
    public void onRequest(HboneStream stream, Http2Headers headers) {
      assertThat(headers.method()).hasToString("CONNECT");
      stream.handler(
          new StreamHandler() {
            private int owed;

            @Override
            public void onResponse(Http2Headers response) {}

            @Override
            public void onData(ByteBuf data) {
              owed += data.readableBytes();
              stream.write(data);
            }

            @Override
            public void onDataComplete() {
              stream.flush();
              onWritable();
            }

            @Override
            public void onEnd() {
              stream.end();
            }

            @Override
            public void onReset(Http2Error error) {
              reset.complete(error);
            }

            @Override
            public void onWritable() {
              if (stream.isWritable() && owed > 0) {
                int bytes = owed;
                owed = 0;
                stream.consumed(bytes);
              }
            }
          });
      stream.respond(new DefaultHttp2Headers().status("200"), false);
    }

    @Override
    public void onCapacityChange() {}

    @Override
    public void onClosed(@Nullable Throwable cause) {}
  }

  private static byte[] chunk(int number) {
    byte[] bytes = new byte[CHUNK];
    new java.util.Random(number).nextBytes(bytes);
    return bytes;
  }

  private static long checksum() {
    CRC32 sum = new CRC32();
    for (int i = 0; i < CHUNKS; i++) {
      sum.update(chunk(i));
    }
    return sum.getValue();
  }

  // -- Netty's client, our server

  @Test
  void nettysClientAgainstOurServer() throws Exception {
    Channel listener = listen(pipeline(channel -> ownServer(channel, new Echo())));
    Channel client = connect(listener, pipeline(this::nettyClient));
    CompletableFuture<Long> answer = new CompletableFuture<>();
    CRC32 sum = new CRC32();
    Http2StreamChannel stream =
        openNettyStream(
            client,
            new SimpleChannelInboundHandler<Http2StreamFrame>() {
              @Override
              protected void channelRead0(ChannelHandlerContext context, Http2StreamFrame frame) {
                if (frame instanceof Http2DataFrame data) {
                  sum.update(data.content().nioBuffer());
                  if (data.isEndStream()) {
                    answer.complete(sum.getValue());
                  }
                } else if (frame instanceof Http2HeadersFrame headers) {
                  assertThat(headers.headers().status()).hasToString("200");
                }
              }
            });
    stream.writeAndFlush(new DefaultHttp2HeadersFrame(connectHeaders()));
    for (int i = 0; i < CHUNKS; i++) {
      stream.writeAndFlush(
          new DefaultHttp2DataFrame(Unpooled.wrappedBuffer(chunk(i)), i == CHUNKS - 1));
    }

    assertThat(answer.get(30, TimeUnit.SECONDS)).isEqualTo(checksum());
    client.close().sync();
    listener.close().sync();
  }

  @Test
  void nettysResetReachesOurServer() throws Exception {
    Echo echo = new Echo();
    Channel listener = listen(pipeline(channel -> ownServer(channel, echo)));
    Channel client = connect(listener, pipeline(this::nettyClient));
    Http2StreamChannel stream = openNettyStream(client, new ChannelInboundHandlerAdapter());
    stream.writeAndFlush(new DefaultHttp2HeadersFrame(connectHeaders())).sync();
    stream.writeAndFlush(new DefaultHttp2ResetFrame(Http2Error.CANCEL)).sync();

    assertThat(echo.reset.get(10, TimeUnit.SECONDS)).isEqualTo(Http2Error.CANCEL);
    client.close().sync();
    listener.close().sync();
  }

  private void nettyClient(Channel channel) {
    channel
        .pipeline()
        .addLast(
            tls.client().newHandler(channel.alloc()),
            Http2FrameCodecBuilder.forClient().build(),
            new Http2MultiplexHandler(new ChannelInboundHandlerAdapter()));
  }

  private static Http2StreamChannel openNettyStream(Channel client, ChannelHandler handler)
      throws Exception {
    return new Http2StreamChannelBootstrap(client).handler(handler).open().sync().getNow();
  }

  private static Http2Headers connectHeaders() {
    return new DefaultHttp2Headers().method("CONNECT").authority("10.0.0.1:80");
  }

  // -- our client, Netty's server

  @Test
  void ourClientAgainstNettysServer() throws Exception {
    Channel listener = listen(pipeline(channel -> nettyServer(channel, 100)));
    OurClient client = new OurClient();
    connect(listener, pipeline(channel -> client.setUp(channel, tls)));
    assertThat(client.sendAndReceive(CHUNKS).get(30, TimeUnit.SECONDS)).isEqualTo(checksum());
    listener.close().sync();
  }

  @Test
  void ourClientObeysNettysStreamLimit() throws Exception {
    Channel listener = listen(pipeline(channel -> nettyServer(channel, 2)));
    OurClient client = new OurClient();
    Channel channel = connect(listener, pipeline(c -> client.setUp(c, tls)));
    await().until(client.connection::isSettled);
    channel
        .eventLoop()
        .submit(
            () -> {
              int opened = 0;
              while (client.connection.canOpen(100)) {
                client.connection.open(connectHeaders(), DiscardingHandler.INSTANCE);
                opened++;
              }
              assertThat(opened).isEqualTo(2);
            })
        .sync();
    listener.close().sync();
  }

  @Test
  void ourClientLeavesGracefully() throws Exception {
    Channel listener = listen(pipeline(channel -> nettyServer(channel, 100)));
    OurClient client = new OurClient();
    Channel channel = connect(listener, pipeline(c -> client.setUp(c, tls)));
    CompletableFuture<Long> answer = client.sendAndReceive(CHUNKS);
    channel.eventLoop().execute(client.connection::shutdown);
    assertThat(answer.get(30, TimeUnit.SECONDS)).isEqualTo(checksum());
    channel.closeFuture().await(10, TimeUnit.SECONDS);
    assertThat(channel.isOpen()).isFalse();
    assertThat(client.closed.get(10, TimeUnit.SECONDS)).isEmpty();
    listener.close().sync();
  }

  private void nettyServer(Channel channel, int maxStreams) {
    channel
        .pipeline()
        .addLast(
            tls.server().newHandler(channel.alloc()),
            Http2FrameCodecBuilder.forServer()
                .initialSettings(Http2Settings.defaultSettings().maxConcurrentStreams(maxStreams))
                .build(),
            new Http2MultiplexHandler(
                pipeline(
                    stream ->
                        stream
                            .pipeline()
                            .addLast(
                                new ChannelInboundHandlerAdapter() {
                                  @Override
                                  public void channelRead(
                                      ChannelHandlerContext context, Object frame) {
                                    if (frame instanceof Http2HeadersFrame) {
                                      context.writeAndFlush(
                                          new DefaultHttp2HeadersFrame(
                                              new DefaultHttp2Headers().status("200")));
                                    } else if (frame instanceof Http2DataFrame data) {
                                      context.writeAndFlush(
                                          new DefaultHttp2DataFrame(
                                              data.content(), data.isEndStream()));
                                    } else {
                                      assertThat(frame).isInstanceOf(Http2ResetFrame.class);
                                    }
                                  }
                                }))));
  }

  /** Sends chunks as the windows allow and sums up what comes back. */
  private static final class OurClient implements HboneListener {
    final HboneConnection connection = HboneConnection.client(HboneSettings.client(), this);
    final CompletableFuture<String> closed = new CompletableFuture<>();
    final AtomicLong received = new AtomicLong();

    void setUp(Channel channel, TlsIdentity tls) {
      start(channel, tls.client().newHandler(channel.alloc()), connection);
    }

    CompletableFuture<Long> sendAndReceive(int chunks) throws Exception {
      CompletableFuture<Long> answer = new CompletableFuture<>();
      await().until(connection::isSettled);
      connection
          .channel()
          .eventLoop()
          .submit(
              () -> {
                Sender sender = new Sender(chunks, answer);
                sender.stream = connection.open(connectHeaders(), sender);
              })
          .sync();
      return answer;
    }

    @Override
    public void onRequest(HboneStream stream, Http2Headers headers) {}

    @Override
    public void onCapacityChange() {}

    @Override
    public void onClosed(@Nullable Throwable cause) {
      closed.complete(cause == null ? "" : cause.toString());
    }
  }

  private static final class Sender implements StreamHandler {
    private final int chunks;
    private final CompletableFuture<Long> answer;
    private final CRC32 sum = new CRC32();
    private int sent;
    @Nullable HboneStream stream;

    Sender(int chunks, CompletableFuture<Long> answer) {
      this.chunks = chunks;
      this.answer = answer;
    }

    private HboneStream stream() {
      HboneStream opened = stream;
      if (opened == null) {
        throw new IllegalStateException("not open");
      }
      return opened;
    }

    @Override
    public void onResponse(Http2Headers headers) {
      assertThat(headers.status()).hasToString("200");
      onWritable();
    }

    @Override
    public void onData(ByteBuf data) {
      sum.update(data.nioBuffer());
      stream().consumed(data.readableBytes());
      data.release();
    }

    @Override
    public void onDataComplete() {}

    @Override
    public void onEnd() {
      answer.complete(sum.getValue());
    }

    @Override
    public void onReset(Http2Error error) {
      answer.completeExceptionally(new IllegalStateException("reset: " + error));
    }

    @Override
    public void onWritable() {
      while (sent < chunks && stream().isWritable()) {
        stream().write(Unpooled.wrappedBuffer(chunk(sent++)));
      }
      if (sent == chunks) {
        sent++;
        stream().end();
      }
      stream().flush();
    }
  }
}
