package dev.ambit.operator.ca;

import java.util.Optional;

/** The identity of a workload: {@code spiffe://TRUST_DOMAIN/ns/NAMESPACE/sa/SERVICE_ACCOUNT}. */
public record SpiffeId(TrustDomain trustDomain, String namespace, String serviceAccount) {
  private static final String SCHEME = "spiffe://";

  /** What the URI names, or nothing where it is not an identity in exactly this form. */
  public static Optional<SpiffeId> parse(String uri) {
    if (!uri.startsWith(SCHEME)) {
      return Optional.empty();
    }
    String[] parts = uri.substring(SCHEME.length()).split("/", -1);
    if (parts.length != 5
        || !parts[1].equals("ns")
        || !parts[3].equals("sa")
        || parts[2].isEmpty()
        || parts[4].isEmpty()) {
      return Optional.empty();
    }
    try {
      return Optional.of(new SpiffeId(new TrustDomain(parts[0]), parts[2], parts[4]));
    } catch (InvalidTrustDomainException e) {
      return Optional.empty();
    }
  }

  /** The identity as it stands in a certificate's subject alternative name. */
  public String uri() {
    return SCHEME + trustDomain + "/ns/" + namespace + "/sa/" + serviceAccount;
  }

  @Override
  public String toString() {
    return uri();
  }
}
