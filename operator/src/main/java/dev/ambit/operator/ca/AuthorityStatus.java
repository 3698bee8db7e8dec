package dev.ambit.operator.ca;

import java.time.Instant;

/**
 * What a person wants to know of the authority in use.
 *
 * @param subject the signing certificate's subject
 * @param fingerprint SHA-256 of the signing certificate, in lower-case hexadecimal
 * @param notAfter when the signing certificate expires
 * @param roots how many roots workloads trust
 */
public record AuthorityStatus(String subject, String fingerprint, Instant notAfter, int roots) {}
