package dev.ambit.operator.ca;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.ambit.operator.ca.Authorities.Authority;
import java.math.BigInteger;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.time.Instant;
import java.util.Base64;
import java.util.Date;
import java.util.Map;
import org.bouncycastle.cert.X509v2CRLBuilder;
import org.bouncycastle.cert.jcajce.JcaX509v2CRLBuilder;
import org.bouncycastle.operator.jcajce.JcaContentSignerBuilder;
import org.junit.jupiter.api.Test;

class RevocationListsTest {
  private static final Instant NOW = Instant.parse("2026-11-22T12:00:00Z");
  private static final Duration YEAR = Duration.ofDays(365);
  private static final String WHERE = "Secret ambit-system/cacerts, key ca-crl.pem";

  private final Authority root = Authorities.root("root", NOW, YEAR);
  private final Authority intermediate = Authorities.make("intermediate", root, true, NOW, YEAR);

  RevocationListsTest() throws Exception {}

  private SigningMaterial authority() throws Exception {
    return SigningMaterial.fromSecret(
        "ambit-system/cacerts",
        Map.of(
            "ca-cert.pem", Authorities.certificate(intermediate),
            "ca-key.pem", Authorities.key(intermediate),
            "root-cert.pem", Authorities.certificate(root)),
        NOW);
  }

  private static String list(Authority issuer, Instant nextUpdate, long... revoked)
      throws Exception {
    X509v2CRLBuilder builder =
        new JcaX509v2CRLBuilder(issuer.certificate().getSubjectX500Principal(), Date.from(NOW));
    builder.setNextUpdate(Date.from(nextUpdate));
    for (long serial : revoked) {
      builder.addCRLEntry(BigInteger.valueOf(serial), Date.from(NOW), 0);
    }
    byte[] der =
        builder
            .build(new JcaContentSignerBuilder("SHA256withECDSA").build(issuer.pair().getPrivate()))
            .getEncoded();
    return "-----BEGIN X509 CRL-----\n"
        + Base64.getMimeEncoder().encodeToString(der)
        + "\n-----END X509 CRL-----\n";
  }

  private RevocationLists read(String text) throws Exception {
    return RevocationLists.read(WHERE, text.getBytes(StandardCharsets.UTF_8), authority());
  }

  @Test
  void listsOfTheAuthorityAndThoseAboveItAreTaken() throws Exception {
    RevocationLists lists =
        read(
            "issued by hand\n"
                + list(intermediate, NOW.plusSeconds(60), 1, 2)
                + list(root, NOW.plusSeconds(30), 3));
    assertThat(lists.revoked()).isEqualTo(3);
    assertThat(lists.nextUpdate()).contains(NOW.plusSeconds(30));
    assertThat(lists.pem()).startsWith("-----BEGIN X509 CRL-----\n").doesNotContain("by hand");
    assertThat(read(lists.pem())).isEqualTo(lists);
  }

  @Test
  void whatIsNoListOrSomebodyElsesIsRefusedAsAWhole() throws Exception {
    String good = list(intermediate, NOW.plusSeconds(60), 1);
    Authority stranger = Authorities.root("stranger", NOW, YEAR);
    Authority namesake = Authorities.root("root", NOW, YEAR);
    for (String bad :
        new String[] {
          "nonsense",
          good + "-----BEGIN X509 CRL-----\n***\n-----END X509 CRL-----\n",
          good + "-----BEGIN X509 CRL-----\nAAAA\n-----END X509 CRL-----\n",
          good + "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
          good + list(stranger, NOW, 1),
          good + list(namesake, NOW, 1),
        }) {
      assertThatThrownBy(() -> read(bad))
          .isInstanceOf(InvalidAuthorityException.class)
          .hasMessageContaining(WHERE)
          .hasMessageContaining("what was distributed before stays in use");
    }
  }
}
