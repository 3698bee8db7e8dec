package dev.ambit.operator.waypoint.telemetry.model;

import com.google.protobuf.Any;
import com.google.protobuf.BoolValue;
import io.envoyproxy.envoy.config.accesslog.v3.AccessLogFilter;
import io.envoyproxy.envoy.config.accesslog.v3.AndFilter;
import io.envoyproxy.envoy.config.accesslog.v3.ComparisonFilter;
import io.envoyproxy.envoy.config.accesslog.v3.ExtensionFilter;
import io.envoyproxy.envoy.config.accesslog.v3.HeaderFilter;
import io.envoyproxy.envoy.config.accesslog.v3.LogTypeFilter;
import io.envoyproxy.envoy.config.accesslog.v3.MetadataFilter;
import io.envoyproxy.envoy.config.accesslog.v3.OrFilter;
import io.envoyproxy.envoy.config.accesslog.v3.ResponseFlagFilter;
import io.envoyproxy.envoy.config.accesslog.v3.StatusCodeFilter;
import io.envoyproxy.envoy.config.core.v3.RuntimeUInt32;
import io.envoyproxy.envoy.config.route.v3.HeaderMatcher;
import io.envoyproxy.envoy.data.accesslog.v3.AccessLogType;
import io.envoyproxy.envoy.extensions.access_loggers.filters.cel.v3.ExpressionFilter;
import io.envoyproxy.envoy.type.matcher.v3.MetadataMatcher;
import io.envoyproxy.envoy.type.matcher.v3.StringMatcher;
import io.envoyproxy.envoy.type.matcher.v3.ValueMatcher;
import java.util.Arrays;
import java.util.List;

/** Which entries an access logger takes. */
final class LogFilters {
  /** Flags of connections that got no further than the waypoint. */
  private static final List<String> FAILURES = List.of("UF", "URX", "UH", "UT", "NR", "NC", "UO");

  private LogFilters() {}

  static AccessLogFilter grpc() {
    return header(false);
  }

  /** The negation of {@link #grpc}, the one that is needed. */
  static AccessLogFilter notGrpc() {
    return header(true);
  }

  private static AccessLogFilter header(boolean inverted) {
    return AccessLogFilter.newBuilder()
        .setHeaderFilter(
            HeaderFilter.newBuilder()
                .setHeader(
                    HeaderMatcher.newBuilder()
                        .setName("content-type")
                        .setStringMatch(StringMatcher.newBuilder().setPrefix("application/grpc"))
                        .setInvertMatch(inverted)
                        .setTreatMissingHeaderAsEmpty(true)))
        .build();
  }

  static AccessLogFilter type(AccessLogType type) {
    return AccessLogFilter.newBuilder()
        .setLogTypeFilter(LogTypeFilter.newBuilder().addTypes(type))
        .build();
  }

  /** Requests with an answer of 400 or above. */
  static AccessLogFilter refused() {
    return AccessLogFilter.newBuilder()
        .setStatusCodeFilter(
            StatusCodeFilter.newBuilder()
                .setComparison(
                    ComparisonFilter.newBuilder()
                        .setOp(ComparisonFilter.Op.GE)
                        .setValue(
                            RuntimeUInt32.newBuilder()
                                .setDefaultValue(400)
                                .setRuntimeKey("ambit.refused"))))
        .build();
  }

  /** Connections that reached no endpoint. */
  static AccessLogFilter failed() {
    return AccessLogFilter.newBuilder()
        .setResponseFlagFilter(ResponseFlagFilter.newBuilder().addAllFlags(FAILURES))
        .build();
  }

  /** Entries that have that dynamic metadata. */
  static AccessLogFilter present(String namespace, String key) {
    return AccessLogFilter.newBuilder()
        .setMetadataFilter(
            MetadataFilter.newBuilder()
                .setMatcher(
                    MetadataMatcher.newBuilder()
                        .setFilter(namespace)
                        .addPath(MetadataMatcher.PathSegment.newBuilder().setKey(key))
                        .setValue(ValueMatcher.newBuilder().setPresentMatch(true)))
                .setMatchIfKeyNotFound(BoolValue.of(false)))
        .build();
  }

  /** Entries of which that CEL expression is true. */
  static AccessLogFilter expression(String expression) {
    return AccessLogFilter.newBuilder()
        .setExtensionFilter(
            ExtensionFilter.newBuilder()
                .setName("envoy.access_loggers.extension_filters.cel")
                .setTypedConfig(
                    Any.pack(ExpressionFilter.newBuilder().setExpression(expression).build())))
        .build();
  }

  static AccessLogFilter all(AccessLogFilter... filters) {
    return all(Arrays.asList(filters));
  }

  static AccessLogFilter all(List<AccessLogFilter> filters) {
    return filters.size() == 1
        ? filters.getFirst()
        : AccessLogFilter.newBuilder()
            .setAndFilter(AndFilter.newBuilder().addAllFilters(filters))
            .build();
  }

  static AccessLogFilter any(AccessLogFilter... filters) {
    return AccessLogFilter.newBuilder()
        .setOrFilter(OrFilter.newBuilder().addAllFilters(Arrays.asList(filters)))
        .build();
  }
}
