package dev.ambit.operator.model;

import io.fabric8.istio.api.security.v1.PeerAuthentication;
import io.fabric8.kubernetes.api.model.Pod;
import java.util.Collection;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;

/**
 * What a namespace's PeerAuthentications say of plaintext, beside its MeshEnrollment.
 *
 * @param strict the one without selector that counts, where it refuses plaintext; else empty
 * @param permissive the one without selector that counts, where it accepts plaintext; else empty
 * @param exceptions those that select pods of the namespace and accept plaintext for them, for some
 *     of their ports at least
 */
public record MtlsPolicies(String strict, String permissive, List<String> exceptions) {
  /** They say nothing. */
  public static final MtlsPolicies NONE = new MtlsPolicies("", "", List.of());

  public MtlsPolicies {
    exceptions = List.copyOf(exceptions);
  }

  /**
   * Reads them.
   *
   * @param policies of any namespaces
   * @param pods captured ones of the namespace, or those that would be
   */
  public static MtlsPolicies of(
      String namespace, Collection<PeerAuthentication> policies, Collection<Pod> pods) {
    List<PeerAuthentication> own =
        policies.stream()
            .filter(policy -> namespace.equals(policy.getMetadata().getNamespace()))
            .filter(Revision::isOurs)
            .sorted(StrictMtls.OLDEST_FIRST)
            .toList();
    Optional<PeerAuthentication> level =
        own.stream().filter(policy -> StrictMtls.selector(policy).isEmpty()).findFirst();
    MtlsMode mode = level.map(StrictMtls::mode).orElse(MtlsMode.UNSET);
    String name = level.map(policy -> policy.getMetadata().getName()).orElse("");
    return new MtlsPolicies(
        mode == MtlsMode.STRICT ? name : "",
        mode == MtlsMode.PERMISSIVE ? name : "",
        own.stream()
            .filter(policy -> !StrictMtls.selector(policy).isEmpty())
            .filter(MtlsPolicies::accepts)
            .filter(policy -> decidesForOne(policy, own, pods))
            .map(policy -> policy.getMetadata().getName())
            .sorted(Comparator.naturalOrder())
            .toList());
  }

  private static boolean accepts(PeerAuthentication policy) {
    return StrictMtls.mode(policy) == MtlsMode.PERMISSIVE
        || (policy.getSpec() != null
            && policy.getSpec().getPortLevelMtls() != null
            && policy.getSpec().getPortLevelMtls().values().stream()
                .anyMatch(port -> MtlsMode.of(port) == MtlsMode.PERMISSIVE));
  }

  /** Of several that select a pod the oldest counts. */
  private static boolean decidesForOne(
      PeerAuthentication policy, List<PeerAuthentication> oldestFirst, Collection<Pod> pods) {
    return pods.stream()
        .map(pod -> Objects.requireNonNullElse(pod.getMetadata().getLabels(), Map.of()))
        .anyMatch(
            labels ->
                oldestFirst.stream()
                        .filter(each -> !StrictMtls.selector(each).isEmpty())
                        .filter(
                            each ->
                                labels.entrySet().containsAll(StrictMtls.selector(each).entrySet()))
                        .findFirst()
                        .orElse(null)
                    == policy);
  }
}
