package dev.ambit.operator.model;

import com.google.protobuf.ByteString;
import dev.ambit.protocol.workload.Address;
import dev.ambit.protocol.workload.Locality;
import dev.ambit.protocol.workload.NetworkMode;
import dev.ambit.protocol.workload.PortList;
import dev.ambit.protocol.workload.TunnelProtocol;
import dev.ambit.protocol.workload.Workload;
import dev.ambit.protocol.workload.WorkloadStatus;
import dev.ambit.protocol.workload.WorkloadType;
import io.fabric8.kubernetes.api.model.ObjectReference;
import io.fabric8.kubernetes.api.model.Service;
import io.fabric8.kubernetes.api.model.discovery.v1.Endpoint;
import io.fabric8.kubernetes.api.model.discovery.v1.EndpointSlice;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;

/**
 * Endpoints of services that are not pods, such as the API server's, as the workload API has them:
 * without identity, and never looked up by address, since whose address it is nobody here knows.
 */
final class EndpointSliceWorkloads {
  private static final String SERVICE_NAME = "kubernetes.io/service-name";

  private EndpointSliceWorkloads() {}

  /** The Service that a slice belongs to, in its namespace. */
  static Optional<String> serviceName(EndpointSlice slice) {
    Map<String, String> labels = slice.getMetadata().getLabels();
    return labels == null ? Optional.empty() : Optional.ofNullable(labels.get(SERVICE_NAME));
  }

  /** Names of the pods, of the slice's namespace, that are endpoints of it. */
  static Set<String> pods(EndpointSlice slice) {
    Set<String> pods = new LinkedHashSet<>();
    for (Endpoint endpoint : endpoints(slice)) {
      if (isPod(endpoint.getTargetRef()) && endpoint.getTargetRef().getName() != null) {
        pods.add(endpoint.getTargetRef().getName());
      }
    }
    return pods;
  }

  /** The nodes that endpoints which are no pods say they are on. */
  static Set<String> nodes(EndpointSlice slice) {
    Set<String> nodes = new LinkedHashSet<>();
    for (Endpoint endpoint : endpoints(slice)) {
      if (!isPod(endpoint.getTargetRef()) && endpoint.getNodeName() != null) {
        nodes.add(endpoint.getNodeName());
      }
    }
    return nodes;
  }

  /** Translates the endpoints that are no pods, by UID. */
  static Map<String, Address> of(
      MeshSettings settings,
      EndpointSlice slice,
      @Nullable Service service,
      Function<String, Locality> localities) {
    Map<String, Address> workloads = new LinkedHashMap<>();
    if (service == null || !ServiceAddress.known(service)) {
      return workloads;
    }
    PortList ports = ServicePorts.onSlice(service, slice);
    for (Endpoint endpoint : endpoints(slice)) {
      if (isPod(endpoint.getTargetRef()) || endpoint.getAddresses() == null) {
        continue;
      }
      // By the API's own words all addresses of an endpoint are interchangeable, and only the first
      // is to be used.
      endpoint.getAddresses().stream()
          .findFirst()
          .flatMap(IpAddresses::parse)
          .map(address -> workload(settings, slice, service, ports, endpoint, address, localities))
          .ifPresent(
              workload ->
                  workloads.put(
                      workload.getUid(), Address.newBuilder().setWorkload(workload).build()));
    }
    return workloads;
  }

  private static Workload workload(
      MeshSettings settings,
      EndpointSlice slice,
      Service service,
      PortList ports,
      Endpoint endpoint,
      ByteString address,
      Function<String, Locality> localities) {
    String namespace = slice.getMetadata().getNamespace();
    String name = slice.getMetadata().getName();
    Workload.Builder workload =
        Workload.newBuilder()
            .setUid(
                settings.clusterId()
                    + "/discovery.k8s.io/EndpointSlice/"
                    + namespace
                    + "/"
                    + name
                    + "/"
                    + IpAddresses.text(address))
            .setName(name)
            .setNamespace(namespace)
            .addAddresses(address)
            .setTunnelProtocol(TunnelProtocol.NONE)
            .setTrustDomain(settings.wireTrustDomain())
            .setNetworkMode(NetworkMode.HOST_NETWORK)
            .setWorkloadType(WorkloadType.POD)
            .setWorkloadName(name)
            .setCanonicalName(service.getMetadata().getName())
            .setCanonicalRevision("latest")
            .setClusterId(settings.clusterId())
            .setStatus(ready(endpoint) ? WorkloadStatus.HEALTHY : WorkloadStatus.UNHEALTHY)
            .putServices(settings.serviceName(namespace, service.getMetadata().getName()), ports);
    if (endpoint.getNodeName() != null) {
      workload.setNode(endpoint.getNodeName());
      Locality locality = localities.apply(endpoint.getNodeName());
      if (!locality.equals(Locality.getDefaultInstance())) {
        workload.setLocality(locality);
      }
    }
    return workload.build();
  }

  /** Unknown counts as ready, as the API asks. */
  private static boolean ready(Endpoint endpoint) {
    return endpoint.getConditions() == null
        || !Boolean.FALSE.equals(endpoint.getConditions().getReady());
  }

  private static boolean isPod(@Nullable ObjectReference target) {
    return target != null && "Pod".equals(target.getKind());
  }

  private static List<Endpoint> endpoints(EndpointSlice slice) {
    return "FQDN".equals(slice.getAddressType()) || slice.getEndpoints() == null
        ? List.of()
        : slice.getEndpoints();
  }
}
