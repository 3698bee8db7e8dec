package dev.ambit.operator.ca;

import java.security.cert.X509Certificate;
import java.util.List;
import java.util.Optional;

/** One way of finding out who calls. */
public interface Authenticator {

  /**
   * What a call carries: the client's verified certificate chain, leaf first, and its bearer token.
   */
  record Credentials(List<X509Certificate> certificates, Optional<String> bearerToken) {
    /** The token never shows. */
    @Override
    public String toString() {
      return "Credentials[certificates="
          + certificates.size()
          + ", bearerToken="
          + bearerToken.isPresent()
          + "]";
    }
  }

  /** What came of it. */
  sealed interface Result {
    /** The caller is known. */
    record Authenticated(Caller caller) implements Result {}

    /** The call carries nothing that this authenticator looks at. */
    record NotApplicable() implements Result {}

    /** The call carries something, and it does not hold. */
    record Refused(Refusal refusal) implements Result {}
  }

  /** May block. */
  Result authenticate(Credentials credentials);
}
