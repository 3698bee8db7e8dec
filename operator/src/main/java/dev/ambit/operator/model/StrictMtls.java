package dev.ambit.operator.model;

import com.google.protobuf.Empty;
import dev.ambit.protocol.security.Action;
import dev.ambit.protocol.security.Authorization;
import dev.ambit.protocol.security.Clause;
import dev.ambit.protocol.security.Match;
import dev.ambit.protocol.security.Rule;
import dev.ambit.protocol.security.Scope;
import dev.ambit.protocol.security.StringMatch;
import io.fabric8.istio.api.api.security.v1beta1.PeerAuthenticationMutualTLS;
import io.fabric8.istio.api.security.v1.PeerAuthentication;
import java.util.Collection;
import java.util.Comparator;
import java.util.Map;
import java.util.Optional;
import java.util.SortedSet;
import java.util.TreeSet;

/**
 * Strict mTLS as ztunnels understand it: a DENY policy for whoever has no identity, which strict
 * workloads refer to. A PeerAuthentication with ports of their own becomes a policy of its own,
 * since one denial cannot take back another.
 */
final class StrictMtls {
  /** In the root namespace. */
  static final String STATIC_STRICT = "istio_converted_static_strict";

  /**
   * In the root namespace. The name is known to ztunnels, which judge plain flows of UDP anew now
   * and then while there is such a policy.
   */
  static final String PLAINTEXT_WATCH = "ambit_plaintext_watch";

  private static final String CONVERTED = "converted_peer_authentication_";

  /** Of several of one level the oldest holds, as for Istio. */
  static final Comparator<PeerAuthentication> OLDEST_FIRST =
      Comparator.<PeerAuthentication, String>comparing(
              policy ->
                  policy.getMetadata().getCreationTimestamp() == null
                      ? ""
                      : policy.getMetadata().getCreationTimestamp())
          .thenComparing(policy -> policy.getMetadata().getName());

  private StrictMtls() {}

  static Map<String, String> selector(PeerAuthentication policy) {
    return policy.getSpec() == null
            || policy.getSpec().getSelector() == null
            || policy.getSpec().getSelector().getMatchLabels() == null
        ? Map.of()
        : policy.getSpec().getSelector().getMatchLabels();
  }

  static MtlsMode mode(PeerAuthentication policy) {
    return policy.getSpec() == null ? MtlsMode.UNSET : MtlsMode.of(policy.getSpec().getMtls());
  }

  /** The mode that the policies without selector among these set. */
  static MtlsMode levelMode(Collection<PeerAuthentication> policies) {
    return policies.stream()
        .filter(policy -> selector(policy).isEmpty() && Revision.isOurs(policy))
        .min(OLDEST_FIRST)
        .map(StrictMtls::mode)
        .orElse(MtlsMode.UNSET);
  }

  /** The policy that every strict workload without ports of its own refers to. */
  static Authorization staticStrict(String rootNamespace) {
    return deny(rootNamespace, STATIC_STRICT, noIdentity().build());
  }

  /**
   * Denies nothing. Plain datagrams pass the ztunnel of a pod by that no policy speaks for; pods
   * refer to this one so that they do not.
   */
  static Authorization plaintextWatch(String rootNamespace) {
    return Authorization.newBuilder()
        .setNamespace(rootNamespace)
        .setName(PLAINTEXT_WATCH)
        .setScope(Scope.WORKLOAD_SELECTOR)
        .setAction(Action.DENY)
        .build();
  }

  /** What the policy of that name becomes is called. */
  static String convertedName(String name) {
    return CONVERTED + name;
  }

  /**
   * What a policy with selector becomes where its ports differ from the rest.
   *
   * @param above the mode that holds where the policy says nothing
   */
  static Optional<Authorization> converted(PeerAuthentication policy, MtlsMode above) {
    if (selector(policy).isEmpty()
        || policy.getSpec() == null
        || policy.getSpec().getPortLevelMtls() == null) {
      return Optional.empty();
    }
    boolean strict = mode(policy).or(above) == MtlsMode.STRICT;
    SortedSet<Integer> exceptions = new TreeSet<>();
    for (Map.Entry<String, PeerAuthenticationMutualTLS> port :
        policy.getSpec().getPortLevelMtls().entrySet()) {
      MtlsMode mode = MtlsMode.of(port.getValue());
      if (mode != MtlsMode.UNSET && (mode == MtlsMode.STRICT) != strict) {
        L4Values.port(port.getKey()).ifPresent(exceptions::add);
      }
    }
    if (exceptions.isEmpty()) {
      return Optional.empty();
    }
    Match.Builder match = noIdentity();
    exceptions.forEach(strict ? match::addNotDestinationPorts : match::addDestinationPorts);
    return Optional.of(
        deny(
            policy.getMetadata().getNamespace(),
            convertedName(policy.getMetadata().getName()),
            match.build()));
  }

  private static Match.Builder noIdentity() {
    return Match.newBuilder()
        .addNotPrincipals(StringMatch.newBuilder().setPresence(Empty.getDefaultInstance()));
  }

  private static Authorization deny(String namespace, String name, Match match) {
    return Authorization.newBuilder()
        .setNamespace(namespace)
        .setName(name)
        .setScope(Scope.WORKLOAD_SELECTOR)
        .setAction(Action.DENY)
        .addRules(Rule.newBuilder().addClauses(Clause.newBuilder().addMatches(match)))
        .build();
  }
}
