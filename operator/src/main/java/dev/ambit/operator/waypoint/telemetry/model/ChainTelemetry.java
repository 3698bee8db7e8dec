package dev.ambit.operator.waypoint.telemetry.model;

import io.envoyproxy.envoy.config.accesslog.v3.AccessLog;
import io.envoyproxy.envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager;
import io.envoyproxy.envoy.extensions.filters.network.http_connection_manager.v3.HttpFilter;
import io.envoyproxy.envoy.extensions.filters.network.http_connection_manager.v3.RequestIDExtension;
import io.envoyproxy.envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy;
import java.util.List;
import java.util.Optional;

/**
 * What filter chains carry so that their traffic is counted, logged and traced. A change of it
 * edits them, which ends their connections gently, so it turns on Telemetry objects and the mesh's
 * providers alone.
 *
 * @param http access loggers of an HTTP connection manager
 * @param httpFilters filters that those loggers need, before all others
 * @param tcp access loggers of a TCP proxy
 * @param tracing of an HTTP connection manager
 */
public record ChainTelemetry(
    List<AccessLog> http,
    List<HttpFilter> httpFilters,
    List<AccessLog> tcp,
    Optional<Spans> tracing) {

  /**
   * Spans of requests.
   *
   * @param requestIds says whether the request's id decides if it is traced
   */
  public record Spans(HttpConnectionManager.Tracing tracing, RequestIDExtension requestIds) {}

  /** Puts it into an HTTP connection manager that has no filters yet. */
  public void applyTo(HttpConnectionManager.Builder manager) {
    manager.addAllAccessLog(http).addAllHttpFilters(httpFilters);
    tracing.ifPresent(
        spans -> manager.setTracing(spans.tracing()).setRequestIdExtension(spans.requestIds()));
  }

  /** Puts it into a TCP proxy. */
  public void applyTo(TcpProxy.Builder proxy) {
    if (tcp.isEmpty()) {
      return;
    }
    // An entry when the upstream connection is there, and one at the end.
    proxy
        .addAllAccessLog(tcp)
        .setAccessLogOptions(
            TcpProxy.TcpAccessLogOptions.newBuilder().setFlushAccessLogOnConnected(true));
  }
}
