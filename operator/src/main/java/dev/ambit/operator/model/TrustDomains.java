package dev.ambit.operator.model;

import java.util.LinkedHashSet;
import java.util.List;
import java.util.SequencedSet;

/**
 * The mesh's trust domain and those that are taken for it: policies that name one of them mean all.
 *
 * @param aliases without the mesh's own
 */
public record TrustDomains(String own, List<String> aliases) {
  /** Copies the aliases. */
  public TrustDomains {
    aliases = List.copyOf(aliases);
  }

  /** A mesh whose trust domain has no other name. */
  public static TrustDomains only(String own) {
    return new TrustDomains(own, List.of());
  }

  /**
   * The value of a policy's principal, as it stands, and under each other name that the mesh's
   * trust domain has. Only one whose trust domain is written out has others.
   */
  public SequencedSet<String> expand(String principal) {
    SequencedSet<String> all = new LinkedHashSet<>();
    all.add(principal);
    int slash = principal.indexOf('/');
    String domain = slash < 0 ? "" : principal.substring(0, slash);
    if (!domain.isEmpty() && (domain.equals(own) || aliases.contains(domain))) {
      String rest = principal.substring(slash);
      all.add(own + rest);
      aliases.forEach(alias -> all.add(alias + rest));
    }
    return all;
  }
}
