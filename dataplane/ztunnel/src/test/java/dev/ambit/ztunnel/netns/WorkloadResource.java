package dev.ambit.ztunnel.netns;

import com.google.protobuf.ByteString;
import dev.ambit.protocol.workload.Address;
import dev.ambit.protocol.workload.Port;
import dev.ambit.protocol.workload.PortList;
import dev.ambit.protocol.workload.Service;
import dev.ambit.protocol.workload.TunnelProtocol;
import dev.ambit.protocol.workload.Workload;
import dev.ambit.protocol.workload.WorkloadStatus;
import java.util.Map;
import java.util.function.UnaryOperator;

/** A pod as xDS announces it. */
record WorkloadResource(Workload workload) {
  /** A pod that the mesh has captured. */
  static WorkloadResource captured(Pod pod) {
    return of(pod, TunnelProtocol.HBONE);
  }

  /** A pod that is known but outside the mesh. */
  static WorkloadResource plain(Pod pod) {
    return of(pod, TunnelProtocol.NONE);
  }

  private static WorkloadResource of(Pod pod, TunnelProtocol protocol) {
    return new WorkloadResource(
        Workload.newBuilder()
            .setUid(pod.workloadUid())
            .setName(pod.name())
            .setNamespace(pod.namespace())
            .setServiceAccount(pod.serviceAccount())
            .addAddresses(ByteString.copyFrom(pod.ipv4().getAddress()))
            .addAddresses(ByteString.copyFrom(pod.ipv6().getAddress()))
            .setTunnelProtocol(protocol)
            .setNode(pod.node().name())
            .setCanonicalName(pod.name())
            .setCanonicalRevision("latest")
            .setWorkloadName(pod.name())
            .setClusterId("Kubernetes")
            .build());
  }

  /** The same, selected by policies that are named {@code namespace/name}. */
  WorkloadResource selectedBy(String... policies) {
    return new WorkloadResource(
        workload.toBuilder().addAllAuthorizationPolicies(java.util.List.of(policies)).build());
  }

  WorkloadResource inTrustDomain(String trustDomain) {
    return new WorkloadResource(workload.toBuilder().setTrustDomain(trustDomain).build());
  }

  WorkloadResource withServiceAccount(String serviceAccount) {
    return new WorkloadResource(workload.toBuilder().setServiceAccount(serviceAccount).build());
  }

  /** The same, as an endpoint of {@code service}, whose port leads to {@code targetPort}. */
  WorkloadResource endpointOf(ServiceResource service, int targetPort) {
    var port = Port.newBuilder().setServicePort(service.port()).setTargetPort(targetPort).build();
    var ports = PortList.newBuilder().addPorts(port).addDatagramPorts(port).build();
    return new WorkloadResource(
        workload.toBuilder().putAllServices(Map.of(service.key(), ports)).build());
  }

  /** The same, as an endpoint of one more service that has datagrams too. */
  WorkloadResource alsoEndpointOf(ServiceResource service, int targetPort) {
    var port = Port.newBuilder().setServicePort(service.port()).setTargetPort(targetPort).build();
    var ports = PortList.newBuilder().addPorts(port).addDatagramPorts(port).build();
    return with(builder -> builder.putServices(service.key(), ports));
  }

  /** The same, changed. */
  WorkloadResource with(UnaryOperator<Workload.Builder> change) {
    return new WorkloadResource(change.apply(workload.toBuilder()).build());
  }

  /** The same, as an endpoint of one more service, whose port leads to {@code targetPort}. */
  WorkloadResource behind(Service.Builder service, int port, int targetPort) {
    var ports =
        PortList.newBuilder()
            .addPorts(Port.newBuilder().setServicePort(port).setTargetPort(targetPort))
            .build();
    return with(
        builder ->
            builder.putServices(service.getNamespace() + "/" + service.getHostname(), ports));
  }

  /** The same, as one of many pods of the workload {@code name}. */
  WorkloadResource ofWorkload(String name) {
    return new WorkloadResource(
        workload.toBuilder().setWorkloadName(name).setCanonicalName(name).build());
  }

  WorkloadResource ofRevision(String revision) {
    return new WorkloadResource(workload.toBuilder().setCanonicalRevision(revision).build());
  }

  /** The same, which is to get no new connections through services. */
  WorkloadResource unhealthy() {
    return new WorkloadResource(workload.toBuilder().setStatus(WorkloadStatus.UNHEALTHY).build());
  }

  String uid() {
    return workload.getUid();
  }

  Address address() {
    return Address.newBuilder().setWorkload(workload).build();
  }
}
