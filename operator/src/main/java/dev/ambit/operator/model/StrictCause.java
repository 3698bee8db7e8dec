package dev.ambit.operator.model;

import io.fabric8.istio.api.security.v1.PeerAuthentication;
import java.util.Collection;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.SortedSet;
import java.util.TreeSet;

/** What has the last word where captured pods of a namespace refuse plaintext. */
public sealed interface StrictCause {
  /** The AmbientMesh. */
  record Mesh() implements StrictCause {}

  /** A PeerAuthentication. */
  record Policy(PeerAuthentication policy) implements StrictCause {}

  /** A PeerAuthentication, for some ports alone. */
  record Ports(PeerAuthentication policy, SortedSet<Integer> ports) implements StrictCause {}

  /**
   * All of them, as the control plane tells ztunnels; none where plaintext is let in.
   *
   * @param policies those of the namespace and the root namespace, and of any others
   * @param enrollment what the namespace's MeshEnrollment says
   * @param mesh what the AmbientMesh says
   * @param pods labels of the pods in question; where there are none, of one without labels
   */
  static Set<StrictCause> of(
      String namespace,
      String rootNamespace,
      Collection<PeerAuthentication> policies,
      MtlsMode enrollment,
      MtlsMode mesh,
      Collection<Map<String, String>> pods) {
    Optional<StrictCause> above =
        above(namespace, rootNamespace, policies, enrollment, mesh == MtlsMode.STRICT);
    List<PeerAuthentication> selecting =
        of(namespace, policies).stream()
            .filter(policy -> !StrictMtls.selector(policy).isEmpty())
            .toList();
    Set<StrictCause> causes = new LinkedHashSet<>();
    for (Map<String, String> labels :
        pods.isEmpty() ? List.of(Map.<String, String>of()) : List.copyOf(pods)) {
      Optional<PeerAuthentication> own =
          selecting.stream()
              .filter(
                  policy -> labels.entrySet().containsAll(StrictMtls.selector(policy).entrySet()))
              .findFirst();
      if (own.isEmpty()) {
        above.ifPresent(causes::add);
        continue;
      }
      MtlsMode mode = StrictMtls.mode(own.get());
      if (mode == MtlsMode.STRICT) {
        causes.add(new Policy(own.get()));
      } else if (mode == MtlsMode.UNSET && above.isPresent()) {
        causes.add(above.get());
      } else {
        SortedSet<Integer> ports = strictPorts(own.get());
        if (!ports.isEmpty()) {
          causes.add(new Ports(own.get(), ports));
        }
      }
    }
    return causes;
  }

  /** Of those that select no pods. */
  private static Optional<StrictCause> above(
      String namespace,
      String rootNamespace,
      Collection<PeerAuthentication> policies,
      MtlsMode enrollment,
      boolean mesh) {
    Optional<PeerAuthentication> root = level(rootNamespace, policies);
    Optional<PeerAuthentication> own =
        namespace.equals(rootNamespace) ? Optional.empty() : level(namespace, policies);
    MtlsMode here = own.map(StrictMtls::mode).orElse(MtlsMode.UNSET);
    if (here == MtlsMode.STRICT) {
      return own.map(Policy::new);
    }
    if (here.stricter(enrollment) != MtlsMode.UNSET) {
      return Optional.empty();
    }
    return switch (root.map(StrictMtls::mode).orElse(MtlsMode.UNSET)) {
      case STRICT -> root.map(Policy::new);
      case PERMISSIVE -> Optional.empty();
      case UNSET -> mesh ? Optional.of(new Mesh()) : Optional.empty();
    };
  }

  private static Optional<PeerAuthentication> level(
      String namespace, Collection<PeerAuthentication> policies) {
    return of(namespace, policies).stream()
        .filter(policy -> StrictMtls.selector(policy).isEmpty())
        .findFirst();
  }

  private static List<PeerAuthentication> of(
      String namespace, Collection<PeerAuthentication> policies) {
    return policies.stream()
        .filter(policy -> namespace.equals(policy.getMetadata().getNamespace()))
        .filter(Revision::isOurs)
        .sorted(StrictMtls.OLDEST_FIRST)
        .toList();
  }

  private static SortedSet<Integer> strictPorts(PeerAuthentication policy) {
    SortedSet<Integer> ports = new TreeSet<>();
    if (policy.getSpec() != null && policy.getSpec().getPortLevelMtls() != null) {
      policy
          .getSpec()
          .getPortLevelMtls()
          .forEach(
              (port, mtls) -> {
                if (MtlsMode.of(mtls) == MtlsMode.STRICT) {
                  L4Values.port(port).ifPresent(ports::add);
                }
              });
    }
    return ports;
  }
}
