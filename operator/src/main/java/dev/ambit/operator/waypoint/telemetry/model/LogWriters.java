package dev.ambit.operator.waypoint.telemetry.model;

import com.google.protobuf.Any;
import com.google.protobuf.ByteString;
import com.google.protobuf.Struct;
import com.google.protobuf.UnknownFieldSet;
import com.google.protobuf.Value;
import io.envoyproxy.envoy.config.accesslog.v3.AccessLog;
import io.envoyproxy.envoy.config.accesslog.v3.AccessLogFilter;
import io.envoyproxy.envoy.config.core.v3.DataSource;
import io.envoyproxy.envoy.config.core.v3.GrpcService;
import io.envoyproxy.envoy.config.core.v3.SubstitutionFormatString;
import io.envoyproxy.envoy.extensions.access_loggers.file.v3.FileAccessLog;
import io.envoyproxy.envoy.extensions.access_loggers.open_telemetry.v3.OpenTelemetryAccessLogConfig;
import io.envoyproxy.envoy.extensions.access_loggers.stream.v3.StderrAccessLog;
import io.envoyproxy.envoy.extensions.access_loggers.stream.v3.StdoutAccessLog;
import io.opentelemetry.proto.common.v1.AnyValue;
import io.opentelemetry.proto.common.v1.KeyValue;
import io.opentelemetry.proto.common.v1.KeyValueList;
import java.util.Map;

/** The access loggers that write. */
final class LogWriters {
  // Of OpenTelemetryAccessLogConfig; the published Java classes are of an Envoy without them, and
  // what they have instead is deprecated.
  private static final int GRPC_SERVICE_FIELD = 9;
  private static final int LOG_NAME_FIELD = 10;

  private LogWriters() {}

  /** To a file, or to the container's output. */
  static AccessLog file(String path, LogFormat format, AccessLogFilter filter) {
    SubstitutionFormatString written = format(format);
    AccessLog.Builder log = AccessLog.newBuilder();
    if (!filter.equals(AccessLogFilter.getDefaultInstance())) {
      log.setFilter(filter);
    }
    return switch (path) {
      case "/dev/stdout" ->
          log.setName("envoy.access_loggers.stdout")
              .setTypedConfig(Any.pack(StdoutAccessLog.newBuilder().setLogFormat(written).build()))
              .build();
      case "/dev/stderr" ->
          log.setName("envoy.access_loggers.stderr")
              .setTypedConfig(Any.pack(StderrAccessLog.newBuilder().setLogFormat(written).build()))
              .build();
      default ->
          log.setName("envoy.access_loggers.file")
              .setTypedConfig(
                  Any.pack(FileAccessLog.newBuilder().setPath(path).setLogFormat(written).build()))
              .build();
    };
  }

  private static SubstitutionFormatString format(LogFormat format) {
    return switch (format) {
      case LogFormat.Text(String line) ->
          SubstitutionFormatString.newBuilder()
              .setTextFormatSource(
                  DataSource.newBuilder().setInlineString(line.endsWith("\n") ? line : line + "\n"))
              .build();
      case LogFormat.Json(Map<String, String> fields) ->
          SubstitutionFormatString.newBuilder().setJsonFormat(struct(fields)).build();
    };
  }

  private static Struct struct(Map<String, String> fields) {
    Struct.Builder struct = Struct.newBuilder();
    fields.forEach(
        (name, value) -> struct.putFields(name, Value.newBuilder().setStringValue(value).build()));
    return struct.build();
  }

  /**
   * To a collector over OTLP by gRPC.
   *
   * @param cluster of the collector
   * @param resource what the waypoint is
   */
  static AccessLog collector(
      Provider.CollectorLog provider,
      String cluster,
      Map<String, String> resource,
      AccessLogFilter filter) {
    OpenTelemetryAccessLogConfig.Builder config =
        OpenTelemetryAccessLogConfig.newBuilder()
            .setStatPrefix("otlp_logs")
            .setResourceAttributes(attributes(resource))
            .setAttributes(attributes(provider.labels()));
    switch (provider.format()) {
      case LogFormat.Text(String line) -> config.setBody(text(line.stripTrailing()));
      case LogFormat.Json(Map<String, String> fields) ->
          config.setBody(AnyValue.newBuilder().setKvlistValue(attributes(fields)));
    }
    GrpcService service =
        GrpcService.newBuilder()
            .setEnvoyGrpc(GrpcService.EnvoyGrpc.newBuilder().setClusterName(cluster))
            .setTimeout(com.google.protobuf.Duration.newBuilder().setSeconds(10))
            .build();
    config.mergeUnknownFields(
        UnknownFieldSet.newBuilder()
            .addField(GRPC_SERVICE_FIELD, bytes(service.toByteString()))
            .addField(LOG_NAME_FIELD, bytes(ByteString.copyFromUtf8(provider.logName())))
            .build());
    AccessLog.Builder log =
        AccessLog.newBuilder()
            .setName("envoy.access_loggers.open_telemetry")
            .setTypedConfig(Any.pack(config.build()));
    if (!filter.equals(AccessLogFilter.getDefaultInstance())) {
      log.setFilter(filter);
    }
    return log.build();
  }

  private static UnknownFieldSet.Field bytes(ByteString value) {
    return UnknownFieldSet.Field.newBuilder().addLengthDelimited(value).build();
  }

  private static KeyValueList attributes(Map<String, String> values) {
    KeyValueList.Builder list = KeyValueList.newBuilder();
    values.forEach(
        (key, value) -> list.addValues(KeyValue.newBuilder().setKey(key).setValue(text(value))));
    return list.build();
  }

  private static AnyValue text(String value) {
    return AnyValue.newBuilder().setStringValue(value).build();
  }
}
