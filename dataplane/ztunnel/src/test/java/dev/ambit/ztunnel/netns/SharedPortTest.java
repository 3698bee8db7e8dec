package dev.ambit.ztunnel.netns;

import static org.assertj.core.api.Assertions.assertThat;

import dev.ambit.linux.SharedPort;
import io.netty.bootstrap.ServerBootstrap;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInboundHandlerAdapter;
import io.netty.channel.EventLoopGroup;
import io.netty.channel.MultiThreadIoEventLoopGroup;
import io.netty.channel.epoll.EpollIoHandler;
import io.netty.channel.epoll.EpollServerSocketChannel;
import io.netty.channel.unix.UnixChannelOption;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

class SharedPortTest {
  private final EventLoopGroup loop =
      new MultiThreadIoEventLoopGroup(1, EpollIoHandler.newFactory());
  private final LinkedBlockingQueue<String> accepted = new LinkedBlockingQueue<>();

  @AfterEach
  void close() {
    loop.shutdownGracefully(0, 1, TimeUnit.SECONDS).awaitUninterruptibly();
  }

  @Test
  void newConnectionsGoToTheSecondListenerOnceTheFirstYields() throws Exception {
    var first = listener("first", 0);
    int port = first.localAddress().getPort();
    listener("second", port);
    SharedPort.yieldToSecond(first.fd().intValue());
    for (int i = 0; i < 50; i++) {
      assertThat(connect(port)).isEqualTo("second");
    }
    first.close().sync();
    assertThat(connect(port)).isEqualTo("second");
    // And so does the second, when its time has come.
    listener("third", port);
    assertThat(connect(port)).isEqualTo("third");
  }

  @Test
  void withoutASecondListenerTheFirstGoesOn() throws Exception {
    var only = listener("only", 0);
    SharedPort.yieldToSecond(only.fd().intValue());
    assertThat(connect(only.localAddress().getPort())).isEqualTo("only");
  }

  private EpollServerSocketChannel listener(String name, int port) throws Exception {
    return (EpollServerSocketChannel)
        new ServerBootstrap()
            .group(loop)
            .channel(EpollServerSocketChannel.class)
            .option(UnixChannelOption.SO_REUSEPORT, true)
            .childHandler(
                new ChannelInboundHandlerAdapter() {
                  @Override
                  public boolean isSharable() {
                    return true;
                  }

                  @Override
                  public void channelActive(ChannelHandlerContext context) {
                    accepted.add(name);
                  }
                })
            .bind(new InetSocketAddress(InetAddress.getLoopbackAddress(), port))
            .sync()
            .channel();
  }

  private String connect(int port) throws Exception {
    try (var client = new Socket(InetAddress.getLoopbackAddress(), port)) {
      assertThat(client.isConnected()).isTrue();
      return String.valueOf(accepted.poll(10, TimeUnit.SECONDS));
    }
  }
}
