package dev.ambit.operator.model;

import com.google.protobuf.ByteString;
import dev.ambit.protocol.workload.Address;
import dev.ambit.protocol.workload.Locality;
import dev.ambit.protocol.workload.NetworkMode;
import dev.ambit.protocol.workload.PortList;
import dev.ambit.protocol.workload.TunnelProtocol;
import dev.ambit.protocol.workload.Workload;
import dev.ambit.protocol.workload.WorkloadStatus;
import io.fabric8.kubernetes.api.model.Pod;
import io.fabric8.kubernetes.api.model.PodIP;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/** A pod as the workload API has it. */
final class PodWorkload {
  /**
   * What the node agent writes once a pod is captured and the ztunnel serves it; only "enabled"
   * means HBONE.
   */
  static final String REDIRECTION = "ambient.istio.io/redirection";

  /** A pod that terminates HBONE itself carries this label with the value "http". */
  static final String NATIVE_TUNNEL = "networking.istio.io/tunnel";

  private PodWorkload() {}

  static String uid(MeshSettings settings, String namespace, String name) {
    return settings.clusterId() + "//Pod/" + namespace + "/" + name;
  }

  /** Whether it runs or is about to, and has an address. */
  static boolean known(Pod pod) {
    return pod.getSpec() != null
        && pod.getStatus() != null
        && !"Succeeded".equals(pod.getStatus().getPhase())
        && !"Failed".equals(pod.getStatus().getPhase())
        && !addresses(pod).isEmpty();
  }

  /** The same, with its UDP left as it is. */
  static Address withoutDatagrams(Address address) {
    Address.Builder changed = address.toBuilder();
    changed.getWorkloadBuilder().setDatagrams(false).setDatagramsLeftAlone(true);
    return changed.build();
  }

  /**
   * Translates.
   *
   * @param services the ports it offers, by the service's resource name
   * @param policies names of the policies that select it
   */
  static Optional<Address> of(
      MeshSettings settings,
      Pod pod,
      Map<String, PortList> services,
      Set<String> policies,
      Locality locality,
      Placement placement) {
    if (!known(pod)) {
      return Optional.empty();
    }
    String name = pod.getMetadata().getName();
    String namespace = pod.getMetadata().getNamespace();
    Map<String, String> labels = orEmpty(pod.getMetadata().getLabels());
    WorkloadOwner owner = WorkloadOwner.of(pod);
    boolean nativeTunnel = "http".equals(labels.get(NATIVE_TUNNEL));
    boolean captured =
        "enabled".equals(orEmpty(pod.getMetadata().getAnnotations()).get(REDIRECTION));
    Workload.Builder workload =
        Workload.newBuilder()
            .setUid(uid(settings, namespace, name))
            .setName(name)
            .setNamespace(namespace)
            .addAllAddresses(addresses(pod))
            .setTunnelProtocol(
                captured || nativeTunnel ? TunnelProtocol.HBONE : TunnelProtocol.NONE)
            .setNativeTunnel(nativeTunnel)
            .setDatagrams(captured && settings.datagrams())
            .setTrustDomain(settings.wireTrustDomain())
            .setServiceAccount(text(pod.getSpec().getServiceAccountName()))
            .setNode(text(pod.getSpec().getNodeName()))
            .setWorkloadType(owner.type())
            .setWorkloadName(owner.name())
            .setCanonicalName(canonicalName(labels, owner.name()))
            .setCanonicalRevision(canonicalRevision(labels))
            .setClusterId(settings.clusterId())
            .setStatus(healthy(pod) ? WorkloadStatus.HEALTHY : WorkloadStatus.UNHEALTHY)
            .putAllServices(services)
            .addAllAuthorizationPolicies(policies);
    placement.waypoint().ifPresent(workload::setWaypoint);
    placement.tunnel().ifPresent(workload::setApplicationTunnel);
    if (Boolean.TRUE.equals(pod.getSpec().getHostNetwork())) {
      workload.setNetworkMode(NetworkMode.HOST_NETWORK);
    }
    if (!locality.equals(Locality.getDefaultInstance())) {
      workload.setLocality(locality);
    }
    return Optional.of(Address.newBuilder().setWorkload(workload).build());
  }

  private static Set<ByteString> addresses(Pod pod) {
    Set<ByteString> addresses = new LinkedHashSet<>();
    List<PodIP> ips = pod.getStatus().getPodIPs();
    if (ips != null) {
      ips.forEach(ip -> IpAddresses.parse(ip.getIp()).ifPresent(addresses::add));
    }
    if (addresses.isEmpty()) {
      IpAddresses.parse(pod.getStatus().getPodIP()).ifPresent(addresses::add);
    }
    return addresses;
  }

  private static boolean healthy(Pod pod) {
    return pod.getMetadata().getDeletionTimestamp() == null
        && pod.getStatus().getConditions() != null
        && pod.getStatus().getConditions().stream()
            .anyMatch(
                condition ->
                    "Ready".equals(condition.getType()) && "True".equals(condition.getStatus()));
  }

  static String canonicalName(Map<String, String> labels, String workload) {
    return first(
        labels, workload, "service.istio.io/canonical-name", "app.kubernetes.io/name", "app");
  }

  static String canonicalRevision(Map<String, String> labels) {
    return first(
        labels,
        "latest",
        "service.istio.io/canonical-revision",
        "app.kubernetes.io/version",
        "version");
  }

  private static String first(Map<String, String> labels, String otherwise, String... keys) {
    for (String key : keys) {
      String value = labels.get(key);
      if (value != null && !value.isEmpty()) {
        return value;
      }
    }
    return otherwise;
  }

  private static Map<String, String> orEmpty(@Nullable Map<String, String> map) {
    return map == null ? Map.of() : map;
  }

  private static String text(@Nullable String value) {
    return value == null ? "" : value;
  }
}
