package dev.ambit.operator.waypoint.config.model;

import com.google.protobuf.Any;
import com.google.protobuf.Duration;
import com.google.protobuf.Message;
import com.google.protobuf.UInt32Value;
import dev.ambit.operator.waypoint.model.FilterState;
import io.envoyproxy.envoy.config.core.v3.Address;
import io.envoyproxy.envoy.config.core.v3.AggregatedConfigSource;
import io.envoyproxy.envoy.config.core.v3.ApiConfigSource;
import io.envoyproxy.envoy.config.core.v3.ApiVersion;
import io.envoyproxy.envoy.config.core.v3.ConfigSource;
import io.envoyproxy.envoy.config.core.v3.DataSource;
import io.envoyproxy.envoy.config.core.v3.EnvoyInternalAddress;
import io.envoyproxy.envoy.config.core.v3.GrpcService;
import io.envoyproxy.envoy.config.core.v3.SubstitutionFormatString;
import io.envoyproxy.envoy.config.core.v3.TransportSocket;
import io.envoyproxy.envoy.config.listener.v3.Filter;
import io.envoyproxy.envoy.extensions.filters.common.set_filter_state.v3.FilterStateValue;
import io.envoyproxy.envoy.extensions.filters.http.router.v3.Router;
import io.envoyproxy.envoy.extensions.filters.network.http_connection_manager.v3.HttpFilter;
import io.envoyproxy.envoy.extensions.filters.network.set_filter_state.v3.Config;
import io.envoyproxy.envoy.extensions.transport_sockets.raw_buffer.v3.RawBuffer;
import java.util.List;

/** Pieces of Envoy's configuration that recur, by the names that Envoy has for them. */
final class Envoy {
  static final Duration ZERO = Duration.getDefaultInstance();

  /** The key of the client's address, which becomes the inner connection's remote address. */
  static final String CLIENT_ADDRESS = "envoy.filters.listener.original_dst.remote_ip";

  static final String HTTP_CONNECTION_MANAGER = "envoy.filters.network.http_connection_manager";
  static final String TCP_PROXY = "envoy.filters.network.tcp_proxy";

  /** From the stream that configuration comes by. */
  static final ConfigSource ADS =
      ConfigSource.newBuilder()
          .setResourceApiVersion(ApiVersion.V3)
          .setAds(AggregatedConfigSource.getDefaultInstance())
          .setInitialFetchTimeout(ZERO)
          .build();

  /** Equal to the bootstrap's, so that the stream is the same, and the key. */
  static final ConfigSource SECRETS =
      ConfigSource.newBuilder()
          .setResourceApiVersion(ApiVersion.V3)
          .setInitialFetchTimeout(ZERO)
          .setApiConfigSource(
              ApiConfigSource.newBuilder()
                  .setApiType(ApiConfigSource.ApiType.DELTA_GRPC)
                  .setTransportApiVersion(ApiVersion.V3)
                  .setSetNodeOnFirstMessageOnly(true)
                  .addGrpcServices(
                      GrpcService.newBuilder()
                          .setEnvoyGrpc(
                              GrpcService.EnvoyGrpc.newBuilder().setClusterName("identity"))))
          .build();

  private Envoy() {}

  static Filter filter(String name, Message configuration) {
    return Filter.newBuilder().setName(name).setTypedConfig(Any.pack(configuration)).build();
  }

  static HttpFilter httpFilter(String name, Message configuration) {
    return HttpFilter.newBuilder().setName(name).setTypedConfig(Any.pack(configuration)).build();
  }

  static HttpFilter router() {
    return httpFilter(
        "envoy.filters.http.router", Router.newBuilder().setSuppressEnvoyHeaders(true).build());
  }

  static Address internal(String listener) {
    return Address.newBuilder()
        .setEnvoyInternalAddress(EnvoyInternalAddress.newBuilder().setServerListenerName(listener))
        .build();
  }

  static TransportSocket rawBuffer() {
    return TransportSocket.newBuilder()
        .setName("envoy.transport_sockets.raw_buffer")
        .setTypedConfig(Any.pack(RawBuffer.getDefaultInstance()))
        .build();
  }

  static UInt32Value number(int value) {
    return UInt32Value.of(value);
  }

  static Duration seconds(long seconds) {
    return Duration.newBuilder().setSeconds(seconds).build();
  }

  /** A value that the filter state has from then on, for this hop alone. */
  static FilterStateValue own(String key, String format) {
    return FilterStateValue.newBuilder()
        .setObjectKey(key)
        .setFormatString(
            SubstitutionFormatString.newBuilder()
                .setTextFormatSource(DataSource.newBuilder().setInlineString(format)))
        .build();
  }

  /** One that goes along to the next hop, by a factory that makes of it what Envoy knows. */
  static FilterStateValue shared(String key, String format) {
    return own(key, format).toBuilder()
        .setSharedWithUpstream(FilterStateValue.SharedWithUpstream.ONCE)
        .build();
  }

  /** One of ours that goes along; it is part of the key of a pool of connections. */
  static FilterStateValue sharedString(String key, String format) {
    return shared(key, format).toBuilder().setFactoryKey(FilterState.HASHABLE_STRING).build();
  }

  static Filter setFilterState(List<FilterStateValue> values) {
    return filter(
        "envoy.filters.network.set_filter_state",
        Config.newBuilder().addAllOnNewConnection(values).build());
  }

  /** Without what cuts a metric's name. */
  static String statPrefix(String name) {
    return name.replace('.', '_');
  }
}
