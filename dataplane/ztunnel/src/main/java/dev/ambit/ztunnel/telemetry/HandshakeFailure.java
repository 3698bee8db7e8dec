package dev.ambit.ztunnel.telemetry;

/** Why no tunnel came to be once its TCP connection stood. */
public enum HandshakeFailure {
  /** There are too many tunnels, or handshakes, already: of this caller or of all. */
  LIMIT("limit"),
  /** The peer took too long. */
  TIMEOUT("timeout"),
  /** What came was not TLS. */
  PLAINTEXT("plaintext"),
  /** The peer went away meanwhile. */
  CLOSED("closed"),
  /** No TLS version, cipher or protocol (ALPN) that both have. */
  PROTOCOL("protocol"),
  /** The peer showed no certificate. */
  NO_CERTIFICATE("no_certificate"),
  /** The peer's certificate leads to no root of ours. */
  UNKNOWN_CA("unknown_ca"),
  /** The peer's certificate is no longer valid. */
  EXPIRED("expired"),
  /** The peer's certificate is not valid yet: one of the clocks is wrong. */
  NOT_YET_VALID("not_yet_valid"),
  /** The peer's certificate is on a revocation list. */
  REVOKED("revoked"),
  /** The peer's certificate cannot be used for this, or cannot be read. */
  BAD_CERTIFICATE("bad_certificate"),
  /** The caller is of a trust domain that is not ours. */
  TRUST_DOMAIN("trust_domain"),
  /** The next hop is somebody else than it has to be. */
  IDENTITY_MISMATCH("identity_mismatch"),
  /** The peer did not want our certificate. */
  REJECTED_BY_PEER("rejected_by_peer"),
  /** There is no certificate of our own to show. */
  OWN_CERTIFICATE("own_certificate"),
  /** TLS stood, and HTTP/2 did not. */
  HTTP2("http2"),
  /** Anything else; the log has it. */
  OTHER("other");

  private final String label;

  HandshakeFailure(String label) {
    this.label = label;
  }

  /** The metric's {@code reason}. */
  public String label() {
    return label;
  }
}
