package dev.ambit.api;

import com.fasterxml.jackson.annotation.JsonInclude;
import com.fasterxml.jackson.annotation.JsonPropertyDescription;
import org.jspecify.annotations.Nullable;

/** Where the mesh's certificate authority comes from. */
@JsonInclude(JsonInclude.Include.NON_NULL)
public record CertificateAuthoritySpec(
    @JsonPropertyDescription(
            "Secret in Ambit's namespace with the CA to use: ca-cert.pem, ca-key.pem, cert-chain.pem"
                + " and root-cert.pem, or tls.crt, tls.key and ca.crt; and, where certificates are"
                + " revoked, ca-crl.pem. Absent: Ambit makes its own root once, in the Secret"
                + " ambit-ca.")
        @Nullable String secretName) {

  static final CertificateAuthoritySpec DEFAULTS = new CertificateAuthoritySpec(null);
}
