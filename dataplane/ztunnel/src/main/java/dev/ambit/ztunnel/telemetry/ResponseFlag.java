package dev.ambit.ztunnel.telemetry;

/** Why a connection ended otherwise than its two ends wanted; labels are Istio's. */
public enum ResponseFlag {
  NONE("-"),
  DENIED("DENY"),
  CONNECT_FAILED("CONNECT"),
  TLS_FAILURE("TLS_FAILURE"),
  HTTP2_HANDSHAKE_FAILURE("H2_HANDSHAKE_FAILURE"),
  NETWORK_POLICY("NETWORK_POLICY"),
  IDENTITY_ERROR("IDENTITY_ERROR"),
  CERTIFICATE_REVOKED("CERT_REVOKED");

  private final String label;

  ResponseFlag(String label) {
    this.label = label;
  }

  /** The metrics' {@code response_flags}. */
  public String label() {
    return label;
  }
}
