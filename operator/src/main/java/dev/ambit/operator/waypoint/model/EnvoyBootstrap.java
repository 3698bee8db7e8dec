package dev.ambit.operator.waypoint.model;

import dev.ambit.operator.waypoint.telemetry.model.Scraping;
import java.util.List;
import java.util.Map;

/**
 * What a waypoint's Envoy is started with: just enough to reach the control plane, and to be probed
 * and scraped. All else it is told.
 *
 * <p>It trusts the mesh's roots from the mounted ConfigMap, and shows its pod's token to be given a
 * certificate over SDS; with that certificate it asks for its configuration. The key exists in its
 * memory, and in the operator's while it is made, and nowhere else.
 *
 * @param namespace of the Gateway
 * @param gateway its name
 * @param serviceAccount of the pods; the certificate is for it
 * @param controlPlane host name at which the operator is reached, which its certificate carries
 * @param settings where things are on the pod
 */
public record EnvoyBootstrap(
    String namespace,
    String gateway,
    String serviceAccount,
    String trustDomain,
    String clusterDomain,
    String controlPlane,
    Settings settings) {

  /** HBONE, from everywhere. */
  public static final int HBONE_PORT = 15008;

  /** GET {@link #READINESS_PATH}: ready once there is a configuration, and not while it ends. */
  public static final int READINESS_PORT = 15021;

  public static final String READINESS_PATH = "/healthz/ready";

  /** GET {@link #METRICS_PATH} for Prometheus. */
  public static final int METRICS_PORT = 15020;

  public static final String METRICS_PATH = "/stats/prometheus";

  /** On loopback, what can be asked without changing anything, such as /config_dump. */
  public static final int INSPECTION_PORT = 15000;

  /** Where {@link #files()} are to be mounted. */
  public static final String CONFIGURATION_DIRECTORY = "/etc/ambit/envoy";

  /** Where the ConfigMap with the mesh's roots is to be mounted, whole. */
  public static final String ROOT_DIRECTORY = "/var/run/secrets/ambit";

  /** Its key there. */
  public static final String ROOT_FILE = "root-cert.pem";

  /** Where the token is to be projected as {@link #TOKEN_FILE}, for {@link #TOKEN_AUDIENCE}. */
  public static final String TOKEN_DIRECTORY = "/var/run/secrets/tokens";

  public static final String TOKEN_FILE = "istio-token";

  public static final String TOKEN_AUDIENCE = "istio-ca";

  /** The one of {@link #files()} to start with. */
  public static final String MAIN_FILE = "envoy.yaml";

  private static final String ROOTS_FILE = "roots.yaml";
  private static final String TOKEN_SECRET_FILE = "token.yaml";

  /**
   * Where things are on the pod.
   *
   * @param controlPlanePort of the operator's service
   * @param adminSocket of Envoy's administration interface: a path, or a name after "@", which
   *     network namespaces have of their own
   */
  public record Settings(
      String configurationDirectory,
      String rootDirectory,
      String tokenDirectory,
      int controlPlanePort,
      String adminSocket,
      int readinessPort,
      int metricsPort,
      int inspectionPort) {
    /** As waypoints are deployed. */
    public static final Settings DEFAULT =
        new Settings(
            CONFIGURATION_DIRECTORY,
            ROOT_DIRECTORY,
            TOKEN_DIRECTORY,
            15012,
            "@ambit-envoy-admin",
            READINESS_PORT,
            METRICS_PORT,
            INSPECTION_PORT);
  }

  /** By name, what is to be mounted at {@link #CONFIGURATION_DIRECTORY}. */
  public Map<String, String> files() {
    return Map.of(
        MAIN_FILE, fill(MAIN),
        ROOTS_FILE, fill(ROOTS),
        TOKEN_SECRET_FILE, fill(TOKEN));
  }

  /**
   * Envoy's arguments.
   *
   * @param podName of the pod, or the variable that has it, as "$(POD_NAME)"
   * @param podAddress likewise
   * @param drain seconds that connections have to end when a listener goes or its filters change
   */
  public List<String> arguments(String podName, String podAddress, int drain) {
    return List.of(
        "-c",
        settings.configurationDirectory() + "/" + MAIN_FILE,
        "--service-cluster",
        gateway + "." + namespace,
        "--service-node",
        "waypoint~%s~%s.%s~%s.svc.%s"
            .formatted(podAddress, podName, namespace, namespace, clusterDomain),
        "--drain-time-s",
        Integer.toString(drain),
        "--drain-strategy",
        "immediate",
        "--disable-hot-restart",
        "-l",
        "warning");
  }

  private String fill(String template) {
    return template
        .replace("${namespace}", namespace)
        .replace("${gateway}", gateway)
        .replace("${serviceAccount}", serviceAccount)
        .replace("${trustDomain}", trustDomain)
        .replace("${controlPlane}", controlPlane)
        .replace("${controlPlanePort}", Integer.toString(settings.controlPlanePort()))
        .replace("${admin}", settings.adminSocket())
        .replace("${extension}", Scraping.EMPTY_EXTENSION)
        .replace("${eviction}", Integer.toString(Scraping.EVICTION_SECONDS))
        .replace("${roots}", settings.configurationDirectory() + "/" + ROOTS_FILE)
        .replace("${token}", settings.configurationDirectory() + "/" + TOKEN_SECRET_FILE)
        .replace("${configuration}", settings.configurationDirectory())
        .replace("${rootDirectory}", settings.rootDirectory())
        .replace("${rootFile}", settings.rootDirectory() + "/" + ROOT_FILE)
        .replace("${tokenDirectory}", settings.tokenDirectory())
        .replace("${tokenFile}", settings.tokenDirectory() + "/" + TOKEN_FILE)
        .replace("${readinessPort}", Integer.toString(settings.readinessPort()))
        .replace("${readinessPath}", READINESS_PATH)
        .replace("${metricsPort}", Integer.toString(settings.metricsPort()))
        .replace("${metricsPath}", METRICS_PATH)
        .replace("${inspectionPort}", Integer.toString(settings.inspectionPort()))
        .replace("${unaskedStats}", UNASKED_STATS)
        .replace("${largestProgram}", Integer.toString(RegularExpression.LARGEST_PROGRAM));
  }

  /** Of the connection managers of ports and pods, whose names have no dots. */
  private static final String UNASKED_STATS =
      "http\\.(direct-)?http\\|[^.]*\\.("
          + "rds|cors|fault|tracing|passthrough_internal_redirect_.*|rs_too_large|rq_overload_.*"
          + "|downstream_flow_control_.*|downstream_cx_(delayed|destroy|drain|http|idle|max|overload|ssl|upgrades).*"
          + "|downstream_rq_(failed|header|max|non|overload|redirected|rejected|too|ws).*"
          + ")(\\..*)?";

  /** Of the mesh; the file that it names is replaced when the mounted ConfigMap changes. */
  private static final String ROOTS =
      """
      resources:
      - "@type": type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.Secret
        name: mounted-roots
        validation_context:
          trusted_ca: {filename: "${rootFile}"}
          watched_directory: {path: "${rootDirectory}"}
      """;

  private static final String TOKEN =
      """
      resources:
      - "@type": type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.Secret
        name: token
        generic_secret:
          secret: {filename: "${tokenFile}"}
      """;

  private static final String MAIN =
      """
      node:
        metadata:
          NAMESPACE: "${namespace}"
          SERVICE_ACCOUNT: "${serviceAccount}"
          GATEWAY: "${gateway}"

      # On no port: a destination that leads back into this pod must not lead to what can end it.
      admin:
        address: {pipe: {path: "${admin}"}}

      layered_runtime:
        layers:
        - name: static
          static_layer:
            # The operator sends only expressions that it has measured; of itself, Envoy takes only short ones.
            re2.max_program_size.error_level: ${largestProgram}
            re2.max_program_size.warn_level: ${largestProgram}
            # Otherwise each end of a connection between its own listeners is a reset, which overtakes the last answer.
            envoy.reloadable_features.enable_send_rst_on_user_space_socket: false

      bootstrap_extensions:
      - name: envoy.bootstrap.internal_listener
        typed_config:
          "@type": type.googleapis.com/envoy.extensions.bootstrap.internal_listener.v3.InternalListener
          buffer_size_kb: 64
      # Does nothing; without one, Envoy does not show metrics under the names that they are given.
      - name: envoy.bootstrap.wasm
        typed_config:
          "@type": type.googleapis.com/envoy.extensions.wasm.v3.WasmService
          singleton: true
          config:
            name: metric-names
            vm_config: {runtime: envoy.wasm.runtime.v8, code: {local: {inline_bytes: "${extension}"}}}

      # What nobody asks of each port would be half of what is counted: how its pieces of configuration came, and what cannot happen to it.
      stats_config:
        stats_matcher:
          exclusion_list:
            patterns:
            - prefix: extension_config_discovery.
            - safe_regex: {regex: '${unaskedStats}'}

      # What large configurations needed while they were taken over goes back, a little at a time.
      memory_allocator_manager: {bytes_to_release: 4194304, memory_release_interval: 1s}

      # Series of clients and servers that are gone go too.
      stats_eviction_interval: ${eviction}s
      # Those of a cluster or listener are made when it has traffic.
      deferred_stat_options: {enable_deferred_creation_stats: true}

      # Within the container's memory: first give back what is free, then refuse work instead of being killed.
      overload_manager:
        refresh_interval: 0.25s
        resource_monitors:
        - name: envoy.resource_monitors.cgroup_memory
          typed_config:
            "@type": type.googleapis.com/envoy.extensions.resource_monitors.cgroup_memory.v3.CgroupMemoryConfig
        actions:
        - name: envoy.overload_actions.shrink_heap
          triggers: [{name: envoy.resource_monitors.cgroup_memory, threshold: {value: 0.85}}]
        - name: envoy.overload_actions.stop_accepting_requests
          triggers: [{name: envoy.resource_monitors.cgroup_memory, threshold: {value: 0.95}}]

      dynamic_resources:
        ads_config:
          api_type: DELTA_GRPC
          transport_api_version: V3
          set_node_on_first_message_only: true
          grpc_services:
          - envoy_grpc:
              cluster_name: ads
              # As ztunnels, so that both hear of a binding at about the same time.
              retry_policy: {retry_back_off: {base_interval: 0.5s, max_interval: 5s}}
        # Without a limit: one that has no configuration is not ready.
        cds_config: {ads: {}, initial_fetch_timeout: 0s, resource_api_version: V3}
        lds_config: {ads: {}, initial_fetch_timeout: 0s, resource_api_version: V3}

      static_resources:
        clusters:
        # The operator, to be given a certificate by: the token says who asks.
        - name: identity
          type: STRICT_DNS
          connect_timeout: 5s
          load_assignment: &operator
            cluster_name: operator
            endpoints:
            - lb_endpoints:
              - endpoint: {address: {socket_address: {address: "${controlPlane}", port_value: ${controlPlanePort}}}}
          transport_socket:
            name: envoy.transport_sockets.tls
            typed_config:
              "@type": type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext
              sni: "${controlPlane}"
              common_tls_context:
                alpn_protocols: [h2]
                combined_validation_context:
                  default_validation_context: &operatorOnly
                    match_typed_subject_alt_names:
                    - {san_type: DNS, matcher: {exact: "${controlPlane}"}}
                  validation_context_sds_secret_config:
                    name: mounted-roots
                    sds_config: {path_config_source: {path: "${roots}"}, resource_api_version: V3}
          typed_extension_protocol_options:
            envoy.extensions.upstreams.http.v3.HttpProtocolOptions:
              "@type": type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions
              explicit_http_config:
                http2_protocol_options: &keepalive {connection_keepalive: {interval: 20s, timeout: 10s}}
              http_filters:
              - name: envoy.filters.http.credential_injector
                typed_config:
                  "@type": type.googleapis.com/envoy.extensions.filters.http.credential_injector.v3.CredentialInjector
                  overwrite: true
                  credential:
                    name: envoy.http.injected_credentials.generic
                    typed_config:
                      "@type": type.googleapis.com/envoy.extensions.http.injected_credentials.generic.v3.Generic
                      header: authorization
                      header_value_prefix: "Bearer "
                      credential:
                        name: token
                        sds_config:
                          path_config_source: {path: "${token}", watched_directory: {path: "${tokenDirectory}"}}
                          resource_api_version: V3
              - name: envoy.filters.http.upstream_codec
                typed_config:
                  "@type": type.googleapis.com/envoy.extensions.filters.http.upstream_codec.v3.UpstreamCodec

        # The operator, as this waypoint.
        - name: ads
          type: STRICT_DNS
          connect_timeout: 5s
          load_assignment: *operator
          transport_socket:
            name: envoy.transport_sockets.tls
            typed_config:
              "@type": type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext
              sni: "${controlPlane}"
              common_tls_context:
                alpn_protocols: [h2]
                tls_certificate_sds_secret_configs:
                - name: own
                  sds_config: &issued
                    api_config_source:
                      api_type: DELTA_GRPC
                      transport_api_version: V3
                      set_node_on_first_message_only: true
                      grpc_services: [{envoy_grpc: {cluster_name: identity}}]
                    initial_fetch_timeout: 0s
                    resource_api_version: V3
                combined_validation_context:
                  default_validation_context: *operatorOnly
                  validation_context_sds_secret_config: {name: roots, sds_config: *issued}
          typed_extension_protocol_options:
            envoy.extensions.upstreams.http.v3.HttpProtocolOptions:
              "@type": type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions
              explicit_http_config: {http2_protocol_options: *keepalive}

        - name: admin
          type: STATIC
          load_assignment:
            cluster_name: admin
            endpoints: [{lb_endpoints: [{endpoint: {address: {pipe: {path: "${admin}"}}}}]}]

        listeners:
        - name: readiness
          address: &readiness {socket_address: {address: "::", ipv4_compat: true, port_value: ${readinessPort}}}
          filter_chains:
          - filters:
            - name: envoy.filters.network.http_connection_manager
              typed_config:
                "@type": type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager
                stat_prefix: readiness
                http_filters: &router
                - name: envoy.filters.http.router
                  typed_config: {"@type": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router, suppress_envoy_headers: true}
                route_config:
                  name: readiness
                  virtual_hosts:
                  - name: readiness
                    domains: ["*"]
                    routes:
                    - match: {path: "${readinessPath}", headers: [{name: ":method", string_match: {exact: GET}}]}
                      route: {cluster: admin, prefix_rewrite: /ready}
        - name: metrics
          address: {socket_address: {address: "::", ipv4_compat: true, port_value: ${metricsPort}}}
          filter_chains:
          - filters:
            - name: envoy.filters.network.http_connection_manager
              typed_config:
                "@type": type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager
                stat_prefix: metrics
                http_filters: *router
                route_config:
                  name: metrics
                  virtual_hosts:
                  - name: metrics
                    domains: ["*"]
                    routes:
                    - match: {path: "${metricsPath}", headers: [{name: ":method", string_match: {exact: GET}}]}
                      route: {cluster: admin, prefix_rewrite: "/stats/prometheus?usedonly", timeout: 60s}
        - name: inspection
          address: {socket_address: {address: 127.0.0.1, port_value: ${inspectionPort}}}
          filter_chains:
          - filters:
            - name: envoy.filters.network.http_connection_manager
              typed_config:
                "@type": type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager
                stat_prefix: inspection
                normalize_path: true
                http_filters: *router
                route_config:
                  name: inspection
                  virtual_hosts:
                  - name: inspection
                    domains: ["*"]
                    routes:
                    - match:
                        safe_regex: {regex: "/(certs|clusters|config_dump|listeners|memory|ready|server_info|stats|stats/prometheus)"}
                        headers: [{name: ":method", string_match: {exact: GET}}]
                      route: {cluster: admin, timeout: 60s}
      """;
}
