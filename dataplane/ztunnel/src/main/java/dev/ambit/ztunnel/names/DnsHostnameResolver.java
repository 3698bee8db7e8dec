package dev.ambit.ztunnel.names;

import dev.ambit.ztunnel.state.HostnameResolver;
import dev.ambit.ztunnel.state.MeshWorkload;
import dev.ambit.ztunnel.telemetry.MetricRegistry;
import dev.ambit.ztunnel.telemetry.MetricRegistry.Kind;
import dev.ambit.ztunnel.telemetry.MetricRegistry.Labels;
import io.netty.channel.EventLoop;
import io.netty.channel.epoll.EpollDatagramChannel;
import io.netty.channel.epoll.EpollSocketChannel;
import io.netty.resolver.ResolvedAddressTypes;
import io.netty.resolver.dns.DnsNameResolver;
import io.netty.resolver.dns.DnsNameResolverBuilder;
import java.net.InetAddress;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import org.jspecify.annotations.Nullable;

/**
 * Asks the name servers of the ztunnel's own {@code /etc/resolv.conf}. Names are taken as complete:
 * no search domain is added. Answers are kept for as long as they say.
 */
public final class DnsHostnameResolver implements HostnameResolver, AutoCloseable {
  private static final Duration LONGEST_KEPT = Duration.ofHours(1);
  private static final Duration FAILURE_KEPT = Duration.ofSeconds(5);
  private static final Duration ONE_QUERY = Duration.ofSeconds(3);
  private static final int QUERIES = 8;

  private final EventLoop loop;
  private final MetricRegistry.Family lookups;

  /** Made at the first use: most meshes have no such workload. Confined to the loop. */
  private @Nullable DnsNameResolver resolver;

  /**
   * @param loop epoll; one that carries no traffic
   */
  public DnsHostnameResolver(EventLoop loop, MetricRegistry metrics) {
    this.loop = loop;
    lookups =
        metrics.family(
            "istio_on_demand_dns_total",
            "Connections for which a workload's hostname was looked up",
            Kind.COUNTER);
  }

  @Override
  public CompletionStage<List<InetAddress>> resolve(MeshWorkload source, MeshWorkload workload) {
    String hostname = workload.hostname();
    lookups.counter(labels(source, hostname)).increment();
    CompletableFuture<List<InetAddress>> result = new CompletableFuture<>();
    loop.execute(
        () ->
            resolver()
                .resolveAll(hostname)
                .addListener(
                    done -> {
                      if (done.isSuccess() && done.getNow() instanceof List<?> found) {
                        result.complete(found.stream().map(InetAddress.class::cast).toList());
                      } else {
                        result.completeExceptionally(done.cause());
                      }
                    }));
    return result;
  }

  private DnsNameResolver resolver() {
    DnsNameResolver made = resolver;
    if (made == null) {
      made =
          new DnsNameResolverBuilder(loop)
              .datagramChannelType(EpollDatagramChannel.class)
              .socketChannelType(EpollSocketChannel.class)
              .resolvedAddressTypes(ResolvedAddressTypes.IPV4_PREFERRED)
              .completeOncePreferredResolved(false)
              .searchDomains(List.of())
              .ttl(0, (int) LONGEST_KEPT.toSeconds())
              .negativeTtl((int) FAILURE_KEPT.toSeconds())
              .queryTimeoutMillis(ONE_QUERY.toMillis())
              .maxQueriesPerResolve(QUERIES)
              .build();
      resolver = made;
    }
    return made;
  }

  private static Labels labels(MeshWorkload source, String hostname) {
    return Labels.of(
        "source_workload",
        known(source.workloadName()),
        "source_canonical_service",
        known(source.canonicalName()),
        "source_canonical_revision",
        known(source.canonicalRevision()),
        "source_workload_namespace",
        known(source.namespace()),
        "source_principal",
        source.identity().uri(),
        "source_app",
        known(source.canonicalName()),
        "source_version",
        known(source.canonicalRevision()),
        "source_cluster",
        known(source.clusterId()),
        "hostname",
        hostname);
  }

  private static String known(String value) {
    return value.isEmpty() ? "unknown" : value;
  }

  @Override
  public void close() {
    loop.execute(
        () -> {
          if (resolver != null) {
            resolver.close();
          }
        });
  }
}
