package dev.ambit.ztunnel.netns;

import static java.nio.charset.StandardCharsets.UTF_8;

import io.grpc.CallOptions;
import io.grpc.ManagedChannel;
import io.grpc.MethodDescriptor;
import io.grpc.Server;
import io.grpc.ServerServiceDefinition;
import io.grpc.Status;
import io.grpc.netty.NettyChannelBuilder;
import io.grpc.netty.NettyServerBuilder;
import io.grpc.stub.ClientCalls;
import io.grpc.stub.ServerCalls;
import io.grpc.stub.StreamObserver;
import io.netty.channel.EventLoopGroup;
import io.netty.channel.MultiThreadIoEventLoopGroup;
import io.netty.channel.nio.NioIoHandler;
import io.netty.channel.socket.nio.NioServerSocketChannel;
import io.netty.channel.socket.nio.NioSocketChannel;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.net.InetSocketAddress;
import java.util.concurrent.TimeUnit;

/** gRPC in pods: a server that says its pod's name and what it got, and a client. */
final class GrpcEcho {
  private static final MethodDescriptor.Marshaller<String> TEXT =
      new MethodDescriptor.Marshaller<>() {
        @Override
        public InputStream stream(String value) {
          return new ByteArrayInputStream(value.getBytes(UTF_8));
        }

        @Override
        public String parse(InputStream stream) {
          try {
            return new String(stream.readAllBytes(), UTF_8);
          } catch (IOException e) {
            throw new IllegalStateException(e);
          }
        }
      };
  private static final MethodDescriptor<String, String> SAY =
      method("Say", MethodDescriptor.MethodType.UNARY);
  private static final MethodDescriptor<String, String> TALK =
      method("Talk", MethodDescriptor.MethodType.BIDI_STREAMING);

  private GrpcEcho() {}

  private static MethodDescriptor<String, String> method(
      String name, MethodDescriptor.MethodType type) {
    return MethodDescriptor.<String, String>newBuilder(TEXT, TEXT)
        .setType(type)
        .setFullMethodName("test.Echo/" + name)
        .build();
  }

  /** Answers a text with "POD TEXT", and the text "fail" with RESOURCE_EXHAUSTED. */
  static AutoCloseable serve(Pod pod, int port) throws IOException {
    return serve(
        pod,
        port,
        ServerServiceDefinition.builder("test.Echo")
            .addMethod(
                SAY,
                ServerCalls.asyncUnaryCall(
                    (text, answers) -> {
                      if (text.equals("fail")) {
                        answers.onError(
                            Status.RESOURCE_EXHAUSTED.withDescription("full").asException());
                        return;
                      }
                      answers.onNext(pod.name() + " " + text);
                      answers.onCompleted();
                    }))
            .addMethod(
                TALK,
                ServerCalls.asyncBidiStreamingCall(
                    answers ->
                        new StreamObserver<>() {
                          @Override
                          public void onNext(String text) {
                            answers.onNext(pod.name() + " " + text);
                          }

                          @Override
                          public void onError(Throwable failure) {}

                          @Override
                          public void onCompleted() {
                            answers.onCompleted();
                          }
                        }))
            .build());
  }

  /** Serves these in the pod. */
  static AutoCloseable serve(Pod pod, int port, ServerServiceDefinition services)
      throws IOException {
    EventLoopGroup loops = loops();
    Server server =
        NettyServerBuilder.forAddress(new InetSocketAddress(port))
            .bossEventLoopGroup(loops)
            .workerEventLoopGroup(loops)
            .channelFactory(() -> pod.host().call(NioServerSocketChannel::new))
            .addService(services)
            .build()
            .start();
    return () -> {
      server.shutdownNow();
      loops.shutdownGracefully(0, 1, TimeUnit.SECONDS);
    };
  }

  private static EventLoopGroup loops() {
    return new MultiThreadIoEventLoopGroup(1, NioIoHandler.newFactory());
  }

  /** A connection from a pod, over which calls are made. */
  static final class Client implements AutoCloseable {
    private final EventLoopGroup loops = loops();
    private final ManagedChannel channel;

    Client(Pod pod, InetSocketAddress server) {
      channel =
          NettyChannelBuilder.forAddress(server)
              .usePlaintext()
              .eventLoopGroup(loops)
              .channelFactory(() -> pod.host().call(NioSocketChannel::new))
              .build();
    }

    private CallOptions options() {
      return CallOptions.DEFAULT.withDeadlineAfter(Patience.SHORT.toSeconds(), TimeUnit.SECONDS);
    }

    String say(String text) {
      return ClientCalls.blockingUnaryCall(channel, SAY, options(), text);
    }

    /** Begins a conversation, whose answers come as they are given. */
    StreamObserver<String> talk(StreamObserver<String> answers) {
      return ClientCalls.asyncBidiStreamingCall(channel.newCall(TALK, options()), answers);
    }

    @Override
    public void close() {
      channel.shutdownNow();
      loops.shutdownGracefully(0, 1, TimeUnit.SECONDS);
    }
  }
}
