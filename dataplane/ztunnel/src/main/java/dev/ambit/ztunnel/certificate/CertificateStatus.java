package dev.ambit.ztunnel.certificate;

import dev.ambit.ztunnel.identity.Identity;
import java.security.cert.X509Certificate;
import java.util.List;

/**
 * How it stands with an identity's certificate, for inspection. Holds no key.
 *
 * @param state {@code Available}, {@code Initializing} or {@code Unavailable: reason}
 * @param chain leaf and intermediates; empty where none is held
 * @param roots whom peers have to chain to
 * @param pods how many pods of this node have the identity
 */
public record CertificateStatus(
    Identity identity,
    String state,
    List<X509Certificate> chain,
    List<X509Certificate> roots,
    int pods) {}
