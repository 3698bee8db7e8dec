package dev.ambit.agent.zds;

import java.time.Duration;
import java.util.List;
import java.util.Map;

/**
 * The pods that every ztunnel of the node is to serve, and who wants to know how that goes. The
 * methods take no lock.
 */
public interface CapturedPods {
  /** All of them at this moment, also those that are leaving and whose connections go on. */
  List<ZdsWorkload> served();

  /** Those of {@link #served()} that are leaving, with how long their connections may go on. */
  Map<String, Duration> leaving();

  /** The UIDs of those of {@link #served()} that have begun to terminate, and serve on. */
  List<String> terminating();

  /** A ztunnel has answered for a pod of {@link #served()}, or has gone before it did. */
  void answered(ZdsWorkload pod, AddOutcome outcome);
}
