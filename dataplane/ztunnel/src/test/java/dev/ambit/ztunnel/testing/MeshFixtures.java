package dev.ambit.ztunnel.testing;

import com.google.protobuf.ByteString;
import dev.ambit.protocol.workload.GatewayAddress;
import dev.ambit.protocol.workload.NamespacedHostname;
import dev.ambit.protocol.workload.NetworkAddress;
import dev.ambit.protocol.workload.Port;
import dev.ambit.protocol.workload.PortList;
import dev.ambit.protocol.workload.Service;
import dev.ambit.protocol.workload.TunnelProtocol;
import dev.ambit.protocol.workload.Workload;
import java.net.InetAddress;
import java.net.InetSocketAddress;

/** Workloads and services for tests, in the control plane's form. */
public final class MeshFixtures {
  private MeshFixtures() {}

  /** A pod in the mesh, of the service account that has its name. */
  public static Workload.Builder pod(String namespace, String name, String... addresses) {
    Workload.Builder pod =
        Workload.newBuilder()
            .setUid("Kubernetes//Pod/" + namespace + "/" + name)
            .setName(name)
            .setNamespace(namespace)
            .setServiceAccount(name)
            .setCanonicalName(name)
            .setCanonicalRevision("v1")
            .setWorkloadName(name)
            .setNode("node-1")
            .setTunnelProtocol(TunnelProtocol.HBONE);
    for (String address : addresses) {
      pod.addAddresses(bytes(address));
    }
    return pod;
  }

  /** A service {@code name.namespace.svc.cluster.local}, port 80 to 8080. */
  public static Service.Builder service(String namespace, String name, String... addresses) {
    Service.Builder service =
        Service.newBuilder()
            .setName(name)
            .setNamespace(namespace)
            .setHostname(hostname(namespace, name))
            .addPorts(port(80, 8080));
    for (String address : addresses) {
      service.addAddresses(NetworkAddress.newBuilder().setAddress(bytes(address)));
    }
    return service;
  }

  public static String hostname(String namespace, String name) {
    return name + "." + namespace + ".svc.cluster.local";
  }

  public static String key(String namespace, String name) {
    return namespace + "/" + hostname(namespace, name);
  }

  public static Port.Builder port(int service, int target) {
    return Port.newBuilder().setServicePort(service).setTargetPort(target);
  }

  public static PortList ports(int service, int target) {
    return PortList.newBuilder().addPorts(port(service, target)).build();
  }

  /** A waypoint that is the service {@code name} of {@code namespace}. */
  public static GatewayAddress waypoint(String namespace, String name) {
    return GatewayAddress.newBuilder()
        .setHostname(
            NamespacedHostname.newBuilder()
                .setNamespace(namespace)
                .setHostname(hostname(namespace, name)))
        .setHboneMtlsPort(15008)
        .build();
  }

  public static ByteString bytes(String address) {
    return ByteString.copyFrom(InetAddress.ofLiteral(address).getAddress());
  }

  public static InetAddress ip(String address) {
    return InetAddress.ofLiteral(address);
  }

  public static InetSocketAddress socket(String address, int port) {
    return new InetSocketAddress(ip(address), port);
  }
}
