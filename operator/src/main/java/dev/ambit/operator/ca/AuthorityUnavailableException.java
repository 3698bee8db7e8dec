package dev.ambit.operator.ca;

/**
 * The authority cannot sign at the moment: it has not been loaded, or its own certificate has
 * expired.
 */
public final class AuthorityUnavailableException extends Exception {
  private static final long serialVersionUID = 1L;

  AuthorityUnavailableException(String message) {
    super(message);
  }

  AuthorityUnavailableException(String message, Throwable cause) {
    super(message, cause);
  }
}
