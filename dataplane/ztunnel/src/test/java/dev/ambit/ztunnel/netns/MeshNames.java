package dev.ambit.ztunnel.netns;

import com.google.protobuf.Any;
import com.google.protobuf.ByteString;
import com.google.protobuf.InvalidProtocolBufferException;
import dev.ambit.protocol.workload.Address;
import dev.ambit.protocol.workload.Service;
import dev.ambit.protocol.workload.Workload;
import java.net.InetAddress;
import java.util.LinkedHashSet;
import java.util.Map;
import java.util.Set;

/** What a client gets that asks for a workload or a service by one of its names. */
final class MeshNames {
  private MeshNames() {}

  /**
   * The resources that {@code name} leads to: by their own name, or as {@code NETWORK/ADDRESS}; and
   * the endpoints of services among them.
   */
  static Set<String> behind(String name, Map<String, Any> all) {
    var found = new LinkedHashSet<String>();
    all.forEach(
        (own, packed) -> {
          var address = unpack(packed);
          if (own.equals(name) || address != null && isAt(name, address)) {
            found.add(own);
          }
        });
    for (var service : Set.copyOf(found)) {
      all.forEach(
          (own, packed) -> {
            var address = unpack(packed);
            if (address != null
                && address.hasWorkload()
                && address.getWorkload().containsServices(service)) {
              found.add(own);
            }
          });
    }
    return found;
  }

  private static @org.jspecify.annotations.Nullable Address unpack(Any packed) {
    try {
      return packed.is(Address.class) ? packed.unpack(Address.class) : null;
    } catch (InvalidProtocolBufferException e) {
      return null;
    }
  }

  private static boolean isAt(String name, Address address) {
    int slash = name.indexOf('/');
    if (slash < 0) {
      return false;
    }
    ByteString wanted;
    try {
      wanted = ByteString.copyFrom(InetAddress.ofLiteral(name.substring(slash + 1)).getAddress());
    } catch (IllegalArgumentException notAnAddress) {
      return false;
    }
    var network = name.substring(0, slash);
    Workload workload = address.getWorkload();
    Service service = address.getService();
    return workload.getNetwork().equals(network) && workload.getAddressesList().contains(wanted)
        || service.getAddressesList().stream()
            .anyMatch(vip -> vip.getNetwork().equals(network) && vip.getAddress().equals(wanted));
  }
}
