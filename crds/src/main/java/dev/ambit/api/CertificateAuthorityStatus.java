package dev.ambit.api;

import com.fasterxml.jackson.annotation.JsonPropertyDescription;

/** The certificate authority in use. */
public record CertificateAuthorityStatus(
    @JsonPropertyDescription("SHA-256 of the signing certificate, in hexadecimal.")
        String fingerprint,
    @JsonPropertyDescription("When the signing certificate expires.") String expires) {}
