package dev.ambit.operator.ca;

import java.security.cert.CertificateParsingException;
import java.security.cert.X509Certificate;
import java.util.Collection;
import java.util.List;
import java.util.Optional;
import java.util.function.Supplier;

/** Takes the SPIFFE identity from a client certificate, whose chain TLS has verified. */
public final class ClientCertificateAuthenticator implements Authenticator {
  private static final Integer URI = 6;

  private final Supplier<TrustDomain> trustDomain;

  /** Accepts identities of that trust domain alone. */
  public ClientCertificateAuthenticator(Supplier<TrustDomain> trustDomain) {
    this.trustDomain = trustDomain;
  }

  @Override
  public Result authenticate(Credentials credentials) {
    if (credentials.certificates().isEmpty()) {
      return new Result.NotApplicable();
    }
    Optional<SpiffeId> identity = identity(credentials.certificates().getFirst());
    if (identity.isEmpty()) {
      return new Result.Refused(
          new Refusal(
              Refusal.Reason.CERTIFICATE_WITHOUT_IDENTITY,
              "the client certificate has no single SPIFFE identity"));
    }
    if (!identity.get().trustDomain().equals(trustDomain.get())) {
      return new Result.Refused(
          new Refusal(
              Refusal.Reason.FOREIGN_TRUST_DOMAIN,
              "the client certificate is for " + identity.get()));
    }
    return new Result.Authenticated(new Caller(identity.get(), Optional.empty()));
  }

  private static Optional<SpiffeId> identity(X509Certificate certificate) {
    try {
      Collection<List<?>> names = certificate.getSubjectAlternativeNames();
      if (names == null) {
        return Optional.empty();
      }
      List<String> uris =
          names.stream()
              .filter(name -> URI.equals(name.get(0)))
              .map(name -> String.valueOf(name.get(1)))
              .toList();
      // SPIFFE X.509-SVID, section 2: exactly one URI.
      return uris.size() == 1 ? SpiffeId.parse(uris.getFirst()) : Optional.empty();
    } catch (CertificateParsingException e) {
      return Optional.empty();
    }
  }
}
