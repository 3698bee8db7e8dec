package dev.ambit.ztunnel.certificate;

import static org.assertj.core.api.Assertions.assertThat;

import dev.ambit.ztunnel.identity.Identity;
import dev.ambit.ztunnel.testing.TestAuthority;
import org.bouncycastle.asn1.pkcs.PKCSObjectIdentifiers;
import org.bouncycastle.asn1.x509.Extension;
import org.bouncycastle.asn1.x509.Extensions;
import org.bouncycastle.asn1.x509.GeneralName;
import org.bouncycastle.asn1.x509.GeneralNames;
import org.bouncycastle.operator.jcajce.JcaContentVerifierProviderBuilder;
import org.bouncycastle.pkcs.PKCS10CertificationRequest;
import org.bouncycastle.pkcs.jcajce.JcaPKCS10CertificationRequest;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class SigningRequestTest {
  @ParameterizedTest
  @ValueSource(ints = {1, 40, 63, 150, 250, 400})
  void bouncyCastleReadsAndVerifiesIt(int nameLength) throws Exception {
    Identity identity = new Identity("cluster.local", "shop", "x".repeat(nameLength));
    SigningRequest request = SigningRequest.create(identity);

    PKCS10CertificationRequest read = TestAuthority.request(request.pem());

    assertThat(read.getEncoded()).isEqualTo(request.der());
    assertThat(
            read.isSignatureValid(
                new JcaContentVerifierProviderBuilder().build(request.keys().getPublic())))
        .isTrue();
    assertThat(new JcaPKCS10CertificationRequest(read).getPublicKey())
        .isEqualTo(request.keys().getPublic());
    assertThat(read.getSubject().getRDNs()).isEmpty();
    assertThat(read.getAttributes()).hasSize(1);
    assertThat(read.getAttributes()[0].getAttrType())
        .isEqualTo(PKCSObjectIdentifiers.pkcs_9_at_extensionRequest);
    Extensions extensions = read.getRequestedExtensions();
    assertThat(extensions.getExtensionOIDs()).containsExactly(Extension.subjectAlternativeName);
    assertThat(extensions.getExtension(Extension.subjectAlternativeName).isCritical()).isTrue();
    assertThat(GeneralNames.fromExtensions(extensions, Extension.subjectAlternativeName).getNames())
        .containsExactly(new GeneralName(GeneralName.uniformResourceIdentifier, identity.uri()));
  }
}
