package dev.ambit.operator.ca;

import java.net.Socket;
import java.security.GeneralSecurityException;
import java.security.KeyPair;
import java.security.Principal;
import java.security.PrivateKey;
import java.security.cert.X509Certificate;
import java.time.Duration;
import java.time.Instant;
import java.time.InstantSource;
import java.util.List;
import java.util.function.Supplier;
import javax.net.ssl.SSLEngine;
import javax.net.ssl.X509ExtendedKeyManager;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The control plane's own certificate, signed by the authority it serves. Each handshake takes the
 * newest one: a new one is made at half of the old one's life, and as soon as the authority
 * changes. The key never leaves this object.
 */
public final class ServerCertificate extends X509ExtendedKeyManager implements AutoCloseable {
  private static final Logger LOG = LoggerFactory.getLogger(ServerCertificate.class);
  private static final String ALIAS = "control-plane";

  private final CertificateAuthority authority;
  private final List<String> dnsNames;
  private final Supplier<SpiffeId> identity;
  private final InstantSource clock;
  private final AutoCloseable registration;
  private volatile @Nullable Current current;

  private record Current(PrivateKey key, X509Certificate[] chain, Instant renewAt) {}

  /**
   * Makes the first certificate.
   *
   * @throws AuthorityUnavailableException where the authority cannot sign yet
   */
  public ServerCertificate(
      CertificateAuthority authority,
      List<String> dnsNames,
      Supplier<SpiffeId> identity,
      InstantSource clock)
      throws AuthorityUnavailableException {
    this.authority = authority;
    this.dnsNames = List.copyOf(dnsNames);
    this.identity = identity;
    this.clock = clock;
    this.current = make();
    this.registration = authority.onChange(this::renew);
  }

  /** Makes another where half of the present one's life is over. */
  public void renewIfDue() {
    Current now = current;
    if (now == null || !clock.instant().isBefore(now.renewAt())) {
      renew();
    }
  }

  /** Makes another now, as when the trust domain has changed. */
  public void renew() {
    try {
      current = make();
    } catch (AuthorityUnavailableException e) {
      // The present one stays in use; the next handshake or tick tries again.
      LOG.atWarn()
          .addKeyValue("identity", identity.get())
          .setCause(e)
          .log("cannot renew the control plane's certificate");
    }
  }

  private Current make() throws AuthorityUnavailableException {
    KeyPair pair;
    try {
      pair = SelfSignedRoot.generateKeyPair();
    } catch (GeneralSecurityException e) {
      throw new AuthorityUnavailableException("this Java runtime cannot make a P-256 key", e);
    }
    IssuedCertificate issued = authority.signServer(pair, dnsNames, identity.get());
    Instant now = clock.instant();
    Duration life = Duration.between(now, issued.leaf().getNotAfter().toInstant());
    LOG.atInfo()
        .addKeyValue("identity", identity.get())
        .addKeyValue("notAfter", issued.leaf().getNotAfter().toInstant())
        .log("renewed the control plane's certificate");
    return new Current(pair.getPrivate(), issued.presented(), now.plus(life.dividedBy(2)));
  }

  @Override
  public void close() throws Exception {
    registration.close();
  }

  @Override
  public String chooseEngineServerAlias(
      String keyType, Principal @Nullable [] issuers, SSLEngine engine) {
    renewIfDue();
    return ALIAS;
  }

  @Override
  public String chooseServerAlias(String keyType, Principal @Nullable [] issuers, Socket socket) {
    renewIfDue();
    return ALIAS;
  }

  @Override
  public X509Certificate @Nullable [] getCertificateChain(String alias) {
    Current now = current;
    return now == null ? null : now.chain().clone();
  }

  @Override
  public @Nullable PrivateKey getPrivateKey(String alias) {
    Current now = current;
    return now == null ? null : now.key();
  }

  @Override
  public String[] getServerAliases(String keyType, Principal @Nullable [] issuers) {
    return new String[] {ALIAS};
  }

  @Override
  public String @Nullable [] getClientAliases(String keyType, Principal @Nullable [] issuers) {
    return null;
  }

  /** It is also what the operator shows where it calls pods. */
  @Override
  public String chooseClientAlias(String[] keyType, Principal @Nullable [] issuers, Socket socket) {
    renewIfDue();
    return ALIAS;
  }
}
