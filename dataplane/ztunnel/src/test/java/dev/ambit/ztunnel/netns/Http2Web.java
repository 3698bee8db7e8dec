package dev.ambit.ztunnel.netns;

import io.netty.bootstrap.Bootstrap;
import io.netty.bootstrap.ServerBootstrap;
import io.netty.buffer.Unpooled;
import io.netty.channel.Channel;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInboundHandlerAdapter;
import io.netty.channel.ChannelInitializer;
import io.netty.channel.EventLoopGroup;
import io.netty.channel.MultiThreadIoEventLoopGroup;
import io.netty.channel.SimpleChannelInboundHandler;
import io.netty.channel.nio.NioIoHandler;
import io.netty.channel.socket.nio.NioServerSocketChannel;
import io.netty.channel.socket.nio.NioSocketChannel;
import io.netty.handler.codec.http2.DefaultHttp2DataFrame;
import io.netty.handler.codec.http2.DefaultHttp2Headers;
import io.netty.handler.codec.http2.DefaultHttp2HeadersFrame;
import io.netty.handler.codec.http2.Http2DataFrame;
import io.netty.handler.codec.http2.Http2FrameCodecBuilder;
import io.netty.handler.codec.http2.Http2HeadersFrame;
import io.netty.handler.codec.http2.Http2MultiplexHandler;
import io.netty.handler.codec.http2.Http2StreamChannel;
import io.netty.handler.codec.http2.Http2StreamChannelBootstrap;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.nio.charset.StandardCharsets;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;

/** HTTP/2 without TLS and without asking first, in pods: a server and a client. */
final class Http2Web {
  private Http2Web() {}

  private static EventLoopGroup loops() {
    return new MultiThreadIoEventLoopGroup(1, NioIoHandler.newFactory());
  }

  private static void end(EventLoopGroup loops) {
    loops.shutdownGracefully(0, 1, TimeUnit.SECONDS);
  }

  private static final class Nothing extends ChannelInitializer<Channel> {
    @Override
    protected void initChannel(Channel channel) {}
  }

  /**
   * Answers each request over HTTP/2 with the pod's name and the request's head; knows no other
   * protocol.
   */
  static AutoCloseable serve(Pod pod, int port) throws InterruptedException {
    EventLoopGroup loops = loops();
    new ServerBootstrap()
        .group(loops)
        .channelFactory(() -> pod.host().call(NioServerSocketChannel::new))
        .childHandler(
            new ChannelInitializer<>() {
              @Override
              protected void initChannel(Channel connection) {
                connection
                    .pipeline()
                    .addLast(
                        Http2FrameCodecBuilder.forServer().build(),
                        new Http2MultiplexHandler(
                            new ChannelInitializer<>() {
                              @Override
                              protected void initChannel(Channel stream) {
                                stream.pipeline().addLast(new Answering(pod));
                              }
                            }));
              }
            })
        .bind(new InetSocketAddress(port))
        .sync();
    return () -> end(loops);
  }

  private static final class Answering extends SimpleChannelInboundHandler<Http2HeadersFrame> {
    private final Pod pod;

    Answering(Pod pod) {
      this.pod = pod;
    }

    @Override
    protected void channelRead0(ChannelHandlerContext context, Http2HeadersFrame request) {
      context.write(new DefaultHttp2HeadersFrame(new DefaultHttp2Headers().status("200")));
      context.writeAndFlush(
          new DefaultHttp2DataFrame(
              Unpooled.copiedBuffer(pod.name() + " " + request.headers(), StandardCharsets.UTF_8),
              true));
    }
  }

  /** A connection from a pod, over which requests are made. */
  static final class Client implements AutoCloseable {
    private final EventLoopGroup loops = loops();
    private final Channel connection;

    Client(Pod pod, InetSocketAddress server) throws IOException {
      var connecting =
          new Bootstrap()
              .group(loops)
              .channelFactory(() -> pod.host().call(NioSocketChannel::new))
              .handler(
                  new ChannelInitializer<>() {
                    @Override
                    protected void initChannel(Channel channel) {
                      channel
                          .pipeline()
                          .addLast(
                              Http2FrameCodecBuilder.forClient().build(),
                              new Http2MultiplexHandler(new Nothing()));
                    }
                  })
              .connect(server)
              .awaitUninterruptibly();
      if (!connecting.isSuccess()) {
        end(loops);
        throw new IOException("no connection to " + server, connecting.cause());
      }
      connection = connecting.channel();
    }

    /** Asks for a path and returns the status, a space, and the body. */
    String get(String path) throws IOException {
      CompletableFuture<String> answer = new CompletableFuture<>();
      connection.closeFuture().addListener(_ -> answer.completeExceptionally(ended()));
      Http2StreamChannel stream =
          new Http2StreamChannelBootstrap(connection)
              .handler(new Receiving(answer))
              .open()
              .awaitUninterruptibly()
              .getNow();
      if (stream == null) {
        throw ended();
      }
      stream.writeAndFlush(
          new DefaultHttp2HeadersFrame(
              new DefaultHttp2Headers().method("GET").scheme("http").authority("test").path(path),
              true));
      try {
        return answer.get(Patience.SHORT.toSeconds(), TimeUnit.SECONDS);
      } catch (ExecutionException | TimeoutException e) {
        throw new IOException("no answer", e);
      } catch (InterruptedException e) {
        Thread.currentThread().interrupt();
        throw new IOException(e);
      }
    }

    private static IOException ended() {
      return new IOException("the connection ended");
    }

    @Override
    public void close() {
      end(loops);
    }
  }

  private static final class Receiving extends ChannelInboundHandlerAdapter {
    private final CompletableFuture<String> answer;
    private final StringBuilder text = new StringBuilder();

    Receiving(CompletableFuture<String> answer) {
      this.answer = answer;
    }

    @Override
    public void channelRead(ChannelHandlerContext context, Object message) {
      boolean ends = false;
      if (message instanceof Http2HeadersFrame head) {
        text.append(head.headers().status()).append(' ');
        ends = head.isEndStream();
      } else if (message instanceof Http2DataFrame data) {
        text.append(data.content().toString(StandardCharsets.UTF_8));
        ends = data.isEndStream();
        data.release();
      }
      if (ends) {
        answer.complete(text.toString());
      }
    }

    @Override
    public void channelInactive(ChannelHandlerContext context) {
      answer.completeExceptionally(new IOException("the stream was reset"));
    }
  }
}
