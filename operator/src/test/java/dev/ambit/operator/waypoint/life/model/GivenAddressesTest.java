package dev.ambit.operator.waypoint.life.model;

import static org.assertj.core.api.Assertions.assertThat;

import io.fabric8.kubernetes.api.model.Service;
import io.fabric8.kubernetes.api.model.ServiceBuilder;
import io.fabric8.kubernetes.api.model.gatewayapi.v1.Gateway;
import io.fabric8.kubernetes.api.model.gatewayapi.v1.GatewayBuilder;
import java.util.Optional;
import org.junit.jupiter.api.Test;

/** What was made for a Gateway goes when others run its instances, and not when it is these. */
class GivenAddressesTest {
  private static final Optional<Service> OWN =
      Optional.of(
          new ServiceBuilder()
              .withNewSpec()
              .withClusterIP("10.96.0.7")
              .withClusterIPs("10.96.0.7", "fd00::7")
              .endSpec()
              .build());

  private static boolean leadTo(String address) {
    Gateway gateway =
        new GatewayBuilder()
            .withNewMetadata()
            .withNamespace("shop")
            .withName("waypoint")
            .endMetadata()
            .withNewSpec()
            .addNewAddress()
            .withValue(address)
            .endAddress()
            .endSpec()
            .build();
    return GivenAddresses.leadTo(gateway, OWN, "cluster.local");
  }

  @Test
  void itsOwnServiceIsWhatTheyMayLeadTo() {
    assertThat(leadTo("waypoint.shop.svc.cluster.local")).isTrue();
    assertThat(leadTo("10.96.0.7")).isTrue();
    assertThat(leadTo("fd00::7")).isTrue();
    assertThat(leadTo("other.shop.svc.cluster.local")).isFalse();
    assertThat(leadTo("10.96.0.8")).isFalse();
  }
}
