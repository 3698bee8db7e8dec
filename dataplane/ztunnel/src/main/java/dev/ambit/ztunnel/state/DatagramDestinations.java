package dev.ambit.ztunnel.state;

import java.net.InetAddress;
import java.util.HashSet;
import java.util.Set;
import java.util.function.Predicate;

/**
 * The addresses to which datagrams are the mesh's business: of captured workloads to which UDP is
 * carried, or to which it must not go plain, and of services that have a UDP port and such an
 * endpoint.
 */
public final class DatagramDestinations {
  private DatagramDestinations() {}

  /**
   * @param network of this node
   * @param guarded whether policies speak for a workload, which might refuse plain datagrams
   */
  public static Set<InetAddress> of(
      MeshStore store, String network, Predicate<MeshWorkload> guarded) {
    Predicate<MeshWorkload> ours =
        workload ->
            workload.tunnelProtocol() == TunnelProtocol.HBONE
                && !workload.datagramsLeftAlone()
                && (workload.datagrams() || guarded.test(workload));
    Set<InetAddress> addresses = new HashSet<>();
    for (MeshWorkload workload : store.workloads()) {
      if (!workload.hostNetwork() && workload.network().equals(network) && ours.test(workload)) {
        addresses.addAll(workload.addresses());
      }
    }
    for (MeshService service : store.services()) {
      ServiceEntry entry = store.entry(service.key());
      if (entry != null && service.hasDatagrams() && hasEndpoint(entry, ours)) {
        for (VirtualAddress address : service.addresses()) {
          if (address.isSingle() && address.address().network().equals(network)) {
            addresses.add(address.address().address());
          }
        }
      }
    }
    return addresses;
  }

  private static boolean hasEndpoint(ServiceEntry entry, Predicate<MeshWorkload> ours) {
    for (ServiceEntry.ServiceEndpoint endpoint : entry.endpoints()) {
      if (ours.test(endpoint.workload())) {
        return true;
      }
    }
    return false;
  }
}
