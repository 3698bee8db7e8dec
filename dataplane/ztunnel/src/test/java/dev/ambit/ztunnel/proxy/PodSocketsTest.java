package dev.ambit.ztunnel.proxy;

import static org.assertj.core.api.Assertions.assertThat;

import dev.ambit.linux.NetworkNamespace;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInboundHandlerAdapter;
import io.netty.channel.EventLoopGroup;
import io.netty.channel.MultiThreadIoEventLoopGroup;
import io.netty.channel.epoll.EpollSocketChannel;
import io.netty.channel.epoll.EpollSocketChannelConfig;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

class PodSocketsTest {
  private final EventLoopGroup loops = new MultiThreadIoEventLoopGroup(1, ProxyEpoll.factory());
  private final PodSockets sockets =
      new PodSockets(NetworkNamespace.self(), ProxySettings.defaults().withMark(0));

  @AfterEach
  void close() {
    loops.shutdownGracefully(0, 1, TimeUnit.SECONDS).awaitUninterruptibly();
  }

  @Test
  void bothEndsOfAConnectionNoticeWhenTheOtherIsGone() throws Exception {
    var accepted = new CompletableFuture<EpollSocketChannel>();
    var listener = sockets.listener(false);
    listener
        .pipeline()
        .addLast(
            new ChannelInboundHandlerAdapter() {
              @Override
              public void channelRead(ChannelHandlerContext context, Object message) {
                accepted.complete((EpollSocketChannel) message);
              }
            });
    loops.register(listener).sync();
    listener.bind(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0)).sync();
    var caller = sockets.outgoing(InetAddress.getLoopbackAddress());
    loops.register(caller).sync();
    caller.connect(listener.localAddress()).sync();
    var callee = accepted.get(30, TimeUnit.SECONDS);
    PodSockets.keepAlive(caller);
    isWatched(caller.config());
    isWatched(callee.config());
    callee.unsafe().closeForcibly();
  }

  private static void isWatched(EpollSocketChannelConfig config) {
    assertThat(config.isKeepAlive()).isTrue();
    assertThat(config.getTcpKeepIdle()).isEqualTo(180);
    assertThat(config.getTcpKeepIntvl()).isEqualTo(180);
    assertThat(config.getTcpKeepCnt()).isEqualTo(9);
    assertThat(config.isTcpNoDelay()).isTrue();
  }
}
