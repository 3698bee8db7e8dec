package dev.ambit.ztunnel.channel;

import io.grpc.Channel;
import io.grpc.ClientInterceptors;
import io.grpc.ManagedChannel;
import io.grpc.Metadata;
import io.grpc.netty.GrpcSslContexts;
import io.grpc.netty.NettyChannelBuilder;
import io.grpc.stub.MetadataUtils;
import io.netty.channel.EventLoopGroup;
import io.netty.channel.epoll.EpollSocketChannel;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.util.Arrays;
import java.util.Map;
import java.util.concurrent.Executor;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * A gRPC channel to one server, whose trust follows the root file: when the file changes, the next
 * {@link #open} uses the new roots, and calls on the old channel are left to end.
 */
public final class ServerChannel implements AutoCloseable {
  private static final Logger log = LoggerFactory.getLogger(ServerChannel.class);
  private static final Metadata.Key<String> AUTHORIZATION =
      Metadata.Key.of("authorization", Metadata.ASCII_STRING_MARSHALLER);
  private static final int LARGEST_MESSAGE = 200 << 20;

  private final ServerAddress address;
  private final BearerToken token;
  private final Map<String, String> headers;
  private final EventLoopGroup loop;
  private final Executor executor;
  private final int mark;

  private @Nullable ManagedChannel current;
  private byte[] currentRoots = {};

  /**
   * @param headers sent with each call, besides the token
   * @param loop for the connection
   * @param executor on which replies are handled
   */
  public ServerChannel(
      ServerAddress address,
      BearerToken token,
      Map<String, String> headers,
      EventLoopGroup loop,
      Executor executor) {
    this(address, token, headers, loop, executor, 0);
  }

  /**
   * @param headers sent with each call, besides the token
   * @param loop for the connection
   * @param executor on which replies are handled
   * @param mark of the connection's socket, where rules would redirect it else; 0 for none
   */
  public ServerChannel(
      ServerAddress address,
      BearerToken token,
      Map<String, String> headers,
      EventLoopGroup loop,
      Executor executor,
      int mark) {
    this.address = address;
    this.token = token;
    this.headers = Map.copyOf(headers);
    this.loop = loop;
    this.executor = executor;
    this.mark = mark;
  }

  /**
   * The channel, for one call: with the token and the roots as the files now hold them.
   *
   * @throws IOException where a file cannot be read
   */
  public synchronized Channel open() throws IOException {
    ManagedChannel channel = channel();
    Metadata metadata = new Metadata();
    token.header().ifPresent(value -> metadata.put(AUTHORIZATION, value));
    headers.forEach(
        (name, value) ->
            metadata.put(Metadata.Key.of(name, Metadata.ASCII_STRING_MARSHALLER), value));
    return ClientInterceptors.intercept(
        channel, MetadataUtils.newAttachHeadersInterceptor(metadata));
  }

  /** Where calls go. */
  public ServerAddress address() {
    return address;
  }

  /** Has the next call connect at once, however often connecting has failed before. */
  public synchronized void resetConnectBackoff() {
    if (current != null) {
      current.resetConnectBackoff();
    }
  }

  private ManagedChannel channel() throws IOException {
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
