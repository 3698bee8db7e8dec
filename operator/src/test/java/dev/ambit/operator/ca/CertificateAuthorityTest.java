package dev.ambit.operator.ca;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.ambit.operator.ca.Authorities.Authority;
import java.nio.charset.StandardCharsets;
import java.security.KeyPair;
import java.security.cert.X509Certificate;
import java.time.Duration;
import java.time.Instant;
import java.time.InstantSource;
import java.util.List;
import java.util.Map;
import java.util.Random;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import org.junit.jupiter.api.Test;

class CertificateAuthorityTest {
  private static final Instant NOW = Instant.parse("2026-11-22T12:00:00Z");
  private static final TrustDomain TRUST_DOMAIN = new TrustDomain("cluster.local");
  private static final SpiffeId IDENTITY = new SpiffeId(TRUST_DOMAIN, "shop", "cart");

  private final CertificateAuthority authority = new CertificateAuthority(InstantSource.fixed(NOW));
  private final SigningMaterial root = SelfSignedRoot.generate(TRUST_DOMAIN, NOW);

  private X509Certificate sign(Duration lifetime) throws Exception {
    authority.load(root);
    return authority.sign(Csr.of(Csr.ec("secp256r1")), IDENTITY, lifetime).leaf();
  }

  @Test
  void theLeafIsForTheCallersIdentityWhateverTheRequestClaims() throws Exception {
    X509Certificate leaf = sign(Duration.ZERO);
    leaf.verify(root.certificate().getPublicKey());
    assertThat(leaf.getSubjectAlternativeNames())
        .containsExactly(List.of(6, "spiffe://cluster.local/ns/shop/sa/cart"));
    assertThat(leaf.getCriticalExtensionOIDs()).contains("2.5.29.17");
    assertThat(leaf.getSubjectX500Principal().getName()).isEmpty();
    assertThat(leaf.getKeyUsage()).startsWith(true, false, true);
    assertThat(leaf.getKeyUsage()[5]).isFalse();
    assertThat(leaf.getExtendedKeyUsage())
        .containsExactly("1.3.6.1.5.5.7.3.1", "1.3.6.1.5.5.7.3.2");
    assertThat(leaf.getBasicConstraints()).isEqualTo(-1);
    assertThat(leaf.getNotBefore()).isEqualTo(NOW.minusSeconds(120));
    assertThat(leaf.getNotAfter()).isEqualTo(NOW.plus(Duration.ofHours(24)));
  }

  @Test
  void lifetimesAreClampedToTheSignersAndRefusedBeyondNinetyDays() throws Exception {
    assertThat(sign(Duration.ofHours(1)).getNotAfter()).isEqualTo(NOW.plus(Duration.ofHours(1)));
    assertThat(sign(Duration.ofDays(90)).getNotAfter()).isEqualTo(NOW.plus(Duration.ofDays(90)));
    assertThatThrownBy(() -> sign(Duration.ofDays(90).plusSeconds(1)))
        .isInstanceOf(InvalidCsrException.class)
        .hasMessageContaining("longest");

    Authority brief = Authorities.root("brief", NOW, Duration.ofHours(2));
    authority.load(
        SigningMaterial.fromSecret(
            "a/b",
            Map.of(
                "ca-cert.pem",
                Authorities.certificate(brief),
                "ca-key.pem",
                Authorities.key(brief)),
            NOW));
    assertThat(
            authority
                .sign(Csr.of(Csr.ec("secp256r1")), IDENTITY, Duration.ofDays(1))
                .leaf()
                .getNotAfter())
        .isEqualTo(NOW.plus(Duration.ofHours(2)));
  }

  @Test
  void anExpiredOrMissingAuthoritySignsNothing() throws Exception {
    String csr = Csr.of(Csr.ec("secp256r1"));
    assertThatThrownBy(() -> authority.sign(csr, IDENTITY, Duration.ZERO))
        .isInstanceOf(AuthorityUnavailableException.class);
    CertificateAuthority later =
        new CertificateAuthority(InstantSource.fixed(NOW.plus(Duration.ofDays(4000))));
    later.load(root);
    assertThatThrownBy(() -> later.sign(csr, IDENTITY, Duration.ZERO))
        .isInstanceOf(AuthorityUnavailableException.class)
        .hasMessageContaining("expired");
  }

  @Test
  void acceptsP256AndLongRsaKeysAndNoOthers() throws Exception {
    authority.load(root);
    authority.sign(Csr.of(Csr.rsa(2048)), IDENTITY, Duration.ZERO);
    for (KeyPair weak : List.of(Csr.rsa(1024), Csr.ec("secp384r1"))) {
      assertThatThrownBy(() -> authority.sign(Csr.of(weak), IDENTITY, Duration.ZERO))
          .isInstanceOf(InvalidCsrException.class)
          .hasMessageContaining("P-256");
    }
  }

  @Test
  void aRequestSignedWithAnotherKeyIsRefused() throws Exception {
    authority.load(root);
    String forged =
        Csr.of(Csr.ec("secp256r1"), Csr.ec("secp256r1"), "spiffe://cluster.local/ns/a/sa/b");
    assertThatThrownBy(() -> authority.sign(forged, IDENTITY, Duration.ZERO))
        .isInstanceOf(InvalidCsrException.class)
        .hasMessageContaining("possession");
  }

  @Test
  void answersLeafThenIntermediatesThenAllRootsInOne() throws Exception {
    Authority first = Authorities.root("first", NOW, Duration.ofDays(100));
    Authority second = Authorities.root("second", NOW, Duration.ofDays(100));
    Authority intermediate =
        Authorities.make("intermediate", first, true, NOW, Duration.ofDays(50));
    String roots =
        Authorities.base64(Pem.encode(List.of(first.certificate(), second.certificate())));
    authority.load(
        SigningMaterial.fromSecret(
            "a/b",
            Map.of(
                "ca-cert.pem", Authorities.certificate(intermediate),
                "ca-key.pem", Authorities.key(intermediate),
                "root-cert.pem", roots),
            NOW));
    List<String> chain =
        authority.sign(Csr.of(Csr.ec("secp256r1")), IDENTITY, Duration.ZERO).pemChain();
    assertThat(chain).hasSize(3);
    assertThat(Pem.certificates(chain.get(1).getBytes(StandardCharsets.UTF_8)))
        .containsExactly(intermediate.certificate());
    assertThat(Pem.certificates(chain.get(2).getBytes(StandardCharsets.UTF_8)))
        .containsExactly(first.certificate(), second.certificate());
    assertThat(authority.status().orElseThrow().roots()).isEqualTo(2);
    assertThat(authority.status().orElseThrow().fingerprint()).matches("[0-9a-f]{64}");
  }

  @Property(tries = 300)
  void brokenRequestsAreRefusedAsSuch(@ForAll long seed) throws Exception {
    Random random = new Random(seed);
    byte[] bytes = VALID.getBytes(StandardCharsets.US_ASCII);
    for (int i = random.nextInt(6); i >= 0; i--) {
      bytes[random.nextInt(bytes.length)] = (byte) random.nextInt(128);
    }
    authority.load(root);
    try {
      authority.sign(new String(bytes, StandardCharsets.US_ASCII), IDENTITY, Duration.ZERO);
    } catch (InvalidCsrException expected) {
      assertThat(expected).hasMessageNotContaining("null");
    }
  }

  private static final String VALID = valid();

  private static String valid() {
    try {
      return Csr.of(Csr.ec("secp256r1"));
    } catch (Exception e) {
      throw new AssertionError(e);
    }
  }
}
