package dev.ambit.operator.waypoint.life.model;

/** A waypoint's parameters cannot be used; the message says which, why and what to do. */
public final class InvalidParametersException extends Exception {
  private static final long serialVersionUID = 1L;

  public InvalidParametersException(String message) {
    super(message);
  }
}
