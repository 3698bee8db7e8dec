package dev.ambit.operator.model;

import java.util.Comparator;
import java.util.HashMap;
import java.util.Map;
import java.util.NavigableSet;
import java.util.Optional;
import java.util.Set;
import java.util.TreeSet;

/**
 * Who answers for a host name. Of several objects of one namespace a Kubernetes Service does, or
 * else the oldest ServiceEntry; among namespaces one is canonical, by the same order, and answers
 * for those that have none of their own. Not thread-safe.
 */
final class HostClaims {
  private static final Comparator<Claim> ORDER =
      Comparator.comparing(Claim::entry)
          .thenComparing(Claim::created)
          .thenComparing(Claim::namespace)
          .thenComparing(Claim::name);

  private final Map<String, Map<String, NavigableSet<Claim>>> byHost = new HashMap<>();

  /**
   * One object's claim to a host name.
   *
   * @param entry whether it is a ServiceEntry's
   * @param created when the object was, in RFC 3339
   * @param shared whether other namespaces may see it
   */
  record Claim(boolean entry, String created, String namespace, String name, boolean shared) {}

  void add(String host, Claim claim) {
    byHost
        .computeIfAbsent(host, _ -> new HashMap<>())
        .computeIfAbsent(claim.namespace(), _ -> new TreeSet<>(ORDER))
        .add(claim);
  }

  void remove(String host, Claim claim) {
    Map<String, NavigableSet<Claim>> byNamespace = byHost.get(host);
    NavigableSet<Claim> claims = byNamespace == null ? null : byNamespace.get(claim.namespace());
    if (byNamespace == null || claims == null) {
      return;
    }
    claims.remove(claim);
    if (claims.isEmpty()) {
      byNamespace.remove(claim.namespace());
    }
    if (byNamespace.isEmpty()) {
      byHost.remove(host);
    }
  }

  void clear() {
    byHost.clear();
  }

  /** Namespaces in which the name is claimed. */
  Set<String> namespaces(String host) {
    return Set.copyOf(byHost.getOrDefault(host, Map.of()).keySet());
  }

  /** All claims of a namespace, the one that holds first. */
  NavigableSet<Claim> in(String host, String namespace) {
    NavigableSet<Claim> claims = byHost.getOrDefault(host, Map.of()).get(namespace);
    return claims == null ? new TreeSet<>(ORDER) : claims;
  }

  /** The claim that holds in a namespace. */
  Optional<Claim> winner(String host, String namespace) {
    NavigableSet<Claim> claims = in(host, namespace);
    return claims.isEmpty() ? Optional.empty() : Optional.of(claims.first());
  }

  /** The namespace whose answer holds for namespaces that have none of their own. */
  Optional<String> canonical(String host) {
    return byHost.getOrDefault(host, Map.of()).values().stream()
        .map(NavigableSet::first)
        .filter(Claim::shared)
        .min(ORDER)
        .map(Claim::namespace);
  }
}
