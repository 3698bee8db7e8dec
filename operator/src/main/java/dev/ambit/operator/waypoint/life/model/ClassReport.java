package dev.ambit.operator.waypoint.life.model;

import dev.ambit.api.Conditions;
import dev.ambit.api.Conditions.Wanted;
import io.fabric8.kubernetes.api.model.gatewayapi.v1.GatewayClassStatus;
import io.fabric8.kubernetes.api.model.gatewayapi.v1.GatewayClassStatusBuilder;
import io.fabric8.kubernetes.api.model.gatewayapi.v1.SupportedFeature;
import io.fabric8.kubernetes.api.model.gatewayapi.v1.SupportedFeatureBuilder;
import java.time.Instant;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/** What is said on a class of waypoints that Ambit serves. */
public final class ClassReport {
  public static final String ACCEPTED = "Accepted";

  /** On the Gateway API's CRDs: the release that they are of. */
  public static final String BUNDLE_VERSION = "gateway.networking.k8s.io/bundle-version";

  private static final String SUPPORTED_VERSION = "SupportedVersion";
  private static final Pattern VERSION = Pattern.compile("v?1\\.([0-9]+)\\..*");

  /** The first with GRPCRoute in v1 and infrastructure in Gateways. */
  private static final int OLDEST_MINOR = 1;

  /** As the Gateway API names them, in its order. */
  private static final List<String> FEATURES =
      List.of(
          "GRPCRoute",
          "HTTPRoute",
          "HTTPRoute303RedirectStatusCode",
          "HTTPRoute307RedirectStatusCode",
          "HTTPRoute308RedirectStatusCode",
          "HTTPRouteParentRefPort",
          "HTTPRouteResponseHeaderModification",
          "Mesh",
          "MeshClusterIPMatching",
          "MeshConsumerRoute",
          "MeshHTTPRouteBackendRequestHeaderModification",
          "MeshHTTPRouteNamedRouteRule",
          "MeshHTTPRouteQueryParamMatching",
          "MeshHTTPRouteRedirectPath",
          "MeshHTTPRouteRedirectPort",
          "MeshHTTPRouteRewritePath",
          "MeshHTTPRouteSchemeRedirect",
          "ReferenceGrant");

  private ClassReport() {}

  /** What of a class's status is this controller's. */
  public static GatewayClassStatus ours(@Nullable GatewayClassStatus status) {
    if (status == null) {
      return new GatewayClassStatus();
    }
    return new GatewayClassStatusBuilder(status)
        .withConditions(
            status.getConditions() == null
                ? List.of()
                : status.getConditions().stream()
                    .filter(
                        condition ->
                            Set.of(ACCEPTED, SUPPORTED_VERSION).contains(condition.getType()))
                    .toList())
        .build();
  }

  /**
   * The status that follows.
   *
   * @param bundleVersion of the Gateway API's CRDs, where they say so
   */
  public static GatewayClassStatus of(
      @Nullable GatewayClassStatus before,
      Optional<String> bundleVersion,
      @Nullable Long generation,
      Instant now) {
    boolean supported = bundleVersion.filter(ClassReport::isSupported).isPresent();
    return new GatewayClassStatusBuilder()
        .withConditions(
            Conditions.update(
                before == null || before.getConditions() == null
                    ? List.of()
                    : before.getConditions(),
                List.of(
                    new Wanted(ACCEPTED, true, ACCEPTED, "Ambit makes this class's waypoints."),
                    new Wanted(
                        SUPPORTED_VERSION,
                        supported,
                        supported ? SUPPORTED_VERSION : "UnsupportedVersion",
                        supported
                            ? "The Gateway API's CRDs are of a release that Ambit knows."
                            : "The Gateway API's CRDs are of release "
                                + bundleVersion.orElse("unknown")
                                + "; Ambit was made for v1.1 and later, and does what it can.")),
                generation,
                now))
        .withSupportedFeatures(FEATURES.stream().map(ClassReport::feature).toList())
        .build();
  }

  private static SupportedFeature feature(String name) {
    return new SupportedFeatureBuilder().withName(name).build();
  }

  private static boolean isSupported(String version) {
    Matcher matcher = VERSION.matcher(version);
    return matcher.matches() && Integer.parseInt(matcher.group(1)) >= OLDEST_MINOR;
  }
}
