package dev.ambit.operator.xds;

import java.util.Map;
import java.util.Set;

/** Hears of responses that clients rejected. */
@FunctionalInterface
public interface RejectionListener {
  /**
   * A response that a client would not take (a NACK).
   *
   * @param realm whose resources the client is given
   * @param versions of what was in it, by name; of what was removed, none
   */
  record Rejection(
      String realm, String nodeId, String typeUrl, String error, Map<String, String> versions) {
    /** Copies the versions. */
    public Rejection {
      versions = Map.copyOf(versions);
    }

    /** The names of what was in it. */
    public Set<String> names() {
      return versions.keySet();
    }
  }

  /** Called on the client's stream, so it must not wait for anything. */
  void rejected(Rejection rejection);
}
