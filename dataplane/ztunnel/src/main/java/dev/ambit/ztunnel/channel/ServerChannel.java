package dev.ambit.ztunnel.channel;

import io.grpc.CallOptions;
import io.grpc.Channel;
import io.grpc.ClientCall;
import io.grpc.ClientInterceptor;
import io.grpc.ClientInterceptors;
import io.grpc.Metadata;
import io.grpc.MethodDescriptor;
import io.grpc.stub.MetadataUtils;
import io.netty.channel.EventLoopGroup;
import java.io.IOException;
import java.util.Map;
import java.util.concurrent.Executor;

/** Calls of one kind to a server: with a token and headers, and answered on a thread of theirs. */
public final class ServerChannel implements AutoCloseable {
  private static final Metadata.Key<String> AUTHORIZATION =
      Metadata.Key.of("authorization", Metadata.ASCII_STRING_MARSHALLER);

  private final ServerConnection connection;
  private final BearerToken token;
  private final Map<String, String> headers;
  private final Executor executor;

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
    this(new ServerConnection(address, loop, executor, 0), token, headers, executor);
  }

  /**
   * @param connection which others may use as well
   * @param headers sent with each call, besides the token
   * @param executor on which replies are handled
   */
  public ServerChannel(
      ServerConnection connection,
      BearerToken token,
      Map<String, String> headers,
      Executor executor) {
    this.connection = connection;
    this.token = token;
    this.headers = Map.copyOf(headers);
    this.executor = executor;
  }

  /**
   * The channel, for one call: with the token and the roots as the files now hold them.
   *
   * @throws IOException where a file cannot be read
   */
  public Channel open() throws IOException {
    Metadata metadata = new Metadata();
    token.header().ifPresent(value -> metadata.put(AUTHORIZATION, value));
    headers.forEach(
        (name, value) ->
            metadata.put(Metadata.Key.of(name, Metadata.ASCII_STRING_MARSHALLER), value));
    return ClientInterceptors.intercept(
        connection.channel(),
        MetadataUtils.newAttachHeadersInterceptor(metadata),
        new AnswersOn(executor));
  }

  /** Where calls go. */
  public ServerAddress address() {
    return connection.address();
  }

  /** Has the next call connect at once, however often connecting has failed before. */
  public void resetConnectBackoff() {
    connection.resetConnectBackoff();
  }

  @Override
  public void close() {
    connection.close();
  }

  private record AnswersOn(Executor executor) implements ClientInterceptor {
    @Override
    public <Q, A> ClientCall<Q, A> interceptCall(
        MethodDescriptor<Q, A> method, CallOptions options, Channel next) {
      return next.newCall(method, options.withExecutor(executor));
    }
  }
}
