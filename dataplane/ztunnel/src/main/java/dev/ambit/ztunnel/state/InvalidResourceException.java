package dev.ambit.ztunnel.state;

/** A resource from the control plane that cannot be used; the message says which and why. */
public final class InvalidResourceException extends IllegalArgumentException {
  private static final long serialVersionUID = 1L;

  public InvalidResourceException(String message) {
    super(message);
  }
}
