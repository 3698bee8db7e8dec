package dev.ambit.ztunnel.state;

import java.net.InetAddress;
import java.util.List;
import java.util.concurrent.CompletionStage;

/** Finds the addresses of workloads that the control plane gives by name. */
public interface HostnameResolver {
  /**
   * The addresses of {@code workload}'s hostname, of both families; at least one. Fails where it
   * has none or cannot be asked for. Never blocks; completes on any thread.
   *
   * @param source the caller, for telemetry
   */
  CompletionStage<List<InetAddress>> resolve(MeshWorkload source, MeshWorkload workload);
}
