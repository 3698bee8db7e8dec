package dev.ambit.ztunnel.identity;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class IdentityTest {
  @Test
  void readsWhatItWrites() {
    Identity identity = new Identity("cluster.local", "shop", "cart");
    assertThat(identity.uri()).isEqualTo("spiffe://cluster.local/ns/shop/sa/cart");
    assertThat(identity.principal()).isEqualTo("cluster.local/ns/shop/sa/cart");
    assertThat(Identity.parse(identity.uri())).isEqualTo(identity);
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "",
        "spiffe://",
        "https://cluster.local/ns/a/sa/b",
        "spiffe://cluster.local/ns/a/sa/",
        "spiffe://cluster.local/ns//sa/b",
        "spiffe:///ns/a/sa/b",
        "spiffe://cluster.local/ns/a/sa/b/c",
        "spiffe://cluster.local/sa/a/ns/b",
        "SPIFFE://cluster.local/ns/a/sa/b"
      })
  void refusesOtherForms(String uri) {
    assertThat(Identity.tryParse(uri)).isEmpty();
    assertThatThrownBy(() -> Identity.parse(uri)).isInstanceOf(IllegalArgumentException.class);
  }

  @Test
  void knowsItsPrincipalWithoutWritingItOut() {
    Identity identity = new Identity("cluster.local", "shop", "web");
    assertThat(identity.hasPrincipal(identity.principal())).isTrue();
    for (String other :
        java.util.List.of(
            "",
            "cluster.local/ns/shop/sa/wec",
            "cluster.local/ns/shoq/sa/web",
            "cluster.locam/ns/shop/sa/web",
            "cluster.local/nt/shop/sa/web",
            "cluster.local/ns/shop/sb/web",
            "cluster.local/ns/shop/sa/web2",
            "spiffe://cluster.local/ns/shop/sa/web")) {
      assertThat(identity.hasPrincipal(other)).as(other).isFalse();
    }
  }
}
