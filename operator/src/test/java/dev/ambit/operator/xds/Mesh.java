package dev.ambit.operator.xds;

import com.google.protobuf.StringValue;
import dev.ambit.protocol.workload.Address;
import dev.ambit.protocol.workload.Workload;
import dev.ambit.protocol.xds.Node;
import io.grpc.ManagedChannel;
import io.grpc.Server;
import io.grpc.netty.NettyChannelBuilder;
import io.grpc.netty.NettyServerBuilder;
import io.micrometer.core.instrument.simple.SimpleMeterRegistry;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.util.List;
import java.util.Set;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.ScheduledExecutorService;

/** A discovery server of two types on loopback, the second of which refers to the first. */
final class Mesh implements AutoCloseable {
  static final XdsType POLICY = XdsType.of("test.Policy", false);
  static final XdsType ADDRESS = XdsType.of("test.Address", true);
  static final String REALM = "nodes";
  static final Node NODE = Node.newBuilder().setId("ztunnel~1.2.3.4~z.ns~ns").build();

  final SimpleMeterRegistry registry = new SimpleMeterRegistry();
  final List<RejectionListener.Rejection> rejections = new CopyOnWriteArrayList<>();
  final DiscoveryServer discovery;
  private final ExecutorService executor = Executors.newVirtualThreadPerTaskExecutor();
  private final ScheduledExecutorService scheduler = Executors.newSingleThreadScheduledExecutor();
  private final Server server;

  Mesh(XdsSettings settings) throws IOException {
    this(settings, _ -> new StreamAdmission.Admission.Admitted(REALM));
  }

  Mesh(XdsSettings settings, StreamAdmission admission) throws IOException {
    this(settings, admission, List.of(POLICY, ADDRESS));
  }

  /** One that serves those types. */
  Mesh(XdsSettings settings, List<XdsType> types) throws IOException {
    this(settings, _ -> new StreamAdmission.Admission.Admitted(REALM), types);
  }

  private Mesh(XdsSettings settings, StreamAdmission admission, List<XdsType> types)
      throws IOException {
    discovery =
        new DiscoveryServer(settings, admission, rejections::add, registry, executor, scheduler);
    discovery.open(REALM, types);
    server =
        NettyServerBuilder.forAddress(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0))
            .addService(discovery)
            .executor(executor)
            .build()
            .start();
  }

  ManagedChannel channel() {
    return NettyChannelBuilder.forAddress(
            new InetSocketAddress(InetAddress.getLoopbackAddress(), server.getPort()))
        .usePlaintext()
        .flowControlWindow(64 * 1024)
        .build();
  }

  static XdsResource policy(String name, String content) {
    return XdsResource.of(name, POLICY, StringValue.of(content), Set.of());
  }

  /** An address that refers to policies. */
  static XdsResource address(String name, String content, Set<String> policies) {
    return XdsResource.of(
        name,
        ADDRESS,
        Address.newBuilder()
            .setWorkload(
                Workload.newBuilder()
                    .setUid(name)
                    .setWorkloadName(content)
                    .addAllAuthorizationPolicies(policies.stream().sorted().toList()))
            .build(),
        Set.of("/" + name));
  }

  @Override
  public void close() {
    server.shutdownNow();
    scheduler.shutdownNow();
    executor.close();
  }
}
