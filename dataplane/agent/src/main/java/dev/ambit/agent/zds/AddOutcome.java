package dev.ambit.agent.zds;

/** What came of handing a pod to the ztunnel. */
public sealed interface AddOutcome {
  /** The ztunnel listens in the pod's network namespace. */
  record Acknowledged() implements AddOutcome {}

  /** The ztunnel could not take the pod, in its own words. */
  record Refused(String error) implements AddOutcome {}

  /** No ztunnel answered. */
  record Unanswered(String reason) implements AddOutcome {}

  /** The pod's network namespace was closed before it was sent. */
  record Gone() implements AddOutcome {}
}
