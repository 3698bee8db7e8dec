package dev.ambit.operator.ca;

import java.io.IOException;
import java.util.Optional;
import java.util.Set;
import java.util.function.Supplier;

/**
 * Decides whether a node proxy may have the certificate of another identity: only one that a pod on
 * the proxy's own node runs as. A pod that the cache does not know yet is looked up, so that the
 * first certificate of a new pod is not refused.
 */
public final class NodeAuthorization {
  private final Set<String> trustedAccounts;
  private final Supplier<TrustDomain> trustDomain;
  private final PodDirectory pods;

  /**
   * Trusts those accounts to be node proxies.
   *
   * @param trustedAccounts each "namespace/service account"
   */
  public NodeAuthorization(
      Set<String> trustedAccounts, Supplier<TrustDomain> trustDomain, PodDirectory pods) {
    this.trustedAccounts = Set.copyOf(trustedAccounts);
    this.trustDomain = trustDomain;
    this.pods = pods;
  }

  /** Whether that caller is a node proxy at all. */
  public boolean trusts(Caller caller) {
    return trustedAccounts.contains(caller.account());
  }

  /** Why the caller may not have the identity, or nothing where it may. May block. */
  public Optional<Refusal> refusal(Caller caller, SpiffeId wanted) {
    if (!trusts(caller)) {
      return refuse(
          Refusal.Reason.CALLER_NOT_TRUSTED_NODE,
          caller.account() + " is not one of the trusted node accounts " + trustedAccounts);
    }
    if (!wanted.trustDomain().equals(trustDomain.get())) {
      return refuse(
          Refusal.Reason.FOREIGN_TRUST_DOMAIN, wanted + " is not of " + trustDomain.get());
    }
    if (caller.pod().isEmpty()) {
      return refuse(
          Refusal.Reason.CALLER_WITHOUT_POD,
          "the caller's credential is bound to no pod; a node proxy has to use its projected token");
    }
    try {
      return refusalOnNode(caller, caller.pod().get(), wanted);
    } catch (IOException e) {
      return refuse(
          Refusal.Reason.POD_LOOKUP_UNAVAILABLE,
          "the API server cannot be asked about pods: " + e.getMessage());
    }
  }

  private Optional<Refusal> refusalOnNode(Caller caller, Caller.BoundPod bound, SpiffeId wanted)
      throws IOException {
    String namespace = caller.identity().namespace();
    Optional<PodDirectory.PodFacts> found =
        pods.cachedPod(namespace, bound.name()).filter(pod -> pod.uid().equals(bound.uid()));
    if (found.isEmpty() || found.get().node().isEmpty()) {
      found = pods.currentPod(namespace, bound.name());
    }
    if (found.isEmpty()) {
      return refuse(
          Refusal.Reason.CALLER_POD_UNKNOWN,
          "the caller's pod " + namespace + "/" + bound.name() + " does not exist");
    }
    PodDirectory.PodFacts pod = found.get();
    if (!pod.uid().equals(bound.uid())
        || !pod.serviceAccount().equals(caller.identity().serviceAccount())) {
      return refuse(
          Refusal.Reason.CALLER_POD_MISMATCH,
          "pod "
              + namespace
              + "/"
              + bound.name()
              + " has UID "
              + pod.uid()
              + " and service account "
              + pod.serviceAccount()
              + ", the caller's token says "
              + bound.uid()
              + " and "
              + caller.identity().serviceAccount());
    }
    if (pod.node().isEmpty()) {
      return refuse(
          Refusal.Reason.CALLER_NOT_ON_NODE,
          "the caller's pod " + namespace + "/" + bound.name() + " is on no node");
    }
    if (pods.cachedOnNode(pod.node(), wanted.namespace(), wanted.serviceAccount())
        || pods.currentlyOnNode(pod.node(), wanted.namespace(), wanted.serviceAccount())) {
      return Optional.empty();
    }
    return refuse(
        Refusal.Reason.IDENTITY_NOT_ON_NODE,
        "no running pod on node " + pod.node() + " has the identity " + wanted);
  }

  private static Optional<Refusal> refuse(Refusal.Reason reason, String detail) {
    return Optional.of(new Refusal(reason, detail));
  }
}
