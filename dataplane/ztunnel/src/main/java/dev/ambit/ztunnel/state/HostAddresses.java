package dev.ambit.ztunnel.state;

import dev.ambit.ztunnel.state.ServiceEntry.ServiceEndpoint;
import java.net.Inet4Address;
import java.net.InetAddress;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import org.jspecify.annotations.Nullable;

/** The addresses that names of the mesh's services stand for, as DNS tells them. */
public final class HostAddresses {
  private final MeshStore store;
  private final String network;
  private final String serviceSuffix;

  /**
   * @param network the network of this node; empty is the default one
   * @param clusterDomain such as {@code cluster.local}: below it a service without virtual address
   *     is a headless one of Kubernetes
   */
  public HostAddresses(MeshStore store, String network, String clusterDomain) {
    this.store = store;
    this.network = network;
    this.serviceSuffix = ".svc." + clusterDomain.toLowerCase(Locale.ROOT);
  }

  /**
   * What a name stands for; either list may be empty, and not both.
   *
   * @param ipv4 the IPv4 addresses
   * @param ipv6 the IPv6 addresses
   */
  public record Known(List<InetAddress> ipv4, List<InetAddress> ipv6) {
    public Known {
      ipv4 = List.copyOf(ipv4);
      ipv6 = List.copyOf(ipv6);
    }
  }

  /**
   * What {@code hostname} stands for; null where the mesh has nothing to say.
   *
   * @param hostname in lower case, without a dot at its end; may begin with {@code *.}
   * @param namespace of the pod that asks
   */
  public @Nullable Known lookup(String hostname, String namespace) {
    MeshService service = store.serviceNamed(hostname, namespace, this::isTold);
    if (service == null) {
      return null;
    }
    List<InetAddress> addresses =
        service.addresses().isEmpty() ? endpoints(service) : virtual(service);
    boolean four = service.ipFamilies() != MeshService.IpFamilies.IPV6_ONLY;
    boolean six = service.ipFamilies() != MeshService.IpFamilies.IPV4_ONLY;
    List<InetAddress> ipv4 = new ArrayList<>();
    List<InetAddress> ipv6 = new ArrayList<>();
    for (InetAddress address : addresses) {
      if (address instanceof Inet4Address) {
        if (four) {
          ipv4.add(address);
        }
      } else if (six) {
        ipv6.add(address);
      }
    }
    return ipv4.isEmpty() && ipv6.isEmpty() ? null : new Known(ipv4, ipv6);
  }

  /** A ServiceEntry without virtual address only describes what DNS knows already. */
  private boolean isTold(MeshService service) {
    return !service.addresses().isEmpty()
        || service.hostname().toLowerCase(Locale.ROOT).endsWith(serviceSuffix);
  }

  private List<InetAddress> virtual(MeshService service) {
    return service.addresses().stream()
        .filter(VirtualAddress::isSingle)
        .map(VirtualAddress::address)
        .filter(address -> address.network().equals(network))
        .map(NetworkAddress::address)
        .distinct()
        .toList();
  }

  /** Of each endpoint the first address of each family. */
  private List<InetAddress> endpoints(MeshService service) {
    ServiceEntry entry = store.entry(service.key());
    if (entry == null) {
      return List.of();
    }
    boolean unready =
        service.loadBalancing().healthPolicy() == LoadBalancing.HealthPolicy.ALLOW_ALL;
    List<InetAddress> all = new ArrayList<>();
    for (ServiceEndpoint endpoint : entry.endpoints()) {
      MeshWorkload workload = endpoint.workload();
      if (workload.network().equals(network) && (unready || workload.healthy())) {
        addFirst(all, workload.addresses(), true);
        addFirst(all, workload.addresses(), false);
      }
    }
    return all;
  }

  private static void addFirst(List<InetAddress> all, List<InetAddress> own, boolean ipv4) {
    for (InetAddress address : own) {
      if (address instanceof Inet4Address == ipv4) {
        if (!all.contains(address)) {
          all.add(address);
        }
        return;
      }
    }
  }
}
