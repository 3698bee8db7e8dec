package dev.ambit.operator.ca;

import static org.assertj.core.api.Assertions.assertThat;

import java.security.cert.X509Certificate;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.Objects;
import java.util.concurrent.atomic.AtomicReference;
import org.junit.jupiter.api.Test;

class ServerCertificateTest {
  private static final TrustDomain TRUST_DOMAIN = new TrustDomain("cluster.local");

  private final AtomicReference<Instant> now =
      new AtomicReference<>(Instant.parse("2026-11-22T12:00:00Z"));
  private final CertificateAuthority authority = new CertificateAuthority(now::get);

  private ServerCertificate certificate() throws Exception {
    authority.load(SelfSignedRoot.generate(TRUST_DOMAIN, now.get()));
    return new ServerCertificate(
        authority,
        List.of("ambit-operator.ambit-system.svc"),
        () -> new SpiffeId(TRUST_DOMAIN, "ambit-system", "ambit-operator"),
        now::get);
  }

  private static X509Certificate leaf(ServerCertificate certificate) {
    certificate.renewIfDue();
    return Objects.requireNonNull(certificate.getCertificateChain("control-plane"))[0];
  }

  @Test
  void namesTheServiceAndTheOperator() throws Exception {
    try (ServerCertificate certificate = certificate()) {
      assertThat(leaf(certificate).getSubjectAlternativeNames())
          .containsExactly(
              List.of(6, "spiffe://cluster.local/ns/ambit-system/sa/ambit-operator"),
              List.of(2, "ambit-operator.ambit-system.svc"));
    }
  }

  @Test
  void isRenewedAtHalfOfItsLifeAndWithTheAuthority() throws Exception {
    try (ServerCertificate certificate = certificate()) {
      X509Certificate first = leaf(certificate);
      now.updateAndGet(instant -> instant.plus(Duration.ofHours(11)));
      assertThat(leaf(certificate)).isEqualTo(first);
      now.updateAndGet(instant -> instant.plus(Duration.ofHours(1)));
      X509Certificate second = leaf(certificate);
      assertThat(second).isNotEqualTo(first);

      SigningMaterial next = SelfSignedRoot.generate(TRUST_DOMAIN, now.get());
      authority.load(next);
      leaf(certificate).verify(next.certificate().getPublicKey());
    }
  }
}
