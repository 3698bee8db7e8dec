package dev.ambit.operator.waypoint.route.model;

import java.time.Duration;
import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** Words of the Gateway API. */
final class GatewayApi {
  static final String GROUP = "gateway.networking.k8s.io";

  /** Of ServiceEntry and of the kind "Hostname" of backends. */
  static final String ISTIO_GROUP = "networking.istio.io";

  // Types of conditions.
  static final String ACCEPTED = "Accepted";
  static final String RESOLVED_REFS = "ResolvedRefs";
  static final String PARTIALLY_INVALID = "PartiallyInvalid";

  // Reasons.
  static final String NO_MATCHING_PARENT = "NoMatchingParent";
  static final String NOT_ALLOWED_BY_LISTENERS = "NotAllowedByListeners";
  static final String NO_MATCHING_HOSTNAME = "NoMatchingListenerHostname";
  static final String UNSUPPORTED_VALUE = "UnsupportedValue";
  static final String INCOMPATIBLE_FILTERS = "IncompatibleFilters";
  static final String CONFLICTED = "Conflicted";
  static final String REF_NOT_PERMITTED = "RefNotPermitted";
  static final String INVALID_KIND = "InvalidKind";
  static final String BACKEND_NOT_FOUND = "BackendNotFound";
  static final String UNSUPPORTED_PROTOCOL = "UnsupportedProtocol";

  private static final Pattern DURATION = Pattern.compile("([0-9]{1,5}(h|m|s|ms)){1,4}");
  private static final Pattern COMPONENT = Pattern.compile("([0-9]{1,5})(h|ms|m|s)");

  private GatewayApi() {}

  /** A duration as GEP-2257 writes it; empty where it is none. */
  static Optional<Duration> duration(String text) {
    if (!DURATION.matcher(text).matches()) {
      return Optional.empty();
    }
    Duration total = Duration.ZERO;
    Matcher components = COMPONENT.matcher(text);
    while (components.find()) {
      long value = Long.parseLong(components.group(1));
      total =
          total.plus(
              switch (components.group(2)) {
                case "h" -> Duration.ofHours(value);
                case "m" -> Duration.ofMinutes(value);
                case "s" -> Duration.ofSeconds(value);
                default -> Duration.ofMillis(value);
              });
    }
    return Optional.of(total);
  }

  /** For Envoy. */
  static com.google.protobuf.Duration proto(Duration duration) {
    return com.google.protobuf.Duration.newBuilder()
        .setSeconds(duration.getSeconds())
        .setNanos(duration.getNano())
        .build();
  }
}
