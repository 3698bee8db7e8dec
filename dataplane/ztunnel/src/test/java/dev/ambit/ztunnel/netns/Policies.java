package dev.ambit.ztunnel.netns;

import com.google.protobuf.ByteString;
import com.google.protobuf.Empty;
import dev.ambit.protocol.security.Action;
import dev.ambit.protocol.security.Address;
import dev.ambit.protocol.security.Authorization;
import dev.ambit.protocol.security.Clause;
import dev.ambit.protocol.security.Match;
import dev.ambit.protocol.security.Rule;
import dev.ambit.protocol.security.Scope;
import dev.ambit.protocol.security.StringMatch;
import java.net.InetAddress;

/** Authorization policies as xDS announces them. */
final class Policies {
  private Policies() {}

  /** The policy that strict mTLS becomes: whoever has no identity is denied. */
  static Authorization strict() {
    return of(
            "istio-system",
            "istio_converted_static_strict",
            Action.DENY,
            Match.newBuilder()
                .addNotPrincipals(StringMatch.newBuilder().setPresence(Empty.getDefaultInstance())))
        .build();
  }

  /** A policy with one rule of one match, that applies to the workloads that refer to it. */
  static Authorization.Builder of(
      String namespace, String name, Action action, Match.Builder match) {
    return Authorization.newBuilder()
        .setNamespace(namespace)
        .setName(name)
        .setScope(Scope.WORKLOAD_SELECTOR)
        .setAction(action)
        .addRules(Rule.newBuilder().addClauses(Clause.newBuilder().addMatches(match)));
  }

  static Match.Builder principal(Pod pod) {
    return Match.newBuilder()
        .addPrincipals(
            StringMatch.newBuilder().setExact(pod.identity().substring("spiffe://".length())));
  }

  static Match.Builder namespace(String namespace) {
    return Match.newBuilder().addNamespaces(StringMatch.newBuilder().setExact(namespace));
  }

  static Match.Builder source(InetAddress address) {
    var bytes = address.getAddress();
    return Match.newBuilder()
        .addSourceIps(
            Address.newBuilder()
                .setAddress(ByteString.copyFrom(bytes))
                .setLength(bytes.length * 8));
  }

  static Match.Builder port(int port) {
    return Match.newBuilder().addDestinationPorts(port);
  }
}
