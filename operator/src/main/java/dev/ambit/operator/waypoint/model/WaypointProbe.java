package dev.ambit.operator.waypoint.model;

/**
 * The one request that a waypoint answers itself, to whoever may open a tunnel to it: it shows that
 * tunnels and requests go through, and reaches no application.
 */
public final class WaypointProbe {
  /**
   * What the tunnel is asked to lead to. The address is the one that RFC 7600 sets aside for where
   * an address is needed and none is meant, so that no service has it.
   */
  public static final String AUTHORITY = "192.0.0.8:15021";

  /**
   * The same for a waypoint that has been told of what its own namespace's enrollment leads through
   * it, and for no other: others answer 404.
   */
  public static final String NAMESPACE_AUTHORITY = "192.0.0.8:15022";

  /** The path of the request in the tunnel, by HTTP/1.1. */
  public static final String PATH = "/ambit/probe";

  /** The body of the answer. */
  public static final String ANSWER = "ambit waypoint\n";

  private WaypointProbe() {}
}
