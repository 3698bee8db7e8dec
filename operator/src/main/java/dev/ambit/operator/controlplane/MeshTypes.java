package dev.ambit.operator.controlplane;

import dev.ambit.operator.xds.XdsResource;
import dev.ambit.operator.xds.XdsType;
import dev.ambit.protocol.security.Authorization;
import dev.ambit.protocol.workload.Address;
import dev.ambit.protocol.workload.NetworkMode;
import dev.ambit.protocol.workload.Service;
import dev.ambit.protocol.workload.Workload;
import java.net.InetAddress;
import java.net.UnknownHostException;
import java.util.HashSet;
import java.util.List;
import java.util.Set;

/** The resource types that ztunnels live on. */
final class MeshTypes {
  static final XdsType AUTHORIZATION = XdsType.of("istio.security.Authorization", false);

  /** Workloads and services; workloads refer to authorizations. */
  static final XdsType ADDRESS = XdsType.of("istio.workload.Address", true);

  static final List<XdsType> ALL = List.of(AUTHORIZATION, ADDRESS);

  /** The realm of those that are told all of it. */
  static final String NODES = "nodes";

  private MeshTypes() {}

  static XdsResource resource(String name, Authorization authorization) {
    return XdsResource.of(name, AUTHORIZATION, authorization, Set.of());
  }

  static XdsResource resource(String name, Address address) {
    return XdsResource.of(
        name,
        ADDRESS,
        address,
        switch (address.getTypeCase()) {
          case WORKLOAD -> keys(address.getWorkload());
          case SERVICE -> keys(address.getService());
          case TYPE_NOT_SET -> Set.of();
        });
  }

  /** "network/address", and each service, since who asks for a service needs its endpoints. */
  private static Set<String> keys(Workload workload) {
    Set<String> keys = new HashSet<>(workload.getServicesMap().keySet());
    if (workload.getNetworkMode() != NetworkMode.HOST_NETWORK) {
      workload
          .getAddressesList()
          .forEach(address -> keys.add(workload.getNetwork() + "/" + text(address.toByteArray())));
    }
    return keys;
  }

  private static Set<String> keys(Service service) {
    Set<String> keys = new HashSet<>();
    service
        .getAddressesList()
        .forEach(
            address ->
                keys.add(address.getNetwork() + "/" + text(address.getAddress().toByteArray())));
    return keys;
  }

  private static String text(byte[] address) {
    try {
      return InetAddress.getByAddress(address).getHostAddress();
    } catch (UnknownHostException e) {
      throw new IllegalArgumentException("an address has 4 or 16 bytes, not " + address.length, e);
    }
  }
}
