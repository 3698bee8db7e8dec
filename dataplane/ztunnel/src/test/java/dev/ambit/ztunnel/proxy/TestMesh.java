package dev.ambit.ztunnel.proxy;

import dev.ambit.ztunnel.certificate.Certificates;
import dev.ambit.ztunnel.certificate.TlsIdentity;
import dev.ambit.ztunnel.identity.Identity;
import dev.ambit.ztunnel.policy.Authorizer;
import dev.ambit.ztunnel.policy.PolicyInput;
import dev.ambit.ztunnel.policy.Verdict;
import dev.ambit.ztunnel.state.ApplicationTunnel;
import dev.ambit.ztunnel.state.Endpoint;
import dev.ambit.ztunnel.state.InboundRoute;
import dev.ambit.ztunnel.state.LocalPod;
import dev.ambit.ztunnel.state.Locality;
import dev.ambit.ztunnel.state.MeshState;
import dev.ambit.ztunnel.state.MeshWorkload;
import dev.ambit.ztunnel.state.OutboundRoute;
import dev.ambit.ztunnel.state.TunnelProtocol;
import dev.ambit.ztunnel.telemetry.ConnectionInfo;
import dev.ambit.ztunnel.telemetry.ConnectionLog;
import dev.ambit.ztunnel.telemetry.HandshakeFailure;
import dev.ambit.ztunnel.telemetry.OpenConnection;
import dev.ambit.ztunnel.telemetry.Reporter;
import dev.ambit.ztunnel.telemetry.ResponseFlag;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;

/** A mesh that lives in this process: workloads by address, a policy that a test sets. */
final class TestMesh implements MeshState, Authorizer, Certificates, ConnectionLog {
  /** A report that is complete. */
  record Report(
      ConnectionInfo info,
      boolean established,
      long sent,
      long received,
      @Nullable String error,
      ResponseFlag flag) {}

  private final TestAuthority authority = new TestAuthority();
  private final Map<InetAddress, MeshWorkload> workloads = new ConcurrentHashMap<>();
  private final Map<String, MeshWorkload> byPod = new ConcurrentHashMap<>();
  private final Map<Identity, CompletableFuture<TlsIdentity>> certificates =
      new ConcurrentHashMap<>();
  private final List<Runnable> listeners = new CopyOnWriteArrayList<>();
  final List<Report> reports = new CopyOnWriteArrayList<>();
  final List<String> handshakeFailures = new CopyOnWriteArrayList<>();
  final List<ConnectionInfo> open = new CopyOnWriteArrayList<>();
  volatile Function<PolicyInput, Verdict> policy = input -> Verdict.ALLOWED;
  volatile @Nullable Function<InetSocketAddress, OutboundRoute> routes;

  /** The status to refuse a tunnel's authority with; 0 lets it pass. */
  volatile Function<String, Integer> refusals = authority -> 0;

  MeshWorkload add(LocalPod pod, String trustDomain, List<InetAddress> addresses) {
    return add(pod, trustDomain, addresses, null);
  }

  MeshWorkload add(
      LocalPod pod,
      String trustDomain,
      List<InetAddress> addresses,
      @Nullable ApplicationTunnel applicationTunnel) {
    MeshWorkload workload =
        new MeshWorkload(
            "Kubernetes//Pod/" + pod.namespace() + "/" + pod.name(),
            pod.name(),
            pod.namespace(),
            new Identity(trustDomain, pod.namespace(), pod.serviceAccount()),
            addresses,
            "",
            "",
            TunnelProtocol.HBONE,
            null,
            null,
            "node",
            pod.name(),
            "v1",
            "deployment",
            pod.name(),
            applicationTunnel,
            Map.of(),
            List.of(),
            true,
            "Kubernetes",
            new Locality("", "", ""),
            false,
            1,
            false,
            false);
    byPod.put(pod.uid(), workload);
    addresses.forEach(address -> workloads.put(address, workload));
    return workload;
  }

  /** Has the certificate of {@code identity} come when the test completes it. */
  void withhold(Identity identity, CompletableFuture<TlsIdentity> certificate) {
    certificates.put(identity, certificate);
  }

  void policyChanged(Function<PolicyInput, Verdict> changed) {
    policy = changed;
    listeners.forEach(Runnable::run);
  }

  List<Report> reports(Reporter reporter) {
    return reports.stream().filter(report -> report.info().reporter() == reporter).toList();
  }

  @Override
  public CompletionStage<MeshWorkload> local(LocalPod pod) {
    MeshWorkload workload = byPod.get(pod.uid());
    return workload == null
        ? CompletableFuture.failedFuture(new IllegalStateException("unknown " + pod))
        : CompletableFuture.completedFuture(workload);
  }

  @Override
  public OutboundRoute route(
      MeshWorkload source, InetSocketAddress destination, Set<String> without) {
    Function<InetSocketAddress, OutboundRoute> special = routes;
    if (special != null) {
      return special.apply(destination);
    }
    return defaultRoute(destination);
  }

  OutboundRoute defaultRoute(InetSocketAddress destination) {
    MeshWorkload workload = workloads.get(destination.getAddress());
    Endpoint endpoint = new Endpoint(workload, null);
    return workload != null && workload.tunnelProtocol() == TunnelProtocol.HBONE
        ? new OutboundRoute.Tunnel(
            new InetSocketAddress(destination.getAddress(), ProxySettings.INBOUND_PORT),
            Addresses.text(destination),
            List.of(workload.identity()),
            endpoint)
        : new OutboundRoute.Plain(destination, endpoint);
  }

  @Override
  public InboundRoute inbound(
      MeshWorkload self, InetSocketAddress tunnelDestination, String authority) {
    int refusal = refusals.apply(authority);
    if (refusal != 0) {
      return new InboundRoute.Rejected(refusal, "the test says no");
    }
    int colon = authority.lastIndexOf(':');
    String expected = Addresses.text(new InetSocketAddress(tunnelDestination.getAddress(), 0));
    return colon > 0 && expected.startsWith(authority.substring(0, colon + 1))
        ? new InboundRoute.Accepted(Integer.parseInt(authority.substring(colon + 1)), null)
        : new InboundRoute.Rejected(400, "authority " + authority + " is not ours");
  }

  @Override
  public @Nullable MeshWorkload byAddress(InetAddress address) {
    return workloads.get(address);
  }

  @Override
  public Verdict authorize(PolicyInput input) {
    return policy.apply(input);
  }

  @Override
  public Verdict reauthorize(PolicyInput input) {
    return policy.apply(input);
  }

  @Override
  public Registration onChange(Runnable listener) {
    listeners.add(listener);
    return () -> listeners.remove(listener);
  }

  @Override
  public CompletionStage<TlsIdentity> get(Identity identity) {
    return certificates.computeIfAbsent(
        identity, wanted -> CompletableFuture.completedFuture(authority.issue(wanted)));
  }

  @Override
  public OpenConnection opened(ConnectionInfo info) {
    open.add(info);
    return new OpenConnection() {
      @Override
      public void progress(long sent, long received) {}

      @Override
      public void closed(long sent, long received, @Nullable String error, ResponseFlag flag) {
        open.remove(info);
        reports.add(new Report(info, true, sent, received, error, flag));
      }
    };
  }

  @Override
  public void retried(ConnectionInfo info, String error, ResponseFlag flag) {}

  @Override
  public void failed(ConnectionInfo info, String error, ResponseFlag flag) {
    reports.add(new Report(info, false, 0, 0, error, flag));
  }

  @Override
  public void handshakeFailed(Reporter reporter, HandshakeFailure reason) {
    handshakeFailures.add(reporter + " " + reason);
  }
}
