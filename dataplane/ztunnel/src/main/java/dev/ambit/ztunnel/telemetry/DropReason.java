package dev.ambit.ztunnel.telemetry;

/** Why a datagram was not passed on. */
public enum DropReason {
  /** It came before its flow was open, and more of these than are kept. */
  NOT_OPEN("not_open"),
  /** The flow was refused, or is over. */
  REFUSED("refused"),
  /** The tunnel took no more just then. */
  TUNNEL_FULL("tunnel_full"),
  /** The kernel did not take it, as where it is too long for the address family. */
  SOCKET("socket"),
  /** Too many flows, or too many new ones. */
  LIMIT("limit"),
  /** In plain text, and policies do not allow that. */
  DENIED("denied");

  private final String label;

  DropReason(String label) {
    this.label = label;
  }

  /** The metrics' {@code reason}. */
  public String label() {
    return label;
  }
}
