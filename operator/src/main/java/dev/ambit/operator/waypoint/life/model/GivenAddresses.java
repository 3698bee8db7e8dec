package dev.ambit.operator.waypoint.life.model;

import io.fabric8.kubernetes.api.model.Service;
import io.fabric8.kubernetes.api.model.gatewayapi.v1.Gateway;
import io.fabric8.kubernetes.api.model.gatewayapi.v1.GatewaySpecAddress;
import java.util.HashSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;

/** The addresses that a Gateway's spec gives, where others run its waypoint's instances. */
public final class GivenAddresses {
  private GivenAddresses() {}

  /** The name of the Service that is made for a waypoint. */
  public static String ownHostname(Gateway gateway, String clusterDomain) {
    return gateway.getMetadata().getName()
        + "."
        + gateway.getMetadata().getNamespace()
        + ".svc."
        + clusterDomain;
  }

  /**
   * Whether one of them leads to what was made for the Gateway before it had any, which therefore
   * has to stay.
   *
   * @param own the Service that was made for it, if there is one
   */
  public static boolean leadTo(Gateway gateway, Optional<Service> own, String clusterDomain) {
    Set<String> names = new HashSet<>(Set.of(ownHostname(gateway, clusterDomain)));
    own.map(Service::getSpec)
        .ifPresent(
            spec -> {
              if (spec.getClusterIP() != null) {
                names.add(spec.getClusterIP());
              }
              if (spec.getClusterIPs() != null) {
                names.addAll(spec.getClusterIPs());
              }
            });
    List<GatewaySpecAddress> given = gateway.getSpec().getAddresses();
    return given != null && given.stream().anyMatch(address -> names.contains(address.getValue()));
  }
}
