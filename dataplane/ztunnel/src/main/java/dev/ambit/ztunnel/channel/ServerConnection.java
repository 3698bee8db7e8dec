package dev.ambit.ztunnel.channel;

import io.grpc.ManagedChannel;
import io.grpc.netty.GrpcSslContexts;
import io.grpc.netty.NettyChannelBuilder;
import io.netty.channel.EventLoopGroup;
import io.netty.channel.epoll.EpollSocketChannel;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.util.Arrays;
import java.util.concurrent.Executor;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * What carries calls to one server, whose trust follows the root file: when the file changes, the
 * next call uses the new roots, and calls from before are left to end.
 */
public final class ServerConnection implements AutoCloseable {
  private static final Logger log = LoggerFactory.getLogger(ServerConnection.class);
  private static final int LARGEST_MESSAGE = 200 << 20;

  private final ServerAddress address;
  private final EventLoopGroup loop;
  private final Executor executor;
  private final int mark;

  private @Nullable ManagedChannel current;
  private byte[] currentRoots = {};

  /**
   * @param executor for what belongs to no call
   * @param mark of the connection's socket, where rules would redirect it else; 0 for none
   */
  public ServerConnection(ServerAddress address, EventLoopGroup loop, Executor executor, int mark) {
    this.address = address;
    this.loop = loop;
    this.executor = executor;
    this.mark = mark;
  }

  ServerAddress address() {
    return address;
  }

  synchronized void resetConnectBackoff() {
    if (current != null) {
      current.resetConnectBackoff();
    }
  }

  synchronized ManagedChannel channel() throws IOException {
    byte[] roots = address.secure() ? readRoots() : new byte[0];
    ManagedChannel channel = current;
    if (channel != null && Arrays.equals(roots, currentRoots)) {
      return channel;
    }
    NettyChannelBuilder builder =
        NettyChannelBuilder.forAddress(address.host(), address.port())
            .eventLoopGroup(loop)
            .channelType(EpollSocketChannel.class)
            .executor(executor)
            .maxInboundMessageSize(LARGEST_MESSAGE)
            .keepAliveTime(30, TimeUnit.SECONDS)
            .keepAliveTimeout(10, TimeUnit.SECONDS)
            .disableRetry();
    if (mark != 0) {
      builder.withOption(SocketMark.OPTION, mark);
    }
    if (address.secure()) {
      builder.sslContext(
          GrpcSslContexts.forClient().trustManager(new ByteArrayInputStream(roots)).build());
    } else {
      builder.usePlaintext();
    }
    if (channel != null) {
      log.atInfo()
          .addKeyValue("server", address)
          .addKeyValue("file", address.rootFile())
          .log("root certificates changed");
      channel.shutdown();
    }
    ManagedChannel made = builder.build();
    current = made;
    currentRoots = roots;
    return made;
  }

  private byte[] readRoots() throws IOException {
    try {
      return Files.readAllBytes(address.rootFile());
    } catch (IOException e) {
      throw new IOException(
          "cannot read the root certificates of "
              + address
              + " from "
              + address.rootFile()
              + ": "
              + (e instanceof NoSuchFileException ? "there is no such file" : e.getMessage()),
          e);
    }
  }

  @Override
  public synchronized void close() {
    if (current != null) {
      current.shutdownNow();
    }
  }
}
