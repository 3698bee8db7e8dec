package dev.ambit.operator.waypoint.traffic.model;

import io.envoyproxy.envoy.extensions.filters.common.fault.v3.FaultDelay;
import io.envoyproxy.envoy.extensions.filters.http.fault.v3.FaultAbort;
import io.envoyproxy.envoy.extensions.filters.http.fault.v3.HTTPFault;
import io.fabric8.istio.api.api.networking.v1alpha3.HTTPFaultInjection;
import io.fabric8.istio.api.api.networking.v1alpha3.HTTPFaultInjectionAbort;
import io.fabric8.istio.api.api.networking.v1alpha3.HTTPFaultInjectionAbortGrpcStatus;
import io.fabric8.istio.api.api.networking.v1alpha3.HTTPFaultInjectionAbortHttpStatus;
import io.fabric8.istio.api.api.networking.v1alpha3.HTTPFaultInjectionDelay;
import io.fabric8.istio.api.api.networking.v1alpha3.HTTPFaultInjectionDelayFixedDelay;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/** Faults that are put into requests on purpose. */
final class Faults {
  /** By their numbers. */
  private static final List<String> GRPC_STATUSES =
      List.of(
          "OK",
          "CANCELLED",
          "UNKNOWN",
          "INVALID_ARGUMENT",
          "DEADLINE_EXCEEDED",
          "NOT_FOUND",
          "ALREADY_EXISTS",
          "PERMISSION_DENIED",
          "RESOURCE_EXHAUSTED",
          "FAILED_PRECONDITION",
          "ABORTED",
          "OUT_OF_RANGE",
          "UNIMPLEMENTED",
          "INTERNAL",
          "UNAVAILABLE",
          "DATA_LOSS",
          "UNAUTHENTICATED");

  private Faults() {}

  static Optional<HTTPFault> translate(
      String path, @Nullable HTTPFaultInjection fault, Findings findings) {
    if (fault == null) {
      return Optional.empty();
    }
    findings.unknown(path, fault.getAdditionalProperties());
    HTTPFault.Builder result = HTTPFault.newBuilder();
    if (fault.getDelay() != null) {
      delay(path + ".delay", fault.getDelay(), findings).ifPresent(result::setDelay);
    }
    if (fault.getAbort() != null) {
      abort(path + ".abort", fault.getAbort(), findings).ifPresent(result::setAbort);
    }
    return result.hasDelay() || result.hasAbort() ? Optional.of(result.build()) : Optional.empty();
  }

  private static Optional<FaultDelay> delay(
      String path, HTTPFaultInjectionDelay delay, Findings findings) {
    findings.unknown(path, delay.getAdditionalProperties());
    if (!(delay.getHttpDelayType() instanceof HTTPFaultInjectionDelayFixedDelay fixed)) {
      findings.add(path, "only fixedDelay is supported; nothing is delayed");
      return Optional.empty();
    }
    if (delay.getPercentage() == null && delay.getPercent() == null) {
      findings.add(path + ".percentage", "is not set, so nothing is delayed");
    }
    return Durations.positive(path + ".fixedDelay", fixed.getFixedDelay(), findings)
        .map(
            duration ->
                FaultDelay.newBuilder()
                    .setFixedDelay(duration)
                    .setPercentage(
                        Percentages.of(
                            path + ".percentage",
                            delay.getPercentage(),
                            delay.getPercent(),
                            0,
                            findings))
                    .build());
  }

  private static Optional<FaultAbort> abort(
      String path, HTTPFaultInjectionAbort abort, Findings findings) {
    findings.unknown(path, abort.getAdditionalProperties());
    FaultAbort.Builder result = FaultAbort.newBuilder();
    switch (abort.getErrorType()) {
      case HTTPFaultInjectionAbortHttpStatus status -> {
        int code = status.getHttpStatus() == null ? 0 : status.getHttpStatus();
        if (code < 200 || code > 599) {
          findings.add(path + ".httpStatus", "is not between 200 and 599; nothing is aborted");
          return Optional.empty();
        }
        result.setHttpStatus(code);
      }
      case HTTPFaultInjectionAbortGrpcStatus status -> {
        int code =
            status.getGrpcStatus() == null
                ? -1
                : GRPC_STATUSES.indexOf(status.getGrpcStatus().toUpperCase(Locale.ROOT));
        if (code < 0) {
          findings.add(path + ".grpcStatus", "is not the name of a status; nothing is aborted");
          return Optional.empty();
        }
        result.setGrpcStatus(code);
      }
      case null, default -> {
        findings.add(path, "only httpStatus and grpcStatus are supported; nothing is aborted");
        return Optional.empty();
      }
    }
    if (abort.getPercentage() == null) {
      findings.add(path + ".percentage", "is not set, so nothing is aborted");
    }
    return Optional.of(
        result
            .setPercentage(
                Percentages.of(path + ".percentage", abort.getPercentage(), null, 0, findings))
            .build());
  }
}
