package dev.ambit.ztunnel.bench;

import dev.ambit.linux.NetworkNamespace;
import dev.ambit.ztunnel.proxy.ProxyEpoll;
import io.netty.bootstrap.ServerBootstrap;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import io.netty.channel.ChannelFutureListener;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInboundHandlerAdapter;
import io.netty.channel.ChannelInitializer;
import io.netty.channel.ChannelOption;
import io.netty.channel.EventLoopGroup;
import io.netty.channel.MultiThreadIoEventLoopGroup;
import io.netty.channel.epoll.EpollServerSocketChannel;
import io.netty.channel.group.ChannelGroup;
import io.netty.channel.group.DefaultChannelGroup;
import io.netty.channel.socket.SocketChannel;
import io.netty.util.concurrent.GlobalEventExecutor;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.net.InetSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.ClosedChannelException;
import java.nio.channels.DatagramChannel;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Callable;

/**
 * The servers of a measurement, all in one process, so that all proxies are measured against the
 * same compiled code. Reads lines {@code listen NAMESPACE LETTER}, answers {@code listening}, and
 * {@code leave}, which closes all of them, and answers {@code left}.
 */
public final class BenchServer {
  /** HTTP, where connections are kept. */
  static final int HTTP = 8080;

  /** HTTP, where the server closes the connection after its answer. */
  static final int HTTP_CLOSING = 8081;

  /** Says the server's letter to whoever connects, and closes. */
  static final int LETTER = 8082;

  /** Sends back what comes, bytes and datagrams. */
  static final int ECHO = 8083;

  static final int BODY = 1024;
  private static final int BACKLOG = 4096;

  private final EventLoopGroup loops = new MultiThreadIoEventLoopGroup(1, ProxyEpoll.factory());
  private final ChannelGroup listeners = new DefaultChannelGroup(GlobalEventExecutor.INSTANCE);

  private final List<DatagramChannel> echoes = new ArrayList<>();

  private BenchServer() {}

  /** Serves until its input ends. */
  public static void main(String[] arguments) throws Exception {
    var server = new BenchServer();
    // Whoever asks reads one line for each question: what is logged must not stand among these.
    var answers = System.out;
    System.setOut(System.err);
    var input = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
    for (String line = input.readLine(); line != null; line = input.readLine()) {
      var words = line.split(" ");
      answers.println(server.answer(words));
    }
    System.exit(0);
  }

  private String answer(String[] words) throws Exception {
    return switch (words[0]) {
      case "listen" -> {
        try (var namespace = NetworkNamespace.open("/var/run/netns/" + words[1])) {
          listen(namespace, words[2]);
        }
        yield "listening";
      }
      case "leave" -> {
        listeners.close().sync();
        for (var echo : echoes) {
          echo.close();
        }
        echoes.clear();
        yield "left";
      }
      default -> throw new IllegalArgumentException("not a command of the server: " + words[0]);
    };
  }

  private void listen(NetworkNamespace namespace, String letter) throws Exception {
    var kept = response("keep-alive");
    var last = response("close");
    bind(namespace, HTTP, () -> new Http(kept, false));
    bind(namespace, HTTP_CLOSING, () -> new Http(last, true));
    echo(namespace);
    bind(
        namespace,
        LETTER,
        () ->
            new ChannelInboundHandlerAdapter() {
              @Override
              public void channelActive(ChannelHandlerContext context) {
                context
                    .writeAndFlush(Unpooled.copiedBuffer(letter, StandardCharsets.US_ASCII))
                    .addListener(ChannelFutureListener.CLOSE);
              }
            });
  }

  private void echo(NetworkNamespace namespace) throws Exception {
    bind(
        namespace,
        ECHO,
        () ->
            new ChannelInboundHandlerAdapter() {
              @Override
              public void channelRead(ChannelHandlerContext context, Object message) {
                context.writeAndFlush(message);
              }
            });
    var channel = namespace.call(DatagramChannel::open);
    echoes.add(channel);
    channel.bind(new InetSocketAddress(ECHO));
    Thread.ofPlatform().daemon().name("echo").start(() -> echo(channel));
  }

  private static void echo(DatagramChannel channel) {
    var memory = ByteBuffer.allocateDirect(1 << 16);
    while (true) {
      try {
        var caller = channel.receive(memory.clear());
        channel.send(memory.flip(), caller);
      } catch (ClosedChannelException e) {
        return;
      } catch (IOException e) {
        // A caller that is gone.
      }
    }
  }

  private static ByteBuf response(String connection) {
    var head =
        "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nConnection: %s\r\nContent-Length: %d\r\n\r\n"
            .formatted(connection, BODY);
    return Unpooled.unreleasableBuffer(
        Unpooled.directBuffer()
            .writeBytes((head + "x".repeat(BODY)).getBytes(StandardCharsets.US_ASCII))
            .asReadOnly());
  }

  private void bind(
      NetworkNamespace namespace, int port, Callable<ChannelInboundHandlerAdapter> handler)
      throws Exception {
    listeners.add(
        new ServerBootstrap()
            .group(loops)
            .channelFactory(
                () -> {
                  try {
                    return namespace.call(EpollServerSocketChannel::new);
                  } catch (Exception e) {
                    throw new IllegalStateException("no socket in " + namespace, e);
                  }
                })
            .option(ChannelOption.SO_BACKLOG, BACKLOG)
            .childOption(ChannelOption.TCP_NODELAY, true)
            .childHandler(
                new ChannelInitializer<SocketChannel>() {
                  @Override
                  protected void initChannel(SocketChannel channel) throws Exception {
                    channel.pipeline().addLast(handler.call());
                  }
                })
            .bind(port)
            .sync()
            .channel());
  }

  /** Answers each end of a request's head; requests have no body. */
  private static final class Http extends ChannelInboundHandlerAdapter {
    private static final int HEAD_END = 0x0d0a0d0a;

    private final ByteBuf response;
    private final boolean closing;
    private int last;

    Http(ByteBuf response, boolean closing) {
      this.response = response;
      this.closing = closing;
    }

    @Override
    public void channelRead(ChannelHandlerContext context, Object message) {
      var bytes = (ByteBuf) message;
      try {
        while (bytes.isReadable()) {
          last = last << 8 | bytes.readUnsignedByte();
          if (last == HEAD_END) {
            var written = context.write(response.duplicate());
            if (closing) {
              written.addListener(ChannelFutureListener.CLOSE);
            }
          }
        }
      } finally {
        bytes.release();
      }
    }

    @Override
    public void channelReadComplete(ChannelHandlerContext context) {
      context.flush();
    }

    @Override
    public void exceptionCaught(ChannelHandlerContext context, Throwable cause) {
      if (!(cause instanceof IOException)) {
        cause.printStackTrace();
      }
      context.close();
    }
  }
}
