package dev.ambit.operator.mesh.model;

import java.util.Optional;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/** What becomes of the root certificates' ConfigMap in a namespace. */
public sealed interface RootCertificateDecision {
  /** Kubernetes' own namespaces, in which nothing of the mesh runs. */
  Set<String> WITHOUT = Set.of("kube-node-lease", "kube-public", "kube-system");

  /** It is to hold these certificates. */
  record Apply(String bundle) implements RootCertificateDecision {}

  /** There is no mesh any more. */
  record Delete() implements RootCertificateDecision {}

  /** It is as it should be. */
  record Leave() implements RootCertificateDecision {}

  /**
   * Decides for a namespace.
   *
   * @param root whether this is Ambit's own namespace
   * @param mesh whether there is an AmbientMesh
   * @param bundle the certificates, once they are known
   * @param actual what the ConfigMap holds: empty where there is none, an empty text where it lacks
   *     the certificates
   */
  static RootCertificateDecision of(
      String namespace,
      boolean root,
      boolean terminating,
      boolean mesh,
      Optional<String> bundle,
      @Nullable String actual) {
    if (terminating || (!root && WITHOUT.contains(namespace))) {
      return new Leave();
    }
    if (!mesh) {
      return actual == null ? new Leave() : new Delete();
    }
    return bundle
        .filter(wanted -> !wanted.equals(actual))
        .<RootCertificateDecision>map(Apply::new)
        .orElseGet(Leave::new);
  }
}
