package dev.ambit.ztunnel.policy;

import dev.ambit.protocol.security.Scope;
import dev.ambit.ztunnel.identity.Identity;
import dev.ambit.ztunnel.state.MeshStore;
import dev.ambit.ztunnel.state.MeshWorkload;
import dev.ambit.ztunnel.testing.LargeMesh;
import java.net.InetSocketAddress;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Fork;
import org.openjdk.jmh.annotations.Measurement;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Param;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.Warmup;

/** Judging a connection where there are 10,000 policies of 10 rules, none of which allows it. */
@State(org.openjdk.jmh.annotations.Scope.Benchmark)
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.MICROSECONDS)
@Fork(1)
@Warmup(iterations = 3, time = 1)
@Measurement(iterations = 5, time = 1)
public class PolicyBenchmark {
  private static final int POLICIES = 10_000;

  /** Over how many namespaces the policies are spread. */
  @Param({"100", "1"})
  public int namespaces;

  private final MeshStore mesh = new MeshStore();
  private final PolicyStore store = new PolicyStore(mesh, (policy, wouldDeny, connection) -> {});
  private PolicyInput input;

  @SuppressWarnings("NullAway.Init") // JMH sets it up
  public PolicyBenchmark() {}

  @Setup
  public void load() {
    List<Policy> policies = new ArrayList<>();
    for (int i = 0; i < POLICIES; i++) {
      policies.add(Policy.of(LargeMesh.policy("team-" + i % namespaces, i, Scope.NAMESPACE)));
    }
    store.apply(policies, List.of());
    MeshWorkload server = MeshWorkload.of(new LargeMesh(1, 1).workload(0));
    mesh.apply(List.of(server), List.of(), List.of());
    input =
        new PolicyInput(
            server,
            new Identity("cluster.local", "team-0", "app-0"),
            LargeMesh.address(1),
            new InetSocketAddress(LargeMesh.address(0), 8080));
  }

  @Benchmark
  public Verdict judge() {
    return store.authorize(input);
  }
}
