package dev.ambit.operator.xds;

import java.util.Set;

/** Hears of responses that clients rejected. */
@FunctionalInterface
public interface RejectionListener {
  /** A response that a client would not take (a NACK), and the names that were in it. */
  record Rejection(String nodeId, String typeUrl, String error, Set<String> names) {}

  void rejected(Rejection rejection);
}
