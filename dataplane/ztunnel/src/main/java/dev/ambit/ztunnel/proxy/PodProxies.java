package dev.ambit.ztunnel.proxy;

import dev.ambit.linux.NetworkNamespace;
import dev.ambit.ztunnel.certificate.Certificates;
import dev.ambit.ztunnel.policy.Authorizer;
import dev.ambit.ztunnel.state.LocalPod;
import dev.ambit.ztunnel.state.MeshState;
import dev.ambit.ztunnel.telemetry.ConnectionLog;
import dev.ambit.ztunnel.zds.PodRuntime;
import io.netty.channel.EventLoopGroup;
import java.util.Set;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.ConcurrentHashMap;

/** The pods of this node that are proxied. */
public final class PodProxies implements PodRuntime, AutoCloseable {
  private final EventLoopGroup loops;
  private final ProxySettings settings;
  private final TunnelLimits limits;
  private final Mesh mesh;
  private final Set<PodProxy> pods = ConcurrentHashMap.newKeySet();
  private final Authorizer.Registration policyChanges;

  /**
   * @param loops epoll event loops; they stay the caller's
   */
  public PodProxies(
      EventLoopGroup loops,
      ProxySettings settings,
      TunnelLimits limits,
      MeshState state,
      Authorizer authorizer,
      Certificates certificates,
      PeerTrust trust,
      ConnectionLog log) {
    this.loops = loops;
    this.settings = settings;
    this.limits = limits;
    this.mesh = new Mesh(state, authorizer, certificates, trust, log);
    trust.revocations().onChange(() -> pods.forEach(PodProxy::recheckPeers));
    this.policyChanges = authorizer.onChange(() -> pods.forEach(PodProxy::recheckSoon));
  }

  @Override
  public CompletionStage<PodProxy> start(LocalPod pod, NetworkNamespace namespace) {
    PodProxy proxy = new PodProxy(pod, namespace, loops, settings, limits, mesh, pods::remove);
    pods.add(proxy);
    return proxy
        .start()
        .whenComplete(
            (started, error) -> {
              if (error != null) {
                pods.remove(proxy);
              }
            });
  }

  /** How many connections are open in and out of all pods. */
  public int openConnections() {
    return pods.stream().mapToInt(PodProxy::openConnections).sum();
  }

  /** Stops judging open connections again. Pods go on until they are drained. */
  @Override
  public void close() {
    policyChanges.close();
  }
}
