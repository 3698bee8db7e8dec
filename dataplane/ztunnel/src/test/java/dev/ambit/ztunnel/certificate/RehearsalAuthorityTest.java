package dev.ambit.ztunnel.certificate;

import static org.assertj.core.api.Assertions.assertThat;

import dev.ambit.ztunnel.identity.Identity;
import java.time.Duration;
import java.time.Instant;
import java.util.Set;
import org.junit.jupiter.api.Test;

class RehearsalAuthorityTest {
  private static final Identity IDENTITY = new Identity("rehearsal.invalid", "a", "b");

  @Test
  void itsCertificateIsShortLivedAndLeadsToARootOfItsOwn() throws Exception {
    var issued = RehearsalAuthority.issue(IDENTITY);
    var other = RehearsalAuthority.issue(IDENTITY);

    assertThat(issued.identity()).isEqualTo(IDENTITY);
    assertThat(Duration.between(Instant.now(), issued.expiry())).isLessThan(Duration.ofHours(2));
    assertThat(issued.roots()).hasSize(1);
    var root = issued.roots().getFirst();
    root.verify(root.getPublicKey());
    assertThat(root.getBasicConstraints()).isGreaterThanOrEqualTo(0);
    assertThat(root.getCriticalExtensionOIDs()).isEqualTo(Set.of("2.5.29.19"));
    assertThat(other.roots().getFirst().getPublicKey()).isNotEqualTo(root.getPublicKey());
  }
}
