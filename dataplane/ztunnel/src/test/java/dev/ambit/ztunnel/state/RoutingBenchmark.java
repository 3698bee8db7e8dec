package dev.ambit.ztunnel.state;

import dev.ambit.ztunnel.testing.LargeMesh;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.concurrent.ThreadLocalRandom;
import java.util.concurrent.TimeUnit;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Fork;
import org.openjdk.jmh.annotations.Measurement;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.Warmup;

/**
 * Looking up and choosing where a connection goes, among 100,000 workloads: by a workload's
 * address, and by the address of a service with 1,000 endpoints, of any or of the same zone.
 */
@State(Scope.Benchmark)
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.NANOSECONDS)
@Fork(value = 1, jvmArgsAppend = "-Xmx1g")
@Warmup(iterations = 3, time = 1)
@Measurement(iterations = 5, time = 1)
public class RoutingBenchmark {
  private final LargeMesh large = new LargeMesh(100, 1_000);
  private final MeshStore store = new MeshStore();
  private final Router router = new Router(store, "", Set.of());
  private MeshWorkload caller;

  @SuppressWarnings("NullAway.Init") // JMH sets it up
  public RoutingBenchmark() {}

  @Setup
  public void load() {
    List<MeshWorkload> workloads = new ArrayList<>();
    for (int i = 0; i < large.workloads(); i++) {
      workloads.add(MeshWorkload.of(large.workload(i)));
    }
    List<MeshService> services = new ArrayList<>();
    for (int i = 0; i < large.services(); i++) {
      var service = large.service(i).toBuilder();
      if (i == 0) {
        service.setLoadBalancing(
            dev.ambit.protocol.workload.LoadBalancing.newBuilder()
                .setMode(dev.ambit.protocol.workload.LoadBalancing.Mode.FAILOVER)
                .addRoutingPreference(dev.ambit.protocol.workload.LoadBalancing.Scope.ZONE));
      }
      services.add(MeshService.of(service.build()));
    }
    store.apply(workloads, services, List.of());
    caller = workloads.getFirst();
  }

  private static int any(int bound) {
    return ThreadLocalRandom.current().nextInt(bound);
  }

  @Benchmark
  public OutboundRoute workload() {
    InetAddress address = LargeMesh.address(any(large.workloads()));
    return router.route(caller, new InetSocketAddress(address, 8080));
  }

  @Benchmark
  public OutboundRoute anyEndpoint() {
    InetAddress address = LargeMesh.virtualAddress(1 + any(large.services() - 1));
    return router.route(caller, new InetSocketAddress(address, 80));
  }

  @Benchmark
  public OutboundRoute endpointOfTheSameZone() {
    return router.route(caller, new InetSocketAddress(LargeMesh.virtualAddress(0), 80));
  }
}
