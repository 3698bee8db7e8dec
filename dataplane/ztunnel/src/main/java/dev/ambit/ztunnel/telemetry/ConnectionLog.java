package dev.ambit.ztunnel.telemetry;

/** Takes note of every connection, for metrics and the access log. Any thread may call it. */
public interface ConnectionLog {
  /**
   * A connection is established: bytes can flow both ways. Counts it as opened and open; it has to
   * be closed.
   */
  OpenConnection opened(ConnectionInfo info);

  /**
   * A connection could not be made to the endpoint that {@code info} tells, and another is tried.
   * What becomes of it is told by one of the others.
   */
  void retried(ConnectionInfo info, String error, ResponseFlag flag);

  /**
   * A connection failed before it was established: refused, denied, or the next hop was not to be
   * reached. Of {@code info} as much as was known.
   */
  void failed(ConnectionInfo info, String error, ResponseFlag flag);

  /**
   * A connection to one of the node's pods did not come through the waypoint of its service.
   *
   * @param letIn whether it was let in all the same
   */
  default void passedWaypoint(String namespace, String hostname, boolean letIn) {}

  /** A tunnel could not be set up; once for each, whatever number of connections waited for it. */
  void handshakeFailed(Reporter reporter, HandshakeFailure reason);
}
