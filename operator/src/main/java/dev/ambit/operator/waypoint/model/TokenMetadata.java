package dev.ambit.operator.waypoint.model;

/** Where a waypoint's Envoy keeps what a token says that has been found good. */
public final class TokenMetadata {
  /** Of the filter that checks tokens. */
  public static final String FILTER = "envoy.filters.http.jwt_authn";

  /** The claims, under that filter's name. */
  public static final String PAYLOAD = "payload";

  private TokenMetadata() {}
}
