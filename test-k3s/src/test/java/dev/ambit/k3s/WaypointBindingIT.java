package dev.ambit.k3s;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import io.fabric8.kubernetes.api.model.Condition;
import io.fabric8.kubernetes.api.model.Service;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;

/** Which waypoint serves what, and what the bound objects say about it. */
@ExtendWith(ClusterExtension.class)
class WaypointBindingIT {
  private static final String NAMESPACE = "binding";
  private static final String ELSEWHERE = "binding-waypoints";

  private static InstalledAmbit ambit;
  private static Sample sample;
  private static Waypoint own;
  private static Waypoint shared;
  private static String serverAddress;

  @BeforeAll
  static void bind(TwoNodeCluster cluster) {
    ambit = InstalledAmbit.on(cluster);
    sample = new Sample(ambit.client());
    sample.namespace(NAMESPACE, Map.of());
    sample.namespace(ELSEWHERE, Map.of());
    serverAddress = sample.version(NAMESPACE, "server", "v1", ambit.node(1)).getStatus().getPodIP();
    sample.client(NAMESPACE, "client", ambit.node(0));
    ambit.enroll(sample, NAMESPACE, 2);
    own = new Waypoint(ambit, sample, NAMESPACE, "own");
    shared = new Waypoint(ambit, sample, ELSEWHERE, "shared");
    own.apply("Same", "");
    shared.apply("All", "");
    own.awaitProgrammed();
    shared.awaitProgrammed();
  }

  private static void label(String service, String key, String value) {
    sample.label(ambit.client().services().inNamespace(NAMESPACE).withName(service), key, value);
  }

  private static void awaitPassed(String address, Waypoint waypoint, boolean passed) {
    await("requests to " + address + (passed ? " pass " : " do not pass ") + waypoint.name())
        .atMost(InstalledAmbit.SOON)
        .untilAsserted(
            () -> {
              var answer = sample.request(NAMESPACE, "client", address, 8080, "x");
              assertThat(answer.succeeded()).as("%s", answer).isTrue();
              assertThat(waypoint.passed(answer)).as("%s", answer).isEqualTo(passed);
            });
  }

  private static void awaitBound(String service, String status, String reason) {
    await("condition of service " + service)
        .atMost(InstalledAmbit.SOON)
        .untilAsserted(
            () ->
                assertThat(conditions(service))
                    .filteredOn(condition -> condition.getType().equals("istio.io/WaypointBound"))
                    .singleElement()
                    .satisfies(
                        condition -> {
                          assertThat(condition.getStatus()).isEqualTo(status);
                          assertThat(condition.getReason()).isEqualTo(reason);
                        }));
  }

  private static List<Condition> conditions(String service) {
    Service object = ambit.client().services().inNamespace(NAMESPACE).withName(service).require();
    return object.getStatus().getConditions();
  }

  @Test
  void a_namespaces_label_binds_its_services_and_a_services_own_label_wins() {
    sample.label(NAMESPACE, Waypoint.USE, "own");
    try {
      awaitPassed("server.binding.svc.cluster.local", own, true);
      awaitBound("server", "True", "WaypointAccepted");

      label("server-v1", "istio.io/use-waypoint-namespace", ELSEWHERE);
      label("server-v1", Waypoint.USE, "shared");
      awaitPassed("server-v1.binding.svc.cluster.local", shared, true);
      awaitPassed("server.binding.svc.cluster.local", own, true);

      label("server-v1", Waypoint.USE, "none");
      awaitPassed("server-v1.binding.svc.cluster.local", shared, false);
      awaitPassed("server-v1.binding.svc.cluster.local", own, false);
    } finally {
      label("server-v1", Waypoint.USE, "");
      label("server-v1", "istio.io/use-waypoint-namespace", "");
      sample.label(NAMESPACE, Waypoint.USE, "");
    }
    awaitPassed("server.binding.svc.cluster.local", own, false);
  }

  @Test
  void a_waypoint_that_does_not_take_the_namespace_is_refused_with_the_reason() {
    sample.apply(
        """
        apiVersion: gateway.networking.k8s.io/v1
        kind: Gateway
        metadata: {namespace: binding-waypoints, name: private}
        spec:
          gatewayClassName: ambit-waypoint
          listeners: [{name: mesh, port: 15008, protocol: HBONE}]
        """);
    label("server-v1", "istio.io/use-waypoint-namespace", ELSEWHERE);
    label("server-v1", Waypoint.USE, "private");
    try {
      awaitBound("server-v1", "False", "AttachmentDenied");
      await("requests refused")
          .atMost(InstalledAmbit.SOON)
          .until(
              () ->
                  !sample
                      .request(
                          NAMESPACE, "client", "server-v1.binding.svc.cluster.local", 8080, "x")
                      .succeeded());
    } finally {
      label("server-v1", Waypoint.USE, "");
      label("server-v1", "istio.io/use-waypoint-namespace", "");
      new Waypoint(ambit, sample, ELSEWHERE, "private").delete();
    }
    awaitPassed("server-v1.binding.svc.cluster.local", own, false);
  }

  @Test
  void a_pods_own_label_binds_what_is_sent_to_the_pod_where_the_waypoint_is_for_workloads() {
    var workloads = new Waypoint(ambit, sample, NAMESPACE, "workloads");
    sample.apply(
        """
        apiVersion: gateway.networking.k8s.io/v1
        kind: Gateway
        metadata:
          namespace: binding
          name: workloads
          labels: {istio.io/waypoint-for: workload}
        spec:
          gatewayClassName: ambit-waypoint
          listeners: [{name: mesh, port: 15008, protocol: HBONE}]
        """);
    workloads.awaitProgrammed();
    var pod = ambit.client().pods().inNamespace(NAMESPACE).withName("server-v1");
    sample.label(pod, Waypoint.USE, "workloads");
    awaitPassed(serverAddress, workloads, true);
    awaitPassed("server.binding.svc.cluster.local", workloads, false);
    sample.label(pod, Waypoint.USE, "");
    awaitPassed(serverAddress, workloads, false);
    workloads.delete();
  }
}
