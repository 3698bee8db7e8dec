package dev.ambit.ztunnel.certificate;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.nio.charset.StandardCharsets;
import java.security.cert.CRLException;
import java.security.cert.Certificate;
import java.security.cert.X509CRL;
import java.time.Instant;
import java.util.List;
import org.bouncycastle.asn1.x509.CRLReason;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;

class RevocationListsTest {
  private final RevocationFixture fixture = new RevocationFixture();

  private @Nullable String revocation(X509CRL... lists) {
    return new RevocationLists(List.of(lists)).revocation(fixture.chain(), fixture.roots());
  }

  @Test
  void whatNoListNamesIsNotRevoked() {
    assertThat(revocation()).isNull();
    assertThat(revocation(fixture.ofIntermediate())).isNull();
    assertThat(revocation(fixture.ofIntermediate(4, 5))).isNull();
    assertThat(revocation(fixture.ofIntermediate(1, 2))).as("serials of another issuer").isNull();
  }

  @Test
  void theWholeChainIsLookedAt() {
    assertThat(revocation(fixture.ofIntermediate(3)))
        .contains("certificate 3", "CN=intermediate", "KEY_COMPROMISE");
    assertThat(revocation(fixture.list())).contains("certificate 2", "CN=root");
    assertThat(revocation(fixture.ofIntermediate(9), fixture.list())).contains("certificate 2");
  }

  @Test
  void theOrderInWhichAPeerShowsItsCertificatesDoesNotMatter() {
    Certificate[] shown = fixture.chain();
    assertThat(
            new RevocationLists(List.of(fixture.ofIntermediate(3)))
                .revocation(new Certificate[] {shown[1], shown[0]}, fixture.roots()))
        .isNotNull();
  }

  @Test
  void aListThatItsIssuerHasNotSignedRevokesNothing() {
    Instant later = Instant.now().plusSeconds(60);
    assertThat(
            revocation(
                RevocationFixture.inTheNameOfIntermediate(
                    RevocationFixture.key(), later, CRLReason.keyCompromise)))
        .isNull();
  }

  @Test
  void aListThatIsOverdueIsEnforced() {
    X509CRL overdue =
        RevocationFixture.inTheNameOfIntermediate(
            fixture.intermediateKey(), Instant.now().minusSeconds(60), CRLReason.superseded);
    assertThat(revocation(overdue)).isNotNull();
    assertThat(new RevocationLists(List.of(overdue)).overdue(Instant.now())).hasSize(1);
  }

  @Test
  void anEntryThatTakesARevocationBackRevokesNothing() {
    assertThat(
            revocation(
                RevocationFixture.inTheNameOfIntermediate(
                    fixture.intermediateKey(),
                    Instant.now().plusSeconds(60),
                    CRLReason.removeFromCRL)))
        .isNull();
  }

  private static List<X509CRL> parse(String text) throws CRLException {
    return RevocationListFile.parse(text.getBytes(StandardCharsets.US_ASCII));
  }

  @Test
  void filesHoldAnyNumberOfListsInPemOrDer() throws Exception {
    X509CRL list = fixture.list();
    String one = RevocationFixture.pem(list);
    String two = RevocationFixture.pem(fixture.ofIntermediate(3));
    assertThat(parse("")).isEmpty();
    assertThat(parse(" \n")).isEmpty();
    assertThat(parse(one)).containsExactly(list);
    assertThat(parse("of the root:\n" + one + "of the other:\n" + two)).hasSize(2);
    assertThat(parse("-----BEGIN CERTIFICATE-----\nYQ==\n-----END CERTIFICATE-----\n" + one))
        .hasSize(1);
    assertThat(RevocationListFile.parse(fixture.list().getEncoded())).hasSize(1);
    byte[] der = fixture.list().getEncoded();
    byte[] twice = java.util.Arrays.copyOf(der, der.length * 2);
    System.arraycopy(der, 0, twice, der.length, der.length);
    assertThat(RevocationListFile.parse(twice)).hasSize(2);
  }

  @Test
  void aFileOfWhichAPartIsNotReadableIsRefusedAsAWhole() throws Exception {
    String one = RevocationFixture.pem(fixture.list());
    byte[] der = fixture.list().getEncoded();
    for (String bad :
        List.of(
            "nonsense",
            one.substring(0, one.length() / 2),
            one + one.substring(0, one.length() - 30),
            one + "-----BEGIN X509 CRL-----\nYQ==\n-----END X509 CRL-----\n")) {
      assertThatThrownBy(() -> parse(bad)).isInstanceOf(CRLException.class);
    }
    assertThatThrownBy(() -> RevocationListFile.parse(java.util.Arrays.copyOf(der, der.length - 1)))
        .isInstanceOf(CRLException.class);
    assertThatThrownBy(() -> RevocationListFile.parse(java.util.Arrays.copyOf(der, der.length + 3)))
        .isInstanceOf(CRLException.class);
  }
}
