package dev.ambit.ztunnel;

/** An environment variable that cannot be used; the message says which, and what it should be. */
final class SettingsException extends Exception {
  private static final long serialVersionUID = 1L;

  SettingsException(String message) {
    super(message);
  }
}
