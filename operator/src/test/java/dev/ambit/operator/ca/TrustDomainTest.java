package dev.ambit.operator.ca;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import org.junit.jupiter.api.Test;

class TrustDomainTest {
  @Test
  void badTrustDomainsAreNamedWithWhatIsWrong() {
    for (String bad : new String[] {"", "Cluster.local", "a b", "a/b", "ümlaut", "x".repeat(256)}) {
      assertThatThrownBy(() -> new TrustDomain(bad))
          .isInstanceOf(InvalidTrustDomainException.class)
          .hasMessageContaining("trust domain \"" + bad + "\"");
    }
    assertThat(new TrustDomain("example_1.org-x").name()).isEqualTo("example_1.org-x");
  }

  @Test
  void identitiesAreReadInExactlyOneForm() {
    String uri = "spiffe://cluster.local/ns/shop/sa/cart";
    assertThat(SpiffeId.parse(uri).orElseThrow().uri()).isEqualTo(uri);
    for (String bad :
        new String[] {
          "",
          "https://cluster.local/ns/shop/sa/cart",
          "spiffe://cluster.local/ns/shop/sa/cart/",
          "spiffe://cluster.local/ns//sa/cart",
          "spiffe://cluster.local/ns/shop/sa/",
          "spiffe://cluster.local/sa/shop/ns/cart",
          "spiffe://Cluster.local/ns/shop/sa/cart",
          "spiffe:///ns/shop/sa/cart"
        }) {
      assertThat(SpiffeId.parse(bad)).as(bad).isEmpty();
    }
  }
}
