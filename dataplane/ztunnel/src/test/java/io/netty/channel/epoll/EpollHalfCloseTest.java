package io.netty.channel.epoll;

import static org.assertj.core.api.Assertions.assertThat;

import io.netty.bootstrap.ServerBootstrap;
import io.netty.buffer.ByteBuf;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInboundHandlerAdapter;
import io.netty.channel.ChannelInitializer;
import io.netty.channel.EventLoopGroup;
import io.netty.channel.MultiThreadIoEventLoopGroup;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

@Timeout(60)
class EpollHalfCloseTest {
  private final EventLoopGroup loop =
      new MultiThreadIoEventLoopGroup(1, EpollIoHandler.newFactory());

  @AfterEach
  void close() {
    loop.shutdownGracefully(0, 1, TimeUnit.SECONDS).awaitUninterruptibly();
  }

  @Test
  void aChannelThatIsNotReadYetOutlivesAnEventOfTheDescriptorsFormerOwner() throws Exception {
    var accepted = new CompletableFuture<EpollSocketChannel>();
    var received = new CompletableFuture<Byte>();
    var listener =
        new ServerBootstrap()
            .group(loop)
            .channel(EpollServerSocketChannel.class)
            .childHandler(
                new ChannelInitializer<EpollSocketChannel>() {
                  @Override
                  protected void initChannel(EpollSocketChannel channel) {
                    EpollHalfClose.keepRegistered(channel);
                    channel.config().setAutoRead(false);
                    channel.pipeline().addLast(new FirstByte(received));
                    accepted.complete(channel);
                  }
                })
            .bind(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0))
            .sync()
            .channel();
    try (var client =
        new Socket(
            InetAddress.getLoopbackAddress(),
            ((InetSocketAddress) listener.localAddress()).getPort())) {
      var channel = accepted.get(30, TimeUnit.SECONDS);
      channel.eventLoop().submit(() -> staleEvent(channel)).sync();
      channel.eventLoop().submit(() -> channel.config().setAutoRead(true)).sync();
      client.getOutputStream().write(42);
      assertThat(received.get(30, TimeUnit.SECONDS)).isEqualTo((byte) 42);
    }
  }

  private static void staleEvent(EpollSocketChannel channel) {
    var unsafe = (AbstractEpollChannel.AbstractEpollUnsafe) channel.unsafe();
    unsafe.handle(channel.registration(), EpollIoOps.eventOf(Native.EPOLLIN | Native.EPOLLRDHUP));
  }

  private static final class FirstByte extends ChannelInboundHandlerAdapter {
    private final CompletableFuture<Byte> received;

    FirstByte(CompletableFuture<Byte> received) {
      this.received = received;
    }

    @Override
    public void channelRead(ChannelHandlerContext context, Object message) {
      var bytes = (ByteBuf) message;
      received.complete(bytes.readByte());
      bytes.release();
    }

    @Override
    public void exceptionCaught(ChannelHandlerContext context, Throwable cause) {
      received.completeExceptionally(cause);
    }
  }
}
