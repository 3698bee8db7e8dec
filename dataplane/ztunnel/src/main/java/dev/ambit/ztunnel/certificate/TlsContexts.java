package dev.ambit.ztunnel.certificate;

import dev.ambit.ztunnel.identity.Identity;
import io.netty.handler.ssl.ApplicationProtocolConfig;
import io.netty.handler.ssl.ClientAuth;
import io.netty.handler.ssl.OpenSslSessionContext;
import io.netty.handler.ssl.SslContext;
import io.netty.handler.ssl.SslContextBuilder;
import io.netty.handler.ssl.SslProvider;
import java.security.PrivateKey;
import java.security.cert.X509Certificate;
import java.util.List;
import javax.net.ssl.SSLException;

/** Makes the TLS contexts of an issued certificate. */
final class TlsContexts {
  private static final ApplicationProtocolConfig H2 =
      new ApplicationProtocolConfig(
          ApplicationProtocolConfig.Protocol.ALPN,
          ApplicationProtocolConfig.SelectorFailureBehavior.NO_ADVERTISE,
          ApplicationProtocolConfig.SelectedListenerFailureBehavior.ACCEPT,
          "h2");
  private static final List<String> CIPHERS =
      List.of("TLS_AES_256_GCM_SHA384", "TLS_AES_128_GCM_SHA256");

  private TlsContexts() {}

  static TlsIdentity of(Identity identity, PrivateKey key, IssuedChain issued) throws SSLException {
    X509Certificate[] chain = issued.chain().toArray(new X509Certificate[0]);
    X509Certificate[] roots = issued.roots().toArray(new X509Certificate[0]);
    SslContext client =
        common(SslContextBuilder.forClient().keyManager(key, chain), roots)
            // A peer is known by its SPIFFE identity, not by a host name.
            .endpointIdentificationAlgorithm(null)
            .build();
    SslContext server =
        common(SslContextBuilder.forServer(key, chain), roots)
            .clientAuth(ClientAuth.REQUIRE)
            .build();
    forbidResumption(client);
    forbidResumption(server);
    return new TlsIdentity(client, server, identity, issued.expiry(), issued.roots());
  }

  private static SslContextBuilder common(SslContextBuilder builder, X509Certificate[] roots) {
    // Not the reference-counted provider: connections keep using a context that was replaced, and
    // nobody but them knows when it is no longer needed.
    return builder
        .sslProvider(SslProvider.OPENSSL)
        .protocols("TLSv1.3")
        .ciphers(CIPHERS)
        .applicationProtocolConfig(H2)
        .trustManager(roots);
  }

  /** A resumed session would show no certificate, and so outlive one that was replaced. */
  private static void forbidResumption(SslContext context) {
    if (context.sessionContext() instanceof OpenSslSessionContext sessions) {
      sessions.setSessionCacheEnabled(false);
    }
  }
}
