package dev.ambit.operator.ca;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.ambit.operator.ca.Authorities.Authority;
import java.time.Duration;
import java.time.Instant;
import java.util.HashMap;
import java.util.Map;
import org.junit.jupiter.api.Test;

class SigningMaterialTest {
  private static final Instant NOW = Instant.parse("2026-11-22T12:00:00Z");
  private static final Duration YEAR = Duration.ofDays(365);

  private final Authority root = Authorities.root("root", NOW, YEAR);
  private final Authority intermediate = Authorities.make("intermediate", root, true, NOW, YEAR);

  SigningMaterialTest() throws Exception {}

  private static SigningMaterial read(Map<String, String> data) throws InvalidAuthorityException {
    return SigningMaterial.fromSecret("ambit-system/cacerts", data, NOW);
  }

  private static void assertInvalid(Map<String, String> data, String... words) {
    assertThatThrownBy(() -> read(data))
        .isInstanceOf(InvalidAuthorityException.class)
        .hasMessageContaining("ambit-system/cacerts")
        .satisfies(e -> assertThat(e.getMessage()).contains(words));
  }

  private Map<String, String> cacerts() {
    return new HashMap<>(
        Map.of(
            "ca-cert.pem", Authorities.certificate(intermediate),
            "ca-key.pem", Authorities.key(intermediate),
            "cert-chain.pem", Authorities.certificate(intermediate),
            "root-cert.pem", Authorities.certificate(root)));
  }

  @Test
  void readsAnIntermediateInTheFormOfCacerts() throws Exception {
    SigningMaterial material = read(cacerts());
    assertThat(material.intermediates()).containsExactly(intermediate.certificate());
    assertThat(material.roots()).containsExactly(root.certificate());
    assertThat(material.toString()).doesNotContain("PrivateKey").contains("intermediate");
  }

  @Test
  void readsASelfSignedRootAndATlsSecret() throws Exception {
    SigningMaterial own =
        read(
            Map.of(
                "ca-cert.pem", Authorities.certificate(root),
                "ca-key.pem", Authorities.key(root)));
    assertThat(own.intermediates()).isEmpty();
    assertThat(own.roots()).containsExactly(root.certificate());

    SigningMaterial tls =
        read(
            Map.of(
                "tls.crt", Authorities.certificate(intermediate),
                "tls.key", Authorities.key(intermediate),
                "ca.crt", Authorities.certificate(root)));
    assertThat(tls.intermediates()).containsExactly(intermediate.certificate());
  }

  @Test
  void saysWhichKeyOfTheSecretIsWrong() throws Exception {
    assertInvalid(Map.of(), "ca-cert.pem", "tls.crt");

    Map<String, String> mismatched = cacerts();
    mismatched.put("ca-key.pem", Authorities.key(root));
    assertInvalid(mismatched, "ca-key.pem", "does not belong");

    Map<String, String> noKey = cacerts();
    noKey.remove("ca-key.pem");
    assertInvalid(noKey, "ca-key.pem", "missing");

    Map<String, String> noRoot = cacerts();
    noRoot.remove("root-cert.pem");
    assertInvalid(noRoot, "root-cert.pem");

    Map<String, String> garbage = cacerts();
    garbage.put("ca-cert.pem", Authorities.base64("not a certificate"));
    assertInvalid(garbage, "ca-cert.pem");

    Map<String, String> notBase64 = cacerts();
    notBase64.put("ca-key.pem", "A");
    assertInvalid(notBase64, "ca-key.pem");

    Authority leaf = Authorities.make("leaf", root, false, NOW, YEAR);
    Map<String, String> notCa = cacerts();
    notCa.put("ca-cert.pem", Authorities.certificate(leaf));
    notCa.put("ca-key.pem", Authorities.key(leaf));
    assertInvalid(notCa, "not a CA");

    Authority old = Authorities.root("old", NOW.minus(YEAR), Duration.ofDays(1));
    assertInvalid(
        Map.of("ca-cert.pem", Authorities.certificate(old), "ca-key.pem", Authorities.key(old)),
        "expired");

    Authority stranger = Authorities.root("stranger", NOW, YEAR);
    Map<String, String> unrelated = cacerts();
    unrelated.put("root-cert.pem", Authorities.certificate(stranger));
    assertInvalid(unrelated, "signed \"CN=intermediate\"");
  }
}
