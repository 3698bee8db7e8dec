package dev.ambit.operator.model;

import static org.assertj.core.api.Assertions.assertThat;

import io.fabric8.istio.api.security.v1.PeerAuthentication;
import io.fabric8.kubernetes.api.model.Pod;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;

class MtlsPoliciesTest {
  private static final List<Pod> PODS =
      List.of(
          Objects.pod("shop", "cart", "10.0.0.1", Map.of("app", "cart")),
          Objects.pod("shop", "web", "10.0.0.2", Map.of("app", "web")));

  private static PeerAuthentication policy(String namespace, String name, String spec) {
    return Objects.peerAuthentication(
        "apiVersion: security.istio.io/v1\nkind: PeerAuthentication\nmetadata: {name: "
            + name
            + ", namespace: "
            + namespace
            + "}\nspec: "
            + spec);
  }

  private static MtlsPolicies of(PeerAuthentication... policies) {
    return MtlsPolicies.of("shop", List.of(policies), PODS);
  }

  @Test
  void theNamespacesOwnSaysHowStrictItIs() {
    assertThat(of(policy("shop", "a", "{mtls: {mode: STRICT}}")).strict()).isEqualTo("a");
    assertThat(of(policy("shop", "a", "{mtls: {mode: PERMISSIVE}}")).permissive()).isEqualTo("a");
    assertThat(of(policy("shop", "a", "{mtls: {mode: UNSET}}"))).isEqualTo(MtlsPolicies.NONE);
    assertThat(of(policy("other", "a", "{mtls: {mode: STRICT}}"))).isEqualTo(MtlsPolicies.NONE);
  }

  @Test
  void oneThatAcceptsPlaintextForSomePodsIsAnException() {
    String cart = "selector: {matchLabels: {app: cart}}";
    assertThat(of(policy("shop", "a", "{" + cart + ", mtls: {mode: DISABLE}}")).exceptions())
        .containsExactly("a");
    assertThat(
            of(policy("shop", "a", "{" + cart + ", portLevelMtls: {\"9000\": {mode: PERMISSIVE}}}"))
                .exceptions())
        .containsExactly("a");
    assertThat(of(policy("shop", "a", "{" + cart + ", mtls: {mode: STRICT}}")).exceptions())
        .isEmpty();
    assertThat(
            of(policy(
                    "shop",
                    "a",
                    "{selector: {matchLabels: {app: gone}}, mtls: {mode: PERMISSIVE}}"))
                .exceptions())
        .isEmpty();
  }
}
