package dev.ambit.ztunnel.netns;

import io.netty.bootstrap.Bootstrap;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import io.netty.channel.Channel;
import io.netty.channel.ChannelHandler;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInboundHandlerAdapter;
import io.netty.channel.ChannelInitializer;
import io.netty.channel.EventLoopGroup;
import io.netty.channel.MultiThreadIoEventLoopGroup;
import io.netty.channel.epoll.EpollDatagramChannel;
import io.netty.channel.epoll.EpollIoHandler;
import io.netty.channel.socket.ChannelInputShutdownEvent;
import io.netty.handler.codec.quic.EpollQuicUtils;
import io.netty.handler.codec.quic.InsecureQuicTokenHandler;
import io.netty.handler.codec.quic.QuicChannel;
import io.netty.handler.codec.quic.QuicChannelOption;
import io.netty.handler.codec.quic.QuicClientCodecBuilder;
import io.netty.handler.codec.quic.QuicCodecBuilder;
import io.netty.handler.codec.quic.QuicServerCodecBuilder;
import io.netty.handler.codec.quic.QuicSslContextBuilder;
import io.netty.handler.codec.quic.QuicStreamChannel;
import io.netty.handler.codec.quic.QuicStreamType;
import io.netty.handler.ssl.util.InsecureTrustManagerFactory;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.time.Duration;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;

/** A QUIC server in a pod that sends back what comes on each stream, and a client of it. */
final class QuicEcho implements AutoCloseable {
  private static final String PROTOCOL = "echo";
  private static final int WINDOW = 1 << 20;

  /** How many datagrams of a connection the programs hand to the kernel as one. */
  private static final int SEGMENTS = 10;

  private final EventLoopGroup loop =
      new MultiThreadIoEventLoopGroup(1, EpollIoHandler.newFactory());

  /** Serves at {@code port} of {@code pod} until it is closed. */
  QuicEcho(Pod pod, int port, TestAuthority authority) throws IOException {
    var credentials = authority.server(pod.ipv4().getHostAddress());
    var context =
        QuicSslContextBuilder.forServer(credentials.key(), null, credentials.chainArray())
            .applicationProtocols(PROTOCOL)
            .build();
    var codec =
        tuned(new QuicServerCodecBuilder())
            .sslContext(context)
            .tokenHandler(InsecureQuicTokenHandler.INSTANCE)
            .option(
                QuicChannelOption.SEGMENTED_DATAGRAM_PACKET_ALLOCATOR,
                EpollQuicUtils.newSegmentedAllocator(SEGMENTS))
            .streamHandler(
                new ChannelInitializer<QuicStreamChannel>() {
                  @Override
                  protected void initChannel(QuicStreamChannel stream) {
                    stream.pipeline().addLast(new Echo());
                  }
                })
            .build();
    try {
      bind(pod, codec, port);
    } catch (IOException e) {
      close();
      throw e;
    }
  }

  private static <B extends QuicCodecBuilder<B>> B tuned(B builder) {
    return builder
        .maxIdleTimeout(30, TimeUnit.SECONDS)
        .initialMaxData(16 * WINDOW)
        .initialMaxStreamDataBidirectionalLocal(WINDOW)
        .initialMaxStreamDataBidirectionalRemote(WINDOW)
        .initialMaxStreamsBidirectional(100);
  }

  private Channel bind(Pod pod, ChannelHandler codec, int port) throws IOException {
    return await(
        pod.host()
            .callSocket(
                () -> {
                  var channel = new EpollDatagramChannel();
                  return new Bootstrap()
                      .group(loop)
                      .channelFactory(() -> channel)
                      .handler(codec)
                      .bind(port);
                }));
  }

  private static Channel await(io.netty.channel.ChannelFuture bound) throws IOException {
    bound.awaitUninterruptibly();
    if (!bound.isSuccess()) {
      throw new IOException(bound.cause());
    }
    return bound.channel();
  }

  /** Connects from {@code pod}, sends {@code data} on a stream, and returns what comes back. */
  byte[] exchange(Pod pod, InetSocketAddress server, byte[] data, Duration patience)
      throws IOException {
    var context =
        QuicSslContextBuilder.forClient()
            .trustManager(InsecureTrustManagerFactory.INSTANCE)
            .applicationProtocols(PROTOCOL)
            .build();
    var codec = tuned(new QuicClientCodecBuilder()).sslContext(context).build();
    var socket = bind(pod, codec, 0);
    try {
      var connection =
          QuicChannel.newBootstrap(socket)
              .option(
                  QuicChannelOption.SEGMENTED_DATAGRAM_PACKET_ALLOCATOR,
                  EpollQuicUtils.newSegmentedAllocator(SEGMENTS))
              .streamHandler(new ChannelInboundHandlerAdapter())
              .remoteAddress(server)
              .connect()
              .get(patience.toMillis(), TimeUnit.MILLISECONDS);
      var collected = new Collected();
      QuicStreamChannel stream =
          connection
              .createStream(QuicStreamType.BIDIRECTIONAL, collected)
              .get(patience.toMillis(), TimeUnit.MILLISECONDS);
      stream
          .writeAndFlush(Unpooled.wrappedBuffer(data))
          .addListener(QuicStreamChannel.SHUTDOWN_OUTPUT);
      byte[] answer = collected.all.get(patience.toMillis(), TimeUnit.MILLISECONDS);
      connection.close().awaitUninterruptibly(patience.toMillis());
      return answer;
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new IOException(e);
    } catch (ExecutionException | TimeoutException e) {
      throw new IOException("no QUIC with " + server, e);
    } finally {
      socket.close().awaitUninterruptibly();
    }
  }

  private static final class Echo extends ChannelInboundHandlerAdapter {
    @Override
    public void channelRead(ChannelHandlerContext context, Object message) {
      context.write(message);
    }

    @Override
    public void channelReadComplete(ChannelHandlerContext context) {
      context.flush();
    }

    @Override
    public void userEventTriggered(ChannelHandlerContext context, Object event) {
      if (event == ChannelInputShutdownEvent.INSTANCE) {
        // After all that was written, which may wait for the client's windows.
        context.writeAndFlush(Unpooled.EMPTY_BUFFER).addListener(QuicStreamChannel.SHUTDOWN_OUTPUT);
      }
    }
  }

  private static final class Collected extends ChannelInboundHandlerAdapter {
    private final ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    private final CompletableFuture<byte[]> all = new CompletableFuture<>();

    @Override
    public void channelRead(ChannelHandlerContext context, Object message) {
      var data = (ByteBuf) message;
      try {
        byte[] part = new byte[data.readableBytes()];
        data.readBytes(part);
        bytes.writeBytes(part);
      } finally {
        data.release();
      }
    }

    @Override
    public void userEventTriggered(ChannelHandlerContext context, Object event) {
      if (event == ChannelInputShutdownEvent.INSTANCE) {
        all.complete(bytes.toByteArray());
      }
    }

    @Override
    public void channelInactive(ChannelHandlerContext context) {
      all.completeExceptionally(new IOException("the stream ended"));
    }
  }

  @Override
  public void close() {
    loop.shutdownGracefully(0, 1, TimeUnit.SECONDS).awaitUninterruptibly();
  }
}
