package dev.ambit.operator.preflight.model;

import dev.ambit.api.MtlsMode;
import io.fabric8.istio.api.security.v1.AuthorizationPolicy;
import io.fabric8.istio.api.security.v1.PeerAuthentication;
import io.fabric8.kubernetes.api.model.Pod;
import io.fabric8.kubernetes.api.model.networking.v1.NetworkPolicy;
import java.util.List;
import java.util.Set;

/**
 * What preflight looks at.
 *
 * @param steps how many steps the rollout has
 * @param meshMtls what the AmbientMesh says of plaintext
 * @param capturable pods that the enrollment would capture
 * @param otherPods pods of the namespace that it would not
 * @param networkPolicies of the namespace
 * @param authorizationPolicies of the namespace and the root namespace
 * @param peerAuthentications of the namespace and the root namespace
 * @param missingDefinitions CRDs that the cluster lacks
 */
public record PreflightFacts(
    String namespace,
    String rootNamespace,
    int steps,
    MtlsMode meshMtls,
    List<Pod> capturable,
    List<Pod> otherPods,
    List<NetworkPolicy> networkPolicies,
    List<AuthorizationPolicy> authorizationPolicies,
    List<PeerAuthentication> peerAuthentications,
    Set<String> missingDefinitions,
    NodeReadiness nodes) {

  public PreflightFacts {
    capturable = List.copyOf(capturable);
    otherPods = List.copyOf(otherPods);
    networkPolicies = List.copyOf(networkPolicies);
    authorizationPolicies = List.copyOf(authorizationPolicies);
    peerAuthentications = List.copyOf(peerAuthentications);
    missingDefinitions = Set.copyOf(missingDefinitions);
  }

  /** Which nodes have their part of the mesh, as far as that is known. */
  public sealed interface NodeReadiness {
    /** Names of nodes whose ztunnel and whose agent are ready. */
    record Known(Set<String> ztunnels, Set<String> agents) implements NodeReadiness {
      public Known {
        ztunnels = Set.copyOf(ztunnels);
        agents = Set.copyOf(agents);
      }
    }

    /** Nobody has asked a cluster, as where manifests are checked before there is one. */
    record Unknown() implements NodeReadiness {}
  }
}
