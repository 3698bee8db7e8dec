package dev.ambit.operator.waypoint.telemetry.model;

import java.util.List;

/** Expressions and formats that are passed on to Envoy, so it must take all of them. */
public final class Expressions {
  private Expressions() {}

  /** Expressions of CEL. */
  public static List<String> taken() {
    return List.of(
        "response.code >= 400",
        "response.code >= 400 || response.flags != 0",
        "!(request.path.startsWith('/healthz')) && request.method in ['GET', 'HEAD']",
        "'x-debug' in request.headers",
        "request.headers['x-tenant'] == 'acme' ? true : false",
        "request.path.matches('^/v[0-9]+/.*$')",
        "request.url_path.contains('/admin') || request.host.endsWith('.example')",
        "connection.mtls && connection.uri_san_peer_certificate != ''",
        "has(request.referer) && size(request.referer) > 3",
        "request.duration > duration('1s')",
        "request.time > timestamp('2020-01-01T00:00:00Z')",
        "request.time.getHours() < 6",
        "int('3') + 2 * 4 - 6 / 2 % 5 == 1",
        "double(response.code) >= 499.5",
        "uint(3) == 3u",
        "upstream.address != '' && xds.cluster_name != 'x'",
        "metadata.filter_metadata['envoy.filters.http.rbac'] != null",
        "filter_state['io.istio.peer_principal'] == 'spiffe://a'",
        "{'a': 1}['a'] == 1",
        "-response.code < 0");
  }

  /** Formats of access logs. */
  public static List<String> formats() {
    return List.of(
        ((LogFormat.Text) LogFormat.ISTIO).line(),
        "100%% of %REQ(:METHOD)% %REQ(X-ENVOY-ORIGINAL-PATH?:PATH):20%",
        "%RESP(CONTENT-TYPE)% %TRAILER(GRPC-STATUS)%",
        "%DYNAMIC_METADATA(envoy.filters.http.rbac)% %CLUSTER_METADATA(ambit.telemetry:service)%",
        "%METADATA(ROUTE:a:b)% %METADATA(CLUSTER:a)% %METADATA(DYNAMIC:a:b:c):9%",
        "%FILTER_STATE(io.istio.peer_principal:PLAIN)% %FILTER_STATE(a)%",
        "%CEL(response.code >= 400 ? 'bad' : 'good')%",
        FormatString.plain());
  }

  /** One access log for each expression and format. */
  public static List<io.envoyproxy.envoy.config.accesslog.v3.AccessLog> logs() {
    return java.util.stream.Stream.concat(
            taken().stream()
                .map(
                    expression ->
                        LogWriters.file(
                            "/dev/null", LogFormat.FIELDS, LogFilters.expression(expression))),
            formats().stream()
                .map(
                    format ->
                        LogWriters.file(
                            "/dev/null",
                            new LogFormat.Text(format),
                            io.envoyproxy.envoy.config.accesslog.v3.AccessLogFilter
                                .getDefaultInstance())))
        .toList();
  }
}
