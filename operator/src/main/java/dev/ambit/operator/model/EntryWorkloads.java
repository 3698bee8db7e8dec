package dev.ambit.operator.model;

import com.google.protobuf.ByteString;
import com.google.protobuf.UInt32Value;
import dev.ambit.protocol.workload.Address;
import dev.ambit.protocol.workload.Locality;
import dev.ambit.protocol.workload.PortList;
import dev.ambit.protocol.workload.TunnelProtocol;
import dev.ambit.protocol.workload.Workload;
import dev.ambit.protocol.workload.WorkloadStatus;
import dev.ambit.protocol.workload.WorkloadType;
import io.fabric8.istio.api.api.networking.v1alpha3.WorkloadEntry;
import io.fabric8.istio.api.networking.v1.ServiceEntry;
import io.fabric8.kubernetes.api.model.HasMetadata;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/** Workloads that are not pods: WorkloadEntries, and endpoints that a ServiceEntry itself lists. */
final class EntryWorkloads {
  private static final String GROUP = "networking.istio.io";
  private static final String WORKLOAD_NAME = "service.istio.io/workload-name";
  private static final String AUTO_REGISTRATION_GROUP = "istio.io/autoRegistrationGroup";
  private static final String UNIX_SOCKET = "unix://";

  private EntryWorkloads() {}

  /** What is known of a workload besides the object that it comes from. */
  record Facts(Map<String, PortList> services, Set<String> policies, Placement placement) {}

  static String uid(MeshSettings settings, String namespace, String name) {
    return settings.clusterId() + "/" + GROUP + "/WorkloadEntry/" + namespace + "/" + name;
  }

  static boolean known(io.fabric8.istio.api.networking.v1.WorkloadEntry entry) {
    return entry.getSpec() != null && Revision.isOurs(entry) && reachable(entry.getSpec());
  }

  private static boolean reachable(WorkloadEntry spec) {
    return spec.getAddress() != null
        && !spec.getAddress().isEmpty()
        && !spec.getAddress().startsWith(UNIX_SOCKET);
  }

  /** Labels may stand in two places; the metadata's win. */
  static Map<String, String> labels(io.fabric8.istio.api.networking.v1.WorkloadEntry entry) {
    Map<String, String> labels = new HashMap<>();
    if (entry.getSpec() != null && entry.getSpec().getLabels() != null) {
      labels.putAll(entry.getSpec().getLabels());
    }
    labels.putAll(orEmpty(entry.getMetadata().getLabels()));
    return labels;
  }

  static Map<String, String> labels(WorkloadEntry spec) {
    return orEmpty(spec.getLabels());
  }

  /** The labels of each endpoint that a ServiceEntry lists. */
  static List<Map<String, String>> endpointLabels(ServiceEntry entry) {
    return entry.getSpec() == null || entry.getSpec().getEndpoints() == null
        ? List.of()
        : entry.getSpec().getEndpoints().stream()
            .filter(Objects::nonNull)
            .map(EntryWorkloads::labels)
            .toList();
  }

  /** A WorkloadEntry. */
  static Address of(
      MeshSettings settings, io.fabric8.istio.api.networking.v1.WorkloadEntry entry, Facts facts) {
    String name = entry.getMetadata().getName();
    Map<String, String> labels = labels(entry);
    String workloadName =
        orEmpty(entry.getMetadata().getAnnotations())
            .getOrDefault(AUTO_REGISTRATION_GROUP, labels.getOrDefault(WORKLOAD_NAME, name));
    Workload.Builder workload =
        workload(settings, entry, entry.getSpec(), facts)
            .setUid(uid(settings, entry.getMetadata().getNamespace(), name))
            .setWorkloadName(workloadName)
            .setCanonicalName(PodWorkload.canonicalName(labels, workloadName))
            .setCanonicalRevision(PodWorkload.canonicalRevision(labels))
            .setStatus(unhealthy(entry) ? WorkloadStatus.UNHEALTHY : WorkloadStatus.HEALTHY);
    setTunnel(workload, labels, entry);
    return Address.newBuilder().setWorkload(workload).build();
  }

  /** The condition that a workload's own agent keeps. */
  private static boolean unhealthy(io.fabric8.istio.api.networking.v1.WorkloadEntry entry) {
    return entry.getStatus() != null
        && entry.getStatus().getConditions() != null
        && entry.getStatus().getConditions().stream()
            .anyMatch(
                condition ->
                    "Healthy".equals(condition.getType()) && "False".equals(condition.getStatus()));
  }

  /**
   * An endpoint with the services that it serves.
   *
   * @param section what tells it from the entry's others: its address
   */
  record Endpoint(String section, WorkloadEntry spec, Set<String> hosts, boolean implied) {}

  /**
   * The endpoints of a ServiceEntry.
   *
   * @param hosts those of its hosts that it answers for
   */
  static List<Endpoint> endpoints(ServiceEntry entry, Set<String> hosts) {
    List<Endpoint> endpoints = new ArrayList<>();
    if (!ServiceEntries.known(entry) || hosts.isEmpty()) {
      return endpoints;
    }
    if (ServiceEntries.hostsAreEndpoints(entry)) {
      for (String host : hosts) {
        WorkloadEntry spec = new WorkloadEntry();
        spec.setAddress(host);
        endpoints.add(new Endpoint(host, spec, Set.of(host), true));
      }
    } else if (entry.getSpec().getEndpoints() != null) {
      for (WorkloadEntry spec : entry.getSpec().getEndpoints()) {
        if (spec != null && reachable(spec)) {
          endpoints.add(new Endpoint(spec.getAddress(), spec, hosts, false));
        }
      }
    }
    return endpoints;
  }

  static String uid(MeshSettings settings, ServiceEntry entry, Endpoint endpoint) {
    return settings.clusterId()
        + "/"
        + GROUP
        + "/ServiceEntry/"
        + entry.getMetadata().getNamespace()
        + "/"
        + entry.getMetadata().getName()
        + "/"
        + endpoint.section();
  }

  /** An endpoint of a ServiceEntry; what the entry's labels say holds for each. */
  static Address of(MeshSettings settings, ServiceEntry entry, Endpoint endpoint, Facts facts) {
    String name = entry.getMetadata().getName();
    Map<String, String> labels = orEmpty(entry.getMetadata().getLabels());
    Workload.Builder workload =
        workload(settings, entry, endpoint.spec(), facts)
            .setUid(uid(settings, entry, endpoint))
            .setWorkloadName(name)
            .setCanonicalName(PodWorkload.canonicalName(labels, name))
            .setCanonicalRevision(PodWorkload.canonicalRevision(labels))
            .setStatus(WorkloadStatus.HEALTHY);
    setTunnel(workload, labels, entry);
    return Address.newBuilder().setWorkload(workload).build();
  }

  private static Workload.Builder workload(
      MeshSettings settings, HasMetadata object, WorkloadEntry spec, Facts facts) {
    Workload.Builder workload =
        Workload.newBuilder()
            .setName(object.getMetadata().getName())
            .setNamespace(object.getMetadata().getNamespace())
            .setNetwork(text(spec.getNetwork()))
            .setTrustDomain(settings.wireTrustDomain())
            .setServiceAccount(text(spec.getServiceAccount()))
            .setWorkloadType(WorkloadType.POD)
            .setClusterId(settings.clusterId())
            .putAllServices(facts.services())
            .addAllAuthorizationPolicies(facts.policies());
    Optional<ByteString> address = IpAddresses.parse(spec.getAddress());
    address.ifPresentOrElse(workload::addAddresses, () -> workload.setHostname(spec.getAddress()));
    if (spec.getWeight() != null && spec.getWeight() > 0 && spec.getWeight() < (1L << 32)) {
      workload.setCapacity(UInt32Value.of((int) spec.getWeight().longValue()));
    }
    Locality locality = locality(spec.getLocality());
    if (!locality.equals(Locality.getDefaultInstance())) {
      workload.setLocality(locality);
    }
    facts.placement().waypoint().ifPresent(workload::setWaypoint);
    facts.placement().tunnel().ifPresent(workload::setApplicationTunnel);
    return workload;
  }

  private static void setTunnel(
      Workload.Builder workload, Map<String, String> labels, HasMetadata object) {
    boolean itself = "http".equals(labels.get(PodWorkload.NATIVE_TUNNEL));
    boolean captured =
        "enabled"
            .equals(orEmpty(object.getMetadata().getAnnotations()).get(PodWorkload.REDIRECTION));
    workload
        .setTunnelProtocol(itself || captured ? TunnelProtocol.HBONE : TunnelProtocol.NONE)
        .setNativeTunnel(itself);
  }

  /** "region/zone/subzone", each but the first left out at will. */
  private static Locality locality(@Nullable String text) {
    String[] parts = text(text).split("/", 3);
    return Locality.newBuilder()
        .setRegion(parts[0])
        .setZone(parts.length > 1 ? parts[1] : "")
        .setSubzone(parts.length > 2 ? parts[2] : "")
        .build();
  }

  private static Map<String, String> orEmpty(@Nullable Map<String, String> map) {
    return map == null ? Map.of() : map;
  }

  private static String text(@Nullable String value) {
    return value == null ? "" : value;
  }
}
