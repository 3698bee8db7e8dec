package dev.ambit.operator.enrollment;

import dev.ambit.api.Conditions;
import dev.ambit.api.MeshEnrollment;
import dev.ambit.api.MeshEnrollmentStatus;
import dev.ambit.api.Phase;
import dev.ambit.api.Stage;
import dev.ambit.operator.CommonLabels;
import dev.ambit.operator.FieldManager;
import dev.ambit.operator.enrollment.model.EnrollmentGateway;
import dev.ambit.operator.enrollment.model.Proof;
import dev.ambit.operator.enrollment.model.WaypointState;
import io.fabric8.kubernetes.api.model.gatewayapi.v1.Gateway;
import io.fabric8.kubernetes.client.KubernetesClient;
import io.fabric8.kubernetes.client.KubernetesClientException;
import java.net.HttpURLConnection;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Reads, makes and takes away the Gateways of enrollments. */
public final class EnrollmentWaypoints {
  private static final Logger LOG = LoggerFactory.getLogger(EnrollmentWaypoints.class);

  /** Where many pods come and go, the enrollment is looked at with each. */
  private static final Duration KNOWN_FOR = Duration.ofSeconds(1);

  private final Map<String, Known> known = new ConcurrentHashMap<>();

  private record Known(Instant at, List<Gateway> gateways) {}

  /** Whether an enrollment has anything to do with waypoints, so that it is worth to look. */
  static boolean concern(MeshEnrollment enrollment, MeshEnrollmentStatus before) {
    return !enrollment.isMirror()
        && (enrollment.effectiveSpec().stage() == Stage.L7
            || before.waypoint() != null
            || before.phase() == Phase.UNBINDING_WAYPOINT
            || Conditions.find(before.conditions(), Conditions.WAYPOINT_READY).isPresent());
  }

  /**
   * Reads them.
   *
   * @param instances what handshakes with the pods of the waypoint that is asked for have shown
   */
  WaypointState read(
      KubernetesClient client,
      MeshEnrollment enrollment,
      MeshEnrollmentStatus before,
      List<Proof> instances,
      Instant now) {
    String namespace = enrollment.getMetadata().getNamespace();
    boolean asked = enrollment.effectiveSpec().stage() == Stage.L7;
    String wanted = asked ? enrollment.effectiveSpec().effectiveWaypoint().name() : "";
    String bound =
        before.inForce() == null || before.inForce().waypoint() == null
            ? ""
            : before.inForce().waypoint();
    List<Gateway> gateways = gateways(client, namespace, now);
    Gateway gateway =
        gateways.stream()
            .filter(each -> each.getMetadata().getName().equals(wanted))
            .findFirst()
            .orElse(null);
    List<String> leftovers =
        gateways.stream()
            .filter(each -> EnrollmentGateway.isOf(enrollment, each))
            .map(each -> each.getMetadata().getName())
            .filter(name -> !name.equals(wanted) && !name.equals(bound))
            .toList();
    return new WaypointState(
        EnrollmentGateway.state(gateway, instances),
        gateway != null && EnrollmentGateway.isMade(enrollment, gateway),
        leftovers);
  }

  private List<Gateway> gateways(KubernetesClient client, String namespace, Instant now) {
    known.values().removeIf(each -> !now.isBefore(each.at().plus(KNOWN_FOR)));
    Known recent = known.get(namespace);
    if (recent != null) {
      return recent.gateways();
    }
    List<Gateway> gateways = list(client, namespace);
    known.put(namespace, new Known(now, gateways));
    return gateways;
  }

  private static List<Gateway> list(KubernetesClient client, String namespace) {
    try {
      return client.resources(Gateway.class).inNamespace(namespace).list().getItems();
    } catch (KubernetesClientException e) {
      if (e.getCode() == HttpURLConnection.HTTP_NOT_FOUND) {
        return List.of();
      }
      throw e;
    }
  }

  /** Makes the Gateway that is asked for, unless somebody else's is there. */
  void make(KubernetesClient client, MeshEnrollment enrollment) {
    Gateway wanted = EnrollmentGateway.of(enrollment);
    Gateway actual =
        client
            .resources(Gateway.class)
            .inNamespace(wanted.getMetadata().getNamespace())
            .withName(wanted.getMetadata().getName())
            .get();
    known.remove(wanted.getMetadata().getNamespace());
    if (actual != null && EnrollmentGateway.isMade(enrollment, actual)) {
      return;
    }
    FieldManager.apply(client, wanted);
    LOG.atInfo()
        .addKeyValue("namespace", wanted.getMetadata().getNamespace())
        .addKeyValue("name", wanted.getMetadata().getName())
        .log("applied the Gateway of an enrollment");
  }

  /** Takes away Gateways that the enrollment made. */
  void remove(KubernetesClient client, String namespace, List<String> names) {
    names.forEach(name -> remove(client, namespace, name));
    known.remove(namespace);
  }

  private static void remove(KubernetesClient client, String namespace, String name) {
    client.resources(Gateway.class).inNamespace(namespace).withName(name).delete();
    LOG.atInfo()
        .addKeyValue("namespace", namespace)
        .addKeyValue("name", name)
        .log("deleted the Gateway of an enrollment");
  }

  /** Takes away those of all enrollments. */
  public static void removeAll(KubernetesClient client) {
    List<Gateway> gateways;
    try {
      gateways =
          client
              .resources(Gateway.class)
              .inAnyNamespace()
              .withLabel(CommonLabels.MANAGED_BY, CommonLabels.AMBIT)
              .list()
              .getItems();
    } catch (KubernetesClientException e) {
      if (e.getCode() == HttpURLConnection.HTTP_NOT_FOUND) {
        return;
      }
      throw e;
    }
    gateways.stream()
        .filter(EnrollmentGateway::isOfAny)
        .forEach(
            gateway ->
                remove(
                    client, gateway.getMetadata().getNamespace(), gateway.getMetadata().getName()));
  }
}
