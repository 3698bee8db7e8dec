package dev.ambit.operator.waypoint.traffic.model;

import com.google.protobuf.UInt32Value;
import dev.ambit.operator.waypoint.model.PortProtocol;
import io.envoyproxy.envoy.config.cluster.v3.Cluster;
import io.envoyproxy.envoy.config.core.v3.Http2ProtocolOptions;
import io.envoyproxy.envoy.config.route.v3.RouteAction;
import io.envoyproxy.envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext;
import io.envoyproxy.envoy.extensions.upstreams.http.v3.HttpProtocolOptions;
import java.util.Optional;
import java.util.OptionalInt;

/**
 * How one backend's endpoints are used: what a DestinationRule says for it, or, where none does,
 * what Istio's waypoints do.
 *
 * @param cluster the fields of the cluster that it decides
 * @param http the fields of the cluster's HTTP options that it decides
 * @param maximumStreams at once on an HTTP/2 connection to an endpoint
 * @param hash what of a request decides on its endpoint, with a load balancer that hashes
 * @param locality empty where nothing is said, so that the service's own preference holds
 * @param tls that endpoints are spoken to with, inside whatever tunnel leads to them
 */
public record ClusterPolicy(
    Cluster cluster,
    HttpProtocolOptions http,
    UpstreamProtocol protocol,
    OptionalInt maximumStreams,
    Optional<RouteAction.HashPolicy> hash,
    ConnectionPolicy connections,
    Optional<LocalityPolicy> locality,
    Optional<UpstreamTlsContext> tls) {

  /** That of a backend that no DestinationRule is for. */
  public static ClusterPolicy standard(PortProtocol protocol) {
    return ClusterPolicies.translate(PortPolicy.NONE, "", protocol);
  }

  /** Makes a cluster, and its HTTP options that say already what its port speaks, follow it. */
  public void applyTo(Cluster.Builder target, HttpProtocolOptions.Builder options) {
    target.mergeFrom(cluster);
    switch (protocol) {
      case DECLARED -> {}
      case HTTP2 ->
          options.setExplicitHttpConfig(
              HttpProtocolOptions.ExplicitHttpConfig.newBuilder()
                  .setHttp2ProtocolOptions(
                      options.getExplicitHttpConfig().hasHttp2ProtocolOptions()
                          ? options.getExplicitHttpConfig().getHttp2ProtocolOptions()
                          : Http2ProtocolOptions.getDefaultInstance()));
      case CLIENTS -> {
        if (!options.hasUseDownstreamProtocolConfig()) {
          options.setUseDownstreamProtocolConfig(
              HttpProtocolOptions.UseDownstreamHttpConfig.newBuilder()
                  .setHttpProtocolOptions(
                      io.envoyproxy.envoy.config.core.v3.Http1ProtocolOptions.getDefaultInstance())
                  .setHttp2ProtocolOptions(Http2ProtocolOptions.getDefaultInstance()));
        }
      }
    }
    options.mergeFrom(http);
    if (maximumStreams.isPresent()) {
      UInt32Value streams = UInt32Value.of(maximumStreams.getAsInt());
      if (options.hasUseDownstreamProtocolConfig()) {
        options
            .getUseDownstreamProtocolConfigBuilder()
            .getHttp2ProtocolOptionsBuilder()
            .setMaxConcurrentStreams(streams);
      } else if (options.getExplicitHttpConfig().hasHttp2ProtocolOptions()) {
        options
            .getExplicitHttpConfigBuilder()
            .getHttp2ProtocolOptionsBuilder()
            .setMaxConcurrentStreams(streams);
      }
    }
  }
}
