package dev.ambit.ztunnel.netns;

import static org.awaitility.Awaitility.await;

import com.google.protobuf.Message;
import dev.ambit.protocol.security.Authorization;
import dev.ambit.protocol.workload.Address;
import dev.ambit.protocol.workload.Service;
import io.grpc.Context;
import io.grpc.Contexts;
import io.grpc.Metadata;
import io.grpc.Server;
import io.grpc.ServerCall;
import io.grpc.ServerCallHandler;
import io.grpc.ServerInterceptor;
import io.grpc.netty.GrpcSslContexts;
import io.grpc.netty.NettyServerBuilder;
import io.netty.channel.EventLoopGroup;
import io.netty.channel.MultiThreadIoEventLoopGroup;
import io.netty.channel.ServerChannel;
import io.netty.channel.epoll.EpollIoHandler;
import io.netty.channel.epoll.EpollServerSocketChannel;
import io.netty.handler.ssl.SslContextBuilder;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.time.Duration;
import java.util.Collection;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/**
 * A control plane that does as tests say: discovery and certificates over TLS, inside the control
 * host of a {@link Network}. It can go away and come back, on the same address.
 */
final class FakeControlPlane implements AutoCloseable {
  static final int PORT = 15012;

  private static final String TYPES = "type.googleapis.com/";
  private static final String ADDRESS_TYPE = TYPES + "istio.workload.Address";
  private static final String AUTHORIZATION_TYPE = TYPES + "istio.security.Authorization";

  private final Host host;
  private final TestAuthority authority = new TestAuthority();
  private final DeltaDiscovery discovery = new DeltaDiscovery();
  private final CertificateService certificates = new CertificateService(authority);
  private final Credentials credentials = authority.server(Network.CONTROL_ADDRESS);
  private final EventLoopGroup loops =
      new MultiThreadIoEventLoopGroup(1, EpollIoHandler.newFactory());
  private final ExecutorService executor = Executors.newCachedThreadPool();
  private @Nullable Server server;

  FakeControlPlane(Host host) {
    this.host = host;
  }

  /** Where clients find it. */
  static String url() {
    return "https://" + Network.CONTROL_ADDRESS + ":" + PORT;
  }

  TestAuthority authority() {
    return authority;
  }

  CertificateService certificates() {
    return certificates;
  }

  DeltaDiscovery discovery() {
    return discovery;
  }

  synchronized void start() {
    try {
      server =
          NettyServerBuilder.forAddress(new InetSocketAddress(Network.CONTROL_ADDRESS, PORT))
              .channelFactory(this::listener)
              .bossEventLoopGroup(loops)
              .workerEventLoopGroup(loops)
              .executor(executor)
              .permitKeepAliveTime(5, TimeUnit.SECONDS)
              .intercept(new MetadataInContext())
              .sslContext(
                  GrpcSslContexts.configure(
                          SslContextBuilder.forServer(credentials.key(), credentials.chainArray()))
                      .build())
              .addService(discovery)
              .addService(certificates)
              .build()
              .start();
    } catch (IOException e) {
      throw new IllegalStateException("the control plane cannot start in " + host, e);
    }
  }

  /** The listening socket belongs to the namespace in which it is made. */
  private ServerChannel listener() {
    return host.call(EpollServerSocketChannel::new);
  }

  /** Cuts all connections and listens no more. */
  synchronized void stop() {
    if (server != null) {
      server.shutdownNow();
      try {
        server.awaitTermination(5, TimeUnit.SECONDS);
      } catch (InterruptedException e) {
        Thread.currentThread().interrupt();
      }
      server = null;
      discovery.forgetClients();
    }
  }

  /** How many clients have subscribed to all that a ztunnel subscribes to. */
  int subscribedClients() {
    return discovery.subscribedClients(Set.of(ADDRESS_TYPE, AUTHORIZATION_TYPE));
  }

  /** Sets resources and waits until every client has answered. */
  void set(Map<String, ? extends Message> resources) {
    discovery.set(resources);
    awaitSettled();
  }

  /** Announces pods of the mesh, or what replaces their announcement. */
  void announce(WorkloadResource... workloads) {
    var resources = new LinkedHashMap<String, Message>();
    for (var workload : workloads) {
      resources.put(workload.uid(), workload.address());
    }
    set(resources);
  }

  void announce(Service.Builder service) {
    set(
        Map.of(
            service.getNamespace() + "/" + service.getHostname(),
            Address.newBuilder().setService(service).build()));
  }

  void withdrawWorkloads(Collection<String> uids) {
    discovery.remove(ADDRESS_TYPE, uids);
    awaitSettled();
  }

  void announce(ServiceResource service) {
    set(Map.of(service.key(), service.address()));
  }

  void withdraw(Pod pod) {
    discovery.remove(ADDRESS_TYPE, List.of(pod.workloadUid()));
    awaitSettled();
  }

  void enforce(Authorization... policies) {
    var resources = new LinkedHashMap<String, Message>();
    for (var policy : policies) {
      resources.put(name(policy), policy);
    }
    set(resources);
  }

  void revoke(Authorization policy) {
    discovery.remove(AUTHORIZATION_TYPE, List.of(name(policy)));
    awaitSettled();
  }

  static String name(Authorization policy) {
    return policy.getNamespace() + "/" + policy.getName();
  }

  /** Waits until every client has answered what was sent before this call. */
  void awaitSettled() {
    long sent = discovery.lastSent();
    await("answers of all xDS clients")
        .atMost(Patience.LONG)
        .pollDelay(Duration.ZERO)
        .pollInterval(Duration.ofMillis(10))
        .until(() -> discovery.isSettled(sent));
  }

  @Override
  public void close() {
    stop();
    loops.shutdownGracefully(0, 2, TimeUnit.SECONDS).awaitUninterruptibly(5, TimeUnit.SECONDS);
    executor.shutdownNow();
  }

  private static final class MetadataInContext implements ServerInterceptor {
    @Override
    public <Q, S> ServerCall.Listener<Q> interceptCall(
        ServerCall<Q, S> call, Metadata headers, ServerCallHandler<Q, S> next) {
      return Contexts.interceptCall(
          Context.current().withValue(CertificateService.METADATA, headers), call, headers, next);
    }
  }
}
