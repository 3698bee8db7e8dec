package dev.ambit.operator.ca;

import static org.assertj.core.api.Assertions.assertThat;

import dev.ambit.operator.ca.PodDirectory.PodFacts;
import java.util.Optional;
import java.util.Set;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

class NodeAuthorizationTest {
  private static final TrustDomain TRUST_DOMAIN = new TrustDomain("cluster.local");
  private static final SpiffeId CART = new SpiffeId(TRUST_DOMAIN, "shop", "cart");

  private final FakePods pods = new FakePods();
  private final NodeAuthorization authorization =
      new NodeAuthorization(Set.of("ambit-system/ztunnel"), () -> TRUST_DOMAIN, pods);

  @BeforeEach
  void fill() {
    pods.add(new PodFacts("ambit-system", "ztunnel-1", "uid-1", "ztunnel", "node-1", false));
    pods.add(new PodFacts("ambit-system", "ztunnel-2", "uid-2", "ztunnel", "node-2", false));
    pods.add(new PodFacts("shop", "cart", "uid-c", "cart", "node-1", false));
    pods.add(new PodFacts("shop", "done", "uid-d", "done", "node-1", true));
  }

  private static Caller caller(String account, String pod, String uid) {
    return new Caller(
        new SpiffeId(TRUST_DOMAIN, "ambit-system", account),
        Optional.of(new Caller.BoundPod(pod, uid)));
  }

  private Refusal.Reason reason(Caller caller, SpiffeId wanted) {
    return authorization.refusal(caller, wanted).orElseThrow().reason();
  }

  @Test
  void aNodeProxyMayHaveTheIdentityOfAPodOfItsNodeAndOfNoOther() {
    assertThat(authorization.refusal(caller("ztunnel", "ztunnel-1", "uid-1"), CART)).isEmpty();
    assertThat(reason(caller("ztunnel", "ztunnel-2", "uid-2"), CART))
        .isEqualTo(Refusal.Reason.IDENTITY_NOT_ON_NODE);
    assertThat(
            reason(
                caller("ztunnel", "ztunnel-1", "uid-1"),
                new SpiffeId(TRUST_DOMAIN, "shop", "done")))
        .isEqualTo(Refusal.Reason.IDENTITY_NOT_ON_NODE);
  }

  @Test
  void othersMayNotImpersonate() {
    assertThat(reason(caller("other", "ztunnel-1", "uid-1"), CART))
        .isEqualTo(Refusal.Reason.CALLER_NOT_TRUSTED_NODE);
    assertThat(
            reason(
                new Caller(new SpiffeId(TRUST_DOMAIN, "ambit-system", "ztunnel"), Optional.empty()),
                CART))
        .isEqualTo(Refusal.Reason.CALLER_WITHOUT_POD);
    assertThat(reason(caller("ztunnel", "ztunnel-9", "uid-9"), CART))
        .isEqualTo(Refusal.Reason.CALLER_POD_UNKNOWN);
    assertThat(reason(caller("ztunnel", "ztunnel-1", "uid-of-before"), CART))
        .isEqualTo(Refusal.Reason.CALLER_POD_MISMATCH);
    assertThat(
            reason(
                caller("ztunnel", "ztunnel-1", "uid-1"),
                new SpiffeId(new TrustDomain("other"), "shop", "cart")))
        .isEqualTo(Refusal.Reason.FOREIGN_TRUST_DOMAIN);
  }

  @Test
  void aPodThatTheCacheDoesNotKnowYetIsLookedUp() {
    pods.current.add(new PodFacts("shop", "new", "uid-n", "new", "node-1", false));
    assertThat(
            authorization.refusal(
                caller("ztunnel", "ztunnel-1", "uid-1"), new SpiffeId(TRUST_DOMAIN, "shop", "new")))
        .isEmpty();
    assertThat(pods.lookups).isEqualTo(1);
  }

  @Test
  void anApiServerThatIsAwayIsNoRefusalForGood() {
    pods.away = true;
    assertThat(authorization.refusal(caller("ztunnel", "ztunnel-1", "uid-1"), CART)).isEmpty();
    assertThat(
            reason(
                caller("ztunnel", "ztunnel-1", "uid-1"), new SpiffeId(TRUST_DOMAIN, "shop", "new")))
        .isEqualTo(Refusal.Reason.POD_LOOKUP_UNAVAILABLE);
  }
}
