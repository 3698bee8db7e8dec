package dev.ambit.ztunnel.proxy;

import dev.ambit.linux.NetworkNamespace;
import dev.ambit.ztunnel.dns.DnsProxy;
import dev.ambit.ztunnel.policy.Authorizer;
import dev.ambit.ztunnel.state.LocalPod;
import dev.ambit.ztunnel.zds.PodRuntime;
import io.netty.channel.EventLoopGroup;
import java.util.Set;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.ConcurrentHashMap;
import org.jspecify.annotations.Nullable;

/** The pods of this node that are proxied. */
public final class PodProxies implements PodRuntime, AutoCloseable {
  private final EventLoopGroup loops;
  private final ProxySettings settings;
  private final TunnelLimits limits;
  private final Mesh mesh;
  private final @Nullable DnsProxy dns;
  private final @Nullable Datagrams datagrams;
  private final Set<PodProxy> pods = ConcurrentHashMap.newKeySet();
  private final Authorizer.Registration policyChanges;

  /**
   * @param loops epoll event loops; they stay the caller's
   * @param dns what answers the pods' DNS questions; null to leave them alone
   */
  public PodProxies(
      EventLoopGroup loops,
      ProxySettings settings,
      TunnelLimits limits,
      Mesh mesh,
      @Nullable DnsProxy dns) {
    this(loops, settings, limits, mesh, dns, null);
  }

  /**
   * @param loops epoll event loops; they stay the caller's
   * @param dns what answers the pods' DNS questions; null to leave them alone
   * @param datagrams what carries the pods' UDP; null to leave it alone
   */
  public PodProxies(
      EventLoopGroup loops,
      ProxySettings settings,
      TunnelLimits limits,
      Mesh mesh,
      @Nullable DnsProxy dns,
      @Nullable Datagrams datagrams) {
    this.datagrams = datagrams;
    this.loops = loops;
    this.settings = settings;
    this.limits = limits;
    this.mesh = mesh;
    this.dns = dns;
    mesh.trust().revocations().onChange(() -> pods.forEach(PodProxy::recheckPeers));
    this.policyChanges = mesh.authorizer().onChange(() -> pods.forEach(PodProxy::recheckSoon));
  }

  @Override
  public CompletionStage<PodProxy> start(LocalPod pod, NetworkNamespace namespace) {
    PodProxy proxy =
        new PodProxy(pod, namespace, loops, settings, limits, mesh, dns, datagrams, pods::remove);
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
