package dev.ambit.ztunnel.identity;

import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import java.util.Set;

/**
 * Trust domains that mean the same as a workload's own: an identity of one of them is treated as
 * the same identity of each other.
 *
 * @param aliases besides the own one
 */
public record TrustDomains(Set<String> aliases) {
  /** Every trust domain stands for itself alone. */
  public static final TrustDomains NO_ALIASES = new TrustDomains(Set.of());

  public TrustDomains {
    aliases = Set.copyOf(aliases);
    for (String alias : aliases) {
      if (alias.isBlank() || alias.chars().anyMatch(c -> c <= ' ' || c == '/' || c == '*')) {
        throw new IllegalArgumentException(
            "'" + alias + "' is no trust domain: a name such as cluster.local is wanted");
      }
    }
  }

  /** Whether {@code domain} is {@code own}, or an alias of it. */
  public boolean contains(String own, String domain) {
    return domain.equals(own) || aliases.contains(domain);
  }

  /** Whether {@code shown} is {@code expected}, where {@code own} and the aliases are one. */
  public boolean isSame(String own, Identity expected, Identity shown) {
    return shown.equals(expected)
        || (!aliases.isEmpty()
            && shown.namespace().equals(expected.namespace())
            && shown.serviceAccount().equals(expected.serviceAccount())
            && contains(own, expected.trustDomain())
            && contains(own, shown.trustDomain()));
  }

  /** Under which principals policies may name {@code identity}; its own is the first. */
  public Collection<String> principals(String own, Identity identity) {
    if (aliases.isEmpty() || !contains(own, identity.trustDomain())) {
      return List.of(identity.principal());
    }
    List<String> all = new ArrayList<>(aliases.size() + 1);
    all.add(identity.principal());
    add(all, own, identity);
    for (String alias : aliases) {
      add(all, alias, identity);
    }
    return all;
  }

  private static void add(List<String> all, String domain, Identity identity) {
    if (!domain.equals(identity.trustDomain())) {
      String principal =
          new Identity(domain, identity.namespace(), identity.serviceAccount()).principal();
      if (!all.contains(principal)) {
        all.add(principal);
      }
    }
  }
}
