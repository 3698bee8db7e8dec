package dev.ambit.operator.waypoint.model;

/**
 * What a waypoint's Envoy knows of a connection, by the keys of its filter state. Each is set where
 * HBONE ends and shared with the inner hops as a hashable object, so that connections of different
 * clients are never pooled together.
 */
public final class FilterState {
  /** The client's SPIFFE URI, as its certificate proved it. */
  public static final String PEER_PRINCIPAL = "io.istio.peer_principal";

  /** The waypoint's own SPIFFE URI. */
  public static final String LOCAL_PRINCIPAL = "io.istio.local_principal";

  /**
   * Where the client wanted to go: "address:port". Becomes the inner connection's local address.
   */
  public static final String DESTINATION = "envoy.filters.listener.original_dst.local_ip";

  /**
   * The SPIFFE URIs of which an endpoint's certificate must have one, on a connection to it;
   * Envoy's own key.
   */
  public static final String UPSTREAM_NAMES = "envoy.network.upstream_subject_alt_names";

  /** Of the factory for all of them: what it makes is part of an upstream pool's key. */
  public static final String HASHABLE_STRING = "envoy.hashable_string";

  private FilterState() {}
}
