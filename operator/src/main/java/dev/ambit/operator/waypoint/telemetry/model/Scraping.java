package dev.ambit.operator.waypoint.telemetry.model;

import com.google.protobuf.Any;
import com.google.protobuf.ByteString;
import com.google.protobuf.Duration;
import com.google.protobuf.UnknownFieldSet;
import io.envoyproxy.envoy.config.bootstrap.v3.Bootstrap;
import io.envoyproxy.envoy.config.cluster.v3.Cluster;
import io.envoyproxy.envoy.config.core.v3.Address;
import io.envoyproxy.envoy.config.core.v3.AsyncDataSource;
import io.envoyproxy.envoy.config.core.v3.DataSource;
import io.envoyproxy.envoy.config.core.v3.SocketAddress;
import io.envoyproxy.envoy.config.core.v3.TypedExtensionConfig;
import io.envoyproxy.envoy.config.endpoint.v3.ClusterLoadAssignment;
import io.envoyproxy.envoy.config.endpoint.v3.Endpoint;
import io.envoyproxy.envoy.config.endpoint.v3.LbEndpoint;
import io.envoyproxy.envoy.config.endpoint.v3.LocalityLbEndpoints;
import io.envoyproxy.envoy.config.listener.v3.Filter;
import io.envoyproxy.envoy.config.listener.v3.FilterChain;
import io.envoyproxy.envoy.config.listener.v3.Listener;
import io.envoyproxy.envoy.config.route.v3.Route;
import io.envoyproxy.envoy.config.route.v3.RouteAction;
import io.envoyproxy.envoy.config.route.v3.RouteConfiguration;
import io.envoyproxy.envoy.config.route.v3.RouteMatch;
import io.envoyproxy.envoy.config.route.v3.VirtualHost;
import io.envoyproxy.envoy.extensions.filters.http.router.v3.Router;
import io.envoyproxy.envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager;
import io.envoyproxy.envoy.extensions.filters.network.http_connection_manager.v3.HttpFilter;
import io.envoyproxy.envoy.extensions.wasm.v3.PluginConfig;
import io.envoyproxy.envoy.extensions.wasm.v3.VmConfig;
import io.envoyproxy.envoy.extensions.wasm.v3.WasmService;
import java.util.HexFormat;

/**
 * Where Prometheus finds a waypoint's metrics, under Istio's names: {@code
 * :15020/stats/prometheus}.
 */
public final class Scraping {
  /** The port that is scraped. */
  public static final int PORT = 15020;

  /** The name of the cluster that is Envoy's own administration interface. */
  public static final String CLUSTER = "prometheus_stats";

  /** How often Envoy drops series that nothing was added to since the sweep before. */
  public static final Duration EVICTION = Duration.newBuilder().setSeconds(3600).build();

  /**
   * The prefix that Envoy cuts from a metric's name rather than to put its own before it. Envoy has
   * such prefixes for metrics of its users' extensions, this one for those in WebAssembly, and only
   * once it has been told to load such an extension.
   */
  static final String PREFIX = "wasmcustom";

  private static final int EVICTION_FIELD = 42;

  // The least that Envoy takes for an extension: it exports "proxy_abi_version_0_2_1" and "malloc",
  // which do nothing, and one page of memory. It is loaded once, on Envoy's main thread, and never
  // called.
  private static final String EMPTY_EXTENSION =
      "0061736d01000000"
          + "0109026000006001"
          + "7f017f"
          + "0303020001"
          + "0503010001"
          + "072d03"
          + "1770726f78795f6162695f76657273696f6e5f305f325f310000"
          + "066d656d6f72790200"
          + "066d616c6c6f630001"
          + "0a09020200"
          + "0b040041000b";

  private Scraping() {}

  /**
   * What a waypoint's bootstrap configuration needs besides {@link #listener} and {@link #cluster}.
   */
  public static void configure(Bootstrap.Builder bootstrap) {
    bootstrap.addBootstrapExtensions(extension());
    bootstrap.setDeferredStatOptions(
        Bootstrap.DeferredStatOptions.newBuilder().setEnableDeferredCreationStats(true));
    // The published Java classes are of an Envoy that does not have the field.
    bootstrap.mergeUnknownFields(
        UnknownFieldSet.newBuilder()
            .addField(
                EVICTION_FIELD,
                UnknownFieldSet.Field.newBuilder()
                    .addLengthDelimited(EVICTION.toByteString())
                    .build())
            .build());
  }

  /** The extension whose presence makes Envoy show metrics under their own names. */
  public static TypedExtensionConfig extension() {
    return TypedExtensionConfig.newBuilder()
        .setName("envoy.bootstrap.wasm")
        .setTypedConfig(
            Any.pack(
                WasmService.newBuilder()
                    .setSingleton(true)
                    .setConfig(
                        PluginConfig.newBuilder()
                            .setName("metric-names")
                            .setVmConfig(
                                VmConfig.newBuilder()
                                    .setRuntime("envoy.wasm.runtime.v8")
                                    .setCode(
                                        AsyncDataSource.newBuilder()
                                            .setLocal(
                                                DataSource.newBuilder()
                                                    .setInlineBytes(
                                                        ByteString.copyFrom(
                                                            HexFormat.of()
                                                                .parseHex(EMPTY_EXTENSION)))))))
                    .build()))
        .build();
  }

  /** Serves the metrics and nothing else of the administration interface. */
  public static Listener listener() {
    HttpConnectionManager manager =
        HttpConnectionManager.newBuilder()
            .setStatPrefix("scrape")
            .setRouteConfig(
                RouteConfiguration.newBuilder()
                    .setName("scrape")
                    .addVirtualHosts(
                        VirtualHost.newBuilder()
                            .setName("scrape")
                            .addDomains("*")
                            .addRoutes(
                                Route.newBuilder()
                                    .setMatch(RouteMatch.newBuilder().setPath("/stats/prometheus"))
                                    // Without those that have never been added to.
                                    .setRoute(
                                        RouteAction.newBuilder()
                                            .setCluster(CLUSTER)
                                            .setPrefixRewrite("/stats/prometheus?usedonly")))))
            .addHttpFilters(
                HttpFilter.newBuilder()
                    .setName("envoy.filters.http.router")
                    .setTypedConfig(Any.pack(Router.getDefaultInstance())))
            .build();
    return Listener.newBuilder()
        .setName("scrape")
        .setAddress(address("0.0.0.0", PORT))
        .addFilterChains(
            FilterChain.newBuilder()
                .addFilters(
                    Filter.newBuilder()
                        .setName("envoy.filters.network.http_connection_manager")
                        .setTypedConfig(Any.pack(manager))))
        .build();
  }

  /** The administration interface at that address, for {@link #listener}. */
  public static Cluster cluster(Address administration) {
    return Cluster.newBuilder()
        .setName(CLUSTER)
        .setType(Cluster.DiscoveryType.STATIC)
        .setLoadAssignment(
            ClusterLoadAssignment.newBuilder()
                .setClusterName(CLUSTER)
                .addEndpoints(
                    LocalityLbEndpoints.newBuilder()
                        .addLbEndpoints(
                            LbEndpoint.newBuilder()
                                .setEndpoint(Endpoint.newBuilder().setAddress(administration)))))
        .build();
  }

  private static Address address(String address, int port) {
    return Address.newBuilder()
        .setSocketAddress(SocketAddress.newBuilder().setAddress(address).setPortValue(port))
        .build();
  }
}
