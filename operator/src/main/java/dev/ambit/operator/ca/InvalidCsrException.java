package dev.ambit.operator.ca;

/** A certificate signing request that is refused for what it contains. */
public final class InvalidCsrException extends Exception {
  private static final long serialVersionUID = 1L;

  InvalidCsrException(String message) {
    super(message);
  }

  InvalidCsrException(String message, Throwable cause) {
    super(message, cause);
  }
}
