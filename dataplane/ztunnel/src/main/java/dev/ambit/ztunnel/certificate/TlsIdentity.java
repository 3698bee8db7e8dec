package dev.ambit.ztunnel.certificate;

import dev.ambit.ztunnel.identity.Identity;
import io.netty.handler.ssl.SslContext;
import java.security.cert.X509Certificate;
import java.time.Instant;
import java.util.List;

/**
 * An identity's key and certificates, ready for TLS 1.3 with ALPN {@code h2}. Both contexts check
 * the peer's chain against the mesh's roots and ask for the peer's certificate; which identity a
 * peer has to have is the caller's to check.
 *
 * @param client for connections that the identity's pods open
 * @param server for connections that they accept
 * @param identity whom the leaf certificate names
 * @param expiry when the leaf certificate ends
 * @param roots whom peers have to chain to
 */
public record TlsIdentity(
    SslContext client,
    SslContext server,
    Identity identity,
    Instant expiry,
    List<X509Certificate> roots) {}
