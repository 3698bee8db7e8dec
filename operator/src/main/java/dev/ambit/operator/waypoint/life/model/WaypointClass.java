package dev.ambit.operator.waypoint.life.model;

import dev.ambit.operator.CommonLabels;
import io.fabric8.kubernetes.api.model.Condition;
import io.fabric8.kubernetes.api.model.ManagedFieldsEntry;
import io.fabric8.kubernetes.api.model.gatewayapi.v1.GatewayClass;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/** Whose waypoints of a class are to be made. */
public sealed interface WaypointClass {
  /** Ambit's own class. */
  String NAME = "ambit-waypoint";

  /** Who serves it. */
  String CONTROLLER = "ambit.dev/waypoint-controller";

  /** Istio's class, which manifests for Istio name. */
  String ISTIO_NAME = "istio-waypoint";

  /** Who serves that, where it is not Ambit. */
  String ISTIO_CONTROLLER = "istio.io/mesh-controller";

  /** A label, and its value, by which an Istio control plane's Service is known. */
  String ISTIO_LABEL = "app";

  String ISTIO_LABEL_VALUE = "istiod";

  /** Those that the operator makes. */
  Set<String> NAMES = Set.of(NAME, ISTIO_NAME);

  /** Ambit serves it. */
  record Served() implements WaypointClass {}

  /**
   * Somebody else serves it, or may.
   *
   * @param why for a person
   */
  record Left(String why) implements WaypointClass {}

  /** It is another controller's, and none of waypoints. */
  record Unrelated() implements WaypointClass {}

  /** It is not there, or not yet. */
  record Missing() implements WaypointClass {}

  /**
   * Decides. Of Istio's class Ambit must be sure: it is left alone where anything tells of an Istio
   * in the cluster, or somebody else has accepted it.
   *
   * @param istioPresent whether an Istio control plane is in the cluster
   * @param serveIstio whether the mesh wants that class served at all
   * @param manager the field manager by which Ambit writes
   */
  static WaypointClass of(
      @Nullable GatewayClass gatewayClass,
      boolean istioPresent,
      boolean serveIstio,
      String manager) {
    if (gatewayClass == null || gatewayClass.getSpec() == null) {
      return new Missing();
    }
    String controller = gatewayClass.getSpec().getControllerName();
    if (CONTROLLER.equals(controller)) {
      return new Served();
    }
    if (!ISTIO_CONTROLLER.equals(controller)
        || !ISTIO_NAME.equals(gatewayClass.getMetadata().getName())) {
      return new Unrelated();
    }
    if (!serveIstio) {
      return new Left("the AmbientMesh says so (spec.waypoint.serveIstioClass)");
    }
    if (istioPresent) {
      return new Left("there is an Istio control plane (a Service labelled app=istiod)");
    }
    if (acceptedByAnother(gatewayClass, manager)) {
      return new Left("another controller has accepted it");
    }
    return new Served();
  }

  /** Whether the operator made it, so that it may write its spec. */
  static boolean isOwn(GatewayClass gatewayClass) {
    Map<String, String> labels = gatewayClass.getMetadata().getLabels();
    return labels != null
        && CommonLabels.AMBIT.equals(labels.get(CommonLabels.MANAGED_BY))
        && CommonLabels.AMBIT.equals(labels.get(CommonLabels.PART_OF));
  }

  private static boolean acceptedByAnother(GatewayClass gatewayClass, String manager) {
    List<Condition> conditions =
        gatewayClass.getStatus() == null || gatewayClass.getStatus().getConditions() == null
            ? List.of()
            : gatewayClass.getStatus().getConditions();
    boolean judged =
        conditions.stream()
            .anyMatch(
                condition ->
                    "Accepted".equals(condition.getType())
                        && !"Unknown".equals(condition.getStatus()));
    List<ManagedFieldsEntry> fields = gatewayClass.getMetadata().getManagedFields();
    boolean byUs =
        fields != null
            && fields.stream()
                .anyMatch(
                    entry ->
                        manager.equals(entry.getManager())
                            && "status".equals(entry.getSubresource())
                            && entry.getFieldsV1() != null
                            && entry
                                .getFieldsV1()
                                .getAdditionalProperties()
                                .containsKey("f:status"));
    return judged && !byUs;
  }
}
