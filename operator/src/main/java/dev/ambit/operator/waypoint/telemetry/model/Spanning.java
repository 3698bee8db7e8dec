package dev.ambit.operator.waypoint.telemetry.model;

import com.google.protobuf.Any;
import com.google.protobuf.BoolValue;
import com.google.protobuf.Duration;
import com.google.protobuf.UInt32Value;
import com.google.protobuf.UnknownFieldSet;
import dev.ambit.operator.waypoint.model.WaypointGateway;
import io.envoyproxy.envoy.config.core.v3.GrpcService;
import io.envoyproxy.envoy.config.core.v3.HttpService;
import io.envoyproxy.envoy.config.core.v3.HttpUri;
import io.envoyproxy.envoy.config.trace.v3.OpenTelemetryConfig;
import io.envoyproxy.envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager;
import io.envoyproxy.envoy.extensions.filters.network.http_connection_manager.v3.RequestIDExtension;
import io.envoyproxy.envoy.extensions.request_id.uuid.v3.UuidRequestIdConfig;
import io.envoyproxy.envoy.type.tracing.v3.CustomTag;
import io.envoyproxy.envoy.type.v3.Percent;
import io.fabric8.istio.api.api.telemetry.v1alpha1.TracingCustomTag;
import io.fabric8.istio.api.api.telemetry.v1alpha1.TracingCustomTagEnvironment;
import io.fabric8.istio.api.api.telemetry.v1alpha1.TracingCustomTagHeader;
import io.fabric8.istio.api.api.telemetry.v1alpha1.TracingCustomTagLiteral;
import java.util.Objects;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/** How Envoy traces requests. */
final class Spanning {
  private static final Duration PATIENCE = Duration.newBuilder().setSeconds(10).build();

  // Of CustomTag: a format string. The published Java classes are of an Envoy without it.
  private static final int VALUE_FIELD = 6;

  private Spanning() {}

  /** Spans to a collector, as that waypoint. */
  static ChainTelemetry.Spans spans(
      Policy.Trace trace, Provider.Tracer tracer, String cluster, WaypointGateway waypoint) {
    HttpConnectionManager.Tracing.Builder tracing =
        HttpConnectionManager.Tracing.newBuilder()
            .setClientSampling(percent(100))
            .setRandomSampling(percent(trace.sampled()))
            .setOverallSampling(percent(100))
            .setMaxPathTagLength(UInt32Value.of(tracer.longestTag()))
            // The router's own span is what the destination's spans are children of.
            .setSpawnUpstreamSpan(BoolValue.of(true))
            .setProvider(
                io.envoyproxy.envoy.config.trace.v3.Tracing.Http.newBuilder()
                    .setName("envoy.tracers.opentelemetry")
                    .setTypedConfig(Any.pack(exporter(tracer, cluster, waypoint))));
    tracing.addCustomTags(literal("istio.namespace", waypoint.namespace()));
    tracing.addCustomTags(literal("istio.canonical_service", waypoint.name()));
    for (Label label :
        new Label[] {
          Label.SOURCE_PRINCIPAL,
          Label.SOURCE_WORKLOAD,
          Label.SOURCE_WORKLOAD_NAMESPACE,
          Label.DESTINATION_PRINCIPAL,
          Label.DESTINATION_WORKLOAD,
          Label.DESTINATION_WORKLOAD_NAMESPACE,
          Label.DESTINATION_SERVICE
        }) {
      tracing.addCustomTags(formatted(label.label(), label.format(Label.Traffic.HTTP)));
    }
    trace.tags().forEach((name, tag) -> custom(name, tag).ifPresent(tracing::addCustomTags));
    return new ChainTelemetry.Spans(
        tracing.build(),
        RequestIDExtension.newBuilder()
            .setTypedConfig(
                Any.pack(
                    UuidRequestIdConfig.newBuilder()
                        .setUseRequestIdForTraceSampling(BoolValue.of(trace.byRequestId()))
                        .build()))
            .build());
  }

  private static OpenTelemetryConfig exporter(
      Provider.Tracer tracer, String cluster, WaypointGateway waypoint) {
    OpenTelemetryConfig.Builder config =
        OpenTelemetryConfig.newBuilder()
            .setServiceName(waypoint.name() + "." + waypoint.namespace());
    tracer
        .path()
        .ifPresentOrElse(
            path ->
                config.setHttpService(
                    HttpService.newBuilder()
                        .setHttpUri(
                            HttpUri.newBuilder()
                                .setUri(
                                    "http://"
                                        + host(tracer.collector().service())
                                        + ":"
                                        + tracer.collector().port()
                                        + path)
                                .setCluster(cluster)
                                .setTimeout(PATIENCE))),
            () ->
                config.setGrpcService(
                    GrpcService.newBuilder()
                        .setEnvoyGrpc(GrpcService.EnvoyGrpc.newBuilder().setClusterName(cluster))
                        .setTimeout(PATIENCE)));
    return config.build();
  }

  private static String host(String service) {
    return service.substring(service.indexOf('/') + 1);
  }

  private static Percent percent(double value) {
    return Percent.newBuilder().setValue(value).build();
  }

  private static CustomTag literal(String name, String value) {
    return CustomTag.newBuilder()
        .setTag(name)
        .setLiteral(CustomTag.Literal.newBuilder().setValue(value))
        .build();
  }

  private static CustomTag formatted(String name, String format) {
    return CustomTag.newBuilder()
        .setTag(name)
        .mergeUnknownFields(
            UnknownFieldSet.newBuilder()
                .addField(
                    VALUE_FIELD,
                    UnknownFieldSet.Field.newBuilder()
                        .addLengthDelimited(com.google.protobuf.ByteString.copyFromUtf8(format))
                        .build())
                .build())
        .build();
  }

  /** As Envoy has it; nothing where it is not whole. */
  static Optional<CustomTag> custom(String name, @Nullable TracingCustomTag tag) {
    return switch (tag == null ? null : tag.getType()) {
      case TracingCustomTagLiteral literal
          when literal.getLiteral() != null && isSet(literal.getLiteral().getValue()) ->
          Optional.of(literal(name, literal.getLiteral().getValue()));
      case TracingCustomTagHeader header
          when header.getHeader() != null && isSet(header.getHeader().getName()) ->
          Optional.of(
              CustomTag.newBuilder()
                  .setTag(name)
                  .setRequestHeader(
                      CustomTag.Header.newBuilder()
                          .setName(header.getHeader().getName())
                          .setDefaultValue(orEmpty(header.getHeader().getDefaultValue())))
                  .build());
      case TracingCustomTagEnvironment environment
          when environment.getEnvironment() != null
              && isSet(environment.getEnvironment().getName()) ->
          Optional.of(
              CustomTag.newBuilder()
                  .setTag(name)
                  .setEnvironment(
                      CustomTag.Environment.newBuilder()
                          .setName(environment.getEnvironment().getName())
                          .setDefaultValue(orEmpty(environment.getEnvironment().getDefaultValue())))
                  .build());
      case null, default -> Optional.empty();
    };
  }

  private static boolean isSet(@Nullable String value) {
    return value != null && !value.isEmpty();
  }

  private static String orEmpty(@Nullable String value) {
    return Objects.requireNonNullElse(value, "");
  }
}
