package dev.ambit.operator.ca;

/**
 * A certificate authority's Secret that cannot be used; the message says which key is wrong and
 * what to do.
 */
public final class InvalidAuthorityException extends Exception {
  private static final long serialVersionUID = 1L;

  InvalidAuthorityException(String message) {
    super(message);
  }

  InvalidAuthorityException(String message, Throwable cause) {
    super(message, cause);
  }
}
