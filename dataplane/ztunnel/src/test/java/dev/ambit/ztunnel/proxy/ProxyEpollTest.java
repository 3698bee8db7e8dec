package dev.ambit.ztunnel.proxy;

import static org.assertj.core.api.Assertions.assertThat;

import io.netty.buffer.ByteBuf;
import io.netty.channel.Channel;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInboundHandlerAdapter;
import io.netty.channel.EventLoop;
import io.netty.channel.EventLoopGroup;
import io.netty.channel.MultiThreadIoEventLoopGroup;
import io.netty.channel.epoll.EpollSocketChannel;
import io.netty.util.ReferenceCountUtil;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

@Timeout(120)
class ProxyEpollTest {
  private static final int TRIES = 20;

  private final EventLoopGroup loops = new MultiThreadIoEventLoopGroup(1, ProxyEpoll.factory());
  private final EventLoop loop = loops.next();

  @AfterEach
  void close() {
    loops.shutdownGracefully(0, 1, TimeUnit.SECONDS).awaitUninterruptibly();
  }

  @Test
  void aNewConnectionGetsNoEventOfTheOneWhoseDescriptorItHas() throws Exception {
    int reused = 0;
    for (int i = 0; i < TRIES; i++) {
      try (var listener = new ServerSocket(0, 50, InetAddress.getLoopbackAddress())) {
        reused += connectWhereAnotherJustEnded(listener) ? 1 : 0;
      }
    }
    assertThat(reused).as("times that the descriptor was the same").isPositive();
  }

  /** Returns whether the new connection has got the descriptor of one with events to come. */
  private boolean connectWhereAnotherJustEnded(ServerSocket listener) throws Exception {
    var address = (InetSocketAddress) listener.getLocalSocketAddress();
    var pair = new ArrayList<EpollSocketChannel>();
    var successor = new CompletableFuture<Successor>();
    for (int i = 0; i < 2; i++) {
      var channel = new EpollSocketChannel();
      channel.pipeline().addLast(new Replacing(pair, address, successor));
      loop.register(channel).sync();
      channel.connect(address).sync();
      pair.add(channel);
    }
    try (var one = listener.accept();
        var other = listener.accept()) {
      // Both have events in one batch, since the loop is busy until both have some.
      var both = new CountDownLatch(1);
      loop.execute(
          () -> {
            try {
              both.await();
            } catch (InterruptedException e) {
              Thread.currentThread().interrupt();
            }
          });
      finish(one);
      finish(other);
      both.countDown();
    }
    var made = successor.get(30, TimeUnit.SECONDS);
    try (var peer = listener.accept()) {
      peer.getOutputStream().write(42);
      assertThat(made.events().first.get(30, TimeUnit.SECONDS)).isEqualTo("read 42");
    }
    made.channel().close().sync();
    return made.reused();
  }

  private static void finish(Socket socket) throws Exception {
    socket.getOutputStream().write(1);
    socket.shutdownOutput();
  }

  private record Successor(EpollSocketChannel channel, Recording events, boolean reused) {}

  /** Closes the other of two at the first byte, and connects anew. */
  private static final class Replacing extends ChannelInboundHandlerAdapter {
    private final List<EpollSocketChannel> pair;
    private final InetSocketAddress address;
    private final CompletableFuture<Successor> successor;

    Replacing(
        List<EpollSocketChannel> pair,
        InetSocketAddress address,
        CompletableFuture<Successor> successor) {
      this.pair = pair;
      this.address = address;
      this.successor = successor;
    }

    @Override
    public void channelRead(ChannelHandlerContext context, Object message) {
      ReferenceCountUtil.release(message);
      if (successor.isDone()) {
        return;
      }
      var other = pair.get(0) == context.channel() ? pair.get(1) : pair.get(0);
      int descriptor = other.fd().intValue();
      other.close();
      var events = new Recording();
      var channel = new EpollSocketChannel();
      boolean reused = channel.fd().intValue() == descriptor;
      channel.config().setAllowHalfClosure(true);
      channel.pipeline().addLast(events);
      context.channel().eventLoop().register(channel);
      channel.connect(address);
      successor.complete(new Successor(channel, events, reused));
    }
  }

  /** What a channel hears of first. */
  private static final class Recording extends ChannelInboundHandlerAdapter {
    private final CompletableFuture<String> first = new CompletableFuture<>();

    @Override
    public void channelRead(ChannelHandlerContext context, Object message) {
      var bytes = (ByteBuf) message;
      first.complete("read " + bytes.readByte());
      bytes.release();
    }

    @Override
    public void userEventTriggered(ChannelHandlerContext context, Object event) {
      first.complete("event " + event);
    }

    @Override
    public void exceptionCaught(ChannelHandlerContext context, Throwable cause) {
      first.complete("failure " + cause);
    }

    @Override
    public void channelInactive(ChannelHandlerContext context) {
      Channel channel = context.channel();
      first.complete("end of " + channel);
    }
  }
}
