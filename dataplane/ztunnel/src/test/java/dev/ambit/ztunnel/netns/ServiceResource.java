package dev.ambit.ztunnel.netns;

import com.google.protobuf.ByteString;
import dev.ambit.protocol.workload.Address;
import dev.ambit.protocol.workload.IPFamilies;
import dev.ambit.protocol.workload.NetworkAddress;
import dev.ambit.protocol.workload.Port;
import dev.ambit.protocol.workload.Service;
import java.net.Inet6Address;
import java.net.InetSocketAddress;

/** A service as xDS announces it: a virtual address, and one port. */
record ServiceResource(String namespace, String name, InetSocketAddress address4, int targetPort) {
  String hostname() {
    return name + "." + namespace + ".svc.cluster.local";
  }

  String key() {
    return namespace + "/" + hostname();
  }

  int port() {
    return address4.getPort();
  }

  Address address() {
    return Address.newBuilder()
        .setService(
            Service.newBuilder()
                .setName(name)
                .setNamespace(namespace)
                .setHostname(hostname())
                .setIpFamilies(
                    address4.getAddress() instanceof Inet6Address
                        ? IPFamilies.IPV6_ONLY
                        : IPFamilies.IPV4_ONLY)
                .addAddresses(
                    NetworkAddress.newBuilder()
                        .setAddress(ByteString.copyFrom(address4.getAddress().getAddress())))
                .addDatagramPorts(
                    Port.newBuilder().setServicePort(port()).setTargetPort(targetPort))
                .addPorts(Port.newBuilder().setServicePort(port()).setTargetPort(targetPort)))
        .build();
  }
}
