package dev.ambit.operator.waypoint.life.model;

/**
 * How an Envoy is brought to an end without a request lost. The kubelet asks for a path and waits
 * for the answer: from then on Envoy is not ready, asks the clients of each HTTP connection to
 * leave it, and answers once no tunnel is left, or when its time is over. Nothing but Envoy is
 * needed for it in the image, not even a shell.
 */
final class EnvoyDrain {
  static final int PORT = 15022;

  /** Until nobody can still be about to come who has not heard that this instance is to end. */
  private static final int QUIET_MILLISECONDS = 5000;

  private static final int PAUSE_MILLISECONDS = 500;

  private EnvoyDrain() {}

  /** What to ask for; nobody who may not read the Gateway knows its UID. */
  static String path(String uid) {
    return "/drain/" + uid;
  }

  /** What is added to Envoy's bootstrap configuration, as YAML. */
  static String configuration(String uid, int drainSeconds) {
    return configuration(uid, drainSeconds, PORT);
  }

  static String configuration(String uid, int drainSeconds, int port) {
    return CONFIGURATION
        .replace("${port}", Integer.toString(port))
        .replace("${path}", path(uid))
        .replace("${pauses}", Integer.toString(QUIET_MILLISECONDS / PAUSE_MILLISECONDS))
        .replace("${pause}", PAUSE_MILLISECONDS / 1000.0 + "s")
        .replace("${drain}", Integer.toString(drainSeconds * 1000));
  }

  private static final String CONFIGURATION =
      """
      static_resources:
        clusters:
        - name: drain-pause
          type: STATIC
          connect_timeout: 1s
          load_assignment:
            cluster_name: drain-pause
            endpoints: [{lb_endpoints: [{endpoint: {address: {socket_address: {address: 127.0.0.1, port_value: ${port}}}}}]}]
        listeners:
        - name: drain
          address: {socket_address: {address: "::", ipv4_compat: true, port_value: ${port}}}
          ignore_global_conn_limit: true
          bypass_overload_manager: true
          filter_chains:
          - filters:
            - name: envoy.filters.network.http_connection_manager
              typed_config:
                "@type": type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager
                stat_prefix: drain
                # A drain may last for hours.
                stream_idle_timeout: 0s
                route_config:
                  name: drain
                  virtual_hosts:
                  - name: drain
                    domains: ["*"]
                    routes:
                    - match: {path: "${path}"}
                      direct_response: {status: 200}
                      typed_per_filter_config:
                        envoy.filters.http.lua:
                          "@type": type.googleapis.com/envoy.extensions.filters.http.lua.v3.LuaPerRoute
                          name: drain
                    - match: {path: /pause}
                      direct_response: {status: 200}
                      typed_per_filter_config:
                        envoy.filters.http.fault:
                          "@type": type.googleapis.com/envoy.extensions.filters.http.fault.v3.HTTPFault
                          delay: {fixed_delay: ${pause}, percentage: {numerator: 100}}
                http_filters:
                - name: envoy.filters.http.lua
                  typed_config:
                    "@type": type.googleapis.com/envoy.extensions.filters.http.lua.v3.Lua
                    source_codes:
                      drain:
                        inline_string: |
                          local own = {admin = true, drain = true, readiness = true, metrics = true, inspection = true}

                          local function ask(handle, cluster, method, path)
                            local _, body = handle:httpCall(cluster,
                              {[":method"] = method, [":path"] = path, [":authority"] = cluster}, nil, 5000)
                            return body
                          end

                          -- Tunnels, and the requests inside them; -1 where it is not known.
                          local function active(handle)
                            local body = ask(handle, "admin", "GET", "/stats?filter=downstream_rq_active$")
                            if body == nil then return -1 end
                            local sum = 0
                            for name, count in string.gmatch(body, "http%.([^.%s]+)%.downstream_rq_active: (%d+)") do
                              if not own[name] then sum = sum + tonumber(count) end
                            end
                            return sum
                          end

                          function envoy_on_request(handle)
                            ask(handle, "admin", "POST", "/healthcheck/fail")
                            local last = handle:timestamp() + ${drain}
                            local quiet = 0
                            while quiet < ${pauses} and handle:timestamp() < last do
                              if active(handle) == 0 then quiet = quiet + 1 else quiet = 0 end
                              ask(handle, "drain-pause", "GET", "/pause")
                            end
                            handle:respond({[":status"] = "200"}, "drained\\n")
                          end
                - name: envoy.filters.http.fault
                  typed_config: {"@type": type.googleapis.com/envoy.extensions.filters.http.fault.v3.HTTPFault}
                - name: envoy.filters.http.router
                  typed_config: {"@type": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router}
      """;
}
