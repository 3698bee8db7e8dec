package dev.ambit.ztunnel.hbone;

/** A peer's breach of the rules for datagrams in a stream, which ends the stream. */
public final class CapsuleException extends Exception {
  private static final long serialVersionUID = 1L;

  CapsuleException(String message) {
    // No stack trace: a hostile peer decides how many of these there are.
    super(message, null, false, false);
  }
}
