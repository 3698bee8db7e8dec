package dev.ambit.operator.waypoint.life.model;

import dev.ambit.operator.CommonLabels;
import io.fabric8.kubernetes.api.model.HasMetadata;
import io.fabric8.kubernetes.api.model.gatewayapi.v1.Gateway;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Objects;
import java.util.function.Predicate;

/** By which waypoints' objects are known, to Ambit and to tools made for Istio. */
public final class WaypointLabels {
  public static final String GATEWAY_NAME = "gateway.networking.k8s.io/gateway-name";
  public static final String CLASS_NAME = "gateway.networking.k8s.io/gateway-class-name";
  public static final String MANAGED = "gateway.istio.io/managed";
  public static final String MANAGED_AS_WAYPOINT = "istio.io-mesh-controller";

  /** Selects every waypoint's objects. */
  public static final String SELECTOR = GATEWAY_NAME + "," + CommonLabels.MANAGED_BY + "=ambit";

  private static final String DATAPLANE_MODE = "istio.io/dataplane-mode";
  private static final String CANONICAL_NAME = "service.istio.io/canonical-name";
  private static final String CANONICAL_REVISION = "service.istio.io/canonical-revision";
  private static final String INSTANCE = "app.kubernetes.io/instance";

  private WaypointLabels() {}

  /** Of all objects of a waypoint; none of them can be given another value. */
  static Map<String, String> of(Gateway gateway) {
    return of(gateway.getMetadata().getName(), gateway.getSpec().getGatewayClassName());
  }

  private static Map<String, String> of(String name, String gatewayClass) {
    Map<String, String> labels = new LinkedHashMap<>();
    labels.put(GATEWAY_NAME, name);
    labels.put(CLASS_NAME, gatewayClass);
    labels.put(MANAGED, MANAGED_AS_WAYPOINT);
    labels.put(CommonLabels.NAME, "ambit-waypoint");
    labels.put(CommonLabels.PART_OF, CommonLabels.AMBIT);
    labels.put(CommonLabels.MANAGED_BY, CommonLabels.AMBIT);
    return labels;
  }

  /** Of its pods: a waypoint speaks HBONE itself, so it must not be captured. */
  static Map<String, String> ofPods(Gateway gateway) {
    return ofPods(gateway.getMetadata().getName(), gateway.getSpec().getGatewayClassName());
  }

  /** The same of a Gateway that need not be there. */
  public static Map<String, String> ofPods(String name, String gatewayClass) {
    Map<String, String> labels = of(name, gatewayClass);
    labels.put(DATAPLANE_MODE, "none");
    labels.put(CANONICAL_NAME, name);
    labels.put(CANONICAL_REVISION, "latest");
    return labels;
  }

  /** Selects its pods. */
  static Map<String, String> selector(Gateway gateway) {
    return Map.of(GATEWAY_NAME, gateway.getMetadata().getName());
  }

  /** Whether an object was made for this very Gateway. */
  public static boolean isOf(HasMetadata object, Gateway gateway) {
    return object.getMetadata().getOwnerReferences() != null
        && object.getMetadata().getOwnerReferences().stream()
            .anyMatch(owner -> Objects.equals(owner.getUid(), gateway.getMetadata().getUid()));
  }

  /**
   * What a Gateway asks its infrastructure to carry, but for what is meant for the operator, and
   * the marks by which tools find what they made themselves: with those on it they would take it
   * for theirs, and delete it.
   */
  static Map<String, String> wanted(Map<String, String> asked) {
    Map<String, String> wanted = new LinkedHashMap<>();
    Predicate<String> mark =
        key ->
            key.equals(INSTANCE)
                || key.equals(WaypointSettings.ANNOTATION)
                || key.startsWith("argocd.argoproj.io/")
                || key.startsWith("kustomize.toolkit.fluxcd.io/")
                || key.startsWith("helm.toolkit.fluxcd.io/")
                || key.startsWith("meta.helm.sh/")
                || key.startsWith("kubectl.kubernetes.io/last-applied");
    asked.forEach(
        (key, value) -> {
          if (!mark.test(key)) {
            wanted.put(key, value);
          }
        });
    return wanted;
  }
}
