package dev.ambit.operator.enrollment.model;

import dev.ambit.api.EnrollmentWaypoint;
import dev.ambit.api.MeshEnrollment;
import dev.ambit.operator.CommonLabels;
import dev.ambit.operator.enrollment.model.WaypointState.Wanted;
import dev.ambit.operator.waypoint.life.model.WaypointSettings;
import io.fabric8.kubernetes.api.model.Condition;
import io.fabric8.kubernetes.api.model.HasMetadata;
import io.fabric8.kubernetes.api.model.OwnerReferenceBuilder;
import io.fabric8.kubernetes.api.model.gatewayapi.v1.Gateway;
import io.fabric8.kubernetes.api.model.gatewayapi.v1.GatewayBuilder;
import io.fabric8.kubernetes.api.model.gatewayapi.v1.GatewayInfrastructure;
import io.fabric8.kubernetes.api.model.gatewayapi.v1.GatewayInfrastructureBuilder;
import io.fabric8.kubernetes.api.model.gatewayapi.v1.GatewaySpecBuilder;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/** The Gateway that an enrollment has made for it, and what its status says. */
public final class EnrollmentGateway {
  static final String CLASS = "ambit-waypoint";
  static final String WAYPOINT_FOR = "istio.io/waypoint-for";

  /** On pods, the Gateway that they are instances of. */
  public static final String INSTANCE_OF = "gateway.networking.k8s.io/gateway-name";

  private static final int HBONE = 15008;

  private EnrollmentGateway() {}

  /** The Gateway as it is to be, with nothing of the enrollment's own labels and annotations. */
  public static Gateway of(MeshEnrollment enrollment) {
    EnrollmentWaypoint waypoint = enrollment.effectiveSpec().effectiveWaypoint();
    Map<String, String> labels = new HashMap<>(CommonLabels.of(waypoint.name()));
    labels.put(WAYPOINT_FOR, waypoint.traffic().text());
    GatewaySpecBuilder spec =
        new GatewaySpecBuilder()
            .withGatewayClassName(CLASS)
            .addNewListener()
            .withName("mesh")
            .withPort(HBONE)
            .withProtocol("HBONE")
            .withNewAllowedRoutes()
            .withNewNamespaces()
            .withFrom("Same")
            .endNamespaces()
            .endAllowedRoutes()
            .endListener();
    infrastructure(waypoint).ifPresent(spec::withInfrastructure);
    return new GatewayBuilder()
        .withNewMetadata()
        .withNamespace(enrollment.getMetadata().getNamespace())
        .withName(waypoint.name())
        .withLabels(labels)
        .withOwnerReferences(
            new OwnerReferenceBuilder()
                .withApiVersion(enrollment.getApiVersion())
                .withKind(enrollment.getKind())
                .withName(enrollment.getMetadata().getName())
                .withUid(enrollment.getMetadata().getUid())
                .withController(true)
                .build())
        .endMetadata()
        .withSpec(spec.build())
        .build();
  }

  private static Optional<GatewayInfrastructure> infrastructure(EnrollmentWaypoint waypoint) {
    WaypointSettings settings =
        new WaypointSettings(waypoint.replicas(), waypoint.autoscaling(), waypoint.resources());
    GatewayInfrastructureBuilder infrastructure = new GatewayInfrastructureBuilder();
    if (!settings.saysNothing()) {
      infrastructure.addToAnnotations(WaypointSettings.ANNOTATION, settings.text());
    }
    if (waypoint.parameters() != null) {
      infrastructure.withNewParametersRef("", "ConfigMap", waypoint.parameters());
    }
    return settings.saysNothing() && waypoint.parameters() == null
        ? Optional.empty()
        : Optional.of(infrastructure.build());
  }

  /** Whether a Gateway is the enrollment's own. */
  public static boolean isOf(MeshEnrollment enrollment, Gateway gateway) {
    return gateway.getMetadata().getOwnerReferences() != null
        && gateway.getMetadata().getOwnerReferences().stream()
            .anyMatch(owner -> enrollment.getMetadata().getUid().equals(owner.getUid()));
  }

  /** Whether a Gateway is any enrollment's own. */
  public static boolean isOfAny(Gateway gateway) {
    return gateway.getMetadata().getOwnerReferences() != null
        && gateway.getMetadata().getOwnerReferences().stream()
            .anyMatch(
                owner ->
                    HasMetadata.getKind(MeshEnrollment.class).equals(owner.getKind())
                        && HasMetadata.getApiVersion(MeshEnrollment.class)
                            .equals(owner.getApiVersion())
                        && Boolean.TRUE.equals(owner.getController()));
  }

  /**
   * Whether nothing is to be done about a Gateway: it is as the enrollment asks for it, or somebody
   * else's.
   */
  public static boolean isMade(MeshEnrollment enrollment, Gateway actual) {
    return !isOf(enrollment, actual) || isAs(actual, of(enrollment));
  }

  private static boolean isAs(Gateway actual, Gateway wanted) {
    return Objects.equals(label(actual), label(wanted))
        && Objects.equals(parameters(actual), parameters(wanted))
        && Objects.equals(settings(actual), settings(wanted));
  }

  private static @Nullable String label(Gateway gateway) {
    Map<String, String> labels = gateway.getMetadata().getLabels();
    return labels == null ? null : labels.get(WAYPOINT_FOR);
  }

  private static @Nullable String settings(Gateway gateway) {
    return gateway.getSpec().getInfrastructure() == null
            || gateway.getSpec().getInfrastructure().getAnnotations() == null
        ? null
        : gateway.getSpec().getInfrastructure().getAnnotations().get(WaypointSettings.ANNOTATION);
  }

  private static @Nullable String parameters(Gateway gateway) {
    return gateway.getSpec().getInfrastructure() == null
            || gateway.getSpec().getInfrastructure().getParametersRef() == null
        ? null
        : gateway.getSpec().getInfrastructure().getParametersRef().getName();
  }

  /**
   * How the waypoint that is asked for is.
   *
   * @param gateway null where there is none
   * @param instances what handshakes with its pods have shown
   */
  public static Wanted state(@Nullable Gateway gateway, List<Proof> instances) {
    if (gateway == null) {
      return new Wanted.Absent();
    }
    if (gateway.getMetadata().getDeletionTimestamp() != null) {
      return new Wanted.NotReady("its Gateway is being deleted");
    }
    Condition programmed =
        gateway.getStatus() == null || gateway.getStatus().getConditions() == null
            ? null
            : gateway.getStatus().getConditions().stream()
                .filter(condition -> "Programmed".equals(condition.getType()))
                .findFirst()
                .orElse(null);
    if (programmed == null) {
      return new Wanted.NotReady("no controller has looked at its Gateway yet");
    }
    boolean current =
        Objects.equals(programmed.getObservedGeneration(), gateway.getMetadata().getGeneration());
    boolean addressed =
        gateway.getStatus().getAddresses() != null && !gateway.getStatus().getAddresses().isEmpty();
    if (!"True".equals(programmed.getStatus()) || !current || !addressed) {
      return new Wanted.NotReady("its Gateway says: " + programmed.getMessage());
    }
    if (instances.stream().anyMatch(Proof::holds)) {
      return new Wanted.Ready(
          instances.stream().filter(Proof::holds).allMatch(Proof::knowsNamespace));
    }
    return new Wanted.NotReady(
        instances.isEmpty()
            ? "it has no instance in this namespace"
            : "no request has gone through an instance yet ("
                + instances.getFirst().problem()
                + ")");
  }
}
