package dev.ambit.ztunnel.testing;

import com.google.protobuf.Any;
import com.google.protobuf.Message;
import dev.ambit.protocol.ca.IstioCertificateRequest;
import dev.ambit.protocol.ca.IstioCertificateResponse;
import dev.ambit.protocol.ca.IstioCertificateServiceGrpc;
import dev.ambit.protocol.xds.AggregatedDiscoveryServiceGrpc;
import dev.ambit.protocol.xds.DeltaDiscoveryRequest;
import dev.ambit.protocol.xds.DeltaDiscoveryResponse;
import dev.ambit.protocol.xds.Resource;
import dev.ambit.ztunnel.identity.Identity;
import io.grpc.Context;
import io.grpc.Contexts;
import io.grpc.Metadata;
import io.grpc.Server;
import io.grpc.ServerCall;
import io.grpc.ServerCallHandler;
import io.grpc.ServerInterceptor;
import io.grpc.Status;
import io.grpc.netty.GrpcSslContexts;
import io.grpc.netty.NettyServerBuilder;
import io.grpc.stub.StreamObserver;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.security.GeneralSecurityException;
import java.security.KeyPair;
import java.security.cert.X509Certificate;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.TimeUnit;
import org.bouncycastle.asn1.x509.GeneralName;
import org.jspecify.annotations.Nullable;

/**
 * A control plane and certificate authority on loopback, which sends what the test tells it to and
 * keeps what it was sent.
 */
public final class FakeControlPlane implements AutoCloseable {
  public static final String ADDRESS = "type.googleapis.com/istio.workload.Address";
  public static final String AUTHORIZATION = "type.googleapis.com/istio.security.Authorization";

  private static final Metadata.Key<String> TOKEN =
      Metadata.Key.of("authorization", Metadata.ASCII_STRING_MARSHALLER);
  private static final Metadata.Key<String> CLUSTER =
      Metadata.Key.of("clusterid", Metadata.ASCII_STRING_MARSHALLER);
  private static final Context.Key<Metadata> HEADERS = Context.key("headers");

  private final Server server;
  private final TestAuthority authority;
  private final List<Stream> streams = new CopyOnWriteArrayList<>();
  private final List<IstioCertificateRequest> certificateRequests = new CopyOnWriteArrayList<>();
  private final List<String> tokens = new CopyOnWriteArrayList<>();
  private final List<String> clusters = new CopyOnWriteArrayList<>();

  /** One discovery stream. */
  public static final class Stream implements StreamObserver<DeltaDiscoveryRequest> {
    private final StreamObserver<DeltaDiscoveryResponse> responses;
    private final List<DeltaDiscoveryRequest> requests = new CopyOnWriteArrayList<>();

    Stream(StreamObserver<DeltaDiscoveryResponse> responses) {
      this.responses = responses;
    }

    @Override
    public void onNext(DeltaDiscoveryRequest request) {
      requests.add(request);
    }

    @Override
    public void onError(Throwable failure) {}

    @Override
    public void onCompleted() {
      responses.onCompleted();
    }

    /** All that was sent on this stream. */
    public List<DeltaDiscoveryRequest> requests() {
      return requests;
    }

    /** The request that opened the subscription to {@code type}. */
    public DeltaDiscoveryRequest subscription(String type) {
      return requests.stream()
          .filter(r -> r.getTypeUrl().equals(type) && r.getResponseNonce().isEmpty())
          .findFirst()
          .orElseThrow();
    }

    /** The answer to the response that had {@code nonce}, if there is one. */
    public @Nullable DeltaDiscoveryRequest reply(String nonce) {
      return requests.stream()
          .filter(r -> r.getResponseNonce().equals(nonce))
          .findFirst()
          .orElse(null);
    }

    /** Sends a response. */
    public void send(String type, String nonce, List<Resource> resources, List<String> removed) {
      responses.onNext(
          DeltaDiscoveryResponse.newBuilder()
              .setTypeUrl(type)
              .setNonce(nonce)
              .addAllResources(resources)
              .addAllRemovedResources(removed)
              .build());
    }

    /** Breaks the stream. */
    public void fail() {
      responses.onError(Status.UNAVAILABLE.withDescription("test").asException());
    }
  }

  private FakeControlPlane(TestAuthority authority, NettyServerBuilder builder) throws IOException {
    this.authority = authority;
    this.server =
        builder
            .permitKeepAliveTime(1, TimeUnit.SECONDS)
            .intercept(new Headers())
            .addService(new Discovery())
            .addService(new Certificates())
            .build()
            .start();
  }

  /** Without TLS. */
  public static FakeControlPlane plain(TestAuthority authority) throws IOException {
    return new FakeControlPlane(authority, builder(0));
  }

  /** With TLS, for 127.0.0.1, certified by {@code root}. */
  public static FakeControlPlane secure(TestAuthority authority, TestAuthority root, int port)
      throws IOException, GeneralSecurityException {
    KeyPair keys = TestAuthority.keyPair();
    X509Certificate certificate =
        root.leaf(
            keys.getPublic(),
            new GeneralName(GeneralName.iPAddress, "127.0.0.1"),
            Duration.ofHours(1));
    return new FakeControlPlane(
        authority,
        builder(port)
            .sslContext(
                GrpcSslContexts.configure(
                        io.netty.handler.ssl.SslContextBuilder.forServer(
                            keys.getPrivate(), certificate))
                    .build()));
  }

  private static NettyServerBuilder builder(int port) {
    return NettyServerBuilder.forAddress(
        new InetSocketAddress(InetAddress.getLoopbackAddress(), port));
  }

  public int port() {
    return server.getPort();
  }

  public List<Stream> streams() {
    return streams;
  }

  public List<IstioCertificateRequest> certificateRequests() {
    return certificateRequests;
  }

  /** The authorization headers of all calls, in order. */
  public List<String> tokens() {
    return tokens;
  }

  public List<String> clusters() {
    return clusters;
  }

  /** A resource of the message's own type. */
  public static Resource resource(String type, String name, String version, Message message) {
    return Resource.newBuilder()
        .setName(name)
        .setVersion(version)
        .setResource(Any.newBuilder().setTypeUrl(type).setValue(message.toByteString()))
        .build();
  }

  @Override
  public void close() throws InterruptedException {
    server.shutdownNow().awaitTermination(5, TimeUnit.SECONDS);
  }

  private final class Headers implements ServerInterceptor {
    @Override
    public <Q, R> ServerCall.Listener<Q> interceptCall(
        ServerCall<Q, R> call, Metadata headers, ServerCallHandler<Q, R> next) {
      tokens.add(String.valueOf(headers.get(TOKEN)));
      clusters.add(String.valueOf(headers.get(CLUSTER)));
      return Contexts.interceptCall(
          Context.current().withValue(HEADERS, headers), call, headers, next);
    }
  }

  private final class Discovery
      extends AggregatedDiscoveryServiceGrpc.AggregatedDiscoveryServiceImplBase {
    @Override
    public StreamObserver<DeltaDiscoveryRequest> deltaAggregatedResources(
        StreamObserver<DeltaDiscoveryResponse> responses) {
      Stream stream = new Stream(responses);
      streams.add(stream);
      return stream;
    }
  }

  private final class Certificates
      extends IstioCertificateServiceGrpc.IstioCertificateServiceImplBase {
    @Override
    public void createCertificate(
        IstioCertificateRequest request, StreamObserver<IstioCertificateResponse> reply) {
      certificateRequests.add(request);
      String identity =
          request.getMetadata().getFieldsOrThrow("ImpersonatedIdentity").getStringValue();
      authority
          .issue(Identity.parse(identity), request.getCsr())
          .whenComplete(
              (chain, failure) -> {
                if (failure != null) {
                  reply.onError(Status.INVALID_ARGUMENT.asException());
                } else {
                  reply.onNext(
                      IstioCertificateResponse.newBuilder().addAllCertChain(chain).build());
                  reply.onCompleted();
                }
              });
    }
  }
}
