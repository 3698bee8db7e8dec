package dev.ambit.operator.waypoint.telemetry.model;

import static dev.ambit.operator.waypoint.telemetry.model.LogFilters.all;
import static dev.ambit.operator.waypoint.telemetry.model.LogFilters.any;
import static dev.ambit.operator.waypoint.telemetry.model.LogFilters.type;

import com.google.protobuf.Any;
import com.google.protobuf.UInt32Value;
import com.google.protobuf.UInt64Value;
import dev.ambit.operator.waypoint.telemetry.model.Label.Traffic;
import dev.ambit.protocol.envoy.stats.Config;
import dev.ambit.protocol.envoy.stats.Scope;
import io.envoyproxy.envoy.config.accesslog.v3.AccessLog;
import io.envoyproxy.envoy.config.accesslog.v3.AccessLogFilter;
import io.envoyproxy.envoy.config.core.v3.DataSource;
import io.envoyproxy.envoy.data.accesslog.v3.AccessLogType;
import io.envoyproxy.envoy.extensions.filters.http.grpc_stats.v3.FilterConfig;
import io.envoyproxy.envoy.extensions.filters.http.lua.v3.Lua;
import io.envoyproxy.envoy.extensions.filters.network.http_connection_manager.v3.HttpFilter;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/** The access loggers that count, and the filters that they need. */
final class MetricLoggers {
  /** Series beyond these are not made: what callers make up cannot fill a waypoint's memory. */
  static final int MOST_COUNTERS = 10_000;

  static final int MOST_HISTOGRAMS = 6_000;

  // All loggers of a waypoint share it, and so its limits.
  private static final Scope SCOPE =
      Scope.newBuilder()
          .setPrefix(Scraping.PREFIX)
          .setSharingName("istio")
          .setEnableEviction(true)
          .setMaxCounters(UInt32Value.of(MOST_COUNTERS))
          .setMaxHistograms(UInt32Value.of(MOST_HISTOGRAMS))
          .build();

  private static final String MESSAGES = "ambit.grpc";
  private static final String REQUESTS = "requests";
  private static final String RESPONSES = "responses";

  // Envoy's filter counts messages, and shows both counts as one text; a logger needs numbers.
  private static final String SPLIT_COUNTS =
      """
      function envoy_on_response(handle)
        handle:trailers()
        local info = handle:streamInfo()
        local counts = info:filterState():get("envoy.filters.http.grpc_stats")
        if counts then
          local requests, responses = string.match(counts, "^(%d+),(%d+)$")
          info:dynamicMetadata():set("ambit.grpc", "requests", tonumber(requests))
          info:dynamicMetadata():set("ambit.grpc", "responses", tonumber(responses))
        end
      end
      """;

  private MetricLoggers() {}

  /** For an HTTP connection manager. */
  static List<AccessLog> http(MetricChoice choice, boolean messages) {
    List<AccessLog> loggers = new ArrayList<>();
    requests(choice, Traffic.HTTP, LogFilters.notGrpc()).ifPresent(loggers::add);
    requests(choice, Traffic.GRPC, LogFilters.grpc()).ifPresent(loggers::add);
    if (messages) {
      Config.Builder config = config();
      counter(choice, Metric.GRPC_REQUEST_MESSAGES, Traffic.GRPC)
          .ifPresent(counter -> config.addCounters(counter.setValueFormat(messages(REQUESTS))));
      counter(choice, Metric.GRPC_RESPONSE_MESSAGES, Traffic.GRPC)
          .ifPresent(counter -> config.addCounters(counter.setValueFormat(messages(RESPONSES))));
      logger(config, LogFilters.present(MESSAGES, REQUESTS)).ifPresent(loggers::add);
    }
    return List.copyOf(loggers);
  }

  private static String messages(String which) {
    return "%DYNAMIC_METADATA(" + MESSAGES + ":" + which + ")%";
  }

  private static Optional<AccessLog> requests(
      MetricChoice choice, Traffic traffic, AccessLogFilter filter) {
    Config.Builder config = config();
    counter(choice, Metric.REQUEST_COUNT, traffic)
        .ifPresent(counter -> config.addCounters(counter.setValueFixed(UInt64Value.of(1))));
    histogram(
        config,
        choice,
        Metric.REQUEST_DURATION,
        traffic,
        Config.Histogram.Unit.Milliseconds,
        "%DURATION%");
    histogram(
        config,
        choice,
        Metric.REQUEST_SIZE,
        traffic,
        Config.Histogram.Unit.Bytes,
        "%BYTES_RECEIVED%");
    histogram(
        config, choice, Metric.RESPONSE_SIZE, traffic, Config.Histogram.Unit.Bytes, "%BYTES_SENT%");
    return logger(config, filter);
  }

  /** Whether gRPC messages are to be counted, which takes {@link #messageFilters}. */
  static boolean countsMessages(MetricChoice choice) {
    return choice.isOn(Metric.GRPC_REQUEST_MESSAGES) || choice.isOn(Metric.GRPC_RESPONSE_MESSAGES);
  }

  /** What counts the messages of gRPC streams. */
  static List<HttpFilter> messageFilters() {
    // Filters see the response in reverse, so the one that reads comes first.
    return List.of(
        HttpFilter.newBuilder()
            .setName("grpc_counts")
            .setTypedConfig(
                Any.pack(
                    Lua.newBuilder()
                        .setDefaultSourceCode(DataSource.newBuilder().setInlineString(SPLIT_COUNTS))
                        .build()))
            .build(),
        HttpFilter.newBuilder()
            .setName("envoy.filters.http.grpc_stats")
            .setTypedConfig(
                Any.pack(
                    FilterConfig.newBuilder()
                        .setEmitFilterState(true)
                        .setStatsForAllMethods(com.google.protobuf.BoolValue.of(false))
                        .build()))
            .build());
  }

  /** For a TCP proxy that writes an entry when it has connected, and one at the end. */
  static List<AccessLog> tcp(MetricChoice choice) {
    List<AccessLog> loggers = new ArrayList<>();
    Config.Builder opened = config();
    counter(choice, Metric.TCP_OPENED_CONNECTIONS, Traffic.TCP)
        .ifPresent(counter -> opened.addCounters(counter.setValueFixed(UInt64Value.of(1))));
    // A connection that found no endpoint has only the entry at its end.
    logger(
            opened,
            any(
                type(AccessLogType.TcpUpstreamConnected),
                all(type(AccessLogType.TcpConnectionEnd), LogFilters.failed())))
        .ifPresent(loggers::add);
    Config.Builder closed = config();
    counter(choice, Metric.TCP_CLOSED_CONNECTIONS, Traffic.TCP)
        .ifPresent(counter -> closed.addCounters(counter.setValueFixed(UInt64Value.of(1))));
    counter(choice, Metric.TCP_RECEIVED_BYTES, Traffic.TCP)
        .ifPresent(counter -> closed.addCounters(counter.setValueFormat("%BYTES_RECEIVED%")));
    counter(choice, Metric.TCP_SENT_BYTES, Traffic.TCP)
        .ifPresent(counter -> closed.addCounters(counter.setValueFormat("%BYTES_SENT%")));
    logger(closed, type(AccessLogType.TcpConnectionEnd)).ifPresent(loggers::add);
    return List.copyOf(loggers);
  }

  private static Config.Builder config() {
    return Config.newBuilder().setStatsScope(SCOPE);
  }

  private static Optional<Config.Counter.Builder> counter(
      MetricChoice choice, Metric metric, Traffic traffic) {
    return choice.isOn(metric)
        ? Optional.of(Config.Counter.newBuilder().setStat(stat(choice, metric, traffic)))
        : Optional.empty();
  }

  private static void histogram(
      Config.Builder config,
      MetricChoice choice,
      Metric metric,
      Traffic traffic,
      Config.Histogram.Unit unit,
      String value) {
    if (choice.isOn(metric)) {
      config.addHistograms(
          Config.Histogram.newBuilder()
              .setStat(stat(choice, metric, traffic))
              .setUnit(unit)
              .setValueFormat(value));
    }
  }

  private static Config.Stat stat(MetricChoice choice, Metric metric, Traffic traffic) {
    Config.Stat.Builder stat = Config.Stat.newBuilder().setName(metric.series());
    choice
        .labels(metric, traffic)
        .forEach(
            (name, format) ->
                stat.addTags(Config.Tag.newBuilder().setName(name).setValueFormat(format)));
    return stat.build();
  }

  private static Optional<AccessLog> logger(Config.Builder config, AccessLogFilter filter) {
    if (config.getCountersCount() + config.getHistogramsCount() == 0) {
      return Optional.empty();
    }
    return Optional.of(
        AccessLog.newBuilder()
            .setName("envoy.access_loggers.stats")
            .setFilter(filter)
            .setTypedConfig(Any.pack(config.build()))
            .build());
  }
}
